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
            kernel::wait_while(&self.0, AWAITED);
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
            kernel::wake_one(&self.0);
        }
    }
}

/// Sleeping and waking, as each kernel has it. Neither can fail in a way that
/// matters: a sleep that ends early looks at the word again.
#[cfg(target_os = "linux")]
mod kernel {
    use core::sync::atomic::AtomicU32;

    use crate::sys::{nr, syscall};

    /// `include/uapi/linux/futex.h`.
    const FUTEX_WAIT_PRIVATE: i32 = 128;
    const FUTEX_WAKE_PRIVATE: i32 = 129;

    /// Sleeps until the word is woken, if it still is `value`.
    pub(super) fn wait_while(word: &AtomicU32, value: u32) {
        let args = [word.as_ptr().into(), FUTEX_WAIT_PRIVATE.into(), (value as usize).into(), 0usize.into()];
        // SAFETY: the kernel reads the word, which lives as long as this call; no timeout.
        let _ = unsafe { syscall(nr::FUTEX, args) };
    }

    /// Wakes one that sleeps at the word.
    pub(super) fn wake_one(word: &AtomicU32) {
        // SAFETY: the kernel takes the address as a name only.
        let _ = unsafe { syscall(nr::FUTEX, [word.as_ptr().into(), FUTEX_WAKE_PRIVATE.into(), 1usize.into()]) };
    }
}

/// As above.
#[cfg(target_os = "freebsd")]
mod kernel {
    use core::sync::atomic::AtomicU32;

    use crate::sys::{nr, syscall};

    /// `sys/sys/umtx.h`.
    const UMTX_OP_WAIT_UINT_PRIVATE: i32 = 15;
    const UMTX_OP_WAKE_PRIVATE: i32 = 16;

    /// Sleeps until the word is woken, if it still is `value`.
    pub(super) fn wait_while(word: &AtomicU32, value: u32) {
        let (op, value) = (UMTX_OP_WAIT_UINT_PRIVATE.into(), (value as usize).into());
        let args = [word.as_ptr().into(), op, value, 0usize.into(), 0usize.into()];
        // SAFETY: the kernel reads the word, which lives as long as this call; no timeout.
        let _ = unsafe { syscall(nr::UMTX_OP, args) };
    }

    /// Wakes one that sleeps at the word.
    pub(super) fn wake_one(word: &AtomicU32) {
        let (op, count) = (UMTX_OP_WAKE_PRIVATE.into(), 1usize.into());
        // SAFETY: the kernel takes the address as a name only.
        let _ = unsafe { syscall(nr::UMTX_OP, [word.as_ptr().into(), op, count, 0usize.into(), 0usize.into()]) };
    }
}
