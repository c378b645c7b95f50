//! What is given back to the kernel, and when.
//!
//! A dirty page is free and may be resident: it lies whole in a free chunk, none of
//! the chunk's words on it, or above a segment's `top`. Dirty chunks stand in a list, the
//! oldest first, a single page between two small blocks as well as gigabytes.
//!
//! Bounds. Once more is dirty than [`Heap::set_purge_threshold`](super::Heap::set_purge_threshold)
//! says, or a quarter of what is in use if that is more, each call that comes to the
//! back end gives back what has been free for [`AGE`] of these calls: at most [`SLICE`] bytes
//! of at most [`PIECES`] chunks, and of what lies above tops: higher than those have been for [`HEIGHT_AGE`] calls at least.
//! What is wanted again soon is still there then.
//! Beyond [`URGENT`] times that much it does not wait. A block that is longer than the threshold goes back when it is
//! freed, whole and with what is free beside it. Address space stays, until somebody needs it (growth.rs).
//!
//! `trim` gives back all of it, in one call, however long it takes.

use super::PURGE_THRESHOLD;
use super::backend::{Age, Backend};
use super::free_chunk::FreeChunk;
use super::memory::Memory;
use super::segment::Segment;
use crate::vm::round_down;

/// How many calls of the back end memory stays that nobody wants.
pub(super) const AGE: usize = 1024;
/// How far a top has been counts for as many calls, and for as many more: tops rise and fall by more than one block, and what
/// lies above one is in one piece.
const HEIGHT_AGE: usize = 4 * AGE;

/// A call gives back at most this many chunks ...
const PIECES: usize = 8;
/// ... and this many bytes, a multiple of every page size: to give 4,096 pages back takes a kernel 0.2 ms.
const SLICE: usize = 16 * 1024 * 1024;

/// Beyond this many times what may stay nothing waits until it is old.
const URGENT: usize = 4;

impl<M: Memory> Backend<M> {
    /// Counts a call, at its end, and gives back what is due.
    #[inline]
    pub(super) fn tick(&mut self) {
        self.clock = self.clock.wrapping_add(1);
        self.peak = self.peak.max(self.out());
        if self.dirty > self.threshold() {
            self.purge_some();
        }
    }

    /// How many free bytes may stay resident if no more is in use.
    #[inline]
    pub(super) fn threshold(&self) -> usize {
        self.purge_threshold.unwrap_or(PURGE_THRESHOLD)
    }

    fn is_old(&self, since: usize) -> bool {
        self.clock.wrapping_sub(since) >= AGE
    }

    #[cold]
    #[inline(never)]
    fn purge_some(&mut self) {
        let bound = self.threshold().max(self.out() / 4);
        let urgent = bound.saturating_mul(URGENT);
        let mut bytes = SLICE;
        for _ in 0..PIECES {
            let Some(chunk) = self.oldest else { break };
            if self.dirty <= bound || bytes == 0 || !(self.is_old(chunk.since()) || self.dirty > urgent) {
                break;
            }
            bytes -= self.purge_chunk(chunk, bytes);
        }
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: segments stay until they are released, and only the heap, which is borrowed here, refers to them.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            if self.dirty <= bound || bytes == 0 {
                return;
            }
            if self.clock.wrapping_sub(segment.since) >= HEIGHT_AGE {
                (segment.wanted, segment.high, segment.since) = (segment.high, segment.top, self.clock);
            }
            let low = if self.dirty > urgent { 0 } else { segment.wanted.max(segment.high) };
            if segment.resident > low {
                let purged = segment.purge(low, bytes, self.page, &mut self.memory);
                self.dirty -= purged;
                bytes = round_down(bytes.saturating_sub(purged), self.page);
            }
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
            self.purge_top(segment);
            segment.purge_bits(self.page, &mut self.memory);
        }
    }

    /// Gives back what lies above a top.
    pub(super) fn purge_top(&mut self, segment: &mut Segment) {
        self.dirty -= segment.purge(0, usize::MAX, self.page, &mut self.memory);
    }

    /// Gives back at most `most` bytes of a dirty chunk, a multiple of the page, from its end on; says how many.
    pub(super) fn purge_chunk(&mut self, chunk: FreeChunk, most: usize) -> usize {
        let len = chunk.len();
        let dirty = chunk.dirty(len);
        let (from, pages_end) = chunk.pages(len, self.page);
        let to = pages_end - chunk.done();
        let start = from.max(to.saturating_sub(most));
        // SAFETY: whole pages of a free chunk that hold none of its words.
        unsafe { self.memory.reset(chunk.start().add(start), to - start) };
        if start == from {
            self.forget_dirty(chunk, dirty);
            chunk.set_dirty(0, 0, 0);
        } else {
            let left = dirty.min(start - from);
            self.dirty -= dirty - left;
            chunk.set_dirty(left, chunk.since(), pages_end - start);
        }
        to - start
    }

    /// Says how much of a chunk may be resident, at most, and gives it its place among the dirty ones.
    pub(super) fn set_dirty(&mut self, chunk: FreeChunk, len: usize, dirty: usize, done: usize, age: Age) {
        let (from, to) = chunk.pages(len, self.page);
        let done = done.min(to - from);
        let dirty = dirty.min(to - from - done);
        if dirty == 0 {
            return;
        }
        let (older, since) = match age {
            Age::New => (self.newest, self.clock),
            Age::After(older, since) => (older, since),
        };
        chunk.set_dirty(dirty, since, done);
        let newer = match older {
            Some(older) => older.newer(),
            None => self.oldest,
        };
        chunk.set_older(older);
        chunk.set_newer(newer);
        self.link_ages(older, Some(chunk));
        self.link_ages(Some(chunk), newer);
        self.dirty += dirty;
    }

    /// Takes a chunk from the dirty ones, and says where it stood.
    #[inline(never)]
    pub(super) fn forget_dirty(&mut self, chunk: FreeChunk, dirty: usize) -> Age {
        self.dirty -= dirty;
        let older = chunk.older();
        self.link_ages(older, chunk.newer());
        Age::After(older, chunk.since())
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
