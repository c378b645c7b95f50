//! Threads as the kernel makes them, and a lock.

use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};

use rt0::lock::{Lock, RawMutex};
use rt0::sys::Errno;
use rt0::thread::{self, Thread};

use crate::error::negated;

/// What a thread runs.
pub type rt0_thread_entry = Option<unsafe extern "C" fn(argument: *mut c_void)>;

/// A thread that was started. Its words are the library's.
#[repr(C)]
pub struct rt0_thread {
    /// The library's.
    pub private_words: [usize; 4],
}

const _: () =
    assert!(size_of::<Thread>() <= size_of::<rt0_thread>() && align_of::<Thread>() <= align_of::<rt0_thread>());

/// What lies at the top of the stack that the caller gave, above what rt0 keeps there.
#[repr(C, align(16))]
struct Begin {
    entry: unsafe extern "C" fn(argument: *mut c_void),
    argument: *mut c_void,
}

/// The first function of the thread.
fn begin(at: *mut ()) {
    // SAFETY: `rt0_thread_start` has put it there, and it stays while the thread runs.
    let Begin { entry, argument } = unsafe { at.cast::<Begin>().read() };
    // SAFETY: the caller of `rt0_thread_start` said that this may be called here.
    unsafe { entry(argument) };
}

/// Starts a thread that calls `entry(argument)` on the `size` bytes at `stack`, and ends when that returns.
///
/// It may run before this returns. What was written before this call it can read.
///
/// Answers 0; `-EINVAL` if `thread`, `stack` or `entry` is null or the stack is shorter than 4096 bytes and what is kept at
/// its top: 256 bytes at most, and the program's thread-local variables with three times their alignment. `-EAGAIN`,
/// `-EPROCLIM` or `-ENOMEM`: no more threads. The stack is the caller's again then.
///
/// # Safety
///
/// - The stack is readable and writable, as long as `entry` needs, and the thread's alone until `rt0_thread_join` returns. A
///   thread that uses more writes to what lies below: a page there without access makes that a fault, and is the caller's
///   to arrange.
/// - A heap that threads share was made without `RT0_HEAP_UNLOCKED`.
/// - In a hosted program the thread calls nothing of the libc: it would share the caller's thread-local storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_thread_start(
    thread: *mut rt0_thread,
    stack: *mut c_void,
    size: usize,
    entry: rt0_thread_entry,
    argument: *mut c_void,
) -> c_int {
    let (Some(entry), Some(low), false) = (entry, NonNull::new(stack.cast::<u8>()), thread.is_null()) else {
        return negated(Errno::EINVAL);
    };
    if size < thread::STACK_MIN || low.addr().get().checked_add(size).is_none() {
        return negated(Errno::EINVAL);
    }
    let space = size - size_of::<Begin>();
    let rest = space - (low.addr().get() + space) % align_of::<Begin>();
    // SAFETY: it is within the stack, aligned; the rest of the stack goes to the thread; the caller vouches for all else.
    unsafe {
        let top = low.add(rest).cast::<Begin>();
        top.write(Begin { entry, argument });
        match thread::start(NonNull::slice_from_raw_parts(low, rest), begin, top.as_ptr().cast()) {
            Ok(started) => {
                thread.cast::<Thread>().write(started);
                0
            }
            Err(errno) => negated(errno),
        }
    }
}

/// Waits until a thread has ended. Its stack is the caller's again then, and what the thread wrote can be read.
///
/// Answers 0, or `-EINVAL` if `thread` is null.
///
/// # Safety
///
/// `thread` is null, or was started and has not been waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_thread_join(thread: *mut rt0_thread) -> c_int {
    if thread.is_null() {
        return negated(Errno::EINVAL);
    }
    // SAFETY: the caller says that there is a thread in it, and it is taken out once.
    unsafe { ptr::read(thread.cast::<Thread>()) }.join();
    0
}

/// A lock: spins for a short while, then sleeps in the kernel. Not fair, not re-entrant. All zeroes is one that is free.
#[repr(C)]
pub struct rt0_lock {
    /// The library's.
    pub private_words: [u32; 2],
}

const _: () = assert!(size_of::<Lock>() == size_of::<rt0_lock>() && align_of::<Lock>() == align_of::<rt0_lock>());

/// Waits until nobody else holds the lock, and takes it. Nothing happens if it is null.
///
/// # Safety
///
/// `lock` is null or a lock, and does not move while somebody holds it or waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_lock_take(lock: *mut rt0_lock) {
    // SAFETY: the caller says that it is null or a lock; the two have the same layout, and zeroes are a free one.
    if let Some(lock) = unsafe { lock.cast::<Lock>().as_ref() } {
        lock.lock();
    }
}

/// Lets the next one have the lock. Nothing happens if it is null.
///
/// # Safety
///
/// `lock` is null or a lock that the caller holds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_lock_release(lock: *mut rt0_lock) {
    // SAFETY: the caller says that it is null or a lock that it holds.
    unsafe {
        if let Some(lock) = lock.cast::<Lock>().as_ref() {
            lock.unlock();
        }
    }
}
