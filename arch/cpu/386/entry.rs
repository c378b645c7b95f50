//! The first instructions of a process on 386, under Linux and FreeBSD alike.
//!
//! They trust nothing but esp, which points to the initial stack and may be aligned to 4 bytes only: the frame chain
//! ends here, the direction flag is as every function expects it, and the stack is aligned to 16 bytes at the call
//! (System V ABI, Intel386 supplement, "The Stack Frame"). `$start` gets the initial stack and the linker script's table,
//! where that is now, as its arguments.

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
                "mov eax, esp",
                "and esp, -16",
                "sub esp, 8",    // with the two arguments: 0 mod 16 at the call
                "call 3f",       // finds out where the image is: it pushes the address of the word behind it
                "2: .long __rt0_linker_script - 2b",
                "3: pop ecx",
                "add ecx, [ecx]",
                "push ecx",
                "push eax",
                "call {start}",
                "ud2",
                start = sym $start,
            )
        }
    };
}
