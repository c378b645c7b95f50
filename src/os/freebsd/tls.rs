//! The thread pointer: what a program passes to FreeBSD so that thread-local storage is found. `thr_new` takes a new
//! thread's pointer as it is.

use crate::arch::{Errno, syscall};

use super::nr;

/// Sets the base of %gs, and makes %gs select the segment that has it (`sys/i386/include/sysarch.h`, `I386_SET_GSBASE`;
/// the same in a 32-bit process of an amd64 kernel).
#[cfg(target_arch = "x86")]
const SET_BASE: i32 = 10;
/// Sets the base of %fs (`sys/amd64/include/sysarch.h`, `AMD64_SET_FSBASE`).
#[cfg(target_arch = "x86_64")]
const SET_BASE: i32 = 129;

/// Makes `pointer` the calling thread's thread pointer.
///
/// # Safety
///
/// Nobody uses what the thread pointer points to now, and what it will point to stays while the thread runs.
#[inline(always)]
pub(crate) unsafe fn set(pointer: *mut ()) -> Result<(), Errno> {
    // SAFETY: the kernel reads one pointer, whose address it takes as a number.
    unsafe { syscall(nr::SYSARCH, [SET_BASE.into(), (&raw const pointer).into()]) }.map(drop)
}

/// Whether the calling thread is known to have a thread pointer: nobody asks where that would not help (membarrier.rs).
pub(crate) fn is_set() -> bool {
    false
}
