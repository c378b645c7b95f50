//! Linux on 386.
//!
//! A system call, `int 0x80` (`arch/x86/entry/entry_32.S`, `entry_INT80_32`; syscall(2), "Architecture calling
//! conventions"):
//!
//! | what          | where                          |
//! |---------------|--------------------------------|
//! | number        | eax                            |
//! | arguments 1-6 | ebx, ecx, edx, esi, edi, ebp   |
//! | result        | eax; -4095 to -1 is -errno     |
//! | destroyed     | nothing                        |
//! | kept          | every other register, flags    |
//!
//! Process entry (System V ABI, Intel386 supplement, "Process Initialization"; `fs/binfmt_elf.c`,
//! `create_elf_tables`; `ELF_PLAT_INIT`):
//!
//! | what            | state                                      |
//! |-----------------|--------------------------------------------|
//! | esp             | -> argc, argv, 0, envp, 0, auxv            |
//! | edx             | 0 without a dynamic linker                 |
//! | other registers | nothing to rely on                         |
//!
//! Thread entry, behind the `int 0x80` of `clone` (`kernel/fork.c`, `SYSCALL_DEFINE5(clone)` with `CLONE_BACKWARDS`;
//! `arch/x86/kernel/process.c`, `copy_thread`):
//!
//! | what          | where                                            |
//! |---------------|--------------------------------------------------|
//! | arguments     | flags, stack, parent's tid, **TLS, child's tid** |
//! | result        | eax: 0 in the new thread, its id in the old one  |
//! | esp           | the stack that was given                         |
//! | other registers, flags | as the old thread has them              |

use core::arch::{asm, naked_asm};

use crate::arch::{ARGS, Arg, Errno, ThreadEntry};

pub(crate) struct Port;

impl crate::arch::Port for Port {
    const NAME: &'static str = "linux_386";
    const R_RELATIVE: usize = 8; // R_386_RELATIVE
    const RELA: bool = false;

    #[inline(always)]
    unsafe fn syscall(number: usize, [a, b, c, d, e, f, _]: [Arg; ARGS]) -> Result<usize, Errno> {
        let result;
        // The compiler keeps esi and ebp to itself, so the last three come by way of memory.
        let last = [d.0, e.0, f.0];
        // SAFETY: the trait's contract covers the call and its arguments; the operands are those of the table above, and esi and ebp come back as
        // they were. The kernel reads no stack, so the two words pushed are nobody's arguments.
        unsafe {
            asm!(
                "push esi",
                "push ebp",
                "mov esi, [edi]",
                "mov ebp, [edi + 8]",
                "mov edi, [edi + 4]",
                "int 0x80",
                "pop ebp",
                "pop esi",
                inlateout("eax") number => result,
                in("ebx") a.0,
                in("ecx") b.0,
                in("edx") c.0,
                inlateout("edi") last.as_ptr() => _,
                options(preserves_flags),
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
        // The compiler keeps esi to itself, and there is no other register left: these two come by way of memory.
        let first = [core::ptr::without_provenance(number), tls];
        // SAFETY: the trait's contract covers flags, stack and entry; the operands are those of the tables above. The new
        // thread goes on from the same instruction on its own stack, and `entry` does not return. The kernel ignores the
        // parent's tid, where `entry` is passed, without the flag that asks for it, and so TLS.
        unsafe {
            asm!(
                "push esi",
                "mov esi, [eax + 4]",
                "mov eax, [eax]",
                "int 0x80",
                "test eax, eax",
                "jnz 2f",
                "xor ebp, ebp",  // the outermost frame has no caller
                "mov eax, esp",
                "sub esp, 12",   // with the argument: 0 mod 16 at the call
                "push eax",
                "call edx",
                "ud2",
                "2:",
                "pop esi",
                inlateout("eax") first.as_ptr() => result,
                in("ebx") flags,
                in("ecx") stack,
                in("edx") entry,
                in("edi") ended,
            );
        }
        Errno::check(result)
    }

    #[unsafe(naked)]
    unsafe extern "C" fn signal_return<const NUMBER: usize>() -> ! {
        naked_asm!("mov eax, {number}", "int 0x80", number = const NUMBER)
    }
}
