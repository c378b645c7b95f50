//! The first instructions of a process on amd64.
//!
//! They trust nothing but the place of the initial stack, which Linux hands over in rsp and FreeBSD in rdi: the frame
//! chain ends here, the direction flag is as every function expects it, and the stack is aligned to 16 bytes at the
//! call (System V ABI, AMD64 supplement, "The Stack Frame"). `$start` gets the initial stack and the linker script's table,
//! where that is now, as its arguments.

/// The instruction that puts the address of the initial stack into rdi.
#[cfg(target_os = "linux")]
#[doc(hidden)]
#[macro_export]
macro_rules! __initial_stack {
    () => {
        "mov rdi, rsp"
    };
}

/// None: the kernel has put it into rdi.
#[cfg(target_os = "freebsd")]
#[doc(hidden)]
#[macro_export]
macro_rules! __initial_stack {
    () => {
        ""
    };
}

/// Defines `_start`.
#[doc(hidden)]
#[macro_export]
macro_rules! __entry_point {
    ($start:path) => {
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn _start() -> ! {
            ::core::arch::naked_asm!(
                "xor ebp, ebp",  // the outermost frame has no caller
                "cld",
                $crate::__initial_stack!(),
                "lea rsi, [rip + __rt0_linker_script]",
                "and rsp, -16",
                "call {start}",
                "ud2",
                start = sym $start,
            )
        }
    };
}
