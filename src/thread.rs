//! Threads, as the kernel makes them: a function that runs on a stack, and the wait until it has left that stack.
//!
//! This is what a language runtime has beneath threads of its own: no thread-local storage, no names, no scheduling.
//! All threads are equal but for the first: when `main` returns, or anybody calls [`exit`](crate::exit) or panics, the
//! process ends and with it every thread.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Release};
use core::sync::atomic::fence;

use crate::lock;
use crate::os::{Errno, thread as kernel};

/// The least length of a stack, bytes: room to start and to end on. What the thread's own function needs is the
/// caller's to know.
pub const STACK_MIN: usize = 4096;

/// A thread that was started.
///
/// Dropping it loses the only way to know when its stack is free; the thread goes on.
#[derive(Debug)]
#[must_use = "without it nobody knows when the stack is free"]
pub struct Thread {
    stack: NonNull<[u8]>,
    base: NonNull<ControlBlock>,
}

// SAFETY: it owns what it points to until the thread has ended, and any thread may wait for another.
unsafe impl Send for Thread {}

/// What lies at the high end of a thread's stack, as aligned as any ABI here wants a stack; the thread runs below it.
#[derive(Debug)]
#[repr(C, align(16))]
struct ControlBlock {
    state: kernel::State,
    entry: fn(*mut ()),
    argument: *mut (),
}

/// Starts a thread that calls `entry(argument)` on `stack`, and ends when that returns.
///
/// It may run before this returns. What was written before this call it can read; signals that are blocked here are
/// blocked there.
///
/// # Errors
///
/// `EINVAL` for a stack shorter than [`STACK_MIN`]. `EAGAIN` or `ENOMEM` (Linux), `EPROCLIM` or `ENOMEM` (FreeBSD): no
/// more threads, or no memory for one. The stack is the caller's again.
///
/// # Safety
///
/// - `stack` is readable and writable, as long as `entry` needs, and the thread's alone until [`Thread::join`] returns
///   it. A thread that uses more writes to what lies below: a page there without access makes that a fault, and is the
///   caller's to arrange.
/// - `entry` may be called with `argument` on another thread.
/// - A heap or other state without a lock is not used from two threads. In a program with a libc the thread calls
///   nothing of it: it would share the caller's thread-local storage.
pub unsafe fn start(stack: NonNull<[u8]>, entry: fn(*mut ()), argument: *mut ()) -> Result<Thread, Errno> {
    if stack.len() < STACK_MIN {
        return Err(Errno::EINVAL);
    }
    let low = stack.cast::<u8>();
    let space = stack.len() - size_of::<ControlBlock>();
    let unaligned = (low.addr().get() + space) % align_of::<ControlBlock>();
    // SAFETY: it is within the stack, whose length was checked.
    let base = unsafe { low.add(space - unaligned) }.cast::<ControlBlock>();
    // SAFETY: aligned, and within the stack, which is ours.
    unsafe { base.write(ControlBlock { state: kernel::State::new(kernel::RUNNING), entry, argument }) };
    // SAFETY: the state is a field of the control block.
    let state = unsafe { NonNull::new_unchecked(&raw mut (*base.as_ptr()).state) };
    lock::expect_threads();
    // SAFETY: the stack between is the new thread's, and `run` is called once, there, with what was written above it.
    unsafe { kernel::start(low, base.cast(), state, run) }?;
    Ok(Thread { stack, base })
}

/// Says that the process may have more than one thread from now on: what [`start`] does, for a program that makes its
/// threads otherwise (`clone` or `thr_new` by [`sys::syscall`](crate::sys::syscall)). A program that rt0 did not
/// start need not call it.
pub fn assume_threads() {
    lock::expect_threads();
}

impl Thread {
    /// Waits until the thread has ended, and returns the stack, which nobody uses any more. What the thread wrote can
    /// be read then.
    pub fn join(self) -> NonNull<[u8]> {
        // SAFETY: the base stays what it is while the thread runs, and after it until the stack is given to others.
        let state = unsafe { &self.base.as_ref().state };
        while state.load(Acquire) == kernel::RUNNING {
            kernel::wait(state);
        }
        self.stack
    }
}

/// The first and last Rust of a thread.
///
/// # Safety
///
/// `base` is what `start` has written, on the stack of this thread, which has just begun.
unsafe extern "C" fn run(base: *mut ()) -> ! {
    // SAFETY: the caller's promise; only the kernel changes it, and of it the state alone, which is atomic.
    let ControlBlock { state, entry, argument } = unsafe { &*base.cast::<ControlBlock>() };
    entry(*argument);
    // It is the kernel that stores what `join` acquires: what comes before is to be seen before that.
    fence(Release);
    kernel::leave(state)
}
