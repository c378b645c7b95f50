//! Threads, as the kernel makes them: a function that runs on a stack, and the wait until it has left that stack.
//!
//! This is what a language runtime has beneath threads of its own: no thread-local storage, no names, no scheduling.
//! All threads are equal but for the first: when `main` returns, or anybody calls [`exit`](crate::exit) or panics, the
//! process ends and with it every thread.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Release};
use core::sync::atomic::fence;

use crate::sys::Errno;

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
    state: kernel::Word,
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
    unsafe { base.write(ControlBlock { state: kernel::Word::new(kernel::RUNNING), entry, argument }) };
    // SAFETY: the stack between is the new thread's, and `run` is called once, there.
    unsafe { kernel::start(low, base) }?;
    Ok(Thread { stack, base })
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

/// `clone`, and the word that the kernel clears when the thread has left its stack for good.
#[cfg(target_os = "linux")]
mod kernel {
    use core::ptr::NonNull;
    use core::sync::atomic::AtomicU32;

    use super::{ControlBlock, run};
    use crate::arch::{Current, Port};
    use crate::sys::{CLONE_FLAGS, Errno, FUTEX_WAIT, nr, syscall};

    /// An `int` (`kernel/fork.c`, `mm_release`).
    pub(super) type Word = AtomicU32;
    pub(super) const RUNNING: u32 = 1;

    /// # Safety
    ///
    /// From `low` to `base` is the new thread's stack; `base` is what `run` takes.
    pub(super) unsafe fn start(_low: NonNull<u8>, base: NonNull<ControlBlock>) -> Result<(), Errno> {
        // SAFETY: the state is a field of `base`.
        let state = unsafe { &raw mut (*base.as_ptr()).state };
        // SAFETY: the caller's promise, and flags that take no further argument.
        unsafe { Current::clone(CLONE_FLAGS, base.as_ptr().cast(), state.cast(), run) }.map(drop)
    }

    /// Sleeps while the word is [`RUNNING`], perhaps shorter. The kernel wakes as those do who share memory with other
    /// processes, so this must not be a private sleep.
    pub(super) fn wait(word: &Word) {
        let args = [word.as_ptr().into(), FUTEX_WAIT.into(), RUNNING.into(), 0usize.into()];
        // SAFETY: the kernel reads the word, which lives as long as this call.
        let _ = unsafe { syscall(nr::FUTEX, args) };
    }

    /// Ends the thread.
    pub(super) fn leave(_word: &Word) -> ! {
        loop {
            // SAFETY: this ends the calling thread alone, whose stack nobody else uses yet. It does not return.
            let _ = unsafe { syscall(nr::EXIT, [0usize.into()]) };
        }
    }
}

/// `thr_new`, and the word that `thr_exit` sets when the thread has left its stack for good.
#[cfg(target_os = "freebsd")]
mod kernel {
    use core::ptr::NonNull;
    use core::sync::atomic::AtomicUsize;

    use super::{ControlBlock, run};
    use crate::arch::ThreadEntry;
    use crate::sys::{Errno, UMTX_OP_WAIT, nr, syscall};

    /// A `long`, which becomes 1 (`sys/kern/kern_thr.c`, `sys_thr_exit`).
    pub(super) type Word = AtomicUsize;
    pub(super) const RUNNING: usize = 0;

    /// `struct thr_param` (`sys/sys/thr.h`) as far as it is not zero; the kernel takes a shorter one and zeroes for the
    /// rest (`sys/kern/kern_thr.c`, `sys_thr_new`): no thread-local storage, no ids, no flags, no priority.
    #[repr(C)]
    struct ThrParam {
        start_func: ThreadEntry,
        arg: NonNull<ControlBlock>,
        stack_base: NonNull<u8>,
        stack_size: usize,
    }

    /// # Safety
    ///
    /// From `low` to `base` is the new thread's stack; `base` is what `run` takes.
    pub(super) unsafe fn start(low: NonNull<u8>, base: NonNull<ControlBlock>) -> Result<(), Errno> {
        let stack_size = base.addr().get() - low.addr().get();
        let param = ThrParam { start_func: run, arg: base, stack_base: low, stack_size };
        // SAFETY: the caller's promise. The kernel reads `param` before it answers, and calls the function as the ABI
        // has it: argument, stack alignment and an end of the frame chain (`cpu_set_upcall` in
        // `sys/{i386,amd64}/*/vm_machdep.c`, before FreeBSD 12 `cpu_set_upcall_kse`).
        unsafe { syscall(nr::THR_NEW, [(&raw const param).into(), size_of::<ThrParam>().into()]) }.map(drop)
    }

    /// Sleeps while the word is [`RUNNING`], perhaps shorter. `thr_exit` wakes as those do who may share memory with
    /// other processes, so this is not a private sleep.
    pub(super) fn wait(word: &Word) {
        let none = 0usize;
        let args = [word.as_ptr().into(), UMTX_OP_WAIT.into(), RUNNING.into(), none.into(), none.into()];
        // SAFETY: the kernel reads the word, which lives as long as this call.
        let _ = unsafe { syscall(nr::UMTX_OP, args) };
    }

    /// Ends the thread.
    pub(super) fn leave(word: &Word) -> ! {
        // SAFETY: this ends the calling thread alone, whose stack nobody else uses yet.
        let _ = unsafe { syscall(nr::THR_EXIT, [word.as_ptr().into()]) };
        // It returns only to the last thread of a process (`kern_thr_exit`).
        crate::sys::exit(0)
    }
}
