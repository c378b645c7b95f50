//! The cache: a free list for each class.
//!
//! A block that is freed goes to the head of its class's list, and the next
//! request of that class takes it from there: a few instructions each way, and
//! nothing but the block's first word and the list are touched. The caller's
//! `Layout` says which list; the block itself says nothing.
//!
//! Bounds. A list holds at most [`MOST_BLOCKS`] blocks, and at most a part of what
//! is in use ([`SHARE`], at least [`LEAST_BYTES`]): the block that is one too many
//! sends the older half of its list to the back end, which joins what lies side
//! by side. So no call handles more blocks than a list can hold, but for those
//! that would be refused otherwise: they empty all lists.

use core::ptr::NonNull;

use super::backend::{Backend, Request};
use super::class::{CLASSES, GRANULE, SizeClass};
use super::memory::Memory;

/// A list is filled with one block when it is first empty, then with twice as many
/// each time, up to this many bytes at once ...
const BATCH_BYTES: usize = 4096;
/// ... and, where that is less than an eighth of what is out of its class, up to this many:
/// blocks of a class then lie together, and what lives long shares pages with its like.
const BATCH_MOST_BYTES: usize = 32 * 1024;
/// ... and up to this many blocks.
const BATCH_MAX: usize = 64;

/// A list holds at most this part of the bytes in use ...
const SHARE: usize = 64;
/// ... but at least this many bytes ...
const LEAST_BYTES: usize = 16 * 1024;
/// ... at most these ...
const MOST_BYTES: usize = 1024 * 1024;
/// ... and at most this many blocks.
const MOST_BLOCKS: usize = 2048;

/// A free block of the cache: its first word links to the next one.
type Link = Option<NonNull<u8>>;

/// The free list of a class. All zeroes is an empty one, so an unused heap is.
#[derive(Clone, Copy, Debug)]
struct List {
    head: Link,
    /// How many blocks more it may hold.
    left: i32,
    /// How many it may hold in all.
    most: i32,
}

/// The free lists.
#[derive(Debug)]
pub(super) struct Cache {
    lists: [List; CLASSES],
    /// How many blocks each list is filled with when it is empty: the binary logarithm.
    batch: [u8; CLASSES],
    /// Blocks of each class that are out of the back end: live or in the list.
    pub(super) out: [usize; CLASSES],
    /// The list that was given to the back end last.
    cursor: SizeClass,
}

impl Cache {
    pub(super) const fn new() -> Cache {
        let list = List { head: None, left: 0, most: 0 };
        Cache { lists: [list; CLASSES], batch: [0; CLASSES], out: [0; CLASSES], cursor: SizeClass::SHORTEST }
    }

    /// Takes a block from a list.
    #[inline]
    pub(super) fn pop(&mut self, class: SizeClass) -> Link {
        let list = &mut self.lists[class.index()];
        let block = list.head?;
        list.left += 1;
        // SAFETY: blocks in a list hold a link in their first word.
        list.head = unsafe { block.cast::<Link>().read() };
        Some(block)
    }

    /// Puts a block into a list; says whether the list may hold it. If not, [`overflow`](Cache::overflow) has to follow.
    ///
    /// # Safety
    ///
    /// The block has the length of its class and nobody uses it any more.
    #[inline]
    #[must_use]
    pub(super) unsafe fn push(&mut self, class: SizeClass, block: NonNull<u8>) -> bool {
        let list = &mut self.lists[class.index()];
        // SAFETY: a block is at least two words, and this one is free.
        unsafe { block.cast::<Link>().write(list.head) };
        list.head = Some(block);
        list.left -= 1;
        list.left >= 0
    }

    /// How many blocks a list may hold, as much as is in use now.
    fn most<M: Memory>(class: SizeClass, backend: &Backend<M>) -> i32 {
        let bytes = (backend.out() / SHARE).clamp(LEAST_BYTES, MOST_BYTES);
        (bytes / class.len()).min(MOST_BLOCKS) as i32
    }

    /// A list holds one block too many: it may hold more than before, or its older half goes to the back end.
    #[cold]
    #[inline(never)]
    pub(super) fn overflow<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) {
        let most = Cache::most(class, backend);
        let list = &mut self.lists[class.index()];
        let held = list.most - list.left;
        (list.most, list.left) = (most, most - held);
        if list.left >= 0 {
            return;
        }
        // What was freed last is in the processor's cache, and stays.
        let mut last = list.head;
        for _ in 1..most / 2 {
            // SAFETY: as in `pop`; the list is longer than that.
            last = last.and_then(|block| unsafe { block.cast::<Link>().read() });
        }
        let Some(last) = last else { return };
        // SAFETY: as in `pop`, and it still is one.
        let older = unsafe { last.cast::<Link>().replace(None) };
        self.give(class, older, backend);
    }

    /// Takes blocks for an empty list from the back end, and one of them for the
    /// caller.
    pub(super) fn refill<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) -> Link {
        let (i, len) = (class.index(), class.len());
        let bytes = (self.out[i] * len / 8).clamp(BATCH_BYTES, BATCH_MOST_BYTES);
        let count = (1 << self.batch[i]).min(BATCH_MAX).min(bytes / len).max(1);
        let run = backend.take(Request { len, count, align: GRANULE })?;
        self.batch[i] = (self.batch[i] + 1).min(BATCH_MAX.ilog2() as u8);
        self.out[i] += run.count;
        let most = Cache::most(class, backend).max(count as i32);
        (self.lists[i].most, self.lists[i].left) = (most, most);
        // The rest of the run in the order of its addresses.
        let mut got = run.count;
        while got > 1 {
            got -= 1;
            // SAFETY: the run holds `count` blocks of `len` bytes; the list holds fewer than it may.
            let _ = unsafe { self.push(class, run.at.add(got * len)) };
        }
        // Where only single blocks are free, further ones spare the next calls.
        got = run.count;
        while got < count
            && let Some(block) = backend.take_exact(len)
        {
            // SAFETY: it has the length of the class.
            let _ = unsafe { self.push(class, block) };
            self.out[i] += 1;
            got += 1;
        }
        Some(run.at)
    }

    /// Gives lists to the back end, one after the other, until that were `enough`
    /// blocks or all. Each time it goes on where it stopped, from long blocks to short
    /// ones: what is given for a byte grows with the number of blocks.
    pub(super) fn flush<M: Memory>(&mut self, enough: usize, backend: &mut Backend<M>) {
        let mut given = 0;
        for _ in SizeClass::all() {
            self.cursor = self.cursor.shorter();
            let class = self.cursor;
            let blocks = self.lists[class.index()].head.take();
            given += self.give(class, blocks, backend);
            self.batch[class.index()] = self.batch[class.index()].saturating_sub(1);
            if given >= enough {
                return;
            }
        }
    }

    /// Gives blocks that were taken out of a list to the back end; says how many.
    fn give<M: Memory>(&mut self, class: SizeClass, mut blocks: Link, backend: &mut Backend<M>) -> usize {
        let len = class.len();
        let mut count = 0;
        // Blocks that were freed one after the other often lie side by side:
        // such a run is given as one.
        let mut run: Option<(NonNull<u8>, usize)> = None;
        while let Some(block) = blocks {
            // SAFETY: as in `pop`.
            blocks = unsafe { block.cast::<Link>().read() };
            count += 1;
            run = Some(match run {
                Some((at, run_len)) if block.addr().get() == at.addr().get() + run_len => (at, run_len + len),
                Some((at, run_len)) if block.addr().get() + len == at.addr().get() => (block, run_len + len),
                other => {
                    if let Some((at, run_len)) = other {
                        // SAFETY: blocks in a list are free and have the class's length.
                        unsafe { backend.give(at, run_len) };
                    }
                    (block, len)
                }
            });
        }
        if let Some((at, run_len)) = run {
            // SAFETY: as above.
            unsafe { backend.give(at, run_len) };
        }
        self.lists[class.index()].left += count as i32;
        self.out[class.index()] -= count;
        count
    }

    /// The blocks of a list.
    pub(super) fn list(&self, class: SizeClass) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: as in `pop`.
        core::iter::successors(self.lists[class.index()].head, |block| unsafe { block.cast::<Link>().read() })
    }

    /// How many blocks a list says that it holds.
    pub(super) fn held(&self, class: SizeClass) -> usize {
        let List { left, most, .. } = self.lists[class.index()];
        (most - left) as usize
    }
}
