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
//! **Which front.** There is one, in the heap itself, until a second thread comes. From then on a front belongs to a
//! thread: one that nobody has used yet becomes the thread's that takes its lock first, and it goes in and out by plain
//! steps from then on (lock/bias.rs). A table finds it by the thread pointer. Every other thread would have to keep the
//! owner out first, which is a system call. So another thread takes a front of its own, made for it if there is none, up to
//! [`MOST`], as long as the room for them is a small part of what the heap may come to ([`ROOM_SHARE`]). When each has its
//! owner, a further thread disowns one, and that is everybody's for ever, by its lock. A thread that ends leaves its front
//! to the next one that has its thread pointer, as a libc's next thread usually has.
//!
//! Where threads cannot be told apart (FreeBSD; Linux before 4.14; a thread that shares another's thread pointer) every front is
//! taken by its lock, and a second table is asked, by the 32 KiB in which the stack pointer lies. A thread that finds the lock
//! taken looks for a front whose lock is free and writes that one's number into the table; if there is none it makes one.
//! So threads drift apart as long as they meet, and programs whose threads never meet have one front. A thread whose stack
//! reaches over several entries uses the fronts of all of them.
//!
//! **What is contended.** A front without an owner, by threads that meet there: until one has moved on, or where more
//! threads allocate at once than there are fronts. Nobody sleeps until a front is free, so that to release it is a
//! plain store: who has to wait looks again, then waits in line with the front's holder for the back end, lets others
//! run, and sleeps for a millisecond at a time at last. The back end, by all threads, for as long as it takes to pass
//! on a batch or to carve one, or to split or join a long block; there threads sleep and are woken. The longest times
//! there: what a purge gives back, and a depot and lists that are emptied in part, each bounded where it is defined.
//! Nobody copies a block there, and from the second front on nobody makes pages resident there.
//!
//! **What is bounded.** A block that is freed goes to the front of the thread that frees it, whoever made it. What a
//! front holds: for each class a list of at most a 256th of what is in use, or 8 KiB (cache.rs), and when the heap grows,
//! a 128th of what is in use in all its lists, or 256 KiB; more than [`FEW`](super::backend::FEW) fronts no more than as
//! many together. Before the heap grows, [some](VISITS) fronts of other threads are looked into as well: those may have
//! ended, wait, or free what this one takes, and never make the heap grow themselves. Where all were looked into twice in
//! vain, they are left until the heap has changed by an [eighth](VISIT_SHARE). The depot is shared, so its bound is that
//! of the heap. The room for further fronts comes in pieces for sixteen, of 44 KiB (33 on 32-bit ports), of which only
//! what is used becomes resident; they stay, and are counted as neither live nor free. Where one cannot be had threads
//! wait in line.
//!
//! **The worst case.** Nothing strands: before a request is refused, the locks of all fronts are taken, in the order of
//! their numbers, and then the back end's; all lists and the depot are given to the back end, and the request is tried
//! again. The same goes for `trim`, `check` and `stats`. Only who holds front 0 makes a front, so nobody who has begun to
//! take all locks misses one, and who holds front 0 knows whether it is the only one: as long as it is, its lock keeps
//! the back end too; so the owner of front 0 is kept out when the second is made.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize};

use super::cache::Cache;
use crate::lock::{self, Bias, Lock, RawMutex};
use crate::sys::{self, Timespec};

/// How many fronts there are at most beside the first.
const MOST: usize = u8::MAX as usize;
/// Room is made for so many at once.
const PIECE: usize = 16;
/// All room, but for the first piece, is at most this part of what the heap may come to.
const ROOM_SHARE: usize = 32;

/// So many fronts are looked into before the heap grows: they are kept out together, which costs one system call.
const VISITS: usize = 16;

/// Fronts in which nothing was found are looked into when what is below tops has changed by this part of it.
const VISIT_SHARE: usize = 8;

/// Entries of the table of owners, as a binary logarithm: twice as many as there are fronts.
const OWNERS_LOG: u32 = 9;
/// Entries of the table of parts of stacks, as a binary logarithm.
const PARTS_LOG: u32 = 8;
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

    /// Marks the owner as kept out, who may be inside yet: after all that are marked comes one [`lock::order_others`].
    pub(super) fn mark_owner_out(&self) -> bool {
        L::BIASED && self.front.bias.mark_out(lock::calling_thread())
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

/// Each front at the first free entry from that of its owner on. It comes with the first piece of room.
type Owners<L> = [AtomicPtr<Front<L>>; 1 << OWNERS_LOG];

/// All fronts. All zeroes, as far as the lock is, is one front.
pub(super) struct Fronts<L> {
    first: Front<L>,
    /// Pieces of room for the further ones, or null; those that are not made are not written to.
    rooms: [AtomicPtr<Front<L>>; MOST.div_ceil(PIECE)],
    /// How many further ones there are ...
    count: AtomicU8,
    /// ... and whether there are to be no more.
    complete: AtomicBool,
    /// The number of the front that is looked into next before the heap grows ...
    turn: AtomicU8,
    /// ... and how much was below tops when this was done last ...
    visited: AtomicUsize,
    /// ... and how often it was in vain since.
    vain: AtomicU8,
    /// The further fronts that have or had an owner, or null: there are none yet.
    owners: AtomicPtr<Owners<L>>,
    /// The number of the front for each part of the stacks, for threads without a front of their own.
    parts: [AtomicU8; 1 << PARTS_LOG],
}

/// Why a thread is in no front yet: all have owners or are taken.
pub(super) struct Contended<'a, L> {
    /// This one it has to wait for ...
    pub(super) front: &'a Front<L>,
    /// ... unless there may be a further one, and is.
    pub(super) few: bool,
}

impl<L: RawMutex> Fronts<L> {
    pub(super) const fn new(lock: L) -> Fronts<L> {
        Fronts {
            first: Front::new(lock),
            rooms: [const { AtomicPtr::new(ptr::null_mut()) }; MOST.div_ceil(PIECE)],
            count: AtomicU8::new(0),
            complete: AtomicBool::new(false),
            turn: AtomicU8::new(0),
            visited: AtomicUsize::new(0),
            vain: AtomicU8::new(0),
            owners: AtomicPtr::new(ptr::null_mut()),
            parts: [const { AtomicU8::new(0) }; 1 << PARTS_LOG],
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
        let front = self.find(thread, |bias| bias.is_open_to(thread))?;
        front.bias.enter_open(thread).then_some(Held { front, own: true })
    }

    /// A front that may be a thread's, and of which something holds.
    #[inline]
    fn find(&self, thread: usize, holds: impl Fn(&Bias) -> bool) -> Option<&Front<L>> {
        // Most often there is one thread, and the first front is its own.
        if holds(&self.first.bias) {
            return Some(&self.first);
        }
        for entry in self.entries(thread)? {
            // SAFETY: what is in the table, `add` has made, and nobody has a unique reference to it.
            let front = unsafe { entry.load(Acquire).as_ref()? };
            if holds(&front.bias) {
                return Some(front);
            }
        }
        None
    }

    /// The entries in which a thread's front may be, up to one that is free: half of all are for ever.
    #[inline]
    fn entries(&self, thread: usize) -> Option<impl Iterator<Item = &AtomicPtr<Front<L>>>> {
        // SAFETY: `set_room` has made it, and it stays.
        let owners = unsafe { self.owners.load(Acquire).as_ref()? };
        Some((hash(thread >> POINTER_LOG, OWNERS_LOG)..).map(|at| &owners[at % owners.len()]))
    }

    /// Makes a thread, which holds its lock, the owner of a front, if that has had none; whether it was so.
    fn claim(&self, thread: usize, front: &Front<L>) -> bool {
        let claimed = front.bias.claim(thread);
        if claimed && !ptr::eq(front, &self.first) {
            // Several threads may look for an entry at once. Who finds the front finds what `add` has written.
            let new = ptr::from_ref(front).cast_mut();
            let mut entries = self.entries(thread).into_iter().flatten();
            entries.find(|entry| entry.compare_exchange(ptr::null_mut(), new, Release, Relaxed).is_ok());
        }
        claimed
    }

    /// A front that the calling thread has not to wait for: its own, or one that becomes it if it can; or a front whose lock
    /// was free, and has no owner.
    pub(super) fn try_enter(&self, thread: Option<usize>) -> Result<Held<'_, L>, Contended<'_, L>> {
        if let Some(thread) = thread
            && let Some(front) = self.find(thread, |bias| bias.is_of(thread))
        {
            let entered = front.bias.enter(thread);
            return if entered { Ok(Held { front, own: true }) } else { Err(Contended { front, few: false }) };
        }
        let part = self.part();
        let (last, count) = (part.load(Acquire), self.count.load(Acquire));
        for number in (last..=count).chain(0..last) {
            let front = self.front(number);
            if front.bias.is_owned() || !front.lock.try_lock() {
                continue;
            }
            let held = Held::by_lock(front);
            if front.bias.is_owned() {
                // SAFETY: nothing of it has been looked at.
                unsafe { held.release() };
                continue;
            }
            if !thread.is_some_and(|thread| self.claim(thread, front)) {
                part.store(number, Release);
            }
            return Ok(held);
        }
        // The one that it had last, or where that has an owner, any: so not all meet at one.
        let mut front = self.front(last);
        if let Some(thread) = thread
            && front.bias.is_owned()
        {
            let any = hash(thread >> POINTER_LOG, OWNERS_LOG) % (usize::from(count) + 1);
            front = self.front(any as u8);
        }
        Err(Contended { front, few: !self.complete.load(Relaxed) })
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

    /// Whether there is room for a further one. The caller holds the first.
    pub(super) fn has_room(&self) -> bool {
        let count = usize::from(self.count.load(Relaxed));
        count < MOST && !self.rooms[count / PIECE].load(Relaxed).is_null()
    }

    /// What the next piece of room is to be: bytes and alignment. `None` if there are as many fronts as can be, or as a heap of
    /// at most `limit` bytes bears: there are no more then, ever.
    pub(super) fn room_wanted(&self, limit: usize) -> Option<(usize, usize)> {
        let count = usize::from(self.count.load(Relaxed));
        let len = PIECE * size_of::<Front<L>>() + if count == 0 { size_of::<Owners<L>>() } else { 0 };
        if count == MOST || count > 0 && self.room_bytes() + len > limit / ROOM_SHARE {
            self.complete.store(true, Relaxed);
            return None;
        }
        Some((len, align_of::<Front<L>>()))
    }

    /// Bytes of room.
    pub(super) fn room_bytes(&self) -> usize {
        let pieces = self.rooms.iter().filter(|room| !room.load(Relaxed).is_null()).count();
        pieces * PIECE * size_of::<Front<L>>() + if pieces > 0 { size_of::<Owners<L>>() } else { 0 }
    }

    /// Makes room for further ones.
    ///
    /// # Safety
    ///
    /// The caller holds the first front, and there has been no room. It is as `room_wanted` has said, stays for ever and is
    /// nobody else's.
    pub(super) unsafe fn set_room(&self, room: NonNull<Front<L>>) {
        let piece = usize::from(self.count.load(Relaxed)) / PIECE;
        self.rooms[piece].store(room.as_ptr(), Relaxed);
        if piece == 0 {
            // SAFETY: the first piece is longer than the fronts by as much.
            let owners = unsafe { room.add(PIECE).cast::<Owners<L>>() };
            // SAFETY: the same; no entry is a front.
            unsafe { owners.write_bytes(0, 1) };
            self.owners.store(owners.as_ptr(), Release);
        }
    }

    /// Adds a front and makes it a thread's.
    ///
    /// # Safety
    ///
    /// The caller holds the first front, and there is room.
    pub(super) unsafe fn add(&self, lock: L, thread: Option<usize>) -> &Front<L> {
        let index = usize::from(self.count.load(Relaxed));
        let number = index as u8 + 1;
        // SAFETY: the piece has room for PIECE of them, and nobody has looked at this one.
        let front = unsafe {
            let room = self.rooms[index / PIECE].load(Relaxed).add(index % PIECE);
            // Nobody's bias and empty lists are zeroes. In place, since a copy would need as much of the stack.
            room.write_bytes(0, 1);
            (&raw mut (*room).lock).write(lock);
            (*(*room).cache.get()).set_front(number);
            &*room
        };
        match thread {
            Some(thread) => _ = self.claim(thread, front),
            None => self.part().store(number, Release),
        }
        // Who finds its number finds the room and what was written there.
        self.count.store(number, Release);
        front
    }

    /// Whether it is time to look into other fronts, where so much is below tops. The caller holds what is shared.
    pub(super) fn are_due(&self, used: usize) -> bool {
        // By the second look at a front it is known which lists stand still.
        let all_twice = 2 * (usize::from(self.count.load(Relaxed)) + 1).div_ceil(VISITS);
        usize::from(self.vain.load(Relaxed)) < all_twice
            || used.abs_diff(self.visited.load(Relaxed)) > used / VISIT_SHARE
    }

    /// Remembers how much was below tops when other fronts were looked into, and whether anything was found.
    pub(super) fn note_visit(&self, used: usize, found: bool) {
        self.visited.store(used, Relaxed);
        self.vain.store(if found { 0 } else { self.vain.load(Relaxed).saturating_add(1) }, Relaxed);
    }

    /// Does something with the lists of some other fronts than that of `own`, in turn, if nobody is in them. The caller holds
    /// what is shared, so it waits for nobody.
    pub(super) fn visit_some(&self, own: &Cache, mut f: impl FnMut(&mut Cache)) {
        let fronts = usize::from(self.count.load(Acquire)) + 1;
        let visits = VISITS.min(fronts);
        let first = usize::from(self.turn.load(Relaxed));
        let front = |visit: usize| self.front(((first + visit) % fronts) as u8);
        self.turn.store(((first + visits) % fronts) as u8, Relaxed);
        let (mut locked, mut kept_out) = (0u32, false);
        for visit in 0..visits {
            let front = front(visit);
            if !ptr::eq(front.cache.get(), own) && front.lock.try_lock() {
                locked |= 1 << visit;
                kept_out |= Held::by_lock(front).mark_owner_out();
            }
        }
        if kept_out {
            lock::order_others();
        }
        for visit in (0..visits).filter(|visit| locked >> visit & 1 != 0) {
            let front = front(visit);
            let held = Held::by_lock(front);
            if front.bias.is_left() {
                // SAFETY: the front's lock is held, its owner is kept out and not inside: so this is the only reference.
                f(unsafe { &mut *front.cache.get() });
            }
            held.let_owner_in();
            // SAFETY: it is held, and the reference is not used any more.
            unsafe { held.release() };
        }
    }

    /// The further fronts. Their number is certain for who holds the first.
    pub(super) fn further(&self) -> impl Iterator<Item = &Front<L>> + Clone {
        (1..=self.count.load(Acquire)).map(|number| self.front(number))
    }

    /// The front of a number that was read from a table, or is not above the number of further ones.
    #[inline(never)]
    fn front(&self, number: u8) -> &Front<L> {
        match usize::from(number).checked_sub(1) {
            None => &self.first,
            // SAFETY: `add` has made it, since it has a number, and nobody has a unique reference to it.
            Some(index) => unsafe { &*self.rooms[index / PIECE].load(Relaxed).add(index % PIECE) },
        }
    }

    /// The entry for the part of the stacks that the calling thread is in.
    #[inline]
    fn part(&self) -> &AtomicU8 {
        let here = 0u8;
        &self.parts[hash((&raw const here).addr() >> STACK_LOG, PARTS_LOG)]
    }
}

/// A number below 2 to the power `log`: what lies at equal distances is spread evenly, by the golden ratio's fraction.
#[inline]
fn hash(part: usize, log: u32) -> usize {
    ((part as u32).wrapping_mul(0x9e37_79b9) >> (u32::BITS - log)) as usize
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::boxed::Box;
    use std::vec::Vec;

    use super::*;

    /// A stretch of memory for ever.
    fn room(fronts: &Fronts<Lock>, limit: usize) -> Option<NonNull<Front<Lock>>> {
        let (len, align) = fronts.room_wanted(limit)?;
        let bytes = Box::leak(std::vec![0xa5u8; len + align].into_boxed_slice());
        NonNull::new(bytes.as_mut_ptr().map_addr(|at| at.next_multiple_of(align)).cast())
    }

    /// All fronts that a heap of this size bears, each with an owner of its own.
    fn owned(limit: usize, owners: impl Iterator<Item = usize>) -> (Fronts<Lock>, Vec<usize>) {
        let fronts = Fronts::new(Lock::new());
        let mut known = Vec::new();
        for owner in owners {
            if !fronts.has_room() {
                let Some(room) = room(&fronts, limit) else { break };
                // SAFETY: nobody else knows these fronts, and the room is as long as that.
                unsafe { fronts.set_room(room) };
            }
            // SAFETY: the same.
            let _ = unsafe { fronts.add(Lock::new(), Some(owner)) };
            known.push(owner);
        }
        (fronts, known)
    }

    #[test]
    fn each_owner_finds_its_front() {
        // As stacks of threads lie, and all at the same entry.
        for distance in [8 << 20, 1 << (POINTER_LOG + 32), 64] {
            let (fronts, owners) = owned(usize::MAX, (1..400).map(|number| number * distance));
            assert_eq!(owners.len(), MOST);
            for (index, owner) in owners.iter().enumerate() {
                let front = fronts.find(*owner, |bias| bias.is_of(*owner)).expect("its front");
                assert!(ptr::eq(front, fronts.front(index as u8 + 1)), "{owner:#x}");
            }
            assert!(fronts.find(2, |bias| bias.is_of(2)).is_none());
        }
    }

    #[test]
    fn fronts_with_their_owner_inside_are_passed_over_and_all_owners_are_let_in_again() {
        if lock::identify().is_none() {
            return; // The kernel has no membarrier.
        }
        let (fronts, owners) = owned(usize::MAX, (1..31).map(|number| number << 16));
        let front = |index: usize| fronts.front(index as u8 + 1);
        for index in (0..owners.len()).step_by(3) {
            assert!(front(index).bias.enter(owners[index]));
        }
        let mut visited = Vec::new();
        // SAFETY: nobody has another reference to this cache.
        let own = unsafe { &*fronts.front(2).cache.get() };
        for _ in 0..(owners.len() + 1).div_ceil(VISITS) {
            fronts.visit_some(own, |cache| visited.push(ptr::from_ref(cache)));
        }
        for (index, owner) in owners.iter().enumerate() {
            let times = visited.iter().filter(|cache| ptr::eq(**cache, front(index).cache.get())).count();
            assert_eq!(times > 0, index % 3 != 0 && index != 1, "front {}", index + 1);
            assert!(front(index).bias.is_open_to(*owner));
        }
    }

    #[test]
    fn fronts_in_which_nothing_is_found_are_left_alone_until_the_heap_has_changed() {
        for (owners, looks) in [(1, 2), (20, 4), (100, 14)] {
            let (fronts, _) = owned(usize::MAX, (1..=owners).map(|number| number << 16));
            let vain = |used| {
                let looked = |_: &u32| fronts.are_due(used).then(|| fronts.note_visit(used, false)).is_some();
                (0..100u32).take_while(looked).count()
            };
            // All of them twice, sixteen at a time.
            assert_eq!(vain(8000), looks, "{owners} further ones");
            assert!(!fronts.are_due(9000) && fronts.are_due(9200) && !fronts.are_due(7200) && fronts.are_due(7000));
            fronts.note_visit(8000, true);
            assert_eq!(vain(8000), looks, "{owners} further ones");
        }
    }

    #[test]
    fn room_is_a_small_part_of_the_heap() {
        for limit in [0, 1 << 20, 4 << 20, 16 << 20] {
            let (fronts, owners) = owned(limit, (1..400).map(|number| number << 16));
            let piece = PIECE * size_of::<Front<Lock>>();
            assert!(owners.len() >= PIECE && owners.len() % PIECE == 0 || owners.len() == MOST);
            assert!(owners.len() == PIECE || fronts.room_bytes() <= limit / 32);
            assert!(owners.len() == MOST || fronts.room_bytes() + piece > limit / 32);
        }
    }
}
