//! FreeBSD on 386, under an i386 kernel or an amd64 one.
//!
//! A system call, `int 0x80` (`sys/i386/i386/trap.c`, `cpu_fetch_syscall_args`; `vm_machdep.c`,
//! `cpu_set_syscall_retval`; under amd64 `sys/amd64/ia32/ia32_syscall.c`):
//!
//! | what       | where                                                               |
//! |------------|---------------------------------------------------------------------|
//! | number     | eax                                                                 |
//! | arguments  | **on the stack from 4(%esp)**; (%esp) is libc's return address, any word |
//! | result     | eax; carry clear                                                    |
//! | error      | eax = errno, positive; **carry set**                                |
//! | 2nd result | edx (`fork`: 1 in the child); not handed on                         |
//! | destroyed  | edx, flags                                                          |
//! | kept       | ebx, ecx, esi, edi, ebp, esp                                        |
//!
//! A 64-bit argument is two words, low one first, without padding.
//!
//! Process entry (`sys/i386/i386/machdep.c`, `exec_setregs`; `sys/amd64/ia32/ia32_signal.c`, `ia32_setregs`):
//!
//! | what            | state                                                        |
//! |-----------------|--------------------------------------------------------------|
//! | esp             | -> argc, argv, 0, envp, 0, auxv; 4-byte aligned and no more  |
//! | other registers | nothing to rely on                                           |

use core::arch::asm;

use crate::arch::{ARGS, Arg, Errno};

pub(crate) struct Port;

impl crate::arch::Port for Port {
    const NAME: &'static str = "freebsd_386";
    const R_RELATIVE: usize = 8; // R_386_RELATIVE
    const RELA: bool = false;

    #[inline(always)]
    unsafe fn syscall(number: usize, args: [Arg; ARGS]) -> Result<usize, Errno> {
        // SAFETY: the trait's contract covers the call and its arguments.
        unsafe { Port::trap(number, args) }.map(|[first, _]| first)
    }

    unsafe fn syscall_wide(number: usize, args: [Arg; ARGS]) -> Result<u64, Errno> {
        // SAFETY: the trait's contract covers the call and its arguments.
        unsafe { Port::trap(number, args) }.map(|[low, high]| low as u64 | (high as u64) << 32)
    }
}

impl Port {
    /// Makes the call; its answer is the two words of the table above.
    ///
    /// # Safety
    ///
    /// That of the trait.
    #[inline(always)]
    unsafe fn trap(number: usize, args: [Arg; ARGS]) -> Result<[usize; 2], Errno> {
        let result;
        let second;
        let failed: usize;
        // SAFETY: this function's contract covers the call and its arguments; the operands are those of the table above. The arguments are copied below
        // everything that is live, where a signal handler's frame cannot reach them; `lea` takes the eight words
        // off again and leaves the carry alone.
        unsafe {
            asm!(
                "push dword ptr [ecx + 24]",
                "push dword ptr [ecx + 20]",
                "push dword ptr [ecx + 16]",
                "push dword ptr [ecx + 12]",
                "push dword ptr [ecx + 8]",
                "push dword ptr [ecx + 4]",
                "push dword ptr [ecx]",
                "push eax",
                "int 0x80",
                "lea esp, [esp + 32]",
                "sbb ecx, ecx",
                inlateout("eax") number => result,
                inlateout("ecx") args.as_ptr() => failed,
                lateout("edx") second,
            );
        }
        Errno::check(failed != 0, result).map(|first| [first, second])
    }
}
