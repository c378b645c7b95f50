//! Allocation: bumping through holes.
//!
//! The *piece* is a part of a hole, which is zeroed, and gives out objects one behind the other, whatever their lengths: what
//! is made together lies together, and dies together, so that long holes come of it. When an object does not fit, its place
//! is the shortest hole on the *shelves* that is long enough, and if there is none, the next one in the order of addresses
//! that is; of a long one a part that fits the cache. Of what is left of that place and of the piece the longer one is the
//! piece from then on.
//!
//! The shelves have the holes that were too short when the search came by, and what was left of pieces. So each hole is
//! looked at once between two collections, and none is passed over.
//!
//! Large objects go where blocks are free from end to end, to the lowest place that is long enough.

use core::ptr::NonNull;
use core::{mem, slice};

use super::map::{BLOCK, BLOCK_GRANULES, EDGE, GRANULE, LARGE, Map, ONES, SPAN, shift};
use super::shelves::{CLASSES, Shelves};
use super::space::Space;
use crate::vm::{HUGE, gap_before};

/// How much of a hole becomes the piece at once, bytes.
const PIECE: usize = 32 << 10;

/// By how much the heap grows at least, bytes, and as a share of what it has.
const STEP: usize = 64 << 10;
const STEP_SHARE: usize = 8;

/// From this limit on, bytes, the heap grows by huge pages, where the kernel has them: not more than a quarter of it is
/// resident too early then.
const HUGE_FROM: usize = 4 * HUGE;

/// A search that passes more bytes of heap than this is remembered: the next one of its length need not.
const FAR: usize = 1024 * BLOCK;

/// The heap without roots and references.
pub(super) struct Allocator {
    pub(super) map: Map,
    pub(super) space: Space,
    /// Where the next object begins, and the end of the piece: the same address if there is none.
    at: usize,
    end: usize,
    /// Where the search for the next hole begins: all holes below are on shelves, or are the piece.
    scan: usize,
    /// Beside the heap, committed. There and above is no address of the heap while the collector marks, since it may lie on a
    /// stack that is scanned.
    shelves: NonNull<Shelves>,
    /// From here on memory is as the kernel gave it: zeroes.
    fresh: usize,
    /// Bytes of heap that may be in use before the collector has to run.
    pub(super) limit: usize,
    /// Bytes taken from holes since the last collection.
    pub(super) taken: usize,
}

impl Allocator {
    pub(super) fn new(space: Space) -> Allocator {
        // SAFETY: the space's heap begins at a page; map and table are committed, zeroed, before the heap grows.
        let map = unsafe { Map::new(space.base(), space.words(), space.table()) };
        let (start, shelves) = (map.start(), space.shelves());
        Allocator { map, space, at: 0, end: 0, scan: 0, shelves, fresh: start, limit: 0, taken: 0 }
    }

    /// `len` bytes, whole granules, for an object of the code; zeroed. `None`: the piece is too short.
    #[inline(always)]
    pub(super) fn allocate(&mut self, len: usize, code: usize) -> Option<usize> {
        let at = self.at;
        if len >= LARGE || len > self.end - at {
            return None;
        }
        self.at = at + len;
        self.map.place(at, len, code);
        Some(at)
    }

    /// Finds room for `len` bytes that [`allocate`](Allocator::allocate) has not, in the heap as it is.
    #[inline(never)] // what it leaves on the stack is not to be scanned with its caller's frame
    pub(super) fn search(&mut self, len: usize, code: usize) -> Option<usize> {
        if len >= LARGE {
            return self.large(len, code);
        }
        if self.lengthen(len) {
            return self.allocate(len, code);
        }
        // SAFETY: the shelves are the allocator's own, and no other reference to them is in use.
        let shelved = unsafe { self.shelves.as_mut() }.take(&self.map, len);
        let (at, end) = shelved.or_else(|| self.next_hole(len))?;
        self.map.place(at, len, code);
        let (rest, left) = ((at + len, end), (self.at, self.end));
        let length = |hole: (usize, usize)| hole.1 - hole.0;
        let is_longer = length(rest) > length(left);
        // Of what is left of that place and of the piece the longer one is the piece from now on.
        let (piece, other) = if is_longer { (rest, left) } else { (left, rest) };
        let (taken, used) = if is_longer { (length((at, end)) - length(left), end) } else { (len, rest.0) };
        self.taken += taken;
        self.clear(at, used);
        (self.at, self.end) = piece;
        self.shelve(other.0, length(other));
        Some(at)
    }

    /// Lets the heap grow towards the limit, so that it has room for `len` bytes more. `false`: it cannot.
    pub(super) fn grow(&mut self, len: usize) -> bool {
        let now = self.map.len();
        let most = self.limit.min(self.space.len()).saturating_sub(now) / BLOCK * BLOCK;
        let Some(need) = len.checked_next_multiple_of(BLOCK) else { return false };
        // A large object may begin in what is free at the end.
        let least = need.min(BLOCK.max(need.saturating_sub(self.free_at_end())));
        let mut want = need.max(STEP).max(now / STEP_SHARE / BLOCK * BLOCK).min(most);
        if self.limit >= HUGE_FROM {
            // To the end of a huge page.
            want = (want + gap_before(self.map.end() + want, HUGE)).min(most);
        }
        if want < least {
            return false;
        }
        let step = if self.space.commit(now + want) {
            want
        } else if self.space.commit(now + least) {
            least
        } else {
            return false;
        };
        if self.limit >= HUGE_FROM {
            self.space.prefer_huge(now, now + step);
        }
        // SAFETY: committed just now.
        unsafe { self.map.extend(step) };
        true
    }

    /// Lets the limit be what a request needs, and a share of the heap more, so that the next ones need not raise it again.
    pub(super) fn raise_limit(&mut self, len: usize) {
        let now = self.map.len();
        let need = len.saturating_add(2 * BLOCK).max(now / STEP_SHARE);
        self.limit = self.limit.max(now.saturating_add(need).min(self.space.len()));
    }

    /// Bytes of blocks that are free at the heap's end.
    fn free_at_end(&self) -> usize {
        let mut at = self.map.end();
        while at > self.map.start() && self.is_free(at - BLOCK) {
            at -= BLOCK;
        }
        self.map.end() - at
    }

    fn is_free(&self, block: usize) -> bool {
        // SAFETY: a block of the heap.
        unsafe { (*self.map.block(block)).free == BLOCK_GRANULES }
    }

    /// Gives up the piece and the shelves, which stay holes, and begins anew: for the sweep.
    pub(super) fn retire(&mut self) {
        (self.at, self.end, self.scan) = (0, 0, 0);
        // SAFETY: the allocator's own; zeroes are empty shelves.
        unsafe { self.shelves.write_bytes(0, 1) };
        self.taken = 0;
    }

    /// Adds to the piece what is free behind it, so that it has `len` bytes: pieces of one hole leave nothing between them.
    fn lengthen(&mut self, len: usize) -> bool {
        let end = self.end;
        // What is behind a piece is an object, but for a piece of a long hole.
        if end == 0 || self.map.code(end) != EDGE || end != self.scan || end == self.map.end() {
            return false;
        }
        let longer = self.map.next_edge(end, len.max(PIECE));
        if longer - self.at < len {
            return false;
        }
        self.map.clear(end, EDGE);
        self.map.set(longer, EDGE);
        self.taken += longer - end;
        self.take_blocks(end, longer);
        self.clear(end, longer);
        (self.end, self.scan) = (longer, longer);
        true
    }

    /// Puts a hole that is too short for a large object on its shelf, or nothing if it has no length.
    fn shelve(&mut self, at: usize, len: usize) {
        if len > 0 {
            self.fresh = self.fresh.max(at + len);
            // SAFETY: free memory of the heap; the shelves are the allocator's own, and no other reference to them is in use.
            unsafe { self.shelves.as_mut().put(&self.map, at, len) };
        }
    }

    /// The next hole in the order of addresses that has `len` bytes, its start and its end, of a long one the first part.
    /// Those before go on shelves.
    fn next_hole(&mut self, len: usize) -> Option<(usize, usize)> {
        let most = len.max(PIECE);
        let mut at = self.scan.max(self.map.start());
        while at < self.map.end() {
            let block_end = (at | (BLOCK - 1)) + 1;
            // SAFETY: in the heap.
            if at.is_multiple_of(BLOCK) && unsafe { (*self.map.block(at)).free } == 0 {
                at = block_end;
                continue;
            }
            let mut mask = usize::MAX << shift(at);
            at &= !(SPAN - 1);
            while at < block_end {
                // SAFETY: in the heap.
                let word = unsafe { *self.map.word(at) };
                let mut holes = word & !(word >> 3) & ONES & mask;
                mask = usize::MAX;
                while holes != 0 {
                    let bit = holes.trailing_zeros() as usize;
                    let start = at + bit / 4 * GRANULE;
                    let above = word >> bit >> 4;
                    let end = if above == 0 {
                        self.map.next_edge(start, most)
                    } else {
                        start + (above.trailing_zeros() as usize / 4 + 1) * GRANULE
                    };
                    self.take(start, end);
                    if end - start >= len {
                        self.map.set(end, EDGE);
                        self.scan = end;
                        return Some((start, end));
                    }
                    self.shelve(start, end - start);
                    holes &= holes - 1;
                }
                at += SPAN;
            }
        }
        self.scan = self.map.end();
        None
    }

    /// Zeroes free memory. Not inlined, since it takes much longer than a call.
    #[inline(never)]
    fn clear(&mut self, from: usize, to: usize) {
        let used = to.min(self.fresh).saturating_sub(from);
        // SAFETY: free memory of the heap, committed.
        unsafe { self.map.pointer(from).write_bytes(0, used) };
        self.fresh = self.fresh.max(to);
    }

    /// Tells the blocks of a hole that the search takes. What else is free in the first one does not count any more: the
    /// search finds it when it goes on, and nobody else asks for less than a block.
    #[inline(always)]
    fn take(&mut self, from: usize, to: usize) {
        // SAFETY: a block of the heap, to which nothing else refers.
        let block = unsafe { &mut *self.map.block(from) };
        (block.free, block.purged) = (0, false);
        let next = (from | (BLOCK - 1)) + 1;
        if next < to {
            self.take_blocks(next, to);
        }
    }

    /// Tells the blocks what is taken out of them.
    #[inline(never)]
    fn take_blocks(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let end = to.min((at | (BLOCK - 1)) + 1);
            // SAFETY: a block of the heap, to which nothing else refers.
            let block = unsafe { &mut *self.map.block(at) };
            block.free = block.free.saturating_sub(((end - at) / GRANULE) as u16);
            block.purged = false;
            at = end;
        }
    }

    /// Room for a large object: in the lowest run of free blocks that is long enough, with what is free around it.
    #[inline(never)] // seldom
    fn large(&mut self, len: usize, code: usize) -> Option<usize> {
        let start = self.map.start();
        let at = self.run(len)?;
        self.taken += len;
        self.take_blocks(at, at + len);
        self.clear(at, at + len);
        // Edges between holes that meet here are none any more.
        self.map.wipe(at, at + len);
        self.map.place(at, len, code);
        let first = (at - start) / BLOCK;
        for block in first + 1..=(at + len - GRANULE - start) / BLOCK {
            // SAFETY: a block of the heap.
            unsafe { (*self.map.block(start + block * BLOCK)).back = (block - first) as u32 };
        }
        Some(at)
    }

    /// Where the lowest run of free memory begins that holds `len` bytes. Until the next collection runs become shorter only,
    /// but for the one at the heap's end, so the search for the next object of the class begins where the rover says.
    fn run(&mut self, len: usize) -> Option<usize> {
        let class = ((len / LARGE).ilog2() as usize).min(CLASSES - 1);
        let end = self.map.end();
        // SAFETY: the allocator's own, and no other reference to them is in use.
        let rover = unsafe { self.shelves.as_ref() }.rovers[class];
        let lowest = rover.any.max(self.map.start());
        let from = if len >= rover.len { rover.at.max(lowest) } else { lowest };
        let mut at = from;
        let (mut any, mut found, mut block) = (None, None, end);
        while found.is_none() && at < end {
            while at < end && !self.is_free(at) {
                at += BLOCK;
            }
            block = at;
            if at == end {
                break;
            }
            // What is free at the end of the block before.
            let first = match self.map.nearest(at) {
                Some((hole, _)) if self.map.code(at) == 0 => hole,
                _ => at,
            };
            while at < end && at - first < len && self.is_free(at) {
                at += BLOCK;
            }
            let free = if at - first >= len || at == end || self.map.code(at) != 0 {
                at
            } else {
                self.map.next_edge(at, BLOCK)
            } - first;
            // What is free at the heap's end may grow.
            if free >= LARGE << class || at == end {
                any.get_or_insert(block);
            }
            found = (free >= len).then_some(first);
        }
        // SAFETY: the same.
        let rover = unsafe { &mut self.shelves.as_mut().rovers[class] };
        if from == lowest {
            rover.any = any.unwrap_or(end);
        }
        if block - from > FAR {
            (rover.len, rover.at) = (len, block);
        }
        found
    }

    /// Gives free blocks back to the kernel, the highest first, until at most `keep` bytes of heap are resident. Answers how
    /// many bytes those were.
    pub(super) fn purge(&mut self, keep: usize) -> usize {
        // SAFETY: the table has an entry for each block, and nothing else refers to it.
        let table = unsafe { slice::from_raw_parts_mut(self.map.block(self.map.start()), self.map.blocks()) };
        let resident = table.iter().filter(|block| !block.purged).count();
        let mut excess = resident.saturating_sub(keep / BLOCK);
        let before = excess;
        let mut end = table.len();
        while end > 0 && excess > 0 {
            // The run of free blocks below, as far as it is needed.
            let (mut first, still) = (end, excess);
            while excess > 0
                && let Some(block) = first.checked_sub(1).and_then(|below| table.get_mut(below))
                && block.free == BLOCK_GRANULES
            {
                first -= 1;
                excess -= usize::from(!mem::replace(&mut block.purged, true));
            }
            if excess < still {
                self.space.reset(first * BLOCK, end * BLOCK);
            }
            end = first.saturating_sub(1);
        }
        (before - excess) * BLOCK
    }

    /// Whether an address lies in the piece.
    pub(super) fn in_piece(&self, at: usize) -> bool {
        (self.at..self.end).contains(&at)
    }
}

impl Map {
    /// Clears the codes of `from..to`: free memory that becomes one.
    fn wipe(&mut self, from: usize, to: usize) {
        let (first, last) = (self.word(from), self.word(to));
        let (below, above) = (!(usize::MAX << shift(from)), usize::MAX << shift(to));
        // SAFETY: in the map.
        unsafe {
            if first == last {
                *first &= below | above;
            } else {
                *first &= below;
                first.add(1).write_bytes(0, last.offset_from(first) as usize - 1);
                *last &= above;
            }
        }
    }
}
