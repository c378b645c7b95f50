//! The back end: runs of granules, joined when they are freed and split when
//! they are asked for.
//!
//! What is free is in a bin or above a segment's `top`. A run that is freed is
//! joined with its free neighbours at once, so no two chunks ever touch, and a
//! chunk that reaches `top` becomes part of the untouched end again.

use core::ptr::NonNull;

use super::bins::{BINS, Bins};
use super::class::{GRANULE, LARGE};
use super::free_chunk::{DIRTY_MIN, FreeChunk};
use super::memory::Memory;
use super::segment::{HUGE, Pages, Segment};
use crate::sys::PAGE_SIZE_MIN;
use crate::vm::{round_down, round_up};

/// `soft` rises by this part of what is in use, so that the front's lists are
/// emptied at most so often while a heap grows ...
const GROWTH: usize = 16;
/// ... and by at least so many bytes.
const GROWTH_MIN: usize = 64 * 1024;

/// From how many bytes in use on memory that the heap grows by is made resident
/// at once, step by step, and not page by page.
const POPULATE_FROM: usize = 2 * GROWTH_MIN;

/// From how many bytes in use on the heap grows by huge pages, unless
/// [`Heap::set_huge_from`](super::Heap::set_huge_from) says otherwise. A step is as
/// long as a huge page then, so that no more is resident than without.
pub const HUGE_FROM: usize = GROWTH * HUGE;

/// How many free bytes stay committed, unless [`Heap::set_purge_threshold`](super::Heap::set_purge_threshold) says otherwise.
pub const PURGE_THRESHOLD: usize = if usize::BITS == 64 { 64 * 1024 * 1024 } else { 16 * 1024 * 1024 };

/// A further segment is at least this large, if the kernel gives it.
const SEGMENT_MIN: usize = 8 * 1024 * 1024;

/// What is asked of the back end: `count` blocks of `len` bytes in a row, or as
/// many of them as one chunk holds. More than one only with `align` a granule.
#[derive(Clone, Copy)]
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
            let gap = start.addr().get().wrapping_neg() & (align - 1);
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
pub(super) struct Blocks {
    pub(super) at: NonNull<u8>,
    /// Blocks in it; at least one.
    pub(super) count: usize,
    /// Its memory was never handed out before, so it reads as zero.
    pub(super) zero: bool,
}

/// Where a chunk was, as offsets in its segment, and how much of it may be resident.
struct Span {
    start: usize,
    end: usize,
    dirty: usize,
}

/// The back end.
pub(super) struct Backend<M> {
    memory: M,
    /// Newest first.
    segments: Option<NonNull<Segment>>,
    pub(super) bins: Bins,
    /// Bytes in bins.
    pub(super) free: usize,
    /// Bytes below the tops of all segments.
    pub(super) used: usize,
    /// The most that `used - free` has been.
    pub(super) peak: usize,
    /// Bytes of chunks and above tops that may be resident, as far as they can
    /// be given back.
    dirty: usize,
    /// How much of that is kept, if not [`PURGE_THRESHOLD`].
    pub(super) purge_threshold: Option<usize>,
    /// From how many bytes in use on the heap grows by huge pages, if not [`HUGE_FROM`].
    pub(super) huge_from: Option<usize>,
}

impl<M: Memory> Backend<M> {
    pub(super) fn memory(&mut self) -> &mut M {
        &mut self.memory
    }

    pub(super) const fn new(memory: M) -> Backend<M> {
        Backend {
            memory,
            segments: None,
            bins: Bins::new(),
            free: 0,
            used: 0,
            peak: 0,
            dirty: 0,
            purge_threshold: None,
            huge_from: None,
        }
    }

    /// Serves a request from what is free below the `soft` marks.
    pub(super) fn take(&mut self, request: Request) -> Option<Blocks> {
        let run = self.take_chunk(request).or_else(|| self.take_top(request));
        self.peak = self.peak.max(self.used - self.free);
        run
    }

    /// Serves a single block from a chunk of just its length.
    pub(super) fn take_exact(&mut self, len: usize) -> Option<NonNull<u8>> {
        let chunk = self.bins.find(len).filter(|chunk| chunk.len() == len)?;
        self.unlink(self.segment_of(chunk.start()), chunk);
        self.peak = self.peak.max(self.used - self.free);
        Some(chunk.start())
    }

    fn take_chunk(&mut self, request: Request) -> Option<Blocks> {
        // With room to move by less than the alignment, any chunk will do.
        let chunk = self.bins.find(request.len.checked_add(request.align - GRANULE)?)?;
        let gap = request.place(chunk.start(), chunk.len())?;
        let segment = self.segment_of(chunk.start());
        let Span { start, end, dirty } = self.unlink(segment, chunk);
        let at = start + gap;
        let count = request.count_in(end - at);
        let rest = at + count * request.len;
        // SAFETY: what is left on either side was part of the chunk.
        unsafe {
            if start < at {
                self.put(segment, start, at, dirty);
            }
            if rest < end {
                self.put(segment, rest, end, dirty);
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
                unsafe { self.put(segment, start, at, at - start) };
            }
            return Some(Blocks { at: segment.at(at), count, zero });
        }
        None
    }

    /// By how many bytes the heap grows at once.
    pub(super) fn step(&self) -> usize {
        (self.used / GROWTH).max(GROWTH_MIN)
    }

    /// Makes room above a top for `request`, at least a single block: `soft` rises,
    /// or a segment is added. `false` if the kernel gives no more.
    pub(super) fn extend(&mut self, request: Request) -> bool {
        let one = Request { count: 1, ..request };
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: as in `take_top`.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            let Some((at, _)) = above_top(segment, one, segment.size()) else { continue };
            if self.extend_segment(segment, at + request.len, request.len < GROWTH_MIN) {
                return true;
            }
        }
        self.add_segment(one).is_some()
    }

    /// Lets a segment's top rise to `need`, and by a step more; `soon`: what comes
    /// will be written soon.
    fn extend_segment(&mut self, segment: &mut Segment, need: usize, soon: bool) -> bool {
        let pages = Pages {
            huge: self.used >= self.huge_from.unwrap_or(HUGE_FROM),
            // The first steps are left out: a small program needs a page or two.
            now: soon && self.used >= POPULATE_FROM,
        };
        let before = segment.resident;
        let extended = segment.extend(need, need.saturating_add(self.step()), pages, &mut self.memory);
        self.dirty += segment.resident - before;
        extended
    }

    /// Adds a segment with room for a block.
    #[cold]
    #[inline(never)]
    fn add_segment(&mut self, request: Request) -> Option<()> {
        let page = self.memory.page_size();
        let len = request.len.checked_add(request.align - GRANULE)?;
        let min = Segment::extent_for(len, page)?;
        // Each as large as what is in use, so that there are few.
        let extent = self.memory.reserve(min, min.max(SEGMENT_MIN).max(round_up(self.used, page)))?;
        let mut created = match Segment::create(extent, &mut self.memory) {
            Ok(created) => created,
            Err(extent) => {
                self.memory.release(extent);
                return None;
            }
        };
        // SAFETY: just created, and nobody else knows it.
        let segment = unsafe { created.as_mut() };
        let fits = above_top(segment, request, segment.size()).is_some();
        if !fits || !self.extend_segment(segment, len, request.len < GROWTH_MIN) {
            // SAFETY: nothing refers to it.
            self.memory.release(unsafe { Segment::into_extent(created) });
            return None;
        }
        segment.next = self.segments;
        self.segments = Some(created);
        Some(())
    }

    /// Takes a run back.
    ///
    /// # Safety
    ///
    /// The `len` bytes at `at` are whole granules that the back end gave, and
    /// nobody uses them any more.
    pub(super) unsafe fn give(&mut self, at: NonNull<u8>, len: usize) {
        let segment = self.segment_of(at);
        let mut start = segment.offset(at);
        let mut end = start + len;
        let mut dirty = len;
        if start > 0 && segment.edge(start - GRANULE) {
            // SAFETY: the granule before is the edge of a chunk, so one ends here.
            let left = self.unlink(segment, unsafe { FreeChunk::ending(at) });
            start = left.start;
            dirty += left.dirty;
        }
        if end == segment.top {
            self.lower_top(segment, start);
        } else {
            if segment.edge(end) {
                // SAFETY: the granule after is the edge of a chunk, so one begins here.
                let right = self.unlink(segment, unsafe { FreeChunk::starting(segment.at(end)) });
                end = right.end;
                dirty += right.dirty;
            }
            // SAFETY: all of it is free now.
            unsafe { self.put(segment, start, end, dirty) };
        }
        if self.dirty > self.purge_threshold.unwrap_or(PURGE_THRESHOLD) {
            self.purge_excess();
        }
    }

    /// Gives pages back if more than a bound stays: what was set, or a quarter of
    /// what is in use if that is more. Then half of it stays.
    #[cold]
    fn purge_excess(&mut self) {
        let bound = self.purge_threshold.unwrap_or(PURGE_THRESHOLD).max((self.used - self.free) / 4);
        if self.dirty > bound {
            self.purge(bound / 2);
        }
    }

    /// Makes a run longer or shorter where it is. `false`, and nothing is changed,
    /// if it would have to grow and what follows it is not free.
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
        let segment = self.segment_of(at);
        let start = segment.offset(at);
        let (end, new_end) = (start + old, start + new);
        if new_end <= end || new_end > segment.size() {
            return false;
        }
        if end == segment.top {
            if new_end > segment.soft && !self.extend_segment(segment, new_end, false) {
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
            let Span { end: right_end, dirty, .. } = self.unlink(segment, right);
            if new_end < right_end {
                // SAFETY: what is left of the chunk.
                unsafe { self.put(segment, new_end, right_end, dirty) };
            }
        }
        self.peak = self.peak.max(self.used - self.free);
        true
    }

    /// Gives pages back to the kernel until at most `keep` bytes of what is free
    /// may be resident, as far as whole pages go: largest chunks first.
    #[cold]
    #[inline(never)]
    pub(super) fn purge(&mut self, keep: usize) {
        let page = self.memory.page_size();
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: as in `take_top`.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            if self.dirty <= keep {
                return;
            }
            self.dirty -= segment.resident - segment.top;
            segment.purge(&mut self.memory);
        }
        for bin in (0..BINS).rev() {
            for chunk in self.bins.chunks(bin) {
                if self.dirty <= keep || chunk.len() < DIRTY_MIN {
                    return;
                }
                if chunk.dirty() == 0 {
                    continue;
                }
                let from = chunk.start().addr().get();
                let inner = round_up(from + FreeChunk::ENDS.0, page);
                let inner_end = round_down(from + chunk.len() - FreeChunk::ENDS.1, page);
                if inner < inner_end {
                    // SAFETY: whole pages inside the chunk, without its words.
                    unsafe { self.memory.reset(chunk.start().add(inner - from), inner_end - inner) };
                }
                self.dirty -= chunk.dirty();
                chunk.set_dirty(0);
            }
        }
    }

    /// Releases the segments in which nothing is in use, but for the oldest.
    pub(super) fn release_empty_segments(&mut self) {
        let mut kept: Option<NonNull<Segment>> = None;
        let mut next = self.segments;
        while let Some(mut at) = next {
            // SAFETY: as in `take_top`.
            let segment = unsafe { at.as_mut() };
            next = segment.next;
            if segment.top == 0 && next.is_some() {
                self.dirty -= segment.resident;
                match kept {
                    // SAFETY: as in `take_top`.
                    Some(mut kept) => unsafe { kept.as_mut() }.next = next,
                    None => self.segments = next,
                }
                // SAFETY: out of the list; nothing of it is in use.
                self.memory.release(unsafe { Segment::into_extent(at) });
            } else {
                kept = Some(at);
            }
        }
    }

    /// The sum kept of what may be resident and free.
    pub(super) fn dirty(&self) -> usize {
        self.dirty
    }

    /// The segments, newest first.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Segment> {
        // SAFETY: as in `take_top`.
        core::iter::successors(self.segments, |r| unsafe { r.as_ref() }.next).map(|r| unsafe { r.as_ref() })
    }

    /// The segment of a block.
    ///
    /// The result is not tied to the borrow of `self`: the segment's own fields
    /// change together with the bins, and both belong to this back end.
    #[inline]
    fn segment_of<'a>(&self, at: NonNull<u8>) -> &'a mut Segment {
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: as in `take_top`; each caller holds one segment at a time.
            let segment = unsafe { segment.as_mut() };
            if segment.offset_of(at).is_some() {
                return segment;
            }
            next = segment.next;
        }
        foreign_block()
    }

    /// Makes a run free.
    ///
    /// # Safety
    ///
    /// The run lies below the segment's top, is in nobody's use, and touches no chunk.
    #[inline(never)]
    unsafe fn put(&mut self, segment: &mut Segment, start: usize, end: usize, dirty: usize) {
        let len = end - start;
        segment.set_edge(start);
        segment.set_edge(end - GRANULE);
        // SAFETY: granules of the segment that nobody uses.
        let chunk = unsafe { FreeChunk::write(segment.at(start), len) };
        self.bins.insert(chunk, len);
        self.free += len;
        if len >= DIRTY_MIN {
            chunk.set_dirty(dirty.min(len));
            self.dirty += dirty.min(len);
        }
    }

    /// The opposite: the chunk is nobody's now, and says where it was.
    #[inline(never)]
    fn unlink(&mut self, segment: &mut Segment, chunk: FreeChunk) -> Span {
        let len = chunk.len();
        let dirty = chunk.dirty();
        self.bins.remove(chunk, len);
        self.free -= len;
        if len >= DIRTY_MIN {
            self.dirty -= dirty;
        }
        let start = segment.offset(chunk.start());
        let end = start + len;
        segment.clear_edge(start);
        segment.clear_edge(end - GRANULE);
        Span { start, end, dirty }
    }

    fn raise_top(&mut self, segment: &mut Segment, top: usize) {
        self.used += top - segment.top;
        self.set_top(segment, top);
        segment.fresh = segment.fresh.max(top);
    }

    fn lower_top(&mut self, segment: &mut Segment, top: usize) {
        self.used -= segment.top - top;
        self.set_top(segment, top);
    }

    fn set_top(&mut self, segment: &mut Segment, top: usize) {
        self.dirty -= segment.resident - segment.top;
        segment.top = top;
        segment.resident = segment.resident.max(top);
        self.dirty += segment.resident - segment.top;
    }
}

/// Where a run would begin above the top, and the room there below `limit`; if
/// that is enough for one block.
#[inline(never)]
fn above_top(segment: &Segment, request: Request, limit: usize) -> Option<(usize, usize)> {
    let room = limit.checked_sub(segment.top)?;
    let gap = request.place(segment.at(segment.top), room)?;
    Some((segment.top + gap, room - gap))
}

/// A block was freed that no segment holds: the caller broke its promise, and
/// going on would only hide it.
#[cold]
#[inline(never)]
fn foreign_block() -> ! {
    panic!("freed a block that is not the heap's")
}
