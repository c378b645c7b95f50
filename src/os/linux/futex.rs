//! Sleeping at a word until it changes: Linux's `futex` (futex(2)).
//!
//! Neither call can fail in a way that matters: whoever wakes looks at the word again.

use core::sync::atomic::AtomicU32;

use super::nr;
use crate::arch::syscall;

/// Sleep while the word has the value that is given (`include/uapi/linux/futex.h`).
pub(super) const FUTEX_WAIT: i32 = 0;
/// Wake threads that sleep at the word (same file).
const FUTEX_WAKE: i32 = 1;
/// No other process sleeps at the word (same file). Private sleepers and shared wakers do not meet.
const FUTEX_PRIVATE_FLAG: i32 = 128;

/// Sleeps until this process wakes the word, if the word still is `value`. A signal can end the sleep too.
pub(crate) fn wait(word: &AtomicU32, value: u32) {
    let op = FUTEX_WAIT | FUTEX_PRIVATE_FLAG;
    let args = [word.as_ptr().into(), op.into(), (value as usize).into(), 0usize.into()];
    // SAFETY: the kernel reads the word, which lives as long as this call. No time to wake up at is given.
    let _ = unsafe { syscall(nr::FUTEX, args) };
}

/// Wakes one thread that sleeps at the word.
pub(crate) fn wake_one(word: &AtomicU32) {
    let op = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel takes the address as a name only.
    let _ = unsafe { syscall(nr::FUTEX, [word.as_ptr().into(), op.into(), 1usize.into()]) };
}
