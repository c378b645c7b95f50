//! Sleeping at a word until it changes: FreeBSD's `_umtx_op` (_umtx_op(2)).
//!
//! Neither call can fail in a way that matters: whoever wakes looks at the word again.

use core::sync::atomic::AtomicU32;

use super::nr;
use crate::arch::syscall;
use crate::os::Timespec;

/// Sleep while the `unsigned int`, which only this process uses, has the value that is given (`sys/sys/umtx.h`).
const UMTX_OP_WAIT_UINT_PRIVATE: i32 = 15;
/// Wake threads of this process that sleep at the word (same file).
const UMTX_OP_WAKE_PRIVATE: i32 = 16;

/// Sleeps until this process wakes the word or `time` has passed, if the word still is `value`.
pub(crate) fn wait(word: &AtomicU32, value: u32, time: &Timespec) {
    let (op, value) = (UMTX_OP_WAIT_UINT_PRIVATE.into(), (value as usize).into());
    // The fourth argument is the size of the time, which says that it is relative.
    let args = [word.as_ptr().into(), op, value, size_of::<Timespec>().into(), (&raw const *time).into()];
    // SAFETY: the kernel reads the word and the time, which live as long as this call.
    let _ = unsafe { syscall(nr::UMTX_OP, args) };
}

/// Wakes one thread that sleeps at the word.
pub(crate) fn wake_one(word: &AtomicU32) {
    let (op, count) = (UMTX_OP_WAKE_PRIVATE.into(), 1usize.into());
    // SAFETY: the kernel takes the address as a name only.
    let _ = unsafe { syscall(nr::UMTX_OP, [word.as_ptr().into(), op, count, 0usize.into(), 0usize.into()]) };
}
