//! Threads, as the kernel makes them: a function that runs on a stack, and the wait until it has left that stack.
//!
//! This is what a language runtime has beneath threads of its own: thread-local storage, a number and a pointer for each
//! thread ([`current`]); no names, no scheduling. All threads are equal but for the first: when `main` returns, or anybody
//! calls [`exit`](crate::exit) or panics, the process ends and with it every thread.
//!
//! In a program that rt0 started each thread has the program's thread-local variables (C's `_Thread_local`, Rust's
//! `#[thread_local]`) as they are at first, at the high end of its stack (`thread/template.rs`). In any other program the
//! thread pointer is not rt0's business: see [`start`].
//!
//! ```no_run
//! # fn in_a_program_that_rt0_started() -> Result<(), rt0::sys::Errno> {
//! use rt0::thread::{self, Current, Stack, Thread};
//!
//! fn work(argument: *mut ()) {
//!     let current: Current = thread::current().expect("rt0 started this thread");
//!     current.set_local(argument);
//!     assert!(thread::id() == Some(current.id()) && current.local() == argument);
//!     rt0::println!("{} bytes of {} are left", current.stack_left(), current.stack().len());
//! }
//!
//! let stack = Stack::new(64 << 10)?;
//! assert!(stack.len() >= 64 << 10);
//! // SAFETY: the stack is the thread's until it is joined, and `work` may be called there with any argument.
//! let thread: Thread = unsafe { thread::start(stack.into_raw(), work, core::ptr::null_mut()) }?;
//! // SAFETY: it came from `into_raw`, and the thread has ended.
//! drop(unsafe { Stack::from_raw(thread.join()) });
//! # Ok(())
//! # }
//! ```

mod control;
mod stack;
mod template;

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicUsize, fence};

use crate::lock;
use crate::os::{Errno, sigaltstack, thread as kernel};

use control::ControlBlock;
pub use control::{Current, current, id};
pub(crate) use control::{First, GUARD_AT_POINTER, begin_first, random_guard, random_guard_of};
pub use stack::Stack;
pub(crate) use template::Template;

/// The least length of a stack, bytes: room to start and to end on. What the thread's own function needs is the
/// caller's to know, and so are the program's thread-local variables, which come on top of it.
pub const STACK_MIN: usize = 4096;

/// A thread that was started.
///
/// Dropping it loses the only way to know when its stack is free; the thread goes on.
#[must_use = "without it nobody knows when the stack is free"]
pub struct Thread {
    stack: NonNull<[u8]>,
    control: NonNull<ControlBlock>,
}

// SAFETY: it owns what it points to until the thread has ended, and any thread may wait for another.
unsafe impl Send for Thread {}

/// How large the stack is that a thread's fault handler runs on, bytes: for the registers that the kernel puts there (up to
/// 3 KiB with AVX-512, Linux `arch/x86/kernel/fpu/xstate.c`) and for what formats a line.
pub const ALTERNATE_SIZE: usize = 12 << 10;

/// From which length of its stack on, bytes, a thread has one: less would leave too little of it to the thread. The
/// program's thread-local variables come on top of it. See [`fault`](crate::fault).
pub const ALTERNATE_FROM: usize = 2 * ALTERNATE_SIZE;

/// Whether new threads have an alternate stack.
static ALTERNATE: AtomicBool = AtomicBool::new(false);

/// Whether new threads have an alternate stack.
fn has_alternate_stacks() -> bool {
    ALTERNATE.load(Relaxed)
}

/// Says that there is a handler of faults, so that new threads need an alternate stack.
pub(crate) fn expect_faults() {
    ALTERNATE.store(true, Relaxed);
}

/// How many bytes of a stack of `len` are an alternate stack, 0 if it is too short for one or none is wanted; `None` if it is
/// too short for a thread. What counts is what the variables leave.
fn alternate_of(len: usize, template: &Template, wanted: bool) -> Option<usize> {
    match len.saturating_sub(template.room() - Template::NONE.room()) {
        ..STACK_MIN => None,
        ALTERNATE_FROM.. if wanted => Some(ALTERNATE_SIZE),
        _ => Some(0),
    }
}

/// The number of the next thread.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// Starts a thread that calls `entry(argument)` on `stack`, and ends when that returns.
///
/// It may run before this returns. What was written before this call it can read; signals that are blocked here are
/// blocked there.
///
/// ```no_run
/// use rt0::thread::{self, Stack};
///
/// fn work(argument: *mut ()) {
///     let _ = argument;
/// }
///
/// let stack = Stack::new(64 << 10)?;
/// // SAFETY: the stack is the thread's until it is joined, and `work` uses little of it.
/// let thread = unsafe { thread::start(stack.into_raw(), work, core::ptr::null_mut()) }?;
/// // SAFETY: it came from `into_raw`, and the thread has ended.
/// drop(unsafe { Stack::from_raw(thread.join()) });
/// # Ok::<(), rt0::sys::Errno>(())
/// ```
///
/// # Errors
///
/// `EINVAL` for a stack shorter than [`STACK_MIN`] and the program's thread-local variables. `EAGAIN` or `ENOMEM` (Linux), `EPROCLIM` or `ENOMEM` (FreeBSD): no
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
    // None where the thread pointer is somebody else's. In a program of rt0's this is where the first thread gets its own.
    let caller = current();
    let template = Template::of_this_process();
    let alternate = alternate_of(stack.len(), &template, has_alternate_stacks()).ok_or(Errno::EINVAL)?;
    let low = stack.cast::<u8>();
    let placement = template.place(low.addr().get() + stack.len());
    let in_stack = |address: usize| address - low.addr().get();
    // Below the block and the variables is the alternate stack, and below that the stack, in whose first word the new
    // thread finds its block.
    let end = (placement.low() & !15) - alternate;
    let words = [NEXT.fetch_add(1, Relaxed), caller.map_or(0, Current::guard)];
    // SAFETY: all of it is within the stack, whose length was checked, and the stack is ours.
    let (control, top) = unsafe {
        let below = low.add(in_stack(placement.low()));
        let alternate = if alternate == 0 { null_mut() } else { low.add(in_stack(end)).as_ptr() };
        let bounds = [low.addr().get(), end];
        let control = ControlBlock::write(placement, &template, below, words, bounds, alternate, (entry, argument));
        let top = low.add(in_stack(end - 16)).cast::<NonNull<ControlBlock>>();
        top.write(control);
        (control, top)
    };
    // SAFETY: the state is a field of the control block.
    let state = unsafe { NonNull::new_unchecked(&raw mut (*control.as_ptr()).state) };
    // SAFETY: it is within the stack, or behind the block at its end.
    let pointer = caller.map(|_| unsafe { low.add(in_stack(placement.pointer)) }.cast());
    lock::expect_threads(pointer.is_some());
    // SAFETY: the stack between is the new thread's, and `run` is called once, there, with what was written above it. If it
    // has a thread pointer, so has the caller, and block and variables are where that says.
    unsafe { kernel::start(low, top.cast(), state, pointer, run) }?;
    Ok(Thread { stack, control })
}

/// Says that the process may have more than one thread from now on: what [`start`] does, for a program that makes its
/// threads otherwise (`clone` or `thr_new` by [`sys::syscall`](crate::sys::syscall)). A program that rt0 did not
/// start need not call it for threads that each have a thread pointer of their own, as those of a C library have.
///
/// ```
/// rt0::thread::assume_threads();
/// // From here on a heap's lock keeps out threads that rt0 did not start, too.
/// ```
pub fn assume_threads() {
    lock::expect_threads(false);
}

impl Thread {
    /// Waits until the thread has ended, and returns the stack, which nobody uses any more. What the thread wrote can
    /// be read then.
    pub fn join(self) -> NonNull<[u8]> {
        // SAFETY: the block stays what it is while the thread runs, and after it until the stack is given to others.
        let state = unsafe { &self.control.as_ref().state };
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
/// `top` is what `start` has written, on the stack of this thread, which has just begun.
unsafe extern "C" fn run(top: *mut ()) -> ! {
    // SAFETY: `start` has written where the block is. Of the block only the state changes meanwhile, by the kernel, and
    // what is in cells, by this thread.
    let block = unsafe { (*top.cast::<NonNull<ControlBlock>>()).as_ref() };
    let ControlBlock { state, entry, argument, alternate, .. } = block;
    if !alternate.is_null() {
        // Without it a fault is the kernel's to report.
        // SAFETY: `start` has put it aside, and the thread runs until the kernel has taken its stack.
        let _ = unsafe { sigaltstack(*alternate, ALTERNATE_SIZE) };
    }
    if let Some(entry) = entry {
        entry(*argument);
    }
    // It is the kernel that stores what `join` acquires: what comes before is to be seen before that.
    fence(Release);
    kernel::leave(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handler of faults may be installed between the two.
    #[test]
    fn a_stack_has_room_for_an_alternate_stack_whenever_its_thread_starts() {
        let template = Template::of_this_process();
        for bytes in [1, 4096, ALTERNATE_FROM, 100_000] {
            let len = Stack::new(bytes).expect("there is memory").len();
            for wanted in [false, true] {
                let alternate = alternate_of(len, &template, wanted).expect("it is long enough");
                assert!(len - alternate - template.room() >= bytes, "{bytes} bytes");
            }
        }
    }

    /// With variables of every size, a stack that is long enough for the alternate stack leaves the thread its least length
    /// below all that `start` writes, but for the control block.
    #[test]
    fn nothing_is_placed_below_the_stack() {
        let low = 0x7000_0000;
        for align in [1, 16, 4096] {
            for size in [0, 1, 4096, 16 << 10, 100_000] {
                let template = Template { size, align, ..Template::NONE };
                for len in (0..ALTERNATE_FROM + size + 4 * align + 4096).step_by(61) {
                    for wanted in [false, true] {
                        let Some(alternate) = alternate_of(len, &template, wanted) else {
                            assert!(len < STACK_MIN + template.room(), "{len} {template:?}");
                            continue;
                        };
                        let end = (template.place(low + len).low() & !15) - alternate;
                        let left = end.checked_sub(low).expect("it is within the stack");
                        assert!(left + Template::NONE.room() + 15 >= STACK_MIN, "{left} {len} {wanted} {template:?}");
                        assert!(alternate == 0 || left + Template::NONE.room() + 15 >= ALTERNATE_FROM - ALTERNATE_SIZE);
                        assert!(alternate != 0 || !wanted || len < ALTERNATE_FROM + template.room());
                    }
                }
            }
        }
    }
}
