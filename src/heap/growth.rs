//! How the heap grows: tops rise, segments come and go.
//!
//! A segment is added when no top can rise as far as a request needs. It is as large
//! as all segments together, so there are as many as doublings; near the end of what
//! the kernel gives it is smaller, down to what the request needs (system.rs).
//!
//! Before a request is refused for want of address space, what nobody uses goes back:
//! segments in which nothing is in use, and the untouched ends of the others. So what
//! is not in use is never in the way of what is asked for.
//!
//! Bounds. A top rises by a sixteenth of what small blocks have taken so far, at most by
//! [`STEP_MAX`], and only that is made resident, so no call makes more than a huge page or
//! two resident whatever the size of the heap, and blocks that are never written make
//! nothing else resident.

use core::ptr::NonNull;

use super::backend::{Backend, Request, above_top};
use super::class::{GRANULE, LARGE};
use super::memory::Memory;
use super::segment::{HUGE, Pages, Segment};
use crate::vm::round_up;

/// A top rises by this part of what was written, so that the cache is
/// emptied at most so often while a heap grows ...
const GROWTH: usize = 16;
/// ... by at least this many bytes ...
pub(super) const STEP_MIN: usize = 64 * 1024;
/// ... and by at most this many.
const STEP_MAX: usize = HUGE;

/// From how many bytes in use on memory that the heap grows by is made resident
/// at once, step by step, and not page by page.
const POPULATE_FROM: usize = 2 * STEP_MIN;

/// From how many bytes in use on the heap grows by huge pages, unless
/// [`Heap::set_huge_from`](super::Heap::set_huge_from) says otherwise. A step is as
/// long as a huge page then, so that no more is resident than without.
pub const HUGE_FROM: usize = GROWTH * HUGE;

/// The first segment is this large, if there is room for it: where address space is ample, so much that there are few.
const SEGMENT_MIN: usize = if usize::BITS == 64 { 64 * 1024 * 1024 } else { 1024 * 1024 };

impl<M: Memory> Backend<M> {
    /// By how many bytes the heap grows at once.
    pub(super) fn step(&self) -> usize {
        (self.written.min(self.used) / GROWTH).clamp(STEP_MIN, STEP_MAX)
    }

    /// Makes room above a top for `request`, at least a single block: `soft` rises,
    /// or a segment is added. `false` if the kernel gives no more.
    #[cold]
    #[inline(never)]
    pub(super) fn extend(&mut self, request: Request) -> bool {
        let one = Request { count: 1, ..request };
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: segments stay until they are released, and only the heap, which is borrowed here, refers to them.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            let Some((at, _)) = above_top(segment, one, segment.size()) else { continue };
            if self.extend_segment(segment, at + request.len, request.len < LARGE) {
                return true;
            }
        }
        self.add_segment(one).is_some()
    }

    /// Lets a segment's top rise to `need`, and by a step more; `soon`: what comes
    /// will be written soon.
    pub(super) fn extend_segment(&mut self, segment: &mut Segment, need: usize, soon: bool) -> bool {
        let from = self.huge_from.unwrap_or(HUGE_FROM);
        // Large blocks may never be written; a program that wants huge pages from the start wants them for those too.
        let huge = from == 0 || soon && self.written >= from;
        // The first steps are left out: a small program needs a page or two. A huge page comes whole when it is first
        // touched, faster than if it were asked for.
        let pages = Pages { huge, now: soon && !huge && self.used >= POPULATE_FROM };
        let step = self.step();
        let (before, soft) = (segment.resident, segment.soft);
        let extended = segment.extend(need, need.saturating_add(step), pages, &mut self.memory);
        self.dirty += segment.resident - before;
        if soon {
            self.written = self.written.saturating_add(segment.soft.saturating_sub(soft));
        }
        extended
    }

    /// Adds a segment with room for a block.
    #[cold]
    #[inline(never)]
    pub(super) fn add_segment(&mut self, request: Request) -> Option<()> {
        let page = self.memory.page_size();
        self.page = page;
        let len = request.len.checked_add(request.align - GRANULE)?;
        let min = Segment::extent_for(len, page)?;
        let reserved: usize = self.segments().map(Segment::reserved).sum();
        let want = min.max(SEGMENT_MIN).max(round_up(reserved, page));
        let extent = match self.memory.reserve(min, want) {
            Some(extent) => extent,
            None => {
                self.release_unused();
                self.memory.reserve(min, min)?
            }
        };
        let mut created = match Segment::create(extent, &mut self.memory) {
            Ok(created) => created,
            Err(extent) => {
                self.memory.release(extent);
                return None;
            }
        };
        // SAFETY: just created, and nobody else knows it.
        let segment = unsafe { created.as_mut() };
        segment.since = self.clock;
        let before = self.dirty;
        let fits = above_top(segment, request, segment.size()).is_some();
        if !fits || !self.extend_segment(segment, len, request.len < LARGE) {
            self.dirty = before;
            // SAFETY: nothing refers to it.
            self.memory.release(unsafe { Segment::into_extent(created) });
            return None;
        }
        segment.next = self.segments;
        self.segments = Some(created);
        Some(())
    }

    /// Releases the segments in which nothing is in use, all of them, and the ends of the others.
    fn release_unused(&mut self) {
        let mut kept = None;
        let mut next = self.segments;
        while let Some(mut at) = next {
            // SAFETY: as in `extend`.
            let segment = unsafe { at.as_mut() };
            next = segment.next;
            if segment.top == 0 {
                self.release_segment(kept, at);
                continue;
            }
            kept = Some(at);
            let before = segment.resident;
            if let Some(tail) = segment.cut(self.page) {
                self.dirty -= before - segment.resident;
                self.memory.release(tail);
            }
        }
    }

    /// Takes a segment in which nothing is in use out of the list, where it follows `before` or is the first, and releases
    /// it.
    pub(super) fn release_segment(&mut self, before: Option<NonNull<Segment>>, mut at: NonNull<Segment>) {
        // SAFETY: as in `extend`.
        let segment = unsafe { at.as_mut() };
        self.dirty -= segment.resident - segment.top;
        match before {
            // SAFETY: as in `extend`.
            Some(mut before) => unsafe { before.as_mut() }.next = segment.next,
            None => self.segments = segment.next,
        }
        // SAFETY: out of the list; nothing of it is in use.
        self.memory.release(unsafe { Segment::into_extent(at) });
    }
}
