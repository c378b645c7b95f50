//! Where `_start` of a C program without a libc goes.
//!
//! A crate of its own, because what every such program has is compiled for size, and the rest of `librt0.a` for speed.

#![no_std]

use core::ffi::{c_char, c_int};

/// A program: what calls `main`. `guard` is for the stack protector's variable.
pub type Program =
    unsafe extern "C" fn(argc: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char, guard: usize) -> c_int;

/// Relocates the program, remembers the initial stack, calls `program` and exits with its status. `_start` alone calls it, so
/// it is not in `rt0.h`.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_start(stack: *const usize, program: Program) -> ! {
    // SAFETY: `_start` alone calls this, with the kernel's stack. The kernel's arrays are the program's to write to.
    unsafe {
        rt0::start::run_without_script(stack, |args, guard| {
            program(args.len() as c_int, args.argv().cast_mut().cast(), args.envp().cast_mut().cast(), guard)
        })
    }
}

/// [`rt0_start`] of a program that was linked by rt0's linker script, which puts this in its place: that has measured what the
/// other looks for. A third of the size.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program, and the table of the script.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_start_by_script(
    stack: *const usize,
    program: Program,
    image: *const rt0::start::Image,
) -> ! {
    // SAFETY: `_start` alone calls this, with the kernel's stack and the script's table. The kernel's arrays are the program's
    // to write to.
    unsafe {
        rt0::start::run_briefly(stack, image, |args| {
            program(args.len() as c_int, args.argv().cast_mut().cast(), args.envp().cast_mut().cast(), 0)
        })
    }
}
