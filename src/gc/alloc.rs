//! Allocation: bumping through holes.
//!
//! A *cursor* owns a piece of a hole, which is zeroed, and gives out objects from it one behind the other, whatever their lengths: what is made
//! together lies together, and dies together, so that long holes come of it. When the piece is used up, the next hole that
//! is long enough follows, in the order of addresses; a long hole is taken in pieces that fit the cache.
//!
//! A request that would make the first cursor pass over many short holes goes to the second one, and so do all that are not
//! short. Large objects go where blocks are free from end to end, to the lowest place that is long enough.

use super::map::{BLOCK, BLOCK_GRANULES, EDGE, GRANULE, LARGE, Map, shift};
use super::space::{HUGE, Space};

/// The longest objects of the first cursor, bytes.
const SHORT: usize = 32 * GRANULE;
const CURSORS: usize = 2;

/// How many holes that are too short the first cursor passes over for one request.
const PASSES: usize = 8;

/// Classes of large objects, each twice as long as the one below, but for the last one, which has no end.
const CLASSES: usize = 16;

/// How much of a hole a cursor takes at once, bytes.
const PIECE: usize = 32 << 10;

/// By how much the heap grows at least, bytes, and as a share of what it has.
const STEP: usize = 64 << 10;
const STEP_SHARE: usize = 8;

/// From this limit on, bytes, the heap grows by huge pages, where the kernel has them: not more than a quarter of it is
/// resident too early then.
const HUGE_FROM: usize = 4 * HUGE;

#[derive(Clone, Copy)]
struct Cursor {
    /// Where the next object begins, and the end of the piece: the same address if there is none.
    at: usize,
    end: usize,
    /// Where the search for the next hole begins.
    scan: usize,
}

impl Cursor {
    /// No piece, and a search from the heap's start; no address of the heap, since a collector may lie on a stack that is
    /// scanned.
    const NONE: Cursor = Cursor { at: 0, end: 0, scan: 0 };
}

/// The heap without roots and references.
pub(super) struct Allocator {
    pub(super) map: Map,
    pub(super) space: Space,
    cursors: [Cursor; CURSORS],
    /// From here on memory is as the kernel gave it: zeroes.
    fresh: usize,
    /// For each class of large objects an address below which no run of free blocks begins that has room for its shortest.
    rovers: [usize; CLASSES],
    /// Bytes of heap that may be in use before the collector has to run.
    pub(super) limit: usize,
    /// Bytes taken from holes since the last collection.
    pub(super) taken: usize,
}

impl Allocator {
    pub(super) fn new(space: Space) -> Allocator {
        // SAFETY: the space's heap begins at a page; map and table are committed, zeroed, before the heap grows.
        let map = unsafe { Map::new(space.base(), space.words(), space.table()) };
        let start = map.start();
        Allocator {
            map,
            space,
            cursors: [Cursor::NONE; CURSORS],
            fresh: start,
            rovers: [0; CLASSES],
            limit: 0,
            taken: 0,
        }
    }

    /// `len` bytes, whole granules, for an object of the code; zeroed. `None`: no hole is long enough.
    #[inline(always)]
    pub(super) fn allocate(&mut self, len: usize, code: usize) -> Option<usize> {
        match len {
            _ if len <= SHORT => self.bump(0, len, code),
            _ if len < LARGE => self.bump(1, len, code),
            _ => None,
        }
    }

    /// The next `len` bytes of a cursor's piece.
    #[inline(always)]
    fn bump(&mut self, which: usize, len: usize, code: usize) -> Option<usize> {
        let cursor = &mut self.cursors[which];
        let at = cursor.at;
        if len > cursor.end - at {
            return None;
        }
        cursor.at = at + len;
        self.map.place(at, len, code);
        Some(at)
    }

    /// Finds room for `len` bytes that [`allocate`](Allocator::allocate) has not, in the heap as it is.
    pub(super) fn search(&mut self, len: usize, code: usize) -> Option<usize> {
        if len >= LARGE {
            return self.large(len, code);
        }
        if len <= SHORT && self.refill(0, len, PASSES) {
            return self.bump(0, len, code);
        }
        if len <= self.cursors[1].end - self.cursors[1].at || self.refill(1, len, usize::MAX) {
            return self.bump(1, len, code);
        }
        None
    }

    /// Lets the heap grow towards the limit, so that it has room for `len` bytes more. `false`: it cannot.
    pub(super) fn grow(&mut self, len: usize) -> bool {
        let now = self.map.len();
        let most = self.limit.min(self.space.len()).saturating_sub(now) / BLOCK * BLOCK;
        let Some(need) = len.checked_next_multiple_of(BLOCK) else { return false };
        // A large object may begin in what is free at the end.
        let least = need.min(BLOCK.max(need.saturating_sub(self.free_at_end())));
        let mut want = need.max(STEP).max(now / STEP_SHARE / BLOCK * BLOCK);
        if self.limit >= HUGE_FROM {
            // To the end of a huge page.
            want = (self.map.end() + want).next_multiple_of(HUGE) - self.map.end();
        }
        let want = want.min(most);
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

    /// Gives up the cursors' pieces, which stay holes, and begins anew: for the sweep.
    pub(super) fn retire(&mut self) {
        self.cursors = [Cursor::NONE; CURSORS];
        self.rovers = [0; CLASSES];
        self.taken = 0;
    }

    /// The next hole of at least `len` bytes for a cursor, at most `passes` holes away.
    fn refill(&mut self, which: usize, len: usize, passes: usize) -> bool {
        if self.lengthen(which, len) {
            return true;
        }
        let mut scan = self.cursors[which].scan.max(self.map.start());
        loop {
            let (at, end) = match self.map.next_hole(scan, len, len.max(PIECE), passes) {
                Ok(hole) => hole,
                Err(next) => {
                    self.cursors[which].scan = next;
                    return false;
                }
            };
            if let Some(owner) = self.cursors.iter().find(|cursor| cursor.at == at && cursor.end > at) {
                scan = owner.end;
                continue;
            }
            self.map.set(end, EDGE);
            self.take(at, end);
            self.cursors[which] = Cursor { at, end, scan: end };
            return true;
        }
    }

    /// Adds to a cursor's piece what is free behind it, so that it has `len` bytes: pieces of one hole leave nothing between
    /// them.
    fn lengthen(&mut self, which: usize, len: usize) -> bool {
        let Cursor { at, end, .. } = self.cursors[which];
        let owned = || self.cursors.iter().any(|cursor| cursor.at == end && cursor.end > end);
        if at == end || end == self.map.end() || self.map.code(end) != EDGE || owned() {
            return false;
        }
        let longer = self.map.next_edge(end, len.max(PIECE));
        if longer - at < len {
            return false;
        }
        self.map.clear(end, EDGE);
        self.map.set(longer, EDGE);
        self.take(end, longer);
        self.cursors[which] = Cursor { at, end: longer, scan: longer };
        true
    }

    /// Zeroes what is taken out of a hole, and tells the blocks of it.
    #[inline(never)]
    fn take(&mut self, from: usize, to: usize) {
        let used = to.min(self.fresh).saturating_sub(from);
        // SAFETY: free memory of the heap, committed.
        unsafe { self.map.pointer(from).write_bytes(0, used) };
        self.fresh = self.fresh.max(to);
        self.taken += to - from;
        let mut at = from;
        loop {
            let end = to.min((at | (BLOCK - 1)) + 1);
            // SAFETY: a block of the heap, to which nothing else refers.
            let block = unsafe { &mut *self.map.block(at) };
            block.free = block.free.saturating_sub(((end - at) / GRANULE) as u16);
            block.purged = false;
            at = end;
            if at == to {
                return;
            }
        }
    }

    /// Room for a large object: in the lowest run of free blocks that is long enough, with what is free around it.
    fn large(&mut self, len: usize, code: usize) -> Option<usize> {
        let start = self.map.start();
        let at = self.run(len)?;
        self.take(at, at + len);
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
    /// so the search for the next object of the class begins where the first run is that would do for its shortest.
    fn run(&mut self, len: usize) -> Option<usize> {
        let class = ((len / LARGE).ilog2() as usize).min(CLASSES - 1);
        let end = self.map.end();
        let mut at = self.rovers[class].max(self.map.start());
        let (mut rover, mut found) = (None, None);
        while found.is_none() {
            while at < end && !self.is_free(at) {
                at += BLOCK;
            }
            if at == end {
                break;
            }
            let block = at;
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
                rover.get_or_insert(block);
            }
            found = (free >= len).then_some(first);
        }
        self.rovers[class] = rover.unwrap_or(end);
        found
    }

    /// Gives whole free pages back to the kernel, the highest first, until at most `keep` bytes of heap are resident.
    pub(super) fn purge(&mut self, keep: usize) -> usize {
        let (start, mut at) = (self.map.start(), self.map.end());
        let mut resident = 0;
        for block in 0..self.map.blocks() {
            // SAFETY: a block of the heap.
            resident += if unsafe { (*self.map.block(start + block * BLOCK)).purged } { 0 } else { BLOCK };
        }
        let before = resident;
        while at > start && resident > keep {
            let (end, still) = (at, resident);
            while at > start && self.is_free(at - BLOCK) && resident > keep {
                at -= BLOCK;
                // SAFETY: a block of the heap, to which nothing else refers.
                let block = unsafe { &mut *self.map.block(at) };
                resident -= if block.purged { 0 } else { BLOCK };
                block.purged = true;
            }
            if at == end {
                at -= BLOCK;
            } else if resident < still {
                self.space.reset(at - start, end - start);
            }
        }
        before - resident
    }

    /// Whether an address lies in a cursor's piece, whose length is still open.
    pub(super) fn in_piece(&self, at: usize) -> bool {
        self.cursors.iter().any(|cursor| (cursor.at..cursor.end).contains(&at))
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
