//! Sweeping: what was not marked becomes holes, and holes that meet become one.
//!
//! Only the map is swept, a word of it (16 granules, 8 on 32-bit ports) at a time, and at once: that is a sixteenth of the
//! heap read in order, and after it every question (what is this word, how much is free, where) has an exact answer. What
//! would touch the heap itself is lazy: a hole is found, and zeroed, when the allocator gets there.

use super::map::{BLOCK, BLOCK_GRANULES, Block, EDGE, GRANULE, MARK, Map, ONES, SPAN};

const TOP: u32 = usize::BITS - 4;

/// What the sweep hands from one word of the map to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Live,
    Hole,
}

/// Each code that is not zero, with all its bits set.
#[inline(always)]
fn spread(ones: usize) -> usize {
    (ones << 4).wrapping_sub(ones)
}

/// How many codes a mask of lowest bits stands for.
#[inline(always)]
fn count(ones: usize) -> usize {
    // The product's top four bits are the sum, modulo 16: all 16 of a 64-bit word look like none.
    if ones == ONES { (usize::BITS / 4) as usize } else { ones.wrapping_mul(ONES) >> TOP }
}

/// For each edge: whether the edge before it is in `starts`. Answers their mask, and whether the last edge is in `starts`.
///
/// It is an addition: a one, added behind a start, runs as a carry through the codes that are no edge, which have all
/// bits set here, and comes to rest on the next edge.
#[inline(always)]
fn followers(edges: usize, starts: usize, before: bool) -> (usize, bool) {
    let (sum, beyond) = (!spread(edges)).overflowing_add(starts << 4 | usize::from(before));
    (sum & edges, beyond | (starts >> TOP & 1 != 0))
}

/// One word of the map, swept, the granules in it that are free, and what its last edge is.
#[inline(always)]
fn word(word: usize, last: Last) -> (usize, usize, Last) {
    if word == 0 {
        return (0, if last == Last::Live { 0 } else { SPAN / GRANULE }, last);
    }
    let edges = word & ONES;
    let live = edges & word >> 3 & word >> 1;
    let (behind_live, ends_live) = followers(edges, live, last == Last::Live);
    // A hole begins where something dead or free follows something live.
    let holes = behind_live & !live;
    let kept = word & spread(live) & !(MARK * ONES) | holes;
    // What is free: the holes' first granules and what follows them up to the next edge.
    let all = kept & ONES;
    let (sum, _) = (!spread(all)).overflowing_add(holes << 4 | usize::from(last == Last::Hole));
    let free = !spread(all) & !sum & ONES | holes;
    (kept, count(free), if ends_live { Last::Live } else { Last::Hole })
}

impl Map {
    /// Sweeps the heap; answers the bytes that are free.
    pub(super) fn sweep(&mut self) -> usize {
        let mut free = 0;
        // The heap's first granule is an edge. If it is dead, the hole has to begin there.
        let mut last = Last::Live;
        let mut at = self.start();
        while at < self.end() {
            // SAFETY: a block of the heap, and all of its words.
            let block: &mut Block = unsafe { &mut *self.block(at) };
            // SAFETY: the same.
            let first = unsafe { *self.word(at) };
            // A block that begins inside a large object, as the next does, has no edge.
            // SAFETY: there is an entry more than blocks.
            let inside = block.back != 0 && unsafe { (*self.block(at + BLOCK)).back } == block.back + 1;
            if last == Last::Hole || first & EDGE != 0 {
                block.back = 0;
            }
            if inside {
                block.free = if last == Last::Live { 0 } else { BLOCK_GRANULES };
                free += usize::from(block.free);
                at += BLOCK;
                continue;
            }
            let mut granules = 0;
            for span in (at..at + BLOCK).step_by(SPAN) {
                // SAFETY: the same.
                unsafe {
                    let here = self.word(span);
                    let (swept, free, now) = word(*here, last);
                    *here = swept;
                    granules += free;
                    last = now;
                }
            }
            block.free = granules as u16;
            free += granules;
            at += BLOCK;
        }
        free * GRANULE
    }
}
