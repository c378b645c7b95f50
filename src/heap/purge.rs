//! What is given back to the kernel, and when.
//!
//! A dirty page is free and may be resident: it lies whole in a free chunk, none of
//! the chunk's words on it, or above a segment's `top`. Dirty chunks stand in a list, the
//! oldest first, a single page between two small blocks as well as gigabytes.
//!
//! Bounds. What [`Heap::set_purge_threshold`](super::Heap::set_purge_threshold) says may stay, or a quarter of what is in
//! use if that is more; and as much again of what the program is seen to want: what was given back and taken again, but no
//! more than by how much the free memory rose and fell in the last [`WINDOW`] calls that came to the back end. So a program
//! whose memory swings pays for it once, and one that has freed most of its memory for good keeps little.
//! What is more goes back, the oldest first: a call gives back at most [`SLICE`] bytes of at most [`PIECES`] chunks and
//! of what lies above tops, and whoever frees a block that is longer than that goes on for twice as many as it had, and
//! lets others in between. Address space stays, until somebody needs it (growth.rs).
//!
//! `trim` gives back all of it, in one call, however long it takes.

use core::ops::Range;
use core::ptr::NonNull;

use super::backend::{Backend, Span};
use super::free_chunk::FreeChunk;
use super::memory::Memory;
use super::segment::Segment;
use crate::vm::{gap_before, round_down, round_up};

/// How many free bytes may stay resident, unless [`Heap::set_purge_threshold`](super::Heap::set_purge_threshold) says
/// otherwise.
pub const PURGE_THRESHOLD: usize = if usize::BITS == 64 { 32 * 1024 * 1024 } else { 8 * 1024 * 1024 };

/// A call gives back at most this many chunks ...
const PIECES: usize = 8;
/// ... and this many bytes, a multiple of every page size: 8 MiB, or 2 on 32-bit ports. To give 2,048 pages back takes a
/// kernel half a millisecond.
pub(super) const SLICE: usize = PURGE_THRESHOLD / 4;

/// No threshold is higher: it is as good as none.
pub(super) const THRESHOLD_MOST: usize = usize::MAX / 8;

/// For so many calls it is remembered how much is wanted.
const WINDOW: usize = 4096;

impl<M: Memory> Backend<M> {
    /// Counts a call, at its end, and gives back what is due.
    #[inline]
    pub(super) fn tick(&mut self) {
        self.peak = self.peak.max(self.out());
        (self.least, self.most) = (self.least.min(self.dirty), self.most.max(self.dirty));
        self.clock = self.clock.wrapping_add(1);
        if self.clock.is_multiple_of(WINDOW) {
            self.forget_wanted();
        }
        if self.dirty > self.threshold() {
            self.purge_some();
        }
    }

    /// How many free bytes may stay resident if no more is in use.
    #[inline]
    pub(super) fn threshold(&self) -> usize {
        self.purge_threshold.unwrap_or(PURGE_THRESHOLD)
    }

    /// How many may stay whether they are wanted or not.
    fn kept(&self) -> usize {
        self.threshold().max(self.out() / 4)
    }

    /// By how many bytes more is dirty than may stay. The sum is never more than a word can say: a threshold is at most an
    /// eighth of that ([`THRESHOLD_MOST`]).
    #[inline(never)] // seldom, and from several places
    pub(super) fn excess(&self) -> usize {
        let kept = self.kept();
        self.dirty.saturating_sub(kept + self.wanted.min(kept))
    }

    /// Ends a window: what is wanted is at most what was taken and freed in it.
    #[cold]
    #[inline(never)]
    fn forget_wanted(&mut self) {
        self.wanted = self.wanted.min(self.most - self.least);
        (self.least, self.most) = (self.dirty, self.dirty);
    }

    #[cold]
    #[inline(never)]
    fn purge_some(&mut self) {
        let mut bytes = SLICE;
        for _ in 0..PIECES {
            let Some(chunk) = self.oldest else { break };
            if bytes == 0 || self.excess() == 0 {
                return;
            }
            bytes -= self.purge_chunk(chunk, bytes);
        }
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: segments stay until they are released, and only the heap, which is borrowed here, refers to them.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            if bytes == 0 || self.excess() == 0 {
                return;
            }
            bytes -= self.purge_above(segment, bytes);
        }
    }

    /// Gives back all there is.
    #[cold]
    #[inline(never)]
    pub(super) fn purge_all(&mut self) {
        while let Some(chunk) = self.oldest {
            self.purge_chunk(chunk, usize::MAX);
        }
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: as in `purge_some`.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            self.purge_above(segment, usize::MAX);
            segment.purge_bits(self.page, &mut self.memory);
        }
    }

    /// Gives back the whole pages of a block, and says which bytes of it are zero now.
    ///
    /// # Safety
    ///
    /// The `len` bytes at `at` are a part of a block that holds nothing of use.
    pub(super) unsafe fn reset_to_zero(&mut self, at: NonNull<u8>, len: usize) -> Range<usize> {
        let start = at.addr().get();
        let (from, to) = (gap_before(start, self.page), round_down(start + len, self.page).saturating_sub(start));
        // SAFETY: whole pages within the bytes that this function's contract names.
        let zero = from < to && unsafe { self.memory.reset_to_zero(at.add(from), to - from) };
        if zero { from..to } else { 0..0 }
    }

    /// Gives back at most `most` bytes of what lies above a top, a multiple of the page, from the end on; says how many. What
    /// is dirty lies at the end, as far as that is not known.
    fn purge_above(&mut self, segment: &mut Segment, most: usize) -> usize {
        let purged = segment.purge(most, self.page, &mut self.memory);
        self.set_dirty_above(segment, segment.dirty.saturating_sub(purged));
        round_up(purged, self.page).min(most)
    }

    /// Gives back at most `most` bytes of a dirty chunk, a multiple of the page, from the end on; says how many.
    pub(super) fn purge_chunk(&mut self, chunk: FreeChunk, most: usize) -> usize {
        let len = chunk.len();
        let dirty = chunk.dirty(len);
        let (from, to) = chunk.dirty_between();
        let step = most.min(to - from);
        let to = to - step;
        // SAFETY: whole pages of a free chunk that hold none of its words.
        unsafe { self.memory.reset(chunk.start().add(to), step) };
        let left = dirty.min(to - from);
        if left == 0 {
            self.forget_dirty(chunk, dirty);
        } else {
            self.dirty -= dirty - left;
        }
        chunk.set_dirty(left, from, to);
        step
    }

    /// Where the page begins, as an offset in a chunk or 0, in which an offset lies.
    fn page_floor(&self, chunk: FreeChunk, offset: usize) -> usize {
        let start = chunk.start().addr().get();
        round_down(start + offset, self.page).saturating_sub(start)
    }

    /// Says which of the chunk's bytes may be resident, of those of a span, and makes it the newest of the dirty ones.
    pub(super) fn set_dirty(&mut self, chunk: FreeChunk, span: Span) {
        let Span { start, end, dirty, from, to } = span;
        let (first, last) = chunk.pages(end - start, self.page);
        let from = self.page_floor(chunk, from.saturating_sub(start)).max(first);
        let to = self.page_floor(chunk, to.saturating_sub(start) + self.page - 1).min(last);
        let edges = end - start - (last - first);
        let dirty = dirty.saturating_sub(edges).min(to.saturating_sub(from));
        if dirty == 0 {
            return;
        }
        chunk.set_dirty(dirty, from, to);
        chunk.set_older(self.newest);
        chunk.set_newer(None);
        self.link_ages(self.newest, Some(chunk));
        self.newest = Some(chunk);
        self.dirty += dirty;
    }

    /// Takes a chunk from the dirty ones.
    #[inline(never)]
    pub(super) fn forget_dirty(&mut self, chunk: FreeChunk, dirty: usize) {
        self.dirty -= dirty;
        self.link_ages(chunk.older(), chunk.newer());
    }

    /// Makes two chunks, or the ends of the list, neighbours in it.
    #[inline(never)]
    fn link_ages(&mut self, older: Option<FreeChunk>, newer: Option<FreeChunk>) {
        match older {
            Some(older) => older.set_newer(newer),
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => newer.set_older(older),
            None => self.newest = older,
        }
    }
}
