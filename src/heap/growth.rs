//! How the heap grows: tops rise, segments come and go.
//!
//! Where no top can rise as far as a request needs, a segment grows at its end, and if none can, one is added. Either
//! takes as much address space as those have together that blocks share, so that happens as often as there are
//! doublings; near the end of what the kernel gives it is less, down to what the request needs (system.rs).
//!
//! Neither says where blocks come to lie: that follows from the requests alone, as long as there is room, and not from
//! how much is reserved or could be. Were it otherwise, a program that works under one limit might fail under a larger
//! one.
//!
//! What is large beside all the rest has a segment of its own, which doubles with its block and is everybody's again
//! when it is empty. Nothing else is put behind the block before all other segments are full and none can be added: so
//! it can grow where it is, and its segment goes back whole. One large block after another takes the same segment, or
//! the one before goes back.
//!
//! Before a request is refused for want of address space, what nobody uses goes back:
//! segments in which nothing is in use, and the untouched ends of the others. So what
//! is not in use is never in the way of what is asked for.
//!
//! Bounds. A top rises by a sixteenth of what small blocks have taken so far, or of what is in use for a longer one, at
//! most by [`STEP_MAX`], or by a huge page where the heap grows by those, and only that is made resident: whatever the
//! size of the heap, no call makes more than a huge page or two resident, and blocks that are never written make nothing
//! else resident. Blocks of more than a page come so, or as huge pages, only where the program was seen to write the one
//! before, and those of [`SHORT`] and more page by page if not as huge ones.

use core::mem;
use core::ptr::NonNull;

use super::backend::{Backend, Request, above_top};
use super::class::{GRANULE, LARGE, log2};
use super::memory::{Memory, is_ample};
use super::segment::{GROWS, Pages, Segment};
use crate::vm::{HUGE, round_down, round_up};

/// A top rises by this part of what is in use, so that the cache is
/// emptied at most so often while a heap grows ...
const GROWTH: usize = 16;
/// ... by at least this many bytes ...
pub(super) const STEP_MIN: usize = 64 * 1024;
/// ... and by at most this many, which cost one system call, or by a huge page.
const STEP_MAX: usize = 256 * 1024;

/// A block of more than a page may never be written as a whole, as a stack or a buffer that has room for more than comes,
/// nor what lies before one that is aligned; but where the one before was written in its middle and to its end, this one
/// will be, too. What is shorter than this is made resident at once then, beside others; what is longer comes as huge pages or
/// page by page.
const SHORT: usize = LARGE / 8;

/// From how many bytes in use on memory that the heap grows by is made resident
/// at once, step by step, and not page by page.
const POPULATE_FROM: usize = 2 * STEP_MIN;

/// From how many bytes in use on the heap grows by huge pages, unless
/// [`Heap::set_huge_from`](super::Heap::set_huge_from) says otherwise: 16 MiB, of which the half of a huge page
/// that is resident too soon, in the mean, is a 16th.
pub const HUGE_FROM: usize = 8 * HUGE;

/// A block has a segment of its own if it is at least this part of the most that was in use ...
const OWN_SHARE: usize = 4;
/// ... and this long; where address space is ample, if it is this part of a first segment.
const OWN_MIN: usize = 1024 * 1024;

/// The first segment is this large, if there is room for it: where address space is ample, so much that there are few.
const SEGMENT_MIN: usize = if usize::BITS == 64 { 64 * 1024 * 1024 } else { 1024 * 1024 };

impl<M: Memory> Backend<M> {
    /// By how many bytes the heap grows at once for what is small.
    pub(super) fn step(&self) -> usize {
        self.step_of(self.written.min(self.used))
    }

    /// By how many it grows where so many are in use.
    #[inline(never)] // seldom, and from two places
    fn step_of(&self, bytes: usize) -> usize {
        (bytes / GROWTH).clamp(STEP_MIN, if bytes >= self.huge_from() { HUGE } else { STEP_MAX })
    }

    fn huge_from(&self) -> usize {
        self.huge_from.unwrap_or(HUGE_FROM)
    }

    /// Makes room above a top for `request`, at least a single block: `soft` rises,
    /// or a segment is added. `false` if the kernel gives no more.
    #[cold]
    #[inline(never)]
    pub(super) fn extend(&mut self, request: Request) -> bool {
        let one = Request { count: 1, ..request };
        let own = one.len >= self.own_from();
        for again in [false, true] {
            if again && !self.release_unused(true, true) {
                return false;
            }
            if self.extend_any(one, own, false) {
                return true;
            }
            let want = if own {
                // Those that are empty are too short, and cannot grow.
                self.release_unused(true, false);
                Segment::extent_to_grow(one.len, self.memory.most(one.len))
            } else {
                self.first_len().max(self.reserved_of(false))
            };
            if self.add_segment(one, want, own).is_some() || self.extend_any(one, own, true) {
                return true;
            }
        }
        false
    }

    /// From how many bytes on a block has a segment of its own.
    fn own_from(&mut self) -> usize {
        let least = if is_ample(self.memory.limit()) { SEGMENT_MIN / OWN_SHARE } else { OWN_MIN };
        least.max(self.peak / OWN_SHARE)
    }

    /// How long a segment is at least, if that is to be had: so that it has bits for all it may grow to.
    pub(super) fn first_len(&mut self) -> usize {
        SEGMENT_MIN.max(self.memory.most(0) / GROWS)
    }

    /// Bytes of address space, all segments together.
    pub(super) fn reserved(&self) -> usize {
        self.reserved_of(true)
    }

    /// Of all segments, or of those that no block has for its own.
    #[inline(never)]
    fn reserved_of(&self, all: bool) -> usize {
        self.segments().filter(|segment| all || !segment.own).map(Segment::reserved).sum()
    }

    /// Lets a segment grow for a request: an empty one if the block is to have it for its `own`, or else one that no
    /// block has for its own; or `any`.
    #[inline(never)]
    fn extend_any(&mut self, request: Request, own: bool, any: bool) -> bool {
        let mut next = self.segments;
        while let Some(mut segment) = next {
            // SAFETY: segments stay until they are released, and only the heap, which is borrowed here, refers to them.
            let segment = unsafe { segment.as_mut() };
            next = segment.next;
            let (was_own, is_empty) = (segment.own, segment.top == 0);
            let suits = any || if own { is_empty } else { !was_own };
            let Some((at, _)) = above_top(segment, request, segment.capacity()).filter(|_| suits) else { continue };
            segment.own = own && is_empty;
            if self.extend_segment(segment, at + request.len) {
                return true;
            }
            segment.own = was_own;
        }
        false
    }

    /// Lets a segment grow until it has `want` bytes for blocks, or else until it has `need`, if that is to be had.
    fn lengthen(&mut self, segment: &mut Segment, need: usize, want: usize) {
        let size = segment.size();
        let min = round_up(if need > size { need } else { want } - size, self.page);
        let more = if segment.own { size } else { self.reserved_of(false) };
        let want = min.max(round_down(more.min(segment.capacity() - size), self.page));
        if let Some(extent) = self.memory.reserve_behind(segment.end(), min, want) {
            segment.lengthen(extent);
        }
    }

    /// Lets a segment's top rise to `need`, which it has bits for, and by a step more.
    pub(super) fn extend_segment(&mut self, segment: &mut Segment, need: usize) -> bool {
        let from = self.huge_from();
        let len = need - segment.top;
        let small = len < SHORT;
        let whole = if small { self.written } else { self.used } >= from;
        // The first steps are left out: a small program needs a page or two.
        let written = self.used >= POPULATE_FROM
            && (len <= self.page || {
                let places = [segment.address_of(need - len / 2), segment.address_of(need - 1)];
                let [middle, end] = mem::replace(&mut self.long, places);
                self.is_resident(middle) && self.is_resident(end)
            });
        // A program that wants huge pages from the start wants them for all blocks.
        let huge = whole && (from == 0 || written);
        let step = match (segment.own, small) {
            // Behind a large block nothing else is put.
            (true, _) => 0,
            (false, true) => self.step(),
            (false, false) => self.step_of(self.used),
        };
        // A whole step, though what is reserved ends within it.
        let want = (need + step).min(segment.capacity());
        if want > segment.size() {
            self.lengthen(segment, need, want);
        }
        // A huge page comes whole when it is first touched, faster than if it were asked for. Where threads wait, each
        // makes its pages resident itself, side by side.
        let now = small && written && !huge && self.further == 0;
        let pages = Pages { whole, huge, now };
        let (before, soft) = (segment.resident, segment.soft);
        let extended = segment.extend(need, want, pages, &mut self.memory);
        self.set_dirty_above(segment, segment.dirty + segment.resident - before);
        let risen = segment.soft - soft;
        self.written = self.written.saturating_add(risen * usize::from(small));
        extended
    }

    /// Whether the page is resident in which an address lies.
    #[inline(never)] // seldom, and from two places
    fn is_resident(&mut self, address: usize) -> bool {
        self.memory.is_resident(round_down(address, self.page))
    }

    /// Adds a segment with room for a block, `want` bytes large if they are more and are to be had; `own`: one that the
    /// block has for its own, which comes after all others, so that small ones look there last.
    #[cold]
    #[inline(never)]
    pub(super) fn add_segment(&mut self, request: Request, want: usize, own: bool) -> Option<()> {
        let page = self.memory.page_size();
        self.page = page;
        self.limit = 1 << log2(self.memory.limit() | 1);
        let len = request.len.checked_add(request.align - GRANULE)?;
        let min = Segment::extent_for(len, page)?;
        let most = self.memory.most(len);
        let extent = self.memory.reserve(min, min.max(round_up(want, page)))?;
        let mut created = match Segment::create(extent, [len, most], &mut self.memory) {
            Ok(created) => created,
            Err(extent) => {
                self.memory.release(extent);
                return None;
            }
        };
        // SAFETY: just created, and nobody else knows it.
        let segment = unsafe { created.as_mut() };
        segment.own = own;
        let before = self.dirty;
        let place = above_top(segment, request, segment.size());
        if !place.is_some_and(|(at, _)| self.extend_segment(segment, at + request.len)) {
            self.dirty = before;
            // SAFETY: nothing refers to it.
            self.memory.release(unsafe { Segment::into_extent(created) });
            return None;
        }
        let (mut last, mut next) = (None, self.segments);
        while own && let Some(at) = next {
            // SAFETY: as in `extend_any`.
            (last, next) = (next, unsafe { at.as_ref() }.next);
        }
        segment.next = next;
        match last {
            // SAFETY: as in `extend_any`.
            Some(mut last) => unsafe { last.as_mut() }.next = Some(created),
            None => self.segments = Some(created),
        }
        Some(())
    }

    /// Releases the segments in which nothing is in use, `all` of them or but for one if that is all there is, and the ends of
    /// the others if that is asked; whether there were any.
    #[inline(never)]
    pub(super) fn release_unused(&mut self, all: bool, ends: bool) -> bool {
        let (mut any, mut kept) = (false, None);
        let mut next = self.segments;
        while let Some(mut at) = next {
            // SAFETY: as in `extend_any`.
            let segment = unsafe { at.as_mut() };
            next = segment.next;
            if segment.top == 0 && (all || kept.is_some() || next.is_some()) {
                self.release_segment(kept, at);
                any = true;
                continue;
            }
            kept = Some(at);
            if ends && let Some(tail) = segment.cut(self.page) {
                self.set_dirty_above(segment, segment.dirty);
                self.memory.release(tail);
                any = true;
            }
        }
        any
    }

    /// Takes a segment in which nothing is in use out of the list, where it follows `before` or is the first, and releases
    /// it.
    fn release_segment(&mut self, before: Option<NonNull<Segment>>, mut at: NonNull<Segment>) {
        // SAFETY: as in `extend_any`.
        let segment = unsafe { at.as_mut() };
        self.dirty -= segment.dirty;
        match before {
            // SAFETY: as in `extend_any`.
            Some(mut before) => unsafe { before.as_mut() }.next = segment.next,
            None => self.segments = segment.next,
        }
        // SAFETY: out of the list; nothing of it is in use.
        self.memory.release(unsafe { Segment::into_extent(at) });
    }
}
