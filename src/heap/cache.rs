//! The cache: a free list for each class.
//!
//! A block that is freed goes to the head of its class's list, and the next
//! request of that class takes it from there: a few instructions each way, and
//! nothing but the block's first word is touched. The caller's `Layout` says
//! which list; the block itself says nothing.
//!
//! The lists keep what they have until memory is needed elsewhere. Before the
//! heap takes memory that it has never used, all lists go to the back end, which
//! joins what lies side by side; only if that does not help does the heap grow.

use core::ptr::NonNull;

use super::backend::{Backend, Request};
use super::class::{CLASSES, GRANULE, SizeClass};
use super::memory::Memory;

/// A list asks for one block when it is first empty, then for twice as many
/// each time, up to this many bytes at once.
const BATCH_BYTES: usize = 4096;
/// ... and up to this many blocks.
const BATCH_MAX: usize = 64;

/// A free block of the cache: its first word links to the next one.
type Link = Option<NonNull<u8>>;

/// The free lists.
pub(super) struct Cache {
    lists: [Link; CLASSES],
    /// How many blocks each list asks for when it is empty: the binary logarithm,
    /// so that an unused heap is all zeroes.
    batch: [u8; CLASSES],
    /// Blocks of each class that are out of the back end: live or in the list.
    pub(super) out: [usize; CLASSES],
    /// The list that was given to the back end last.
    cursor: SizeClass,
}

impl Cache {
    pub(super) const fn new() -> Cache {
        Cache { lists: [None; CLASSES], batch: [0; CLASSES], out: [0; CLASSES], cursor: SizeClass::SHORTEST }
    }

    /// Takes a block from a list.
    #[inline]
    pub(super) fn pop(&mut self, class: SizeClass) -> Link {
        let block = self.lists[class.index()]?;
        // SAFETY: blocks in a list hold a link in their first word.
        self.lists[class.index()] = unsafe { block.cast::<Link>().read() };
        Some(block)
    }

    /// Puts a block into a list.
    ///
    /// # Safety
    ///
    /// The block has the length of its class and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn push(&mut self, class: SizeClass, block: NonNull<u8>) {
        // SAFETY: a block is at least two words, and this one is free.
        unsafe { block.cast::<Link>().write(self.lists[class.index()]) };
        self.lists[class.index()] = Some(block);
    }

    /// Takes blocks for an empty list from the back end, and one of them for the
    /// caller.
    pub(super) fn refill<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) -> Link {
        let len = class.len();
        let count = (1 << self.batch[class.index()]).min(BATCH_MAX).min(BATCH_BYTES / len).max(1);
        let run = backend.take(Request { len, count, align: GRANULE })?;
        self.batch[class.index()] = (self.batch[class.index()] + 1).min(BATCH_MAX.ilog2() as u8);
        self.out[class.index()] += run.count;
        // The rest of the run in the order of its addresses.
        let mut i = run.count;
        while i > 1 {
            i -= 1;
            // SAFETY: the run holds `count` blocks of `len` bytes.
            unsafe { self.push(class, run.at.add(i * len)) };
        }
        // Where only single blocks are free, further ones spare the next calls.
        let mut got = run.count;
        while got < count
            && let Some(block) = backend.take_exact(len)
        {
            // SAFETY: it has the length of the class.
            unsafe { self.push(class, block) };
            self.out[class.index()] += 1;
            got += 1;
        }
        Some(run.at)
    }

    /// Gives lists to the back end, one after the other, until that were `enough`
    /// bytes or all. Each time it goes on where it stopped, from long blocks to short
    /// ones: what is given for a byte grows with the number of blocks.
    pub(super) fn flush<M: Memory>(&mut self, enough: usize, backend: &mut Backend<M>) {
        let mut given = 0;
        for _ in SizeClass::all() {
            self.cursor = self.cursor.shorter();
            given += self.flush_class(self.cursor, backend);
            if given >= enough {
                return;
            }
        }
    }

    /// Gives a list to the back end; says how many bytes that were.
    fn flush_class<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) -> usize {
        let Some(first) = self.pop(class) else { return 0 };
        let len = class.len();
        // Blocks that were freed one after the other often lie side by side:
        // such a run is given as one.
        let (mut run, mut run_len, mut total) = (first, len, len);
        while let Some(block) = self.pop(class) {
            total += len;
            if block.addr().get() == run.addr().get() + run_len {
                run_len += len;
            } else if block.addr().get() + len == run.addr().get() {
                (run, run_len) = (block, run_len + len);
            } else {
                // SAFETY: blocks in a list are free and have the class's length.
                unsafe { backend.give(run, run_len) };
                (run, run_len) = (block, len);
            }
        }
        // SAFETY: blocks in a list are free, and the run is made of neighbours.
        unsafe { backend.give(run, run_len) };
        self.out[class.index()] -= total / len;
        self.batch[class.index()] = self.batch[class.index()].saturating_sub(1);
        total
    }

    /// The blocks of a list.
    pub(super) fn list(&self, class: SizeClass) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: as in `pop`.
        core::iter::successors(self.lists[class.index()], |block| unsafe { block.cast::<Link>().read() })
    }
}
