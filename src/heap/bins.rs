//! The bins: free chunks sorted by length.
//!
//! Up to 64 granules each length has a bin of its own; above, a doubling is
//! divided into eight bins, up to 2^26 granules, and the last bin holds
//! everything longer. A bit for each bin says whether it holds anything, so the
//! next bin that does is found in a few instructions.

use super::class::GRANULE;
use super::free_chunk::FreeChunk;

const EXACT: usize = 64;
const EXACT_LOG: usize = EXACT.ilog2() as usize;
const STEPS_LOG: usize = 3;
const DOUBLINGS: usize = 20;

/// Number of bins.
pub(super) const BINS: usize = EXACT + (DOUBLINGS << STEPS_LOG);

const BITS: usize = u32::BITS as usize;

/// Chunks of one bin looked at for one that is long enough, before a longer bin
/// is taken from.
const LOOK: usize = 2;

/// The bin of chunks of `len` bytes.
#[inline]
pub(super) const fn bin_of(len: usize) -> usize {
    let granules = len / GRANULE;
    let bin = if granules < EXACT {
        granules
    } else {
        let log = granules.ilog2() as usize;
        let step = (granules >> (log - STEPS_LOG)) & ((1 << STEPS_LOG) - 1);
        EXACT + ((log - EXACT_LOG) << STEPS_LOG) + step
    };
    if bin < BINS { bin } else { BINS - 1 }
}

/// All free chunks.
pub(super) struct Bins {
    heads: [Option<FreeChunk>; BINS],
    filled: [u32; BINS / BITS],
}

impl Bins {
    pub(super) const fn new() -> Bins {
        Bins { heads: [None; BINS], filled: [0; BINS / BITS] }
    }

    /// Puts a chunk, which is in no bin, into its bin.
    #[inline]
    pub(super) fn insert(&mut self, chunk: FreeChunk, len: usize) {
        let bin = bin_of(len);
        let one = len == GRANULE;
        let head = self.heads[bin];
        chunk.set_links(None, head, one);
        if let Some(head) = head {
            head.set_prev(Some(chunk), one);
        }
        self.heads[bin] = Some(chunk);
        self.filled[bin / BITS] |= 1 << (bin % BITS);
    }

    /// Takes a chunk out of its bin.
    #[inline]
    pub(super) fn remove(&mut self, chunk: FreeChunk, len: usize) {
        let one = len == GRANULE;
        let (prev, next) = (chunk.prev(), chunk.next());
        if let Some(next) = next {
            next.set_prev(prev, one);
        }
        if let Some(prev) = prev {
            prev.set_next(next, one);
            return;
        }
        let bin = bin_of(len);
        self.heads[bin] = next;
        if next.is_none() {
            self.filled[bin / BITS] &= !(1 << (bin % BITS));
        }
    }

    /// A chunk of at least `len` bytes, which stays in its bin: of the lengths
    /// that a bin tells apart, the smallest there is.
    pub(super) fn find(&self, len: usize) -> Option<FreeChunk> {
        let bin = bin_of(len);
        if bin < EXACT {
            return self.first_from(bin);
        }
        // Chunks of this bin may be too short, those of later ones are not.
        let later = self.first_from(bin + 1);
        let mut looks = 0;
        let mut next = self.heads[bin];
        while let Some(chunk) = next {
            if chunk.len() >= len {
                return Some(chunk);
            }
            looks += 1;
            if looks >= LOOK && later.is_some() {
                break;
            }
            next = chunk.next();
        }
        later
    }

    /// The chunks of a bin.
    pub(super) fn chunks(&self, bin: usize) -> impl Iterator<Item = FreeChunk> {
        core::iter::successors(self.heads[bin], |c| c.next())
    }

    /// Whether each bin that holds something, and no other, is marked as filled.
    pub(super) fn marks_are_right(&self) -> bool {
        (0..BINS).all(|bin| self.heads[bin].is_some() == (self.filled[bin / BITS] >> (bin % BITS) & 1 != 0))
    }

    /// The first chunk of the first bin from `bin` on that holds any.
    fn first_from(&self, bin: usize) -> Option<FreeChunk> {
        let mut at = bin / BITS;
        let mut bits = *self.filled.get(at)? & (u32::MAX << (bin % BITS));
        while bits == 0 {
            at += 1;
            bits = *self.filled.get(at)?;
        }
        *self.heads.get(at * BITS + bits.trailing_zeros() as usize)?
    }
}
