//! The cache: a free list for each class.
//!
//! A block that is freed goes to the head of its class's list, and the next
//! request of that class takes it from there: a few instructions each way, and
//! nothing but the block's first word and the list are touched. The caller's
//! `Layout` says which list; the block itself says nothing.
//!
//! A list is short, at most [`MOST_BLOCKS`] blocks and a part of what is in use ([`SHARE`], at least [`LEAST_BYTES`]),
//! so that what comes next is not scattered over all that was freed. When it is full, all of it is put into the depot
//! as a batch, and when it is empty a batch comes back, or else blocks from the back end (depot.rs). Where address
//! space is short it is shorter still ([`LIMIT_SHARE`]): what waits in lists joins nothing, and others have to go
//! elsewhere. For the same reason a list that stands still goes back whole when the heap has grown by a step and is
//! about to grow again ([`IDLE_MIN`]), some of them each time ([`FLUSH_MOST`]). A batch that comes back may make a list
//! longer, up to twice as long or to twice [`BATCH_MAX`]; then it goes to the back end.

use core::ptr::NonNull;

use super::backend::{Backend, Request};
use super::class::{CLASSES, GRANULE, SizeClass};
use super::depot::{Depot, Link, chain, next};
use super::memory::Memory;

/// An empty list is filled with as many blocks as are out of its class, at least one, up to this many bytes at once ...
const BATCH_BYTES: usize = 4096;
/// ... and, where that is less than an eighth of what is out of its class, up to this many:
/// blocks of a class then lie together, and what lives long shares pages with its like.
const BATCH_MOST_BYTES: usize = 32 * 1024;
/// ... and up to this many blocks.
const BATCH_MAX: usize = 64;

/// A list holds at most this part of the bytes in use ...
const SHARE: usize = 256;
/// ... or this part of what the heap may come to, if that is less ...
const LIMIT_SHARE: usize = 4096;
/// ... but at least this many bytes ...
const LEAST_BYTES: usize = 8 * 1024;
/// ... at most these ...
const MOST_BYTES: usize = 1024 * 1024;
/// ... and at most this many blocks.
const MOST_BLOCKS: usize = 2048;

/// Before the heap grows, lists that stand still are given to the back end if more than this many bytes are in use. A step
/// of a smaller heap is short, and what is not used in one of them may be in the next.
const IDLE_MIN: usize = 4 * 1024 * 1024;

/// Before the heap grows, lists are given to the back end if they hold more than this part of what is in use ...
const LISTED_SHARE: usize = 128;
/// ... and more than this many bytes.
const LISTED_MIN: usize = 256 * 1024;

/// Before the heap grows, no further list is given to the back end once these and earlier ones had so many blocks:
/// those that stand still go on standing still, and have their turn when it grows next.
pub(super) const FLUSH_MOST: usize = 4096;

/// The free lists. All zeroes is an empty cache, of the first front.
#[derive(Debug)]
pub(super) struct Cache {
    /// The first block of each list.
    heads: [Link; CLASSES],
    /// How many blocks more each list may hold.
    left: [i32; CLASSES],
    /// How many it may hold in all.
    most: [i32; CLASSES],
    /// The class whose list was given to the back end last.
    cursor: SizeClass,
    /// The number of the front.
    front: u8,
}

impl Cache {
    /// Empty lists, of the first front.
    pub(super) const fn new() -> Cache {
        Cache { heads: [None; CLASSES], left: [0; CLASSES], most: [0; CLASSES], cursor: SizeClass::SHORTEST, front: 0 }
    }

    /// Says of which front they are.
    pub(super) fn set_front(&mut self, number: u8) {
        self.front = number;
    }

    /// Takes a block from a list.
    #[inline]
    pub(super) fn pop(&mut self, class: SizeClass) -> Link {
        let block = self.heads[class.index()]?;
        self.left[class.index()] += 1;
        // SAFETY: it was the first of the list.
        self.heads[class.index()] = unsafe { next(block) };
        Some(block)
    }

    /// Puts a block into a list; says whether the list may hold it. If not, [`overflow`](Cache::overflow) has to follow.
    ///
    /// # Safety
    ///
    /// The block has the length of its class, and its alignment, and nobody uses it any more.
    #[inline]
    #[must_use]
    pub(super) unsafe fn push(&mut self, class: SizeClass, block: NonNull<u8>) -> bool {
        // SAFETY: a block is at least two words, and this one is free.
        unsafe { block.cast::<Link>().write(self.heads[class.index()]) };
        self.heads[class.index()] = Some(block);
        self.left[class.index()] -= 1;
        self.left[class.index()] >= 0
    }

    /// How many blocks a list may hold, as much as is in use now.
    #[inline(never)] // seldom, and from two places
    fn most<M: Memory>(class: SizeClass, backend: &Backend<M>) -> i32 {
        let bytes = (backend.out() / SHARE).min(backend.limit / LIMIT_SHARE).clamp(LEAST_BYTES, MOST_BYTES);
        // No block is shorter than a granule.
        (bytes / class.len().max(GRANULE)).clamp(1, MOST_BLOCKS) as i32
    }

    /// A list holds one block too many: it may hold more than before, or all of it goes to the depot.
    #[cold]
    #[inline(never)]
    pub(super) fn overflow<M: Memory>(&mut self, class: SizeClass, depot: &mut Depot, backend: &mut Backend<M>) {
        let i = class.index();
        let held = self.most[i] - self.left[i];
        self.most[i] = Cache::most(class, backend);
        self.left[i] = self.most[i] - held;
        if self.left[i] >= 0 {
            return;
        }
        if held > 2 * self.most[i].max(BATCH_MAX as i32) {
            // A batch that comes back and goes again with a block more each time would come to hold any number.
            return self.flush_class(class, depot, backend);
        }
        depot.put(class, &mut self.heads[i], held as usize, self.front.into(), backend);
        if self.heads[i].is_none() {
            self.left[i] = self.most[i];
        }
    }

    /// Takes blocks for an empty list from the depot or the back end, and one of them for the caller.
    pub(super) fn refill<M: Memory>(&mut self, class: SizeClass, depot: &mut Depot, backend: &mut Backend<M>) -> Link {
        if let Some((batch, held)) = depot.take(class, self.front.into()) {
            let i = class.index();
            self.heads[i] = Some(batch);
            self.most[i] = self.most[i].max(held as i32);
            self.left[i] = self.most[i] - held as i32;
            return self.pop(class);
        }
        depot.drain_excess(backend);
        // No block is shorter than a granule.
        let (i, len) = (class.index(), class.len().max(GRANULE));
        // A class of which much is in use is wanted again; blocks of a class that lie together share pages with their like.
        let out = backend.of_front(depot.out[i]);
        let bytes = (out * len / 8).clamp(BATCH_BYTES, BATCH_MOST_BYTES);
        let count = (out + 1).min(BATCH_MAX).min(bytes / len).max(1);
        self.most[i] = Cache::most(class, backend).max(count as i32);
        self.left[i] = self.most[i];
        let run = backend.take(Request { len, count, align: class.align() })?;
        depot.out[i] += run.count;
        // The rest of the run in the order of its addresses.
        for block in (1..run.count).rev() {
            // SAFETY: the run holds `count` blocks of `len` bytes, each aligned as the first, since that divides `len`; the list
            // holds fewer than it may.
            let _ = unsafe { self.push(class, run.at.add(block * len)) };
        }
        // Where only single blocks are free, further ones spare the next calls.
        let mut got = run.count;
        while got < count
            && let Some(block) = backend.take_exact(len, class.align())
        {
            // SAFETY: it has the length of the class, and its alignment.
            let _ = unsafe { self.push(class, block) };
            depot.out[i] += 1;
            got += 1;
        }
        Some(run.at)
    }

    /// Gives lists to the back end before the heap grows: those that stand still, and if there is much others, no more
    /// than a step of growth; until they had `most` blocks, which are less by theirs then. Goes on where it ended last.
    pub(super) fn flush_some<M: Memory>(&mut self, depot: &mut Depot, backend: &mut Backend<M>, most: &mut usize) {
        let may_stay = backend.of_front((backend.out() / LISTED_SHARE).max(LISTED_MIN));
        // No more is in lists than is in use.
        if backend.out() <= may_stay {
            return;
        }
        let is_large = backend.out() > IDLE_MIN;
        let mut listed = 0;
        let mut class = self.cursor;
        for _ in SizeClass::all() {
            class = class.before();
            if is_large {
                self.flush_idle(class, depot, backend, most);
            }
            listed += self.held(class) * class.len();
        }
        if listed <= may_stay {
            return;
        }
        let mut enough = backend.step();
        for _ in SizeClass::all() {
            if enough == 0 || *most == 0 {
                return;
            }
            let class = self.cursor.before();
            enough = enough.saturating_sub(self.held(class) * class.len());
            self.flush_next(class, depot, backend, most);
        }
    }

    /// Gives a list to the back end that is as long as when the heap grew last: its blocks are not wanted.
    fn flush_idle<M: Memory>(
        &mut self,
        class: SizeClass,
        depot: &mut Depot,
        backend: &mut Backend<M>,
        most: &mut usize,
    ) {
        let i = class.index();
        if self.left[i] == 0 && *most > 0 {
            self.flush_next(class, depot, backend, most);
        }
        // It is full as it is, until a block is taken, or one too many is freed and `overflow` says anew what it may hold.
        self.most[i] -= self.left[i];
        self.left[i] = 0;
    }

    /// Gives a list to the back end in its turn.
    #[inline(never)]
    fn flush_next<M: Memory>(
        &mut self,
        class: SizeClass,
        depot: &mut Depot,
        backend: &mut Backend<M>,
        most: &mut usize,
    ) {
        self.cursor = class;
        *most = most.saturating_sub(self.held(class));
        self.flush_class(class, depot, backend);
    }

    /// Gives all lists to the back end.
    pub(super) fn flush<M: Memory>(&mut self, depot: &mut Depot, backend: &mut Backend<M>) {
        for class in SizeClass::all() {
            self.flush_class(class, depot, backend);
        }
    }

    /// Gives a list to the back end.
    #[inline(never)] // seldom, and from three places
    pub(super) fn flush_class<M: Memory>(&mut self, class: SizeClass, depot: &mut Depot, backend: &mut Backend<M>) {
        let blocks = self.heads[class.index()].take();
        self.left[class.index()] = self.most[class.index()];
        depot.give(class, blocks, backend);
    }

    /// The blocks of a list.
    pub(super) fn list(&self, class: SizeClass) -> impl Iterator<Item = NonNull<u8>> {
        chain(self.heads[class.index()])
    }

    /// How many blocks a list says that it holds.
    pub(super) fn held(&self, class: SizeClass) -> usize {
        (self.most[class.index()] - self.left[class.index()]) as usize
    }

    /// Makes a list say that it holds a block less than it does.
    #[cfg(test)]
    pub(super) fn miscount(&mut self, class: SizeClass) {
        self.left[class.index()] += 1;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::alloc::Layout;
    use std::boxed::Box;

    use super::super::Heap;
    use super::super::system::SystemMemory;
    use super::*;
    use crate::lock::Unlocked;

    #[test]
    fn lists_that_stand_still_while_a_large_heap_grows_are_given_back() {
        // SAFETY: this test alone has it.
        let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
        // SAFETY: it is held from now on.
        let mut state = unsafe { heap.state(&heap.hold_all()) };
        let class = |size| SizeClass::of(Layout::from_size_align(size, 8).expect("a layout")).expect("it has a class");
        let classes = [class(16), class(48)];
        for (in_use, kept) in [(IDLE_MIN / 2, true), (2 * IDLE_MIN, false)] {
            while state.backend.out() < in_use {
                let _ = state.allocate(Layout::new::<[u8; 12_288]>()).expect("there is memory");
            }
            let [idle, busy] = classes.map(|class| {
                let block = state.cache.refill(class, state.depot, state.backend).expect("there is memory");
                // SAFETY: a block of that class.
                assert!(unsafe { state.cache.push(class, block) }, "the list may hold it");
                state.cache.held(class)
            });
            state.cache.flush_some(state.depot, state.backend, &mut { FLUSH_MOST });
            assert_eq!(classes.map(|class| state.cache.held(class)), [idle, busy], "not at once");
            assert!(state.cache.pop(classes[1]).is_some());
            state.cache.flush_some(state.depot, state.backend, &mut { FLUSH_MOST });
            assert_eq!(classes.map(|class| state.cache.held(class)), [if kept { idle } else { 0 }, busy - 1]);
        }
        assert_eq!(state.check(), Ok(()));
    }

    #[test]
    fn no_call_empties_all_idle_lists_and_none_is_left_out() {
        // SAFETY: this test alone has it.
        let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
        // SAFETY: it is held from now on.
        let mut state = unsafe { heap.state(&heap.hold_all()) };
        while state.backend.out() < 600 << 20 {
            let _ = state.allocate(Layout::new::<[u8; 12_288]>()).expect("there is memory");
        }
        let sum = |cache: &Cache| SizeClass::all().map(|class| cache.held(class)).sum::<usize>();
        for class in SizeClass::all().take(40) {
            state.cache.most[class.index()] = Cache::most(class, state.backend);
            state.cache.left[class.index()] = state.cache.most[class.index()];
            while state.cache.held(class) < 1000 {
                let run = Request { len: class.len(), count: 1, align: GRANULE };
                let block = state.backend.take(run).or_else(|| {
                    assert!(state.backend.extend(run));
                    state.backend.take(run)
                });
                state.depot.out[class.index()] += 1;
                // SAFETY: a new block of that class.
                let _ = unsafe { state.cache.push(class, block.expect("there is memory").at) };
            }
        }
        // They have been idle since the heap grew last.
        for i in 0..40 {
            state.cache.most[i] -= state.cache.left[i];
            state.cache.left[i] = 0;
        }
        let mut steps = 0;
        while sum(state.cache) > 0 {
            let before = sum(state.cache);
            state.cache.flush_some(state.depot, state.backend, &mut { FLUSH_MOST });
            let given = before - sum(state.cache);
            assert!((1..FLUSH_MOST + 1000).contains(&given), "{given} blocks");
            steps += 1;
        }
        assert!(steps >= 8, "{steps} steps");
        assert_eq!(state.check(), Ok(()));
    }

    #[test]
    fn a_batch_that_comes_and_goes_stays_short() {
        // SAFETY: this test alone has it.
        let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
        // SAFETY: it is held from now on.
        let mut state = unsafe { heap.state(&heap.hold_all()) };
        let layout = Layout::new::<[u64; 64]>();
        let class = SizeClass::of(layout).expect("it has a class");
        let mut blocks: std::vec::Vec<_> =
            (0..2000).map(|_| state.allocate(layout).expect("there is memory").0).collect();
        while blocks.len() > 2 {
            blocks.push(state.allocate(layout).expect("there is memory").0);
            for block in blocks.split_off(blocks.len() - 2) {
                // SAFETY: the heap's block, freed once.
                if unsafe { !state.cache.push(class, block) } {
                    let held = state.cache.held(class) as i32;
                    let most = Cache::most(class, state.backend).max(BATCH_MAX as i32);
                    assert!(held <= 2 * most + 1, "{held} blocks");
                    state.cache.overflow(class, state.depot, state.backend);
                }
            }
        }
        assert_eq!(state.check(), Ok(()));
    }

    #[test]
    fn a_list_is_filled_with_blocks_that_lie_as_its_class_says() {
        const LEN: usize = 4 * GRANULE;
        // SAFETY: this test alone has it.
        let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
        // SAFETY: it is held from now on.
        let mut state = unsafe { heap.state(&heap.hold_all()) };
        let layout = Layout::from_size_align(LEN, LEN).expect("a layout");
        let class = SizeClass::of(layout).expect("it has a class");
        // As many are in use as are wanted at once further down.
        while state.depot.out[class.index()] < 4 || state.cache.held(class) > 0 {
            let _ = state.allocate(layout).expect("there is memory");
        }
        // Chunks of just the length, of which one lies so, and then two.
        for aligned in [1, 2] {
            let run = Request { len: 32 * LEN, count: 1, align: LEN };
            let run = state.backend.take(run).expect("there is memory").at;
            for chunk in 0..4 {
                let at = 2 * chunk * LEN + if chunk < 4 - aligned { GRANULE } else { 0 };
                // SAFETY: a part of the run that is given once.
                unsafe { state.backend.give(run.add(at), LEN) };
            }
            let block = state.cache.refill(class, state.depot, state.backend).expect("there is memory");
            assert!(block.addr().get().is_multiple_of(LEN));
            assert!(state.cache.list(class).all(|block| block.addr().get().is_multiple_of(LEN)));
            assert_eq!(state.check(), Ok(()));
            state.cache.flush_class(class, state.depot, state.backend);
        }
    }

    #[test]
    fn a_list_is_a_small_part_of_what_is_in_use_and_of_what_the_heap_may_come_to() {
        const ANY: usize = usize::MAX >> 20;
        let class = SizeClass::of(Layout::new::<[u64; 64]>()).expect("it has a class");
        let mut backend = Backend::new(SystemMemory::new());
        // MiB in use, what the heap may come to, and what a list may hold, KiB.
        for (used, limit, kib) in
            [(1, ANY, 8), (64, ANY, 256), (64, 128, 32), (64, 72, 18), (20, 24, 8), (640, ANY, 1024)]
        {
            (backend.used, backend.limit) = (used << 20, limit << 20);
            assert_eq!(Cache::most(class, &backend), kib * 2, "{used} of {limit} MiB");
        }
    }
}
