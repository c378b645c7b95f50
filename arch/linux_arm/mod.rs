//! Linux on ARM, EABI.
//!
//! A system call, `svc 0` (`arch/arm/kernel/entry-common.S`, `vector_swi`; syscall(2), "Architecture calling
//! conventions"):
//!
//! | what          | where                                                       |
//! |---------------|-------------------------------------------------------------|
//! | number        | r7                                                          |
//! | arguments 1-6 | r0-r5; a 64-bit one takes an even register and the next odd one |
//! | result        | r0; -4095 to -1 is -errno                                   |
//! | destroyed     | nothing                                                     |
//! | kept          | every other register, flags                                 |
//!
//! Process entry (`arch/arm/include/asm/processor.h`, `start_thread`; `fs/binfmt_elf.c`, `create_elf_tables`):
//!
//! | what            | state                                         |
//! |-----------------|-----------------------------------------------|
//! | sp              | -> argc, argv, 0, envp, 0, auxv; 0 mod 8      |
//! | instruction set | ARM or Thumb by bit 0 of the entry address    |
//! | other registers | nothing to rely on                            |
//!
//! Thread entry, behind the `svc 0` of `clone` (`kernel/fork.c`, `SYSCALL_DEFINE5(clone)` with `CLONE_BACKWARDS`;
//! `arch/arm/kernel/process.c`, `copy_thread`):
//!
//! | what          | where                                            |
//! |---------------|--------------------------------------------------|
//! | arguments     | flags, stack, parent's tid, **TLS, child's tid** |
//! | result        | r0: 0 in the new thread, its id in the old one   |
//! | sp            | the stack that was given                         |
//! | other registers, flags | as the old thread has them              |

use core::arch::{asm, naked_asm};

use crate::arch::{ARGS, Arg, Errno, ThreadEntry};

pub(crate) struct Port;

impl crate::arch::Port for Port {
    const NAME: &'static str = "linux_arm";
    const R_RELATIVE: usize = 23; // R_ARM_RELATIVE
    const RELA: bool = false;

    #[inline(always)]
    unsafe fn syscall(number: usize, [a, b, c, d, e, f, _]: [Arg; ARGS]) -> Result<usize, Errno> {
        let result;
        // SAFETY: the trait's contract covers the call and its arguments; the operands are those of the table above. r7 is the frame pointer of
        // Thumb code and cannot be an operand, so it is put aside and comes back as it was.
        unsafe {
            asm!(
                "mov {kept}, r7",
                "mov r7, {number}",
                "svc 0",
                "mov r7, {kept}",
                number = in(reg) number,
                kept = out(reg) _,
                inlateout("r0") a.0 => result,
                in("r1") b.0,
                in("r2") c.0,
                in("r3") d.0,
                in("r4") e.0,
                in("r5") f.0,
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
                "mov {kept}, r7",
                "mov r7, {number}",
                "svc 0",
                "mov r7, {kept}",
                "cmp r0, #0",
                "bne 2f",
                "mov r11, #0",  // the outermost frame has no caller
                "mov r7, #0",
                "mov lr, #0",
                "mov r0, sp",
                "blx r5",
                "udf #0",
                "2:",
                number = in(reg) number,
                kept = out(reg) _,
                inlateout("r0") flags => result,
                in("r1") stack,
                in("r3") tls,
                in("r4") ended,
                in("r5") entry,
                options(nostack),
            );
        }
        Errno::check(result)
    }

    #[unsafe(naked)]
    unsafe extern "C" fn signal_return<const NUMBER: usize>() -> ! {
        naked_asm!("mov r7, #{number}", "svc 0", number = const NUMBER)
    }
}
