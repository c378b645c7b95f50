//! The lock of the heap, and what stands for it in programs without threads.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::os::{Timespec, futex};

/// Keeps the callers of a heap from one another.
///
/// # Safety
///
/// - From the return of `lock` to the next `unlock` no other `lock` of the same value returns, on any thread; or
///   whoever made the value has promised, in an unsafe constructor, that none will be called.
/// - What one holder wrote before `unlock`, the next one reads after `lock`: an `unlock` synchronizes with the `lock`
///   that follows it.
/// - This stays so when the value is moved while nobody holds it. A value that was just made is free.
/// - Neither method unwinds, and neither calls the heap that the lock belongs to.
pub unsafe trait RawMutex {
    /// Waits until nobody else holds it, and takes it. Not called by its holder.
    fn lock(&self);

    /// Lets the next one have it.
    ///
    /// # Safety
    ///
    /// The caller holds it: its thread has called `lock`, and not `unlock` since.
    unsafe fn unlock(&self);
}

/// No lock, for a program with one thread. Only an unsafe constructor makes one, so holding one means that somebody has
/// promised that calls do not overlap.
#[derive(Debug)]
pub struct Unlocked(());

impl Unlocked {
    /// Nothing in place of a lock.
    ///
    /// # Safety
    ///
    /// From the return of `lock` to the next `unlock` no other `lock` of this value is called: there is one thread, or
    /// its owner keeps the others away by other means; and neither a signal handler nor anything that runs in between
    /// calls it.
    pub const unsafe fn new() -> Unlocked {
        Unlocked(())
    }
}

// SAFETY: the second half of the first point: `new` is unsafe and asks for just that. One thread, or whatever keeps the
// others away, orders what they write.
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
#[derive(Debug)]
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

// SAFETY: only one `lock` at a time changes FREE to HELD, and acquires what the last `unlock` has released.
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
