//! The lock of the heap, and what stands for it in programs without threads.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::os::{Timespec, futex};

/// Keeps the callers of a heap from one another.
///
/// # Safety
///
/// Between `acquire` and `release` no other `acquire` returns; or whoever made
/// the value has promised that none will be called.
pub unsafe trait RawMutex {
    /// Waits until nobody else holds it, and takes it.
    fn lock(&self);

    /// Lets the next one have it.
    ///
    /// # Safety
    ///
    /// The caller has acquired it.
    unsafe fn unlock(&self);
}

/// No lock: its owner has promised that calls never overlap.
pub struct Unlocked;

// SAFETY: the second half of the contract; only unsafe constructors make one
// part of a heap.
unsafe impl RawMutex for Unlocked {
    #[inline]
    fn lock(&self) {}
    #[inline]
    unsafe fn unlock(&self) {}
}

const FREE: u32 = 0;
const HELD: u32 = 1;

/// Looks that a waiter takes at the lock before it sleeps.
const SPINS: u32 = 100;

/// A lock that spins for a short while, then sleeps in the kernel (`futex` on
/// Linux, `_umtx_op` on FreeBSD). Not fair, not re-entrant.
///
/// Taking it is one atomic exchange; releasing it is a plain store and a look at
/// the number of sleepers. Without a fence between the two, a thread that is just
/// going to sleep can be missed: so no sleep is longer than a millisecond, and a
/// wake-up that is lost costs that much, once. A fence would cost every release,
/// contended or not, as much as all else that a small allocation does.
pub struct Lock {
    word: AtomicU32,
    sleepers: AtomicU32,
}

impl Lock {
    /// A free lock.
    pub const fn new() -> Lock {
        Lock { word: AtomicU32::new(FREE), sleepers: AtomicU32::new(0) }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.word.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        for _ in 0..SPINS {
            if self.word.load(Relaxed) == FREE && self.try_lock() {
                return;
            }
            core::hint::spin_loop();
        }
        self.sleepers.fetch_add(1, Relaxed);
        while !self.try_lock() {
            futex::wait(&self.word, HELD, &SLEEP);
        }
        self.sleepers.fetch_sub(1, Relaxed);
    }

    #[cold]
    #[inline(never)]
    fn wake(&self) {
        futex::wake_one(&self.word);
    }
}

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}

// SAFETY: only one `acquire` at a time changes FREE to HELD.
unsafe impl RawMutex for Lock {
    #[inline]
    fn lock(&self) {
        if !self.try_lock() {
            self.wait();
        }
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.word.store(FREE, Release);
        if self.sleepers.load(Relaxed) != 0 {
            self.wake();
        }
    }
}

/// The longest sleep: see [`Lock`].
static SLEEP: Timespec = Timespec { seconds: 0, nanoseconds: 1_000_000 };
