//! The first instructions of a process on ARM.
//!
//! They trust nothing but sp, which points to the initial stack: the frame chain ends here, and the stack is aligned to
//! 8 bytes at the call (AAPCS, "Stack constraints at a public interface"). `$start` gets the initial stack and the linker
//! script's table, where that is now, as its arguments.

/// Defines `_start`.
#[doc(hidden)]
#[macro_export]
macro_rules! __entry_point {
    ($start:path) => {
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn _start() -> ! {
            ::core::arch::naked_asm!(
                "mov r11, #0",  // the outermost frame has no caller: r11 is the frame pointer of ARM code,
                "mov r7, #0",   // r7 that of Thumb code
                "mov lr, #0",
                "mov r0, sp",
                "bic r1, r0, #7",
                "mov sp, r1",
                "adr r1, 2f",   // relative to pc, in ARM and in Thumb code
                "ldr r2, [r1]",
                "add r1, r1, r2",
                "bl {start}",
                "udf #0",
                ".p2align 2",
                "2:",
                ".word __rt0_linker_script - 2b",
                start = sym $start,
            )
        }
    };
}
