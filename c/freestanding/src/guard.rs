//! The stack protector: the word that a function looks at before it returns, and what it calls when that has changed.
//!
//! The word is a variable where the ABI has one (ARM, FreeBSD), which is set here. On Linux/x86 it is at a fixed place of the
//! thread's control block, where rt0's start has written it.

use core::ffi::{CStr, c_char, c_int};
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::rt0_exit;

/// Sixteen random bytes (Linux `include/uapi/linux/auxvec.h`, `AT_RANDOM`).
#[cfg(target_os = "linux")]
const RANDOM: usize = 25;
/// A word of random bytes at the least (FreeBSD `sys/sys/elf_common.h`, `AT_CANARY`).
#[cfg(target_os = "freebsd")]
const RANDOM: usize = 16;

#[unsafe(no_mangle)]
static __stack_chk_guard: AtomicUsize = AtomicUsize::new(0);

/// Seeds the word with the kernel's random bytes. A function that is protected must not have this one as its callee.
///
/// # Safety
///
/// `envp` is the environment on the initial stack, which the auxiliary vector follows.
#[inline(always)]
pub(crate) unsafe fn set_up(envp: *mut *mut c_char) {
    let mut word = 0;
    // SAFETY: a null pointer ends the environment, an entry of type 0 the vector; the kernel says that there are random
    // bytes at the address.
    unsafe {
        let mut end = envp;
        while !(*end).is_null() {
            end = end.add(1);
        }
        let mut entry = end.add(1).cast::<[usize; 2]>();
        while (*entry)[0] != 0 {
            if (*entry)[0] == RANDOM {
                word = core::ptr::with_exposed_provenance::<usize>((*entry)[1]).read_unaligned();
            }
            entry = entry.add(1);
        }
    }
    // The byte that an overflowing string meets first is the one that ends strings.
    __stack_chk_guard.store(word & !0xff, Ordering::Relaxed);
}

/// What a function calls that finds the word changed: says so and ends the process with status 127.
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
