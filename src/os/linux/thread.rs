//! Threads: Linux's `clone`, and the word that the kernel clears when the thread has left its stack for good.

use core::ptr::NonNull;
use core::sync::atomic::AtomicU32;

use super::futex::FUTEX_WAIT;
use super::nr;
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
/// What makes a thread that shares everything, and a word that tells of its end.
const CLONE_FLAGS: usize =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;

/// The word that tells whether a thread still runs: an `int` (`kernel/fork.c`, `mm_release`).
pub(crate) type State = AtomicU32;
/// Its value while the thread runs.
pub(crate) const RUNNING: u32 = 1;

/// Starts a thread that calls `entry(top)` on the stack between `low` and `top`. The kernel changes `state` when the
/// thread has ended.
///
/// # Safety
///
/// The stack is the new thread's alone and 16-byte aligned at `top`; `state` is [`RUNNING`] and stays where it is until
/// the thread has ended; `entry` may be called with `top`, once.
pub(crate) unsafe fn start(
    _low: NonNull<u8>,
    top: NonNull<()>,
    state: NonNull<State>,
    entry: ThreadEntry,
) -> Result<(), Errno> {
    // SAFETY: the flags make a thread and take no argument but the word; stack, word and entry are what this function's
    // contract asks for.
    unsafe { Current::clone(nr::CLONE, CLONE_FLAGS, top.as_ptr(), state.as_ptr().cast(), entry) }.map(drop)
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
