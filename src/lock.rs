//! The lock of the heap, and what stands for it in programs without threads.

use core::sync::atomic::{AtomicU32, Ordering::{Acquire, Relaxed, Release}};

/// Keeps the callers of a heap from one another.
///
/// # Safety
///
/// Between `acquire` and `release` no other `acquire` returns; or whoever made
/// the value has promised that none will be called.
pub unsafe trait Exclusive {
    /// Waits until nobody else holds it, and takes it.
    fn acquire(&self);

    /// Lets the next one have it.
    ///
    /// # Safety
    ///
    /// The caller has acquired it.
    unsafe fn release(&self);
}

/// No lock: its owner has promised that calls never overlap.
pub struct Unlocked;

// SAFETY: the second half of the contract; only unsafe constructors make one
// part of a heap.
unsafe impl Exclusive for Unlocked {
    #[inline]
    fn acquire(&self) {}
    #[inline]
    unsafe fn release(&self) {}
}

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody may sleep until it is free.
const AWAITED: u32 = 2;

/// Looks that a waiter takes at the lock before it sleeps.
const SPINS: u32 = 100;

/// A lock of one word: it spins for a short while, then sleeps in the kernel
/// (`futex` on Linux, `_umtx_op` on FreeBSD). Not fair, not re-entrant.
pub struct Lock(AtomicU32);

impl Lock {
    /// A free lock.
    pub const fn new() -> Lock {
        Lock(AtomicU32::new(FREE))
    }

    #[cold]
    fn wait(&self) {
        for _ in 0..SPINS {
            if self.0.load(Relaxed) == FREE && self.0.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok() {
                return;
            }
            core::hint::spin_loop();
        }
        // Whoever has slept takes the lock as awaited: it cannot know whether it
        // was the only one, and a wake too many does no harm.
        while self.0.swap(AWAITED, Acquire) != FREE {
            crate::sys::wait_while(&self.0, AWAITED);
        }
    }
}

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}

// SAFETY: only one `acquire` at a time changes FREE to something else.
unsafe impl Exclusive for Lock {
    #[inline]
    fn acquire(&self) {
        if self.0.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            self.wait();
        }
    }

    #[inline]
    unsafe fn release(&self) {
        if self.0.swap(FREE, Release) == AWAITED {
            crate::sys::wake_one(&self.0);
        }
    }
}
