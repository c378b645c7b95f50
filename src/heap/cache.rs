//! The cache: a free list for each class.
//!
//! A block that is freed goes to the head of its class's list, and the next
//! request of that class takes it from there: a few instructions each way, and
//! nothing but the block's first word and the list are touched. The caller's
//! `Layout` says which list; the block itself says nothing.
//!
//! A list is short, at most [`MOST_BLOCKS`] blocks and a part of what is in use
//! ([`SHARE`], at least [`LEAST_BYTES`]), so that what comes next is not scattered over
//! all that was freed. When it is full, all of it is put aside as a batch, and when it is
//! empty a batch comes back: a number of blocks that goes up and down costs nothing. Once
//! an eighth of what is in use is aside ([`KEPT_SHARE`]), batches do not come back but go to
//! the back end, which joins what lies side by side, before more is taken from there; and
//! half of what is in use ([`MOST_SHARE`]) is never aside. A program that frees all and
//! ends has joined nothing.
//!
//! Bounds. A call handles at most [`DRAIN`] blocks and one batch, but for those
//! that would be refused otherwise: they empty the cache.

use core::ptr::NonNull;

use super::backend::{Backend, Request};
use super::class::{CLASSES, GRANULE, SizeClass};
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
/// ... but at least this many bytes ...
const LEAST_BYTES: usize = 8 * 1024;
/// ... at most these ...
const MOST_BYTES: usize = 1024 * 1024;
/// ... and at most this many blocks.
const MOST_BLOCKS: usize = 2048;

/// As many blocks go from batches to the back end at once, and those of a batch that is begun.
const DRAIN: usize = 2048;

/// Batches come back while at most this part of what is in use is aside ...
const KEPT_SHARE: usize = 8;
/// ... or this many bytes.
const KEPT_MIN: usize = if usize::BITS == 64 { 5 * 1024 * 1024 } else { 3 * 1024 * 1024 };
/// At most this part of what is in use is aside ...
const MOST_SHARE: usize = 2;
/// ... or this many bytes.
const MOST_MIN: usize = 8 * 1024 * 1024;

/// Before the heap grows, lists are given to the back end if they hold more than this part of what is in use ...
const LISTED_SHARE: usize = 128;
/// ... and more than this many bytes.
const LISTED_MIN: usize = 256 * 1024;

/// A free block of the cache: its first word links to the next one of its list or batch. In the first block of a
/// batch the second word links to the first block of the next batch, in its second block it is their number.
type Link = Option<NonNull<u8>>;

/// The free lists. All zeroes is an empty cache.
#[derive(Debug)]
pub(super) struct Cache {
    /// The first block of each list.
    heads: [Link; CLASSES],
    /// How many blocks more each list may hold.
    left: [i32; CLASSES],
    /// How many it may hold in all.
    most: [i32; CLASSES],
    /// The first batch of each class.
    aside: [Link; CLASSES],
    /// Bytes in batches.
    aside_bytes: usize,
    /// Bits of the classes that may have any.
    aside_marks: [u32; CLASSES.div_ceil(32)],
    /// Blocks of each class that are out of the back end: live or here.
    pub(super) out: [usize; CLASSES],
    /// The class whose list was given to the back end last.
    cursor: SizeClass,
}

impl Cache {
    pub(super) const fn new() -> Cache {
        Cache {
            heads: [None; CLASSES],
            left: [0; CLASSES],
            most: [0; CLASSES],
            aside: [None; CLASSES],
            aside_bytes: 0,
            aside_marks: [0; CLASSES.div_ceil(32)],
            out: [0; CLASSES],
            cursor: SizeClass::SHORTEST,
        }
    }

    /// Takes a block from a list.
    #[inline]
    pub(super) fn pop(&mut self, class: SizeClass) -> Link {
        let block = self.heads[class.index()]?;
        self.left[class.index()] += 1;
        // SAFETY: blocks in a list hold a link in their first word.
        self.heads[class.index()] = unsafe { block.cast::<Link>().read() };
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
        // SAFETY: a block is at least two words, and this one is free.
        unsafe { block.cast::<Link>().write(self.heads[class.index()]) };
        self.heads[class.index()] = Some(block);
        self.left[class.index()] -= 1;
        self.left[class.index()] >= 0
    }

    /// How many blocks a list may hold, as much as is in use now.
    fn most<M: Memory>(class: SizeClass, backend: &Backend<M>) -> i32 {
        let bytes = (backend.out() / SHARE).clamp(LEAST_BYTES, MOST_BYTES);
        (bytes / class.len()).min(MOST_BLOCKS) as i32
    }

    /// A list holds one block too many: it may hold more than before, or all of it is put aside.
    #[cold]
    #[inline(never)]
    pub(super) fn overflow<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) {
        let i = class.index();
        let held = self.most[i] - self.left[i];
        self.most[i] = Cache::most(class, backend);
        self.left[i] = self.most[i] - held;
        if self.left[i] >= 0 {
            return;
        }
        self.put_aside(class, held as usize);
        if self.aside_bytes > (backend.out() / MOST_SHARE).max(MOST_MIN) {
            self.drain(held as usize + DRAIN, backend);
        }
    }

    /// Makes a batch of a list of `held` blocks.
    fn put_aside(&mut self, class: SizeClass, held: usize) {
        let i = class.index();
        // SAFETY: as in `pop`.
        let second = self.heads[i].and_then(|first| unsafe { first.cast::<Link>().read() });
        let (Some(first), Some(second)) = (self.heads[i], second) else { return };
        // SAFETY: free blocks, which are at least two words long.
        unsafe {
            first.cast::<Link>().add(1).write(self.aside[i]);
            second.cast::<usize>().add(1).write(held);
        }
        self.aside[i] = Some(first);
        self.aside_marks[i / 32] |= 1 << (i % 32);
        self.aside_bytes += held * class.len();
        self.heads[i] = None;
        self.left[i] = self.most[i];
    }

    /// Takes a batch of a class, and says how many blocks it has.
    fn take_batch(&mut self, class: SizeClass) -> Option<(NonNull<u8>, usize)> {
        let i = class.index();
        let first = self.aside[i]?;
        // SAFETY: the first block of a batch, which has a second one.
        let (next, held) = unsafe {
            let second = first.cast::<NonNull<u8>>().read();
            (first.cast::<Link>().add(1).read(), second.cast::<usize>().add(1).read())
        };
        self.aside[i] = next;
        if next.is_none() {
            self.aside_marks[i / 32] &= !(1 << (i % 32));
        }
        self.aside_bytes -= held * class.len();
        Some((first, held))
    }

    /// Gives at least `enough` blocks of batches to the back end, or all there are.
    pub(super) fn drain<M: Memory>(&mut self, enough: usize, backend: &mut Backend<M>) {
        if self.aside_bytes == 0 {
            return;
        }
        let mut given = 0;
        for class in SizeClass::all() {
            let i = class.index();
            while self.aside_marks[i / 32] >> (i % 32) & 1 != 0 {
                if given >= enough {
                    return;
                }
                let Some((batch, held)) = self.take_batch(class) else { break };
                self.give(class, Some(batch), backend);
                given += held;
            }
        }
    }

    /// Gives some batches to the back end if more is aside than may come back.
    pub(super) fn drain_excess<M: Memory>(&mut self, backend: &mut Backend<M>) {
        if self.aside_bytes > KEPT_MIN && self.aside_bytes > backend.out() / KEPT_SHARE {
            self.drain(DRAIN, backend);
        }
    }

    /// Takes blocks for an empty list from the back end, and one of them for the
    /// caller.
    pub(super) fn refill<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) -> Link {
        self.drain_excess(backend);
        if let Some((batch, held)) = self.take_batch(class) {
            let i = class.index();
            self.heads[i] = Some(batch);
            self.most[i] = self.most[i].max(held as i32);
            self.left[i] = self.most[i] - held as i32;
            return self.pop(class);
        }
        let (i, len) = (class.index(), class.len());
        // A class of which much is in use is wanted again; blocks of a class that lie together share pages with their like.
        let bytes = (self.out[i] * len / 8).clamp(BATCH_BYTES, BATCH_MOST_BYTES);
        let count = (self.out[i] + 1).min(BATCH_MAX).min(bytes / len).max(1);
        self.most[i] = Cache::most(class, backend).max(count as i32);
        self.left[i] = self.most[i];
        let run = backend.take(Request { len, count, align: GRANULE })?;
        self.out[i] += run.count;
        // The rest of the run in the order of its addresses.
        for block in (1..run.count).rev() {
            // SAFETY: the run holds `count` blocks of `len` bytes; the list holds fewer than it may.
            let _ = unsafe { self.push(class, run.at.add(block * len)) };
        }
        // Where only single blocks are free, further ones spare the next calls.
        let mut got = run.count;
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

    /// Gives batches and lists to the back end before the heap grows: if there is much, and no more than a step of growth.
    pub(super) fn flush_some<M: Memory>(&mut self, backend: &mut Backend<M>) {
        self.drain(DRAIN, backend);
        let listed: usize = SizeClass::all().map(|class| self.held(class) * class.len()).sum();
        if listed <= (backend.out() / LISTED_SHARE).max(LISTED_MIN) {
            return;
        }
        let mut enough = backend.step();
        for _ in SizeClass::all() {
            self.cursor = self.cursor.shorter();
            enough = enough.saturating_sub(self.held(self.cursor) * self.cursor.len());
            self.flush_class(self.cursor, backend);
            if enough == 0 {
                return;
            }
        }
    }

    /// Gives all batches to the back end, and all lists.
    pub(super) fn flush<M: Memory>(&mut self, backend: &mut Backend<M>) {
        self.drain(usize::MAX, backend);
        for class in SizeClass::all() {
            self.flush_class(class, backend);
        }
    }

    /// Gives a list to the back end.
    pub(super) fn flush_class<M: Memory>(&mut self, class: SizeClass, backend: &mut Backend<M>) {
        let blocks = self.heads[class.index()].take();
        self.left[class.index()] = self.most[class.index()];
        self.give(class, blocks, backend);
    }

    /// Gives blocks that were taken out of a list to the back end.
    fn give<M: Memory>(&mut self, class: SizeClass, mut blocks: Link, backend: &mut Backend<M>) {
        let len = class.len();
        while let Some(first) = blocks {
            // Blocks that were freed one after the other often lie side by side: such a run is given as one.
            let (mut at, mut run_len) = (first, 0);
            while let Some(block) = blocks {
                if block.addr().get() + len == at.addr().get() {
                    at = block;
                } else if block.addr().get() != at.addr().get() + run_len {
                    break;
                }
                run_len += len;
                self.out[class.index()] -= 1;
                // SAFETY: as in `pop`.
                blocks = unsafe { block.cast::<Link>().read() };
            }
            // SAFETY: blocks in a list are free and have the class's length.
            unsafe { backend.give(at, run_len) };
        }
    }

    /// The blocks of a list, and those aside.
    pub(super) fn list(&self, class: SizeClass) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: as in `pop`.
        let chain = |head: Link| core::iter::successors(head, |block| unsafe { block.cast::<Link>().read() });
        // SAFETY: the first block of a batch.
        let next = |batch: &NonNull<u8>| unsafe { batch.cast::<Link>().add(1).read() };
        let batches = core::iter::successors(self.aside[class.index()], next);
        chain(self.heads[class.index()]).chain(batches.flat_map(move |batch| chain(Some(batch))))
    }

    /// How many blocks a list says that it holds.
    pub(super) fn held(&self, class: SizeClass) -> usize {
        (self.most[class.index()] - self.left[class.index()]) as usize
    }

    /// How many bytes batches are said to hold.
    pub(super) fn aside_bytes(&self) -> usize {
        self.aside_bytes
    }

    /// Makes a list say that it holds a block less than it does.
    #[cfg(test)]
    pub(super) fn miscount(&mut self, class: SizeClass) {
        self.left[class.index()] += 1;
    }
}
