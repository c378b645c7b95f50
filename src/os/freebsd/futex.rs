//! Sleeping at a word until it changes: FreeBSD's `_umtx_op` (_umtx_op(2)).
//!
//! Neither call can fail in a way that matters: whoever wakes looks at the word again.

use core::sync::atomic::AtomicU32;

use super::nr;
use crate::arch::syscall;

/// Sleep while the `unsigned int`, which only this process uses, has the value that is given (`sys/sys/umtx.h`).
const UMTX_OP_WAIT_UINT_PRIVATE: i32 = 15;
/// Wake threads of this process that sleep at the word (same file).
const UMTX_OP_WAKE_PRIVATE: i32 = 16;

/// Sleeps until this process wakes the word, if the word still is `value`. A signal can end the sleep too.
pub(crate) fn wait(word: &AtomicU32, value: u32) {
    let (op, value, none) = (UMTX_OP_WAIT_UINT_PRIVATE.into(), (value as usize).into(), 0usize);
    // SAFETY: the kernel reads the word, which lives as long as this call. No time to wake up at is given.
    let _ = unsafe { syscall(nr::UMTX_OP, [word.as_ptr().into(), op, value, none.into(), none.into()]) };
}

/// Wakes one thread that sleeps at the word.
pub(crate) fn wake_one(word: &AtomicU32) {
    let (op, count) = (UMTX_OP_WAKE_PRIVATE.into(), 1usize.into());
    // SAFETY: the kernel takes the address as a name only.
    let _ = unsafe { syscall(nr::UMTX_OP, [word.as_ptr().into(), op, count, 0usize.into(), 0usize.into()]) };
}
