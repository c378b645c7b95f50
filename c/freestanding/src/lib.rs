//! What a C program without a libc needs beside the functions of `rt0.h`.
//!
//! `tools/librt0` makes one member of the archive of this and of `compiler_builtins`: `_start`, the memory functions and the
//! arithmetic that compilers call by name, the stack protector. A program with a libc never sees it, since the archive's
//! index names nothing of it but `_start`.

#![no_std]
#![allow(missing_docs, reason = "the functions that rt0's macros make")]

use core::ffi::{c_char, c_int};

mod guard;

unsafe extern "C" {
    /// The C program's.
    fn main(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int;
    /// The library's: see `rt0.h`.
    fn rt0_start(
        stack: *const usize,
        program: unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int,
    ) -> !;
    fn rt0_exit(status: c_int) -> !;
}

unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: this is called by `_start` alone, with the stack that the kernel made.
    unsafe { rt0_start(stack, begin) }
}

unsafe extern "C" fn begin(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int {
    // SAFETY: it is called once, with what the kernel gave.
    unsafe {
        guard::set_up(envp);
        main(argc, argv, envp)
    }
}

/// The table that rt0's own linker script would write, which `_start` refers to. A C program is linked by its compiler's
/// script, and `rt0_start` finds its relocations by the program headers.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a linker's name")]
static __rt0_linker_script: [u32; 12] = [0; 12];

rt0::__entry_point!(start);
rt0::__abi_note!();
rt0::__memory_functions!(#[unsafe(no_mangle)] #[allow(missing_docs, reason = "C's own")]);
rt0::__unwinder!();
rt0::__thread_pointer_function!();

/// What ARM's compilers name in their tables for unwinding ("Exception Handling ABI for the Arm Architecture", "Default
/// personality routines"). Nothing unwinds.
#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn __aeabi_unwind_cpp_pr0() -> c_int {
    9 // _URC_FAILURE
}

/// Nothing in this member can panic; a program in Rust would not compile without it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it ends the process.
    unsafe { rt0_exit(2) }
}
