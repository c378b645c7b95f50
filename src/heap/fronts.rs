//! The fronts: a cache and its lock for each of the threads that would be in each other's way.
//!
//! ```text
//!     thread   thread   thread
//!        |        |        |        which front: by where the thread's stack lies
//!     front 0  front 1  front 2     a lock and a cache each; 1 and up are made when they are wanted
//!         \       |       /
//!           depot, back end         one lock, taken after that of a front
//! ```
//!
//! Nearly every call ends in the lists of a front, and only calls that find a list empty or full, and those of long
//! blocks, go further. There a batch of blocks goes one way or the other in a few instructions (depot.rs).
//!
//! **Which front.** There is one, in the heap itself, until a thread finds its lock taken. From then on the lock that a
//! thread takes is looked up in a table, by the 32 KiB in which its stack pointer lies: no thread-local storage is
//! needed, and any answer is right. A thread that finds the lock taken looks for a front whose lock is free and writes
//! that one's number into the table; if there is none it makes one, up to [`MOST`]. So threads drift apart as long as
//! they meet, and programs whose threads never meet have one front. A thread whose stack reaches over several entries
//! uses the fronts of all of them.
//!
//! **What is contended.** A front, by threads that meet there: until one has moved on, or where more threads allocate at
//! once than there are fronts. Nobody sleeps until a front is free, so that to release it is a plain store: who has to
//! wait looks again, then waits in line with the front's holder for the back end, lets others run, and sleeps for a
//! millisecond at a time at last. The back end, by all threads, for as long as it takes to pass on a
//! batch or to carve one, or to split or join a long block; there threads sleep and are woken. The longest times there:
//! what a purge gives back, the step that the heap grows by, made resident, and a depot that is emptied in part, each
//! bounded where it is defined. Nobody copies a block there.
//!
//! **What is bounded.** A block that is freed goes to the front of the thread that frees it, whoever made it. What a
//! front holds: for each class a list of at most a 256th of what is in use, or 8 KiB (cache.rs), and when its threads
//! make the heap grow, a 128th of what is in use in all its lists, or 256 KiB. The depot is shared, so its bound is
//! that of the heap. The room for all further fronts is 27 KiB (21 on 32-bit ports), in one piece, of which only what is
//! used becomes resident; it stays, and is counted as neither live nor free. Where it cannot be had threads wait in line.
//!
//! **The worst case.** Nothing strands: before a request is refused, the locks of all fronts are taken, in the order of
//! their numbers, and then the back end's; all lists and the depot are given to the back end, and the request is tried
//! again. The same goes for `trim`, `check` and `stats`. Only who holds front 0 makes a front, so nobody who has begun to
//! take all locks misses one, and who holds front 0 knows whether it is the only one: as long as it is, its lock keeps
//! the back end too.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8};

use super::cache::Cache;
use crate::lock::{Lock, RawMutex};
use crate::sys::{self, Timespec};

/// How many fronts there are at most beside the first.
pub(super) const MOST: usize = 15;

/// Entries of the table, as a binary logarithm.
const SLOTS_LOG: u32 = 8;
/// Bytes of stack that share an entry, as a binary logarithm: less than what lies between two threads' stacks.
const STACK_LOG: u32 = 15;

/// A front. It has cache lines of its own.
#[repr(align(64))]
pub(super) struct Front<L> {
    pub(super) lock: L,
    pub(super) cache: UnsafeCell<Cache>,
}

impl<L> Front<L> {
    pub(super) const fn new(lock: L) -> Front<L> {
        Front { lock, cache: UnsafeCell::new(Cache::new()) }
    }
}

impl<L: RawMutex> Front<L> {
    /// Lets the next thread have it.
    ///
    /// # Safety
    ///
    /// The caller holds its lock.
    #[inline]
    pub(super) unsafe fn release(&self) {
        // SAFETY: the caller holds it; where there is another, threads wait as `give_way` does it.
        unsafe { if L::another().is_some() { self.lock.unlock_unawaited() } else { self.lock.unlock() } }
    }
}

/// How often a thread that waits for a front looks for it without leaving its processor, each time twice as long: 2047
/// pauses in all ...
const SPINS: u32 = 11;
/// ... and how often it lets other threads run, before it sleeps for a millisecond each time: whoever holds the front may
/// be one that does not run as long as this one does.
const YIELDS: u32 = 100;

/// Lets a thread that holds a front go on. Nobody sleeps until a front is free: to make it so is a plain store then, and
/// threads hardly ever have to wait, since they go to another front. `line` is where holders of fronts wait in line.
pub(super) fn give_way(round: u32, line: &Lock) {
    if round < SPINS {
        (0..1 << round).for_each(|_| core::hint::spin_loop());
        return;
    }
    line.lock();
    // SAFETY: just taken.
    unsafe { line.unlock() };
    if round < SPINS + YIELDS {
        sys::sched_yield();
    } else {
        // A signal may end it early.
        let _ = sys::nanosleep(Timespec { seconds: 0, nanoseconds: 1_000_000 });
    }
}

/// All fronts. All zeroes, as far as the lock is, is one front.
pub(super) struct Fronts<L> {
    first: Front<L>,
    /// Room for the further ones, or null; those that are not made are not written to.
    room: AtomicPtr<Front<L>>,
    /// How many further ones there are.
    count: AtomicU8,
    /// The number of the front for each part of the stacks.
    slots: [AtomicU8; 1 << SLOTS_LOG],
}

/// Why a thread has no front yet.
pub(super) enum Contended {
    /// All locks are taken, and there may be a further front.
    Few,
    /// All locks are taken.
    Many,
}

impl<L: RawMutex> Fronts<L> {
    pub(super) const fn new(lock: L) -> Fronts<L> {
        Fronts {
            first: Front::new(lock),
            room: AtomicPtr::new(ptr::null_mut()),
            count: AtomicU8::new(0),
            slots: [const { AtomicU8::new(0) }; 1 << SLOTS_LOG],
        }
    }

    /// The first front, its lock taken, if no other thread can be there.
    #[inline]
    pub(super) fn enter_alone(&self) -> Option<&Front<L>> {
        self.first.lock.lock_alone().then_some(&self.first)
    }

    /// The front of the calling thread, its lock taken, if it is free.
    #[inline]
    pub(super) fn try_enter(&self) -> Option<&Front<L>> {
        let front = self.own();
        front.lock.try_lock().then_some(front)
    }

    /// A front whose lock was free, and is taken: it is the calling thread's from now on.
    pub(super) fn enter_another(&self) -> Result<&Front<L>, Contended> {
        let slot = self.slot();
        let (own, count) = (slot.load(Relaxed), self.count.load(Acquire));
        for step in 1..=count {
            let number = (own + step) % (count + 1);
            let front = self.front(number);
            if front.lock.try_lock() {
                slot.store(number, Release);
                return Ok(front);
            }
        }
        Err(if usize::from(count) < MOST { Contended::Few } else { Contended::Many })
    }

    /// The front of the calling thread.
    #[inline]
    pub(super) fn own(&self) -> &Front<L> {
        self.front(self.slot().load(Acquire))
    }

    /// The first front.
    pub(super) fn first(&self) -> &Front<L> {
        &self.first
    }

    /// Whether there is more than one front. Who holds none may get either answer.
    #[inline]
    pub(super) fn several(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Whether there is room for further ones. The caller holds the first.
    pub(super) fn has_room(&self) -> bool {
        !self.room.load(Relaxed).is_null()
    }

    /// Makes the room for further ones.
    ///
    /// # Safety
    ///
    /// The caller holds the first front, and there has been no room. It is room for [`MOST`] fronts, which stays for ever
    /// and is nobody else's.
    pub(super) unsafe fn set_room(&self, room: NonNull<Front<L>>) {
        self.room.store(room.as_ptr(), Relaxed);
    }

    /// Adds a front, and makes it the calling thread's, unless there are as many as there can be.
    ///
    /// # Safety
    ///
    /// The caller holds the first front, and there is room.
    pub(super) unsafe fn add(&self, lock: L) {
        let count = self.count.load(Relaxed);
        if usize::from(count) == MOST {
            return;
        }
        // SAFETY: there is room for MOST of them, and nobody has looked at this one.
        unsafe { self.room.load(Relaxed).add(count.into()).write(Front::new(lock)) };
        // Who finds its number finds the room and what was written there.
        self.count.store(count + 1, Release);
        self.slot().store(count + 1, Release);
    }

    /// The further fronts. Their number is certain for who holds the first.
    pub(super) fn further(&self) -> impl Iterator<Item = &Front<L>> + Clone {
        (1..=self.count.load(Acquire)).map(|number| self.front(number))
    }

    /// The front of a number that was read from the table, or is not above the number of further ones.
    #[inline]
    fn front(&self, number: u8) -> &Front<L> {
        match number.checked_sub(1) {
            None => &self.first,
            // SAFETY: `add` has made it, since it has a number, and nobody has a unique reference to it.
            Some(index) => unsafe { &*self.room.load(Relaxed).add(index.into()) },
        }
    }

    /// The entry of the table for the calling thread.
    #[inline]
    fn slot(&self) -> &AtomicU8 {
        let here = 0u8;
        let part = ((&raw const here).addr() >> STACK_LOG) as u32;
        // The golden ratio's fraction: stacks that lie at equal distances are spread evenly.
        let hash = part.wrapping_mul(0x9e37_79b9) >> (u32::BITS - SLOTS_LOG);
        &self.slots[hash as usize % (1 << SLOTS_LOG)]
    }
}
