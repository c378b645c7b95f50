//! The stack protector: the word that a function looks at before it returns, and what it calls when that has changed.
//!
//! The word is a variable where the ABI has one (ARM, FreeBSD). On Linux/x86 it is at a fixed place of the thread's control
//! block, where rt0's start has written it, and the variable stays 0.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::rt0_exit;

#[unsafe(no_mangle)]
static __stack_chk_guard: AtomicUsize = AtomicUsize::new(0);

/// Sets the variable, if that is where the word is and rt0's linker script has not seen to it. A function that has the stack protector must not have this one as its
/// callee.
#[inline(always)]
pub(crate) fn set(word: usize) {
    if word != 0 && !cfg!(all(target_os = "linux", any(target_arch = "x86", target_arch = "x86_64"))) {
        __stack_chk_guard.store(word, Ordering::Relaxed);
    }
}

/// What a function calls that finds the word changed: says so and ends the process with status 127.
///
/// It is not inlined: rt0's linker script sees from its section that the program has protected functions.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    const LINE: &CStr = c"rt0: stack smashing detected\n";
    unsafe extern "C" {
        fn rt0_write(fd: c_int, bytes: *const c_char, size: usize) -> isize;
    }
    // SAFETY: the kernel only reads the line.
    unsafe { rt0_write(2, LINE.as_ptr(), LINE.count_bytes()) };
    // SAFETY: it ends the process.
    unsafe { rt0_exit(127) }
}

/// The same for code that can be loaded anywhere, on the 386: a call within the program, which needs no table of addresses (GCC,
/// `TARGET_STACK_PROTECT_FAIL`).
#[cfg(target_arch = "x86")]
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail_local() -> ! {
    __stack_chk_fail()
}
