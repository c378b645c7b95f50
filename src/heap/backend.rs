//! The back end: runs of granules, joined when they are freed and split when
//! they are asked for.
//!
//! What is free is in a bin or above a segment's `top`. A run that is freed is
//! joined with its free neighbours at once, so no two chunks ever touch, and a
//! chunk that reaches `top` becomes part of the untouched end again.
//!
//! | operation | worst case |
//! |---|---|
//! | `take` | a best fit in the bins (twice the bits of a word), or a look at each segment's top |
//! | `take` of more than a granule's alignment | the same, after 16 chunks were looked at |
//! | `give` | at most two neighbours out of the bins, one chunk in, each in the bits of a word |
//! | `resize` | as `give` |
//! | `take_thoroughly` | every chunk: only for an alignment, and where the answer would be a refusal |
//!
//! To find a block's segment takes a step for each segment; there are as many as
//! doublings of what is reserved, newest and largest first, and then those of blocks that have
//! one of their own (growth.rs). What is given back to the kernel is in purge.rs.

use core::fmt::{self, Write};
use core::ptr::NonNull;

use super::bins::Bins;
use super::class::{GRANULE, LARGE};
use super::free_chunk::{FreeChunk, LONG};
use super::memory::Memory;
use super::segment::Segment;
use crate::sys::PAGE_SIZE_MIN;
use crate::vm::gap_before;

/// For an aligned block, this many chunks of a length are looked at for one that lies as it has to, and this many lengths,
/// before a chunk is taken in which it fits however that lies.
const LOOKS: usize = 4;

/// What so many fronts hold together is little: if there are more beside the first, what each may hold is less.
pub(super) const FEW: usize = 16;

/// What is asked of the back end: `count` blocks of `len` bytes in a row, or as
/// many of them as one chunk holds. More than one only where `len` is a multiple of `align`: all are aligned then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) len: usize,
    pub(super) count: usize,
    pub(super) align: usize,
}

impl Request {
    /// How far from the start of a run of `room` bytes its first block is, if there
    /// is room for it.
    #[inline]
    fn place(self, start: NonNull<u8>, room: usize) -> Option<usize> {
        if self.len < LARGE && self.align == GRANULE {
            return (room >= self.len).then_some(0);
        }
        self.place_aligned(start, room)
    }

    /// The same for blocks that are to begin at a multiple of more than a granule.
    fn place_aligned(self, start: NonNull<u8>, room: usize) -> Option<usize> {
        let at = |align: usize| {
            let gap = gap_before(start.addr().get(), align);
            (room.checked_sub(gap)? >= self.len).then_some(gap)
        };
        let at_page = if self.len < LARGE { None } else { at(self.align.max(PAGE_SIZE_MIN)) };
        at_page.or_else(|| at(self.align))
    }

    /// How many of its blocks are served where there is room for at least one.
    #[inline]
    fn count_in(self, room: usize) -> usize {
        // A division is dear, and one block the common case. No block is shorter than a granule.
        if self.count == 1 { 1 } else { (room / self.len.max(GRANULE)).min(self.count) }
    }
}

/// A run that the back end gave.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) at: NonNull<u8>,
    /// Blocks in it; at least one.
    pub(super) count: usize,
    /// Its memory was never handed out before, or has been zeroed since, so it reads as zero.
    pub(super) zero: bool,
}

/// Where a chunk was or is to be, as offsets in its segment, and what of it may be resident.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Bytes that may be resident, with those that stay so while it is a chunk.
    pub(super) dirty: usize,
    /// Between which offsets those lie that could be given back; the end comes first if there are none.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Span {
    /// What has been a block until now. Beside it a chunk may end or begin that has words on the next page.
    fn new(start: usize, end: usize, page: usize) -> Span {
        Span { start, end, dirty: end - start, from: start.saturating_sub(page), to: end + page }
    }

    /// How many bytes between two offsets in it have been given back.
    fn given_back(&self, start: usize, end: usize) -> usize {
        end - start - end.min(self.to).saturating_sub(start.max(self.from))
    }

    /// Counts what may be resident of another one too.
    fn join(&mut self, other: &Span) {
        self.dirty += other.dirty;
        (self.from, self.to) = (self.from.min(other.from), self.to.max(other.to));
    }
}

/// What a caller did who broke a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misuse {
    pub(super) address: usize,
    pub(super) what: &'static str,
}

/// `a block was freed that is not the heap's: 0x7f0012345678`, without what formatting a number costs.
impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block was freed that ")?;
        f.write_str(self.what)?;
        f.write_str(": 0x")?;
        let digits = (self.address | 1).ilog2() / 4;
        for digit in (0..=digits).rev() {
            f.write_char(char::from(b"0123456789abcdef"[self.address >> (4 * digit) & 15]))?;
        }
        Ok(())
    }
}

/// The back end.
#[derive(Debug)]
pub(super) struct Backend<M> {
    pub(super) memory: M,
    /// The page size; 0 before there is a segment.
    pub(super) page: usize,
    /// The highest power of two in what the heap may come to, as far as that is known, for how much lists hold: a limit that
    /// is a little larger changes nothing. 0 before there is a segment.
    pub(super) limit: usize,
    /// Newest first, and then those that were added for one block.
    pub(super) segments: Option<NonNull<Segment>>,
    pub(super) bins: Bins,
    /// Bytes in bins.
    pub(super) free: usize,
    /// Bytes below the tops of all segments.
    pub(super) used: usize,
    /// The most that `used - free` has been.
    pub(super) peak: usize,
    /// Bytes of chunks and above tops that may be resident and can be given back.
    pub(super) dirty: usize,
    /// The chunks that have some of them, in a list.
    pub(super) oldest: Option<FreeChunk>,
    pub(super) newest: Option<FreeChunk>,
    /// Counts the calls that came this far.
    pub(super) clock: usize,
    /// The least and the most that was dirty since they were last a whole window (purge.rs).
    pub(super) least: usize,
    pub(super) most: usize,
    /// Bytes that were given back and taken again lately.
    pub(super) wanted: usize,
    /// How much of that is kept, if not [`PURGE_THRESHOLD`](super::PURGE_THRESHOLD).
    pub(super) purge_threshold: Option<usize>,
    /// From how many bytes in use on the heap grows by huge pages, if not [`HUGE_FROM`](super::HUGE_FROM).
    pub(super) huge_from: Option<usize>,
    /// By how many bytes tops have risen for blocks that are small, and so are written soon.
    pub(super) written: usize,
    /// The addresses of the middle and of the end of the block of more than a page that a top has risen for last.
    pub(super) long: [usize; 2],
    /// How many fronts there are beside the first.
    pub(super) further: usize,
    /// The first promise that was broken since this was last looked at.
    pub(super) misuse: Option<Misuse>,
}

impl<M: Memory> Backend<M> {
    pub(super) const fn new(memory: M) -> Backend<M> {
        Backend {
            memory,
            page: 0,
            limit: 0,
            segments: None,
            bins: Bins::new(),
            free: 0,
            used: 0,
            peak: 0,
            dirty: 0,
            oldest: None,
            newest: None,
            clock: 0,
            least: 0,
            most: 0,
            wanted: 0,
            purge_threshold: None,
            huge_from: None,
            written: 0,
            long: [0; 2],
            further: 0,
            misuse: None,
        }
    }

    /// Bytes that are in nobody's hands here: in blocks, or in the cache.
    #[inline]
    pub(super) fn out(&self) -> usize {
        self.used - self.free
    }

    /// How much a front may hold where each of a [few](FEW) may hold `much`, bytes or blocks: many hold no more than those
    /// together.
    pub(super) fn of_front(&self, much: usize) -> usize {
        much.saturating_mul(FEW) / FEW.max(self.further)
    }

    /// Serves a request from what is free below the `soft` marks.
    pub(super) fn take(&mut self, request: Request) -> Option<Blocks> {
        self.take_chunk(request).or_else(|| self.take_top(request))
    }

    /// Serves a single block from a chunk of just its length, if that lies as it has to.
    pub(super) fn take_exact(&mut self, len: usize, align: usize) -> Option<NonNull<u8>> {
        let lies_so = |chunk: &FreeChunk| gap_before(chunk.start().addr().get(), align) == 0;
        let chunk = self.bins.find(len).filter(|chunk| chunk.len() == len && lies_so(chunk))?;
        // SAFETY: the only segment that is looked at here.
        let segment = unsafe { self.segment_of(chunk.start()) }?;
        self.unlink(segment, chunk);
        Some(chunk.start())
    }

    fn take_chunk(&mut self, request: Request) -> Option<Blocks> {
        let Request { len, align, .. } = request;
        let chunk = if align == GRANULE {
            self.bins.find(len)
        } else {
            // A block that was freed lies as the next one has to; with room to move by less than the alignment, any
            // chunk will do.
            self.find_aligned(request, LOOKS).or_else(|| self.bins.find(len.checked_add(align - GRANULE)?))
        };
        self.carve(request, chunk?)
    }

    /// Looks at every chunk for one in which an aligned block has room.
    #[cold]
    pub(super) fn take_thoroughly(&mut self, request: Request) -> Option<Blocks> {
        self.carve(request, self.find_aligned(request, usize::MAX)?)
    }

    fn find_aligned(&self, request: Request, looks: usize) -> Option<FreeChunk> {
        let fits = |chunk: FreeChunk| request.place(chunk.start(), chunk.len()).is_some();
        self.bins.find_fitting(request.len, looks, &fits)
    }

    /// Serves a request from a chunk.
    #[inline(never)]
    fn carve(&mut self, request: Request, chunk: FreeChunk) -> Option<Blocks> {
        let gap = request.place(chunk.start(), chunk.len())?;
        // SAFETY: the only segment that is looked at here.
        let segment = unsafe { self.segment_of(chunk.start()) }?;
        let span = self.unlink(segment, chunk);
        let Span { start, end, .. } = span;
        let at = start + gap;
        let count = request.count_in(end - at);
        let rest = at + count * request.len;
        self.note_again(span.given_back(at, rest));
        // SAFETY: what is left on either side was part of the chunk.
        unsafe {
            if start < at {
                self.put(segment, Span { end: at, ..span });
            }
            if rest < end {
                self.put(segment, Span { start: rest, ..span });
            }
        }
        Some(Blocks { at: segment.at(at), count, zero: false })
    }

    fn take_top(&mut self, request: Request) -> Option<Blocks> {
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: segments stay until they are released, and only the heap,
            // which is borrowed here, refers to them.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            let Some((at, room)) = above_top(segment, request, segment.soft) else { continue };
            let count = request.count_in(room);
            let start = segment.top;
            let zero = at >= segment.fresh;
            self.raise_top(segment, at + count * request.len);
            if start < at {
                // SAFETY: the gap was above the top and is committed.
                unsafe { self.put(segment, Span::new(start, at, self.page)) };
            }
            return Some(Blocks { at: segment.at(at), count, zero });
        }
        None
    }

    /// Takes a run back. If it cannot be one, that is remembered, and nothing is done.
    ///
    /// # Safety
    ///
    /// The `len` bytes at `at` are whole granules that the back end gave, and
    /// nobody uses them any more.
    pub(super) unsafe fn give(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: the only segment that is looked at here.
        let segment = unsafe { self.segment_of(at) };
        let start = segment.as_ref().map_or(0, |segment| segment.offset(at));
        let end = start + len;
        let wrong = match &segment {
            None => "is not the heap's",
            Some(segment) if end > segment.top || !start.is_multiple_of(GRANULE) => "is not a block of that layout",
            Some(segment) if segment.edge(start) || segment.edge(end - GRANULE) => "is free already",
            Some(_) => "",
        };
        let Some(segment) = segment.filter(|_| wrong.is_empty()) else {
            self.misuse.get_or_insert(Misuse { address: at.addr().get(), what: wrong });
            return;
        };
        let mut span = Span::new(start, end, self.page);
        if end < segment.top && segment.edge(end) {
            // SAFETY: the granule after is the edge of a chunk, so one begins here.
            let right = self.unlink(segment, unsafe { FreeChunk::starting(segment.at(end)) });
            span.join(&right);
            span.end = right.end;
        }
        if start > 0 && segment.edge(start - GRANULE) {
            // SAFETY: the granule before is the edge of a chunk, so one ends here.
            let left = self.unlink(segment, unsafe { FreeChunk::ending(at) });
            span.join(&left);
            span.start = left.start;
        }
        if span.end == segment.top {
            self.lower_top(segment, &span);
        } else {
            // SAFETY: all of it is free now.
            unsafe { self.put(segment, span) };
        }
    }

    /// Makes a run longer or shorter where it is. `false`, and nothing is changed,
    /// if it would have to grow and what follows it is not free. To make it shorter never fails.
    ///
    /// # Safety
    ///
    /// The back end gave the run, `old` bytes long, and nobody uses what it is to
    /// lose; `new` is whole granules, at least one.
    pub(super) unsafe fn resize(&mut self, at: NonNull<u8>, old: usize, new: usize) -> bool {
        if new <= old {
            if new < old {
                // SAFETY: the end of the caller's run.
                unsafe { self.give(at.add(new), old - new) };
            }
            return true;
        }
        // A block that is not the heap's moves, and is found out when the old one is given.
        // SAFETY: the only segment that is looked at here.
        let Some(segment) = (unsafe { self.segment_of(at) }) else { return false };
        let start = segment.offset(at);
        let (end, new_end) = (start + old, start + new);
        if new_end <= end || new_end > segment.capacity() {
            return false;
        }
        if end == segment.top {
            if new_end > segment.soft && !self.extend_segment(segment, new_end) {
                return false;
            }
            self.raise_top(segment, new_end);
        } else {
            if !segment.edge(end) {
                return false;
            }
            // SAFETY: the granule after the run is the edge of a chunk.
            let right = unsafe { FreeChunk::starting(segment.at(end)) };
            if end + right.len() < new_end {
                return false;
            }
            let span = self.unlink(segment, right);
            self.note_again(span.given_back(end, new_end));
            if new_end < span.end {
                // SAFETY: what is left of the chunk.
                unsafe { self.put(segment, Span { start: new_end, ..span }) };
            }
        }
        true
    }

    /// The segments.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        // SAFETY: as in `take_top`.
        core::iter::successors(self.segments, |r| unsafe { r.as_ref() }.next).map(|r| unsafe { r.as_ref() })
    }

    /// The segment of a block.
    ///
    /// The result is not tied to the borrow of `self`: the segment's own fields
    /// change together with the bins, and both belong to this back end.
    ///
    /// # Safety
    ///
    /// While the result is used, the caller has no other reference to a segment, and none is released.
    #[inline]
    unsafe fn segment_of<'a>(&self, at: NonNull<u8>) -> Option<&'a mut Segment> {
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: segments stay until they are released, and this function's contract excludes other references.
            let segment = unsafe { segment.as_mut() };
            if segment.offset_of(at).is_some() {
                return Some(segment);
            }
            next = segment.next;
        }
        None
    }

    /// Makes a run free.
    ///
    /// # Safety
    ///
    /// The run lies below the segment's top, is in nobody's use, and touches no chunk.
    #[inline(never)]
    unsafe fn put(&mut self, segment: &mut Segment, span: Span) {
        let Span { start, end, .. } = span;
        debug_assert!(start < end && end <= segment.top, "a free chunk lies below the top");
        let len = end - start;
        segment.set_edge(start);
        segment.set_edge(end - GRANULE);
        // SAFETY: granules of the segment that nobody uses.
        let chunk = unsafe { FreeChunk::write(segment.at(start), len) };
        self.bins.insert(chunk, len);
        self.free += len;
        if len >= LONG {
            self.set_dirty(chunk, span);
        }
    }

    /// The opposite: the chunk is nobody's now, and says where it was.
    #[inline(never)]
    fn unlink(&mut self, segment: &mut Segment, chunk: FreeChunk) -> Span {
        let len = chunk.len();
        let start = segment.offset(chunk.start());
        let end = start + len;
        let mut span = Span::new(start, end, 0);
        if len >= LONG {
            let dirty = chunk.dirty(len);
            let (first, last) = chunk.pages(len, self.page);
            span.dirty = dirty + len - (last - first);
            if dirty > 0 {
                let (from, to) = chunk.dirty_between();
                (span.from, span.to) = (start + from, start + to);
                self.forget_dirty(chunk, dirty);
            } else if first < last {
                (span.from, span.to) = (end, start);
            }
        }
        self.bins.remove(chunk, len);
        self.free -= len;
        segment.clear_edge(start);
        segment.clear_edge(end - GRANULE);
        span
    }

    /// Counts bytes that have been given back and are taken again: the program wants them.
    fn note_again(&mut self, bytes: usize) {
        self.wanted = self.wanted.saturating_add(bytes);
    }

    fn raise_top(&mut self, segment: &mut Segment, top: usize) {
        let (before, dirty) = (segment.top, segment.dirty);
        self.used += top - before;
        segment.top = top;
        segment.fresh = segment.fresh.max(top);
        segment.resident = segment.resident.max(top);
        let again = top.min(segment.high) - before;
        self.set_dirty_above(segment, dirty);
        self.note_again(again - (dirty - segment.dirty));
    }

    fn lower_top(&mut self, segment: &mut Segment, span: &Span) {
        self.used -= segment.top - span.start;
        segment.top = span.start;
        self.set_dirty_above(segment, segment.dirty + span.dirty);
        segment.own &= segment.top > 0;
        if segment.own {
            // The block can grow again to where it was: nothing comes in between.
            segment.soft = segment.top;
        }
    }

    /// Says how much of what lies above a top may be resident.
    #[inline(never)] // from five places
    pub(super) fn set_dirty_above(&mut self, segment: &mut Segment, dirty: usize) {
        let dirty = dirty.min(segment.resident - segment.top);
        self.dirty = self.dirty + dirty - segment.dirty;
        segment.dirty = dirty;
        segment.high = segment.high.max(segment.resident);
    }
}

/// Where a run would begin above the top, and the room there below `limit`; if
/// that is enough for one block.
#[inline(never)]
pub(super) fn above_top(segment: &Segment, request: Request, limit: usize) -> Option<(usize, usize)> {
    let room = limit.checked_sub(segment.top)?;
    let gap = request.place(segment.at(segment.top), room)?;
    Some((segment.top + gap, room - gap))
}

#[cfg(test)]
mod tests;
