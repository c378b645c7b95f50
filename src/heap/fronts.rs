//! The fronts: a cache and its lock for each of the threads that would be in each other's way.
//!
//! ```text
//!     thread   thread   thread
//!        |        |        |        which front: by its thread pointer, or by where its stack lies
//!     front 0  front 1  front 2     a lock, an owner and a cache each; 1 and up are made when they are wanted
//!         \       |       /
//!           depot, back end         one lock, taken after that of a front
//! ```
//!
//! Nearly every call ends in the lists of a front, and only calls that find a list empty or full, and those of long
//! blocks, go further. There a batch of blocks goes one way or the other in a few instructions (depot.rs).
//!
//! **Which front.** There is one, in the heap itself, until a second thread comes. From then on the front that a thread
//! uses is looked up in a table, by its thread pointer: any answer is right, since the front says whose it is.
//!
//! A front that nobody has used yet becomes the thread's that takes its lock first: it goes in and out by plain steps from
//! then on (lock/bias.rs), and every other thread has to keep it out first, which is a system call. So another thread takes
//! a front of its own, made for it if there is none, up to [`MOST`]. When each has its owner, a further thread disowns the
//! one that the table has for it, and that is everybody's for ever, by its lock. A thread that ends leaves its front to
//! the next one that has its thread pointer, as a libc's next thread usually has.
//!
//! Where threads cannot be told apart (FreeBSD; Linux before 4.14; a thread that shares another's thread pointer) every front is
//! taken by its lock, and the table is asked by the 32 KiB in which the stack pointer lies. A thread that finds the lock
//! taken looks for a front whose lock is free and writes that one's number into the table; if there is none it makes one.
//! So threads drift apart as long as they meet, and programs whose threads never meet have one front. A thread whose stack
//! reaches over several entries uses the fronts of all of them.
//!
//! **What is contended.** A front without an owner, by threads that meet there: until one has moved on, or where more
//! threads allocate at once than there are fronts. Nobody sleeps until a front is free, so that to release it is a plain
//! store: who has to wait looks again, then waits in line with the front's holder for the back end, lets others run, and
//! sleeps for a millisecond at a time at last. The back end, by all threads, for as long as it takes to pass on a
//! batch or to carve one, or to split or join a long block; there threads sleep and are woken. The longest times there:
//! what a purge gives back, and a depot that is emptied in part, each bounded where it is defined. Nobody copies a block
//! there, and from the second front on nobody makes pages resident there.
//!
//! **What is bounded.** A block that is freed goes to the front of the thread that frees it, whoever made it. What a
//! front holds: for each class a list of at most a 256th of what is in use, or 8 KiB (cache.rs), and when its threads
//! make the heap grow, a 128th of what is in use in all its lists, or 256 KiB. The depot is shared, so its bound is
//! that of the heap. The room for all further fronts is 29 KiB (23 on 32-bit ports), in one piece, of which only what is
//! used becomes resident; it stays, and is counted as neither live nor free. Where it cannot be had threads wait in line.
//!
//! **The worst case.** Nothing strands: before a request is refused, the locks of all fronts are taken, in the order of
//! their numbers, and then the back end's; all lists and the depot are given to the back end, and the request is tried
//! again. The same goes for `trim`, `check` and `stats`. Only who holds front 0 makes a front, so nobody who has begun to
//! take all locks misses one, and who holds front 0 knows whether it is the only one: as long as it is, its lock keeps
//! the back end too; so the owner of front 0 is kept out when the second is made.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8};

use super::cache::Cache;
use crate::lock::{self, Bias, Lock, RawMutex};
use crate::sys::{self, Timespec};

/// How many fronts there are at most beside the first.
pub(super) const MOST: usize = 15;

/// Entries of the table, as a binary logarithm.
const SLOTS_LOG: u32 = 8;
/// Bytes of stack that share an entry, as a binary logarithm: less than what lies between two threads' stacks.
const STACK_LOG: u32 = 15;
/// What lies between two thread pointers at least, as a binary logarithm.
const POINTER_LOG: u32 = 6;

/// A front. It has cache lines of its own.
#[repr(align(64))]
pub(super) struct Front<L> {
    pub(super) lock: L,
    /// Whose it is, if the lock is of a kind that knows owners.
    pub(super) bias: Bias,
    pub(super) cache: UnsafeCell<Cache>,
}

impl<L> Front<L> {
    pub(super) const fn new(lock: L) -> Front<L> {
        Front { lock, bias: Bias::new(), cache: UnsafeCell::new(Cache::new()) }
    }
}

/// A front that the calling thread is in.
#[must_use]
pub(super) struct Held<'a, L> {
    pub(super) front: &'a Front<L>,
    /// As its owner, and not by its lock.
    own: bool,
}

impl<'a, L: RawMutex> Held<'a, L> {
    /// A front whose lock the caller has just taken.
    pub(super) fn by_lock(front: &'a Front<L>) -> Held<'a, L> {
        Held { front, own: false }
    }

    /// Lets the owner in again that was kept out.
    pub(super) fn let_owner_in(&self) {
        if L::BIASED && !self.own {
            self.front.bias.let_in();
        }
    }

    /// Lets the next thread have it.
    ///
    /// # Safety
    ///
    /// Nobody has a reference to what is in it any more.
    #[inline]
    pub(super) unsafe fn release(self) {
        if L::BIASED && self.own {
            return self.front.bias.leave();
        }
        // SAFETY: the calling thread is in it, by its lock; where there is another, threads wait as `give_way` does it.
        unsafe { if L::another().is_some() { self.front.lock.unlock_unawaited() } else { self.front.lock.unlock() } }
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

/// Why a thread is in no front yet.
pub(super) enum Contended<'a, L> {
    /// All have owners or are taken, and there may be a further front.
    Few,
    /// This one it has to wait for.
    At(&'a Front<L>),
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

    /// The lists of the first front, if nobody is in it and no other thread can come.
    #[inline]
    pub(super) fn alone(&self) -> Option<&UnsafeCell<Cache>> {
        self.first.lock.is_alone().then_some(&self.first.cache)
    }

    /// The first front, whose lock is free, as [`alone`](Fronts::alone) has said.
    #[inline]
    pub(super) fn enter_alone(&self) -> Held<'_, L> {
        self.first.lock.lock();
        Held::by_lock(&self.first)
    }

    /// The front whose owner the calling thread is.
    #[inline]
    pub(super) fn enter_own(&self) -> Option<Held<'_, L>> {
        if !L::BIASED {
            return None;
        }
        let thread = lock::calling_thread()?;
        // Most often there is one thread, and the first front is its own.
        let front = if self.first.bias.is_open_to(thread) { &self.first } else { self.of(Some(thread)) };
        front.bias.enter(thread).then_some(Held { front, own: true })
    }

    /// A front that the calling thread has not to wait for: its own, or one that becomes it if it can; or a front whose lock
    /// was free, and has no owner.
    pub(super) fn try_enter(&self, thread: Option<usize>) -> Result<Held<'_, L>, Contended<'_, L>> {
        let slot = self.slot(thread);
        let (number, count) = (slot.load(Acquire), self.count.load(Acquire));
        for step in 0..=count {
            let number = (number + step) % (count + 1);
            let front = self.front(number);
            if let Some(thread) = thread
                && front.bias.is_of(thread)
            {
                // Two threads may share an entry of the table: the other one's stays there.
                return if front.bias.enter(thread) {
                    Ok(Held { front, own: true })
                } else {
                    Err(Contended::At(front))
                };
            }
            if front.bias.is_owned() || !front.lock.try_lock() {
                continue;
            }
            let held = Held::by_lock(front);
            if front.bias.is_owned() {
                // SAFETY: nothing of it has been looked at.
                unsafe { held.release() };
                continue;
            }
            if let Some(thread) = thread {
                front.bias.claim(thread);
            }
            slot.store(number, Release);
            return Ok(held);
        }
        Err(if usize::from(count) < MOST { Contended::Few } else { Contended::At(self.of(thread)) })
    }

    /// The front that the table has for a thread.
    #[inline]
    pub(super) fn of(&self, thread: Option<usize>) -> &Front<L> {
        self.front(self.slot(thread).load(Acquire))
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

    /// Adds a front and makes it the calling thread's, unless there are as many as there can be.
    ///
    /// # Safety
    ///
    /// The caller holds the first front, and there is room.
    pub(super) unsafe fn add(&self, lock: L, thread: Option<usize>) {
        let count = self.count.load(Relaxed);
        if usize::from(count) == MOST {
            return;
        }
        // SAFETY: there is room for MOST of them, and nobody has looked at this one.
        let front = unsafe {
            let room = self.room.load(Relaxed).add(count.into());
            // Nobody's bias and empty lists are zeroes. In place, since a copy would need as much of the stack.
            room.write_bytes(0, 1);
            (&raw mut (*room).lock).write(lock);
            (*(*room).cache.get()).set_front(count + 1);
            &*room
        };
        if let Some(thread) = thread {
            front.bias.claim(thread);
        }
        // Who finds its number finds the room and what was written there.
        self.count.store(count + 1, Release);
        self.slot(thread).store(count + 1, Release);
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
    fn slot(&self, thread: Option<usize>) -> &AtomicU8 {
        let here = 0u8;
        let part = match thread {
            Some(pointer) => pointer >> POINTER_LOG,
            None => (&raw const here).addr() >> STACK_LOG,
        };
        // The golden ratio's fraction: what lies at equal distances is spread evenly.
        let hash = (part as u32).wrapping_mul(0x9e37_79b9) >> (u32::BITS - SLOTS_LOG);
        &self.slots[hash as usize % (1 << SLOTS_LOG)]
    }
}
