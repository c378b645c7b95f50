//! Linux on amd64.
//!
//! A system call, `syscall` (`arch/x86/entry/entry_64.S`, `entry_SYSCALL_64`; syscall(2), "Architecture calling
//! conventions"):
//!
//! | what          | where                          |
//! |---------------|--------------------------------|
//! | number        | rax                            |
//! | arguments 1-6 | rdi, rsi, rdx, r10, r8, r9     |
//! | result        | rax; -4095 to -1 is -errno     |
//! | destroyed     | rcx (return address), r11 (flags) |
//! | kept          | everything else, flags too     |
//!
//! Process entry (System V ABI, AMD64 supplement, "Process Initialization"; `fs/binfmt_elf.c`, `create_elf_tables`;
//! `ELF_PLAT_INIT`):
//!
//! | what            | state                                      |
//! |-----------------|--------------------------------------------|
//! | rsp             | -> argc, argv, 0, envp, 0, auxv; 0 mod 16  |
//! | rdx             | 0 without a dynamic linker                 |
//! | other registers | nothing to rely on                         |
//!
//! Thread entry, behind the `syscall` of `clone` (`kernel/fork.c`, `SYSCALL_DEFINE5(clone)`; `arch/x86/kernel/process.c`,
//! `copy_thread`):
//!
//! | what          | where                                            |
//! |---------------|--------------------------------------------------|
//! | arguments     | flags, stack, parent's tid, child's tid, TLS     |
//! | result        | rax: 0 in the new thread, its id in the old one  |
//! | rsp           | the stack that was given                         |
//! | other registers, flags | as the old thread has them              |

use core::arch::{asm, naked_asm};

use crate::arch::{ARGS, Arg, Errno, ThreadEntry};

pub(crate) struct Port;

impl crate::arch::Port for Port {
    const NAME: &'static str = "linux_amd64";
    const R_RELATIVE: usize = 8; // R_X86_64_RELATIVE
    const RELA: bool = true;

    #[inline(always)]
    unsafe fn syscall(number: usize, [a, b, c, d, e, f, _]: [Arg; ARGS]) -> Result<usize, Errno> {
        let result;
        // SAFETY: the trait's contract covers the call and its arguments; the operands are those of the table above.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") number => result,
                in("rdi") a.0,
                in("rsi") b.0,
                in("rdx") c.0,
                in("r10") d.0,
                in("r8") e.0,
                in("r9") f.0,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack, preserves_flags),
            );
        }
        Errno::check(result)
    }

    unsafe fn clone(
        number: usize,
        flags: usize,
        stack: *mut (),
        ended: *mut u32,
        tls: *const (),
        entry: ThreadEntry,
    ) -> Result<usize, Errno> {
        let result;
        // SAFETY: the trait's contract covers flags, stack and entry; the operands are those of the tables above. The new
        // thread goes on from the same instruction on its own stack, and `entry` does not return. The kernel ignores the
        // parent's tid without the flag that asks for it, and so TLS.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",  // the outermost frame has no caller
                "mov rdi, rsp",
                "call r9",
                "ud2",
                "2:",
                inlateout("rax") number => result,
                in("rdi") flags,
                in("rsi") stack,
                in("r10") ended,
                in("r8") tls,
                in("r9") entry,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        Errno::check(result)
    }

    #[unsafe(naked)]
    unsafe extern "C" fn signal_return<const NUMBER: usize>() -> ! {
        naked_asm!("mov eax, {number}", "syscall", number = const NUMBER)
    }
}
