//! Threads: Linux's `clone`, and the word that the kernel clears when the thread has left its stack for good.

use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::futex::FUTEX_WAIT;
use super::{nr, tls};
use crate::arch::{Current, Errno, Port, ThreadEntry, syscall};

/// The new thread has the same memory (`include/uapi/linux/sched.h`).
const CLONE_VM: usize = 0x100;
/// The same working directory and root (same file).
const CLONE_FS: usize = 0x200;
/// The same file descriptors (same file).
const CLONE_FILES: usize = 0x400;
/// The same signal handlers (same file).
const CLONE_SIGHAND: usize = 0x800;
/// It is a thread of the same process (same file).
const CLONE_THREAD: usize = 0x1_0000;
/// The same System V semaphore adjustments (same file).
const CLONE_SYSVSEM: usize = 0x4_0000;
/// When it ends, the kernel makes the word 0 and wakes one sleeper there (same file; `kernel/fork.c`, `mm_release`).
const CLONE_CHILD_CLEARTID: usize = 0x20_0000;
/// The new thread has the thread pointer that is given (same file).
const CLONE_SETTLS: usize = 0x8_0000;
/// What makes a thread that shares everything, and a word that tells of its end.
const CLONE_FLAGS: usize =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;

/// The word that tells whether a thread still runs: an `int` (`kernel/fork.c`, `mm_release`).
pub(crate) type State = AtomicU32;
/// Its value while the thread runs.
pub(crate) const RUNNING: u32 = 1;

/// Starts a thread that calls `entry(top)` on the stack between `low` and `top`, with the thread pointer `pointer`, or the
/// caller's. The kernel changes `state` when the thread has ended.
///
/// # Safety
///
/// The stack is the new thread's alone and 16-byte aligned at `top`; `state` is [`RUNNING`] and stays where it is until
/// the thread has ended; `entry` may be called with `top`, once. Where the thread has a pointer, so has the caller, set by
/// [`tls::set`] or by this.
pub(crate) unsafe fn start(
    _low: NonNull<u8>,
    top: NonNull<()>,
    state: NonNull<State>,
    pointer: Option<NonNull<()>>,
    entry: ThreadEntry,
) -> Result<(), Errno> {
    let flags = CLONE_FLAGS | if pointer.is_some() { CLONE_SETTLS } else { 0 };
    let tls = tls::OfNewThread::new(pointer.map_or(core::ptr::null_mut(), NonNull::as_ptr));
    let (stack, ended) = (top.as_ptr(), state.as_ptr().cast());
    // SAFETY: the flags make a thread and take no arguments but the word and the thread pointer; stack, word and entry are
    // what this function's contract asks for.
    unsafe { Current::clone(nr::CLONE, flags, stack, ended, tls.argument(), entry) }.map(drop)
}

/// Sleeps while the state is [`RUNNING`], perhaps shorter. The kernel wakes as if the word were shared with other
/// processes, so this must not be a private sleep.
pub(crate) fn wait(state: &State) {
    let args = [state.as_ptr().into(), FUTEX_WAIT.into(), RUNNING.into(), 0usize.into()];
    // SAFETY: the kernel reads the word, which lives as long as this call.
    let _ = unsafe { syscall(nr::FUTEX, args) };
}

/// Ends the calling thread; the kernel then changes its state by itself.
pub(crate) fn leave(_state: &State) -> ! {
    loop {
        // SAFETY: this ends the calling thread alone, whose stack nobody else uses yet. It does not return.
        let _ = unsafe { syscall(nr::EXIT, [0usize.into()]) };
    }
}
