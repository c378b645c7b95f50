//! A segment: one extent of address space, laid out for blocks.
//!
//! ```text
//!   | Segment | edge bits        | blocks, free chunks ...   top ...            |
//!   extent   +head              base                        (untouched)    end
//! ```
//!
//! A segment grows at its end as long as nothing else is there and it has bits: a small one has bits for sixteen times
//! what it is at first, if there may be as much.
//!
//! There is an edge bit for each granule, set where it is the first or the last
//! of a free chunk. That is all the heap knows of the blocks in use, one part in
//! 128 (one in 64 on 32-bit ports), and it is enough: a block that is freed asks
//! for the bit before it and the bit after it, and where one is set its free
//! neighbour begins there.
//!
//! What lies above `top` has not been handed out or has come back whole; it has
//! no bits. Bits and blocks are committed as `top` rises.

use core::ptr::NonNull;
use core::slice;

use super::class::GRANULE;
use super::memory::{Extent, Memory};
use crate::vm::{HUGE, gap_before, round_down, round_up};

const BITS: usize = usize::BITS as usize;
const WORD: usize = size_of::<usize>();

/// Bytes committed at once at first; each later step doubles what is committed,
/// up to `STEP_MAX`, so that a large heap takes few system calls.
const STEP_MIN: usize = 64 * 1024;
const STEP_MAX: usize = 32 * 1024 * 1024;

/// A segment has bits for at most this many times the extent that it begins with ...
pub(super) const GROWS: usize = 16;
/// ... which take this part of that extent.
const BITS_SHARE: usize = GRANULE * 8 / GROWS;

/// Blocks begin on a page where this many bytes or more lie before them.
const PAGES_FROM: usize = 16 * 1024;

/// How a segment's pages come.
#[derive(Clone, Copy)]
pub(super) struct Pages {
    /// The top rises to where a huge page ends, whether they come so or not: where blocks lie does not follow from that.
    pub(super) whole: bool,
    /// In huge ones, where the kernel has them.
    pub(super) huge: bool,
    /// All at once, and not each when it is first touched.
    pub(super) now: bool,
}

/// A segment. It stands at the front of its own extent.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) next: Option<NonNull<Segment>>,
    extent: Extent,
    /// The edge bits.
    bits: NonNull<usize>,
    /// Where blocks begin. All that follow are offsets from here, in bytes.
    base: NonNull<u8>,
    /// Whether a large block has it for its own, until it is empty: no other is put behind that while there is room
    /// elsewhere.
    pub(super) own: bool,
    /// Where the untouched part begins.
    pub(super) top: usize,
    /// How far `top` may rise before the front's lists are emptied first.
    pub(super) soft: usize,
    /// What lies from here on reads as zero: it was never below `top`, or the kernel has zeroed it since.
    pub(super) fresh: usize,
    /// How far pages may be resident; never below `top`.
    pub(super) resident: usize,
    /// How many bytes between the two may be.
    pub(super) dirty: usize,
    /// Whether huge pages were asked for: the last one that may be resident comes whole.
    huge: bool,
    /// How far they may have been.
    pub(super) high: usize,
    /// How far blocks and their bits are committed.
    committed: usize,
    /// Where the extent ends.
    size: usize,
    /// Where it may end: there are bits so far.
    capacity: usize,
    /// Bytes of the extent, from its start, that are committed for the bits.
    head_committed: usize,
}

impl Segment {
    /// The least extent, in bytes, with room for a run of `len` bytes, and with bits for as much again: a block that has it
    /// for its own may double.
    pub(super) fn extent_for(len: usize, page: usize) -> Option<usize> {
        // Rounding adds less than a page to the bits and to the extent, for which `lay_out` wants bits as well.
        let words = len.checked_add(page)? / (GRANULE * BITS / 2) + 2;
        len.checked_add(Segment::base(words, page) + page - 1).map(|len| round_down(len, page))
    }

    /// Where blocks begin behind so many words of bits: on a page, so that those that are whole pages lie in the same way
    /// however many words that is; but where there are few, a page is much.
    fn base(words: usize, page: usize) -> usize {
        let end = size_of::<Segment>() + words * WORD;
        round_up(end, if end < PAGES_FROM { GRANULE } else { page })
    }

    /// An extent with room for a run of `len` bytes and for the bits of what it may grow to, if `most` is what there is.
    pub(super) fn extent_to_grow(len: usize, most: usize) -> usize {
        len.saturating_add((len / (BITS_SHARE - 1)).min(most / (GRANULE * 8))).saturating_add(STEP_MIN)
    }

    /// Lays out an extent that comes from `memory`, with room for `len` bytes of blocks if there is, and with bits for what
    /// it may grow to, if that is at most `most`. If it is too small or cannot be committed, that is the answer.
    pub(super) fn create<M: Memory>(
        extent: Extent,
        [len, most]: [usize; 2],
        memory: &mut M,
    ) -> Result<NonNull<Segment>, Extent> {
        match Segment::lay_out(&extent, [len, most], memory) {
            None => Err(extent),
            Some(segment) => {
                let at = extent.base().cast();
                // SAFETY: `lay_out` has committed the pages that it is written to, which nobody else uses.
                unsafe { at.write(Segment { extent, ..segment }) };
                Ok(at)
            }
        }
    }

    /// Ends a segment: the extent that it was.
    ///
    /// # Safety
    ///
    /// It is in no list, nothing of it is in use, and this is its end.
    pub(super) unsafe fn into_extent(segment: NonNull<Segment>) -> Extent {
        // SAFETY: a segment stands there, and nobody reads it again.
        unsafe { segment.read() }.extent
    }

    fn lay_out<M: Memory>(extent: &Extent, [len, most]: [usize; 2], memory: &mut M) -> Option<Segment> {
        let page = memory.page_size();
        let head = size_of::<Segment>();
        let room = extent.len().checked_sub(head + GRANULE)?;
        // A word of bits for BITS granules; one more for the bit at the very end.
        let words = room / (GRANULE * BITS + WORD) + 1;
        // What the blocks leave, where they begin on a page.
        let left = round_down(extent.len().saturating_sub(len), page);
        let share = (extent.len() / BITS_SHARE).min(left.saturating_sub(head));
        let words = words.max((most / (GRANULE * BITS)).min(share / WORD));
        let base = Segment::base(words, page);
        let size = extent.len().checked_sub(base)? / GRANULE * GRANULE;
        if size == 0 {
            return None;
        }
        let head_committed = round_up(head, page);
        // SAFETY: whole pages at the front of the extent, and offsets within it.
        unsafe {
            if !memory.commit(extent.base(), head_committed) {
                return None;
            }
            Some(Segment {
                next: None,
                // An extent of nothing, until `create` has the real one.
                extent: Extent::from_raw(extent.base(), 0),
                bits: extent.base().add(head).cast(),
                base: extent.base().add(base),
                own: false,
                huge: false,
                top: 0,
                soft: 0,
                fresh: 0,
                resident: 0,
                dirty: 0,
                high: 0,
                committed: 0,
                size,
                // The last bit is for what ends at the very end.
                capacity: size.max((words * BITS - 1) * GRANULE),
                head_committed,
            })
        }
    }

    /// The offset of an address, if it lies in this segment's blocks.
    #[inline]
    pub(super) fn offset_of(&self, at: NonNull<u8>) -> Option<usize> {
        let offset = at.addr().get().wrapping_sub(self.base.addr().get());
        (offset < self.top).then_some(offset)
    }

    /// The offset of the address of a block in this segment.
    #[inline]
    pub(super) fn offset(&self, at: NonNull<u8>) -> usize {
        at.addr().get() - self.base.addr().get()
    }

    /// Gives whole pages above `top` that may be resident back to the kernel, at most `most` bytes and a multiple of the
    /// page, from the end on; says by how much less may be resident.
    pub(super) fn purge<M: Memory>(&mut self, most: usize, page: usize, memory: &mut M) -> usize {
        let before = self.resident;
        let low = self.page_above(self.top, page);
        let to = self.page_above(self.resident, page);
        let from = low.max(to.saturating_sub(most));
        let whole = self.page_above(to, HUGE);
        let all = if self.huge && whole <= self.committed { whole } else { to };
        if from < all {
            // SAFETY: whole committed pages that hold nothing.
            let zero = unsafe { memory.reset_to_zero(self.base.add(from), all - from) };
            // What lies between the two has been handed out, and is not given back here.
            if zero && self.fresh <= to {
                self.fresh = self.fresh.min(from);
            }
        }
        self.resident = if from > low { from } else { self.top };
        before - self.resident
    }

    /// Gives the whole pages of bits back that are zero: those for granules above `top`, and those for granules among which no
    /// free chunk begins or ends. They are zero afterwards, whatever the kernel leaves there.
    pub(super) fn purge_bits<M: Memory>(&mut self, page: usize, memory: &mut M) {
        let extent = self.extent.base();
        let start = extent.addr().get();
        let end = self.bits.addr().get() + (self.top / GRANULE / BITS + 1) * WORD;
        let used = round_up(end, page) - start;
        // The page in which the blocks begin has bits as well.
        let to = self.head_committed.min(round_down(self.base.addr().get(), page) - start);
        let is_zero = |at: usize| {
            // SAFETY: a committed page of bits.
            let words = unsafe { slice::from_raw_parts(extent.add(at).cast::<usize>().as_ptr(), page / WORD) };
            at >= used || words.iter().all(|word| *word == 0)
        };
        // The segment itself lies on the first page.
        let mut from = page;
        while from < to {
            let mut end = from;
            while end < to && is_zero(end) {
                end += page;
            }
            if from < end {
                // SAFETY: committed pages that hold bits alone, all of them zero.
                unsafe { memory.reset(extent.add(from), end - from) };
            }
            // There is none, or one that is not zero.
            from = end + page;
        }
    }

    /// The address at which its extent ends.
    pub(super) fn end(&self) -> usize {
        self.extent.base().addr().get() + self.extent.len()
    }

    /// Grows by the extent that begins there.
    pub(super) fn lengthen(&mut self, next: Extent) {
        self.size = (self.size + next.len()).min(self.capacity);
        self.extent.join(next);
    }

    /// Cuts off the whole pages above `top`, which the segment has not any more: their extent. `None` if there are none.
    pub(super) fn cut(&mut self, page: usize) -> Option<Extent> {
        let head = self.base.addr().get() - self.extent.base().addr().get();
        let keep = round_up(head + self.top, page);
        if keep >= self.extent.len() {
            return None;
        }
        // SAFETY: an extent of nothing owns nothing.
        let none = unsafe { Extent::from_raw(self.extent.base(), 0) };
        let (kept, tail) = core::mem::replace(&mut self.extent, none).split(keep);
        self.extent = kept;
        self.size = (keep - head).min(self.capacity);
        for mark in [&mut self.soft, &mut self.fresh, &mut self.resident, &mut self.committed] {
            *mark = (*mark).min(self.size);
        }
        Some(tail)
    }

    /// The first offset from `offset` on at which a page of that size begins.
    fn page_above(&self, offset: usize, page: usize) -> usize {
        offset + gap_before(self.address_of(offset), page)
    }

    /// The address of an offset.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset <= self.size);
        // SAFETY: offsets are at most `size`, which ends inside the extent.
        unsafe { self.base.add(offset) }
    }

    /// The address of an offset, which may lie beyond what is reserved and even beyond all addresses: then no page is there.
    pub(super) fn address_of(&self, offset: usize) -> usize {
        self.base.addr().get().wrapping_add(offset)
    }

    /// Bytes for blocks, in all.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Bytes for blocks that it may come to have.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of address space.
    pub(super) fn reserved(&self) -> usize {
        self.extent.len()
    }

    /// Bytes committed, bits and this header included.
    pub(super) fn committed(&self) -> usize {
        let before = self.base.addr().get() - self.extent.base().addr().get();
        self.head_committed.min(before) + self.committed
    }

    /// Whether the granule that begins at `offset` is an edge of a free chunk.
    #[inline]
    pub(super) fn edge(&self, offset: usize) -> bool {
        debug_assert!(offset < self.committed, "bits are committed with the blocks that they are for");
        let granule = offset / GRANULE;
        // SAFETY: the bits below `committed` are committed.
        unsafe { self.bits.add(granule / BITS).read() >> (granule % BITS) & 1 != 0 }
    }

    #[inline]
    pub(super) fn set_edge(&mut self, offset: usize) {
        let granule = offset / GRANULE;
        // SAFETY: as in `edge`.
        unsafe { *self.bits.add(granule / BITS).as_mut() |= 1 << (granule % BITS) };
    }

    #[inline]
    pub(super) fn clear_edge(&mut self, offset: usize) {
        let granule = offset / GRANULE;
        // SAFETY: as in `edge`.
        unsafe { *self.bits.add(granule / BITS).as_mut() &= !(1 << (granule % BITS)) };
    }

    /// Lets `top` rise to `need`, and to `want` if that is to be had: commits, and
    /// prepares what `top` has not been through as `pages` says.
    #[cold]
    #[inline(never)]
    pub(super) fn extend<M: Memory>(&mut self, need: usize, want: usize, pages: Pages, memory: &mut M) -> bool {
        if need > self.size {
            return false;
        }
        let mut want = want.clamp(need, self.size);
        let mut whole = want;
        if pages.whole {
            // To where a huge page ends, if the extent begins where one does. How far a top may rise follows from offsets
            // alone, and not from where the kernel has put the extent; elsewhere the huge page is asked for up to its end.
            let lead = self.base.addr().get() - self.extent.base().addr().get();
            let end = round_down(lead + want, HUGE).max(round_up(lead + need, HUGE));
            want = (end - lead).min(self.size);
            whole = self.page_above(want, HUGE).min(self.size);
        }
        if whole > self.committed {
            let step = self.committed.clamp(STEP_MIN, STEP_MAX);
            let generous = whole.max(self.committed.saturating_add(step));
            if !self.commit(generous, memory) && !self.commit(want, memory) && !self.commit(need, memory) {
                return false;
            }
        }
        // Behind a large block nothing else is put, though a huge page goes on there.
        self.soft = if self.own { need } else { want.min(self.committed) };
        self.prepare(whole.min(self.committed), pages, memory);
        true
    }

    /// Prepares the whole pages between what may be resident and an offset.
    fn prepare<M: Memory>(&mut self, end: usize, pages: Pages, memory: &mut M) {
        let page = memory.page_size();
        let from = self.page_above(self.resident, page);
        // Where the last page ends that is whole.
        let to = self.page_above((end + 1).saturating_sub(page), page);
        if from >= to {
            return;
        }
        // SAFETY: whole pages, which are committed.
        unsafe {
            if pages.huge {
                self.huge = true;
                memory.prefer_huge(self.at(from), to - from);
            }
            if pages.now {
                memory.populate(self.at(from), to - from);
            }
        }
        if pages.huge || pages.now {
            // A huge page comes whole with its first byte.
            self.resident = to;
        }
    }

    /// Commits blocks up to the offset `to`, rounded up to a page, and the bits
    /// that they need.
    fn commit<M: Memory>(&mut self, to: usize, memory: &mut M) -> bool {
        let page = memory.page_size();
        let start = self.extent.base().addr().get();
        let base = self.base.addr().get() - start;
        let to = round_up(base + to.min(self.size), page).min(self.extent.len());
        // The bits first: without them the blocks would be of no use.
        let bits = size_of::<Segment>() + ((to - base) / GRANULE / BITS + 1) * WORD;
        let head = round_up(bits.min(base), page);
        if head > self.head_committed {
            // SAFETY: whole pages of the extent.
            if !unsafe { memory.commit(self.extent.base().add(self.head_committed), head - self.head_committed) } {
                return false;
            }
            self.head_committed = head;
        }
        let from = round_down(base + self.committed, page);
        let from = from.max(self.head_committed.min(to));
        if from < to {
            // SAFETY: whole pages of the extent.
            let done = unsafe { memory.commit(self.extent.base().add(from), to - from) };
            if !done {
                return false;
            }
        }
        self.committed = (to - base).min(self.size);
        true
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::alloc::Layout;
    use std::vec::Vec;

    use super::super::{Heap, State, SystemMemory};
    use super::*;
    use crate::lock::Unlocked;
    use crate::sys::{self, PAGE_SIZE_MIN};
    use crate::vm;

    /// How many of the pages that hold bits are resident.
    fn resident(segment: &Segment) -> usize {
        let mut pages = std::vec![0u8; segment.head_committed / PAGE_SIZE_MIN];
        let base = segment.extent.base();
        // SAFETY: mincore writes one byte for each page, and `pages` has that many.
        let done = unsafe {
            sys::syscall(
                sys::nr::MINCORE,
                [base.as_ptr().into(), segment.head_committed.into(), pages.as_mut_ptr().into()],
            )
        };
        done.expect("the pages are the heap's");
        pages.iter().filter(|page| **page & 1 != 0).count()
    }

    #[test]
    fn the_least_extent_has_room_for_a_block_and_bits_for_it_to_double() {
        let mut memory = SystemMemory::new();
        let page = memory.page_size();
        // Around each number of pages, of blocks and of bits.
        let around = |len: usize| (0..8).map(move |step| len - 4 * GRANULE + step * GRANULE);
        for len in (1..=900).step_by(7).flat_map(|pages| around(pages * PAGE_SIZE_MIN)).chain(around(1 << 26)) {
            let least = Segment::extent_for(len, page).expect("it is short");
            let extent = vm::reserve(least).expect("there is room");
            // A shorter block has no segment of its own.
            let twice = if len < 1 << 20 { len } else { 2 * len };
            for (most, capacity) in [(0, len), (usize::MAX, twice)] {
                let segment = Segment::lay_out(&extent, [len, most], &mut memory).expect("there is room");
                assert!(segment.size >= len && segment.capacity >= capacity, "{len} bytes, {most} {segment:?}");
            }
            extent.release().expect("the kernel takes it back");
        }
    }

    #[test]
    fn how_far_a_top_may_rise_does_not_follow_from_where_a_segment_lies() {
        let mut memory = SystemMemory::new();
        let page = memory.page_size();
        let marks = [0, 1, 100, 511].map(|pages| {
            let (before, rest) = memory.reserve(66 << 20, 66 << 20).expect("there is room").split(pages * page);
            let (extent, after) = rest.split(64 << 20);
            let mut created = Segment::create(extent, [page, 0], &mut memory).expect("there is room");
            // SAFETY: just created, and nobody else knows it.
            let segment = unsafe { created.as_mut() };
            let lead = segment.base.addr().get() - segment.extent.base().addr().get();
            let marks: Vec<_> = (1..20usize)
                .map(|step| {
                    let pages = Pages { whole: true, huge: true, now: false };
                    assert!(segment.extend((step << 20) + GRANULE, (step + 1) << 20, pages, &mut memory));
                    segment.soft
                })
                .collect();
            // SAFETY: nothing refers to it.
            memory.release(unsafe { Segment::into_extent(created) });
            [before, after].into_iter().for_each(|extent| memory.release(extent));
            (lead, marks)
        });
        // Where a huge page ends in the first, the last one below what was wanted or the next above what was needed.
        let (lead, ref first) = marks[0];
        for (mark, step) in first.iter().zip(1usize..) {
            let (need, want) = ((step << 20) + GRANULE, (step + 1) << 20);
            assert!((need..=need + HUGE).contains(mark) && *mark <= want.max(need + HUGE), "{mark:#x} at {step} MiB");
            assert_eq!((lead + mark) % HUGE, 0, "{mark:#x} at {step} MiB");
        }
        assert!(marks.iter().all(|other| *other == marks[0]), "{marks:?}");
    }

    #[test]
    fn bits_go_back_from_where_there_are_none_any_more() {
        // SAFETY: this test alone has it.
        let heap: Heap<Unlocked> = unsafe { Heap::new_unlocked() };
        // SAFETY: it is held from now on.
        let mut state = unsafe { heap.state(&heap.hold_all()) };
        let layout = Layout::new::<[u8; 10_000]>();
        let mut blocks: Vec<_> = (0..5000).map(|_| state.allocate(layout).expect("there is memory").0).collect();
        let last = blocks.pop();
        // Every second one first, so that there are bits everywhere.
        let (even, odd): (Vec<_>, Vec<_>) = blocks.into_iter().zip(0..).partition(|(_, number)| number % 2 == 0);
        for (block, _) in even.into_iter().chain(odd) {
            // SAFETY: the heap's, and forgotten here.
            unsafe { state.deallocate(block, layout) };
        }
        let segment = |state: &State<'_, _, _>| resident(state.backend.segments().next().expect("a segment"));
        let many = 5000 * 10_000 / GRANULE / 8 / PAGE_SIZE_MIN;
        assert!(segment(&state) >= many, "{} pages, not {many}", segment(&state));
        state.backend.purge_all();
        // The first, those of the two ends of what is free, and of what lies behind.
        assert!((1..=5).contains(&segment(&state)), "{} pages", segment(&state));
        assert_eq!(state.check(), Ok(()));
        assert!(last.is_some() && state.allocate(layout).is_ok());
    }
}
