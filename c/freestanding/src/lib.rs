//! What a C program without a libc needs beside the functions of `rt0.h`.
//!
//! `tools/librt0` makes members of the archive of this and of `compiler_builtins`: `_start`, the memory functions and the
//! arithmetic that compilers call by name, the stack protector. A program with a libc never gets them.

#![no_std]
#![allow(missing_docs, reason = "the functions that rt0's macros make")]

use core::ffi::{c_char, c_int};

mod guard;

/// A constructor.
type Function = unsafe extern "C" fn(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char);

unsafe extern "C" {
    /// The C program's.
    fn main(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int;
    /// The library's: see `c/start`.
    fn rt0_start(
        stack: *const usize,
        program: unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char, usize) -> c_int,
        image: *const u32,
    ) -> !;
    fn rt0_exit(status: c_int) -> !;

    // What is to be called before `main`. Linkers define these names in what they link statically (System V
    // gABI, "Initialization and Termination Functions").
    static __init_array_start: [Function; 0];
    static __init_array_end: [Function; 0];
}

unsafe extern "C" fn start(stack: *const usize, image: *const u32) -> ! {
    // SAFETY: this is called by `_start` alone, with the stack that the kernel made.
    unsafe { rt0_start(stack, begin, image) }
}

/// Calls the constructors and `main`.
///
/// A function that has the stack protector must not have this one as its callee.
unsafe extern "C" fn begin(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char, guard: usize) -> c_int {
    guard::set(guard);
    // SAFETY: it is called once, with what the kernel gave; between start and end of each array are functions of this kind.
    unsafe {
        let mut next = (&raw const __init_array_start).cast::<Function>();
        while next.cast() != &raw const __init_array_end {
            (*next)(argc, argv, envp);
            next = next.add(1);
        }
        main(argc, argv, envp)
    }
}

/// Where rt0's own linker script would write its table, which `_start` refers to. A C program is linked by its compiler's
/// script, and `rt0_start` finds its relocations by the program headers.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "a linker's name")]
static __rt0_linker_script: [u32; 0] = [];

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

/// Nothing here can panic; a program in Rust would not compile without it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it ends the process.
    unsafe { rt0_exit(2) }
}
