//! Sweeping: what was not marked becomes holes, and holes that meet become one.
//!
//! Only the map is swept, a word of it (16 granules, 8 on 32-bit ports) at a time, and at once: that is a sixteenth of the
//! heap read in order, and after it every question (what is this word, how much is free, where) has an exact answer. What
//! would touch the heap itself is lazy: a hole is found, and zeroed, when the allocator gets there.

use super::map::{BLOCK, BLOCK_GRANULES, Block, EDGE, GRANULE, MARK, Map, OBJECT, ONES, SCAN, SPAN};

const TOP: u32 = usize::BITS - 4;

/// How many words are looked at together, for whether nothing is live in them, or everything.
const GROUP: usize = 4;

/// What the sweep hands from one word of the map to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Live,
    Hole,
}

/// How many codes a mask of lowest bits stands for.
#[inline(always)]
fn count(ones: usize) -> usize {
    // The product's top four bits are the sum, modulo 16: all 16 of a 64-bit word look like none.
    if ones == ONES { SPAN / GRANULE } else { ones.wrapping_mul(ONES) >> TOP }
}

/// One word of the map, swept, the granules in it that are live, and what its last edge is.
///
/// What is live and what follows it is found by one addition: a one, added behind each live start, runs as a carry through
/// the codes that are no edge, which have all bits set here, leaves zeroes there, and comes to rest on the next edge.
#[inline(always)]
fn word(word: usize, last: Last) -> (usize, usize, Last) {
    let edges = word & ONES;
    let live = (word / MARK) & ONES;
    let inside = !(edges << 4).wrapping_sub(edges);
    let (sum, beyond) = inside.overflowing_add(live << 4 | usize::from(last == Last::Live));
    // A hole begins where something dead or free follows something live.
    let holes = sum & edges & !live;
    let kept = word & live.wrapping_mul(EDGE | SCAN | OBJECT) | holes;
    let covered = live | inside & !sum & ONES;
    let last = if beyond | (live >> TOP != 0) { Last::Live } else { Last::Hole };
    (kept, count(covered), last)
}

impl Map {
    /// Sweeps the heap; answers the bytes that are free.
    #[inline(never)] // once a collection; its loop has the registers to itself
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
            let mut granules = usize::from(BLOCK_GRANULES);
            // SAFETY: the words of this block, to which nothing else refers.
            let groups = unsafe { &mut *self.word(at).cast::<[[usize; GROUP]; BLOCK / SPAN / GROUP]>() };
            for words in groups {
                let marks = words.iter().fold(0, |marks, word| marks | word) & (MARK * ONES);
                if marks == 0 && last == Last::Hole {
                    *words = [0; GROUP];
                    continue;
                }
                // Nothing died here, and nothing free begins: what was made together often lives and dies together.
                let dead = words.iter().fold(0, |dead, word| dead | (word ^ (word / MARK))) & ONES;
                if dead == 0 && last == Last::Live {
                    words.iter_mut().for_each(|word| *word &= !(MARK * ONES));
                    granules -= GROUP * SPAN / GRANULE;
                    continue;
                }
                for here in words {
                    let (swept, live, now) = word(*here, last);
                    *here = swept;
                    granules -= live;
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
