//! Where `_start` of a C program without a libc goes.
//!
//! A crate of its own, because what every such program has is compiled for size, and the rest of `librt0.a` for speed.

#![no_std]

use core::ffi::{c_char, c_int};

/// A program: `main`.
pub type Main = unsafe extern "C" fn(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) -> c_int;

/// Relocates the program, remembers the initial stack, calls `program` and exits with its status. `_start` alone calls it, so
/// it is not in `rt0.h`.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_start(stack: *const usize, program: Main) -> ! {
    // SAFETY: `_start` alone calls this, with the kernel's stack. The kernel's arrays are the program's to write to.
    unsafe {
        rt0::start::run_without_script(stack, |args| {
            program(args.len() as c_int, args.argv().cast_mut().cast(), args.envp().cast_mut().cast())
        })
    }
}
