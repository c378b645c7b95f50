//! FreeBSD on amd64.
//!
//! A system call, `syscall` (`sys/amd64/amd64/exception.S`, `fast_syscall`; `trap.c`, `cpu_fetch_syscall_args`;
//! `vm_machdep.c`, `cpu_set_syscall_retval`):
//!
//! | what          | where                                               |
//! |---------------|-----------------------------------------------------|
//! | number        | rax                                                 |
//! | arguments 1-6 | rdi, rsi, rdx, r10, r8, r9                          |
//! | argument 7    | 8(%rsp): above the word that libc's return address takes |
//! | result        | rax; carry clear                                    |
//! | error         | rax = errno, positive; **carry set**                |
//! | 2nd result    | rdx (`fork`: 1 in the child); not handed on         |
//! | destroyed     | rcx, r11, **r8, r9, r10**, rdx, flags               |
//! | kept          | rbx, rbp, rsp, r12-r15; rdi, rsi                    |
//!
//! Process entry (`sys/amd64/amd64/machdep.c`, `exec_setregs`):
//!
//! | what            | state                                                       |
//! |-----------------|-------------------------------------------------------------|
//! | **rdi**         | -> argc, argv, 0, envp, 0, auxv                             |
//! | rsp             | 8 mod 16, and not where argc is                             |
//! | other registers | nothing to rely on                                          |

use core::arch::asm;

use crate::arch::{ARGS, Arg, Errno};

pub(crate) struct Port;

impl crate::arch::Port for Port {
    const NAME: &'static str = "freebsd_amd64";
    const R_RELATIVE: usize = 8; // R_X86_64_RELATIVE
    const RELA: bool = true;

    #[inline(always)]
    unsafe fn syscall(number: usize, [a, b, c, d, e, f, g]: [Arg; ARGS]) -> Result<usize, Errno> {
        let result;
        let failed: u8;
        // SAFETY: the trait's contract covers the call and its arguments; the operands are those of the table above. `lea` takes the two words off
        // the stack again and leaves the carry alone.
        unsafe {
            asm!(
                "push {g}",
                "push {g}",
                "syscall",
                "lea rsp, [rsp + 16]",
                "setc {failed}",
                g = in(reg) g.0,
                failed = lateout(reg_byte) failed,
                inlateout("rax") number => result,
                in("rdi") a.0,
                in("rsi") b.0,
                inlateout("rdx") c.0 => _,
                inlateout("r10") d.0 => _,
                inlateout("r8") e.0 => _,
                inlateout("r9") f.0 => _,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        Errno::check(failed != 0, result)
    }
}
