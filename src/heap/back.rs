//! The back end: runs of granules, joined when they are freed and split when
//! they are asked for.
//!
//! What is free is in a bin or above a region's `top`. A run that is freed is
//! joined with its free neighbours at once, so no two chunks ever touch, and a
//! chunk that reaches `top` becomes part of the untouched end again.

use core::ptr::NonNull;

use super::RETAIN;
use super::bins::{BINS, Bins};
use super::chunk::{Chunk, DIRTY_MIN};
use super::class::{GRANULE, LARGE};
use super::memory::Memory;
use super::region::{HUGE, Pages, Region};
use crate::mem::{round_down, round_up};
use crate::sys::PAGE_SIZE_MIN;

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

/// A further region is at least this large, if the kernel gives it.
const REGION_MIN: usize = 8 * 1024 * 1024;

/// What is asked of the back end: `count` blocks of `len` bytes in a row, or as
/// many of them as one chunk holds. More than one only with `align` a granule.
#[derive(Clone, Copy)]
pub(super) struct Want {
    pub(super) len: usize,
    pub(super) count: usize,
    pub(super) align: usize,
}

impl Want {
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
pub(super) struct Run {
    pub(super) at: NonNull<u8>,
    /// Blocks in it; at least one.
    pub(super) count: usize,
    /// Its memory was never handed out before, so it reads as zero.
    pub(super) zero: bool,
}

/// Where a chunk was, as offsets in its region, and how much of it may be resident.
struct Gap {
    start: usize,
    end: usize,
    dirty: usize,
}

/// The back end.
pub(super) struct Back<M> {
    memory: M,
    /// Newest first.
    regions: Option<NonNull<Region>>,
    pub(super) bins: Bins,
    /// Bytes in bins.
    pub(super) free: usize,
    /// Bytes below the tops of all regions.
    pub(super) used: usize,
    /// The most that `used - free` has been.
    pub(super) peak: usize,
    /// Bytes of chunks and above tops that may be resident, as far as they can
    /// be given back.
    dirty: usize,
    /// How much of that is kept, if not [`RETAIN`].
    pub(super) retain: Option<usize>,
    /// From how many bytes in use on the heap grows by huge pages, if not [`HUGE_FROM`].
    pub(super) huge_from: Option<usize>,
}

impl<M: Memory> Back<M> {
    pub(super) fn memory(&mut self) -> &mut M {
        &mut self.memory
    }

    pub(super) const fn new(memory: M) -> Back<M> {
        Back {
            memory,
            regions: None,
            bins: Bins::new(),
            free: 0,
            used: 0,
            peak: 0,
            dirty: 0,
            retain: None,
            huge_from: None,
        }
    }

    /// Serves a request from what is free below the `soft` marks.
    pub(super) fn take(&mut self, want: Want) -> Option<Run> {
        let run = self.take_chunk(want).or_else(|| self.take_top(want));
        self.peak = self.peak.max(self.used - self.free);
        run
    }

    /// Serves a single block from a chunk of just its length.
    pub(super) fn take_exact(&mut self, len: usize) -> Option<NonNull<u8>> {
        let chunk = self.bins.find(len).filter(|chunk| chunk.len() == len)?;
        self.unlink(self.region_of(chunk.start()), chunk);
        self.peak = self.peak.max(self.used - self.free);
        Some(chunk.start())
    }

    fn take_chunk(&mut self, want: Want) -> Option<Run> {
        // With room to move by less than the alignment, any chunk will do.
        let chunk = self.bins.find(want.len.checked_add(want.align - GRANULE)?)?;
        let gap = want.place(chunk.start(), chunk.len())?;
        let region = self.region_of(chunk.start());
        let Gap { start, end, dirty } = self.unlink(region, chunk);
        let at = start + gap;
        let count = want.count_in(end - at);
        let rest = at + count * want.len;
        // SAFETY: what is left on either side was part of the chunk.
        unsafe {
            if start < at {
                self.put(region, start, at, dirty);
            }
            if rest < end {
                self.put(region, rest, end, dirty);
            }
        }
        Some(Run { at: region.at(at), count, zero: false })
    }

    fn take_top(&mut self, want: Want) -> Option<Run> {
        let mut next = self.regions;
        while let Some(mut region) = next {
            // SAFETY: regions stay until they are released, and only the heap,
            // which is borrowed here, refers to them.
            let region = unsafe { region.as_mut() };
            next = region.next;
            let Some((at, room)) = above_top(region, want, region.soft) else { continue };
            let count = want.count_in(room);
            let start = region.top;
            let zero = at >= region.fresh;
            self.raise_top(region, at + count * want.len);
            if start < at {
                // SAFETY: the gap was above the top and is committed.
                unsafe { self.put(region, start, at, at - start) };
            }
            return Some(Run { at: region.at(at), count, zero });
        }
        None
    }

    /// By how many bytes the heap grows at once.
    pub(super) fn step(&self) -> usize {
        (self.used / GROWTH).max(GROWTH_MIN)
    }

    /// Makes room above a top for `want`, at least a single block: `soft` rises,
    /// or a region is added. `false` if the kernel gives no more.
    pub(super) fn extend(&mut self, want: Want) -> bool {
        let one = Want { count: 1, ..want };
        let mut next = self.regions;
        while let Some(mut region) = next {
            // SAFETY: as in `take_top`.
            let region = unsafe { region.as_mut() };
            next = region.next;
            let Some((at, _)) = above_top(region, one, region.size()) else { continue };
            if self.extend_region(region, at + want.len, want.len < GROWTH_MIN) {
                return true;
            }
        }
        self.add_region(one).is_some()
    }

    /// Lets a region's top rise to `need`, and by a step more; `soon`: what comes
    /// will be written soon.
    fn extend_region(&mut self, region: &mut Region, need: usize, soon: bool) -> bool {
        let pages = Pages {
            huge: self.used >= self.huge_from.unwrap_or(HUGE_FROM),
            // The first steps are left out: a small program needs a page or two.
            now: soon && self.used >= POPULATE_FROM,
        };
        let before = region.resident;
        let extended = region.extend(need, need.saturating_add(self.step()), pages, &mut self.memory);
        self.dirty += region.resident - before;
        extended
    }

    /// Adds a region with room for a block.
    #[cold]
    #[inline(never)]
    fn add_region(&mut self, want: Want) -> Option<()> {
        let page = self.memory.page_size();
        let len = want.len.checked_add(want.align - GRANULE)?;
        let min = Region::extent_for(len, page)?;
        // Each as large as what is in use, so that there are few.
        let extent = self.memory.reserve(min, min.max(REGION_MIN).max(round_up(self.used, page)))?;
        // SAFETY: the extent is new.
        let Some(mut created) = (unsafe { Region::create(extent, &mut self.memory) }) else {
            // SAFETY: nothing refers to it.
            unsafe { self.memory.release(extent) };
            return None;
        };
        // SAFETY: just created, and nobody else knows it.
        let region = unsafe { created.as_mut() };
        let fits = above_top(region, want, region.size()).is_some();
        if !fits || !self.extend_region(region, len, want.len < GROWTH_MIN) {
            // SAFETY: nothing refers to it.
            unsafe { self.memory.release(extent) };
            return None;
        }
        region.next = self.regions;
        self.regions = Some(created);
        Some(())
    }

    /// Takes a run back.
    ///
    /// # Safety
    ///
    /// The `len` bytes at `at` are whole granules that the back end gave, and
    /// nobody uses them any more.
    pub(super) unsafe fn give(&mut self, at: NonNull<u8>, len: usize) {
        let region = self.region_of(at);
        let mut start = region.offset(at);
        let mut end = start + len;
        let mut dirty = len;
        if start > 0 && region.edge(start - GRANULE) {
            // SAFETY: the granule before is the edge of a chunk, so one ends here.
            let left = self.unlink(region, unsafe { Chunk::ending(at) });
            start = left.start;
            dirty += left.dirty;
        }
        if end == region.top {
            self.lower_top(region, start);
        } else {
            if region.edge(end) {
                // SAFETY: the granule after is the edge of a chunk, so one begins here.
                let right = self.unlink(region, unsafe { Chunk::starting(region.at(end)) });
                end = right.end;
                dirty += right.dirty;
            }
            // SAFETY: all of it is free now.
            unsafe { self.put(region, start, end, dirty) };
        }
        if self.dirty > self.retain.unwrap_or(RETAIN) {
            self.retain_no_more();
        }
    }

    /// Gives pages back if more than a bound stays: what was set, or a quarter of
    /// what is in use if that is more. Then half of it stays.
    #[cold]
    fn retain_no_more(&mut self) {
        let bound = self.retain.unwrap_or(RETAIN).max((self.used - self.free) / 4);
        if self.dirty > bound {
            self.give_pages_back(bound / 2);
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
        let region = self.region_of(at);
        let start = region.offset(at);
        let (end, new_end) = (start + old, start + new);
        if new_end <= end || new_end > region.size() {
            return false;
        }
        if end == region.top {
            if new_end > region.soft && !self.extend_region(region, new_end, false) {
                return false;
            }
            self.raise_top(region, new_end);
        } else {
            if !region.edge(end) {
                return false;
            }
            // SAFETY: the granule after the run is the edge of a chunk.
            let right = unsafe { Chunk::starting(region.at(end)) };
            if end + right.len() < new_end {
                return false;
            }
            let Gap { end: right_end, dirty, .. } = self.unlink(region, right);
            if new_end < right_end {
                // SAFETY: what is left of the chunk.
                unsafe { self.put(region, new_end, right_end, dirty) };
            }
        }
        self.peak = self.peak.max(self.used - self.free);
        true
    }

    /// Gives pages back to the kernel until at most `keep` bytes of what is free
    /// may be resident, as far as whole pages go: largest chunks first.
    #[cold]
    #[inline(never)]
    pub(super) fn give_pages_back(&mut self, keep: usize) {
        let page = self.memory.page_size();
        let mut next = self.regions;
        while let Some(mut region) = next {
            // SAFETY: as in `take_top`.
            let region = unsafe { region.as_mut() };
            next = region.next;
            if self.dirty <= keep {
                return;
            }
            self.dirty -= region.resident - region.top;
            region.give_pages_back(&mut self.memory);
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
                let inner = round_up(from + Chunk::ENDS.0, page);
                let inner_end = round_down(from + chunk.len() - Chunk::ENDS.1, page);
                if inner < inner_end {
                    // SAFETY: whole pages inside the chunk, without its words.
                    unsafe { self.memory.decommit(chunk.start().add(inner - from), inner_end - inner) };
                }
                self.dirty -= chunk.dirty();
                chunk.set_dirty(0);
            }
        }
    }

    /// Releases the regions in which nothing is in use, but for the oldest.
    pub(super) fn release_empty_regions(&mut self) {
        let mut kept: Option<NonNull<Region>> = None;
        let mut next = self.regions;
        while let Some(mut at) = next {
            // SAFETY: as in `take_top`.
            let region = unsafe { at.as_mut() };
            next = region.next;
            if region.top == 0 && next.is_some() {
                self.dirty -= region.resident;
                match kept {
                    // SAFETY: as in `take_top`.
                    Some(mut kept) => unsafe { kept.as_mut() }.next = next,
                    None => self.regions = next,
                }
                // SAFETY: out of the list; nothing of it is in use.
                unsafe { self.memory.release(region.extent) };
            } else {
                kept = Some(at);
            }
        }
    }

    /// The sum kept of what may be resident and free.
    pub(super) fn dirty(&self) -> usize {
        self.dirty
    }

    /// The regions, newest first.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        // SAFETY: as in `take_top`.
        core::iter::successors(self.regions, |r| unsafe { r.as_ref() }.next).map(|r| unsafe { r.as_ref() })
    }

    /// The region of a block.
    ///
    /// The result is not tied to the borrow of `self`: the region's own fields
    /// change together with the bins, and both belong to this back end.
    #[inline]
    fn region_of<'a>(&self, at: NonNull<u8>) -> &'a mut Region {
        let mut next = self.regions;
        while let Some(mut region) = next {
            // SAFETY: as in `take_top`; each caller holds one region at a time.
            let region = unsafe { region.as_mut() };
            if region.offset_of(at).is_some() {
                return region;
            }
            next = region.next;
        }
        foreign_block()
    }

    /// Makes a run free.
    ///
    /// # Safety
    ///
    /// The run lies below the region's top, is in nobody's use, and touches no chunk.
    #[inline(never)]
    unsafe fn put(&mut self, region: &mut Region, start: usize, end: usize, dirty: usize) {
        let len = end - start;
        region.set_edge(start);
        region.set_edge(end - GRANULE);
        // SAFETY: granules of the region that nobody uses.
        let chunk = unsafe { Chunk::write(region.at(start), len) };
        self.bins.insert(chunk, len);
        self.free += len;
        if len >= DIRTY_MIN {
            chunk.set_dirty(dirty.min(len));
            self.dirty += dirty.min(len);
        }
    }

    /// The opposite: the chunk is nobody's now, and says where it was.
    #[inline(never)]
    fn unlink(&mut self, region: &mut Region, chunk: Chunk) -> Gap {
        let len = chunk.len();
        let dirty = chunk.dirty();
        self.bins.remove(chunk, len);
        self.free -= len;
        if len >= DIRTY_MIN {
            self.dirty -= dirty;
        }
        let start = region.offset(chunk.start());
        let end = start + len;
        region.clear_edge(start);
        region.clear_edge(end - GRANULE);
        Gap { start, end, dirty }
    }

    fn raise_top(&mut self, region: &mut Region, top: usize) {
        self.used += top - region.top;
        self.set_top(region, top);
        region.fresh = region.fresh.max(top);
    }

    fn lower_top(&mut self, region: &mut Region, top: usize) {
        self.used -= region.top - top;
        self.set_top(region, top);
    }

    fn set_top(&mut self, region: &mut Region, top: usize) {
        self.dirty -= region.resident - region.top;
        region.top = top;
        region.resident = region.resident.max(top);
        self.dirty += region.resident - region.top;
    }
}

/// Where a run would begin above the top, and the room there below `limit`; if
/// that is enough for one block.
#[inline(never)]
fn above_top(region: &Region, want: Want, limit: usize) -> Option<(usize, usize)> {
    let room = limit.checked_sub(region.top)?;
    let gap = want.place(region.at(region.top), room)?;
    Some((region.top + gap, room - gap))
}

/// A block was freed that no region holds: the caller broke its promise, and
/// going on would only hide it.
#[cold]
#[inline(never)]
fn foreign_block() -> ! {
    panic!("freed a block that is not the heap's")
}
