//! The map of the heap: four bits for each granule, and a table of blocks.
//!
//! A *granule* is one machine word of the heap. Its four bits, a *code*, are nonzero where an object or a hole begins:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | nothing begins here |
//! | `EDGE` | a hole begins here: free memory up to the next edge |
//! | `EDGE OBJECT` | an object begins here that is never scanned (a leaf) |
//! | `EDGE OBJECT SCAN` | an object begins here whose words may be references |
//! | ... with `MARK` | it was reached; only while the collector marks |
//! | `OBJECT SCAN MARK`, no `EDGE` | it was reached, and waits to be scanned since the mark stack was full |
//! | ... with `OBJECT`, no `EDGE` or `MARK` | it is watched: the key of an ephemeron, which was not reached |
//!
//! No object has a header, and no length is written anywhere: an object ends where the next edge is. The codes of 16
//! granules (8 on 32-bit ports) make one word of the map, so that the usual object is found, measured and marked by one
//! load, and `OBJECT` is the top bit of its code, so that a count of leading zeros says where the nearest edge below an
//! address is and, by its remainder, whether that is an object.
//!
//! A *block* is 4 KiB of heap. Its entry in the table shortens the ways that would be long bit by bit: to the start of a
//! large object, to its end, over what is free and over what is full.

use core::ptr::NonNull;

use crate::arch::below_by_top_bit;

pub(super) const WORD: usize = size_of::<usize>();
pub(super) const BITS: usize = usize::BITS as usize;
/// The top bit.
const TURN: usize = isize::MIN as usize;
/// How far above the heap's last byte the range reaches that a word is compared with: so far that the distance from there
/// is, but for whole words of the map, the distance from the first byte of the last granule. Behind the heap the map says
/// that nothing is there.
const ABOVE: usize = SPAN - (GRANULE - 1);

/// Bytes of heap for which there is one code.
pub const GRANULE: usize = WORD;
/// Bytes of heap for which there is one word of the map.
pub(super) const SPAN: usize = BITS / 4 * GRANULE;
/// Bytes of heap for which there is one entry in the table.
pub(super) const BLOCK: usize = 4096;
/// Granules of a block.
pub(super) const BLOCK_GRANULES: u16 = (BLOCK / GRANULE) as u16;
/// Objects of this many bytes and more are large: the table says for each block that begins inside one where it begins.
pub(super) const LARGE: usize = 2 * BLOCK;

pub(super) const EDGE: usize = 1;
pub(super) const MARK: usize = 2;
pub(super) const SCAN: usize = 4;
pub(super) const OBJECT: usize = 8;
/// The lowest bit of every code of a word.
pub(super) const ONES: usize = usize::MAX / 15;

/// What the table says of a block.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Block {
    /// How many blocks before this one the large object begins that covers this block's first byte; 0: none does.
    pub(super) back: u32,
    /// While marking: the next block that holds objects which wait to be scanned, its number and 1; 0: in no list.
    pub(super) next: u32,
    /// Granules in holes, of blocks that the allocator has not taken anything of; no more than those otherwise.
    pub(super) free: u16,
    /// Whether its memory was given back to the kernel, so that there is none to give back.
    pub(super) purged: bool,
}

/// The map of one heap: where its words are, and the range that they describe.
///
/// A map lies on the stack, which may be scanned for references: it holds no address of the heap itself. With the top bits
/// turned one signed comparison says whether an address is in range, as one without signs does else.
#[derive(Clone, Copy)]
pub(super) struct Map {
    /// Where the word for address 0 would be.
    bias: *mut usize,
    /// The address of the heap's last byte and `ABOVE`, with its top bit turned.
    last: usize,
    /// The heap's length, bytes, whole blocks, and `ABOVE`, with its top bit turned.
    len: isize,
    table: NonNull<Block>,
    /// The granule before the heap.
    before: NonNull<u8>,
}

/// The position of the code of a granule, `at` being its address, in its word, and whole words more: for shifts that wrap.
#[inline(always)]
pub(super) fn place(at: usize) -> u32 {
    (at / (GRANULE / 4)) as u32
}

/// The position of the code of a granule, `at` being its address, in its word.
#[inline(always)]
pub(super) fn shift(at: usize) -> usize {
    place(at) as usize % BITS
}

impl Map {
    /// The map of an empty range that begins at `base`.
    ///
    /// # Safety
    ///
    /// `base` is a multiple of a block, and the granule before it is of the same memory. The first of `words` can be written.
    /// Before the range is made longer, `words` and `table` have zeroed entries for all of it and for one word and one block
    /// more.
    pub(super) unsafe fn new(base: NonNull<u8>, words: NonNull<usize>, table: NonNull<Block>) -> Map {
        let start = base.addr().get();
        // SAFETY: the same memory.
        let before = unsafe { base.sub(GRANULE) };
        // SAFETY: the word for the heap's end, which is its start.
        unsafe { words.write(EDGE) };
        let bias = words.as_ptr().wrapping_sub(start / SPAN);
        Map { bias, last: (start - 1 + ABOVE) ^ TURN, len: isize::MIN + ABOVE as isize, table, before }
    }

    /// The first address of the heap.
    #[inline(always)]
    pub(super) fn start(&self) -> usize {
        self.before.addr().get() + GRANULE
    }

    /// The address behind the heap. There is always an edge.
    #[inline(always)]
    pub(super) fn end(&self) -> usize {
        (self.last ^ TURN) + 1 - ABOVE
    }

    /// Bytes of heap.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        (self.len as usize ^ TURN) - ABOVE
    }

    /// How many blocks the heap has.
    pub(super) fn blocks(&self) -> usize {
        self.len() / BLOCK
    }

    /// Makes the heap longer by `bytes`, a multiple of a block: by a hole.
    ///
    /// # Safety
    ///
    /// Map and table are there for the new range, and zeroed.
    pub(super) unsafe fn extend(&mut self, bytes: usize) {
        let old = self.end();
        self.len += bytes as isize;
        self.last = self.last.wrapping_add(bytes);
        // SAFETY: inside map and table.
        unsafe {
            *self.word(old) = EDGE;
            *self.word(self.end()) = EDGE;
            for block in old / BLOCK..self.end() / BLOCK {
                *self.block(block * BLOCK) = Block { free: BLOCK_GRANULES, purged: true, ..Block::default() };
            }
        }
    }

    /// How far below the upper end of the range a word is, its top bit turned; `None` if it is neither in the heap nor in the
    /// granules behind it that the map's last word describes.
    #[inline(always)]
    fn below_last(&self, word: usize) -> Option<usize> {
        let below = self.last.wrapping_sub(word);
        ((below as isize) < self.len).then_some(below)
    }

    /// Whether the word is the address of a granule of the heap, or just behind it.
    #[inline(always)]
    pub(super) fn has_granule(&self, word: usize) -> bool {
        self.below_last(word).is_some() && word.is_multiple_of(GRANULE)
    }

    /// Whether the word is the address of a byte of the heap, or just behind it.
    #[inline(always)]
    pub(super) fn has_byte(&self, word: usize) -> bool {
        self.below_last(word).is_some()
    }

    /// The pointer to an address of the heap.
    #[inline(always)]
    pub(super) fn pointer(&self, at: usize) -> NonNull<u8> {
        // SAFETY: an address of the heap is not zero.
        unsafe { NonNull::new_unchecked(self.before.as_ptr().with_addr(at)) }
    }

    /// The word of the map with the code of `at`, which lies in the heap or is its end.
    #[inline(always)]
    pub(super) fn word(&self, at: usize) -> *mut usize {
        self.bias.wrapping_add(at / SPAN)
    }

    /// The entry of the block that `at` lies in.
    #[inline(always)]
    pub(super) fn block(&self, at: usize) -> *mut Block {
        self.table.as_ptr().wrapping_add((at - self.start()) / BLOCK)
    }

    /// The code of a granule of the heap.
    #[inline(always)]
    pub(super) fn code(&self, at: usize) -> usize {
        // SAFETY: inside the map.
        unsafe { *self.word(at) >> shift(at) & 15 }
    }

    /// Sets bits of the code of a granule.
    #[inline(always)]
    pub(super) fn set(&mut self, at: usize, bits: usize) {
        // SAFETY: inside the map.
        unsafe { *self.word(at) |= bits << shift(at) }
    }

    /// Clears bits of the code of a granule.
    #[inline(always)]
    pub(super) fn clear(&mut self, at: usize, bits: usize) {
        // SAFETY: inside the map.
        unsafe { *self.word(at) &= !(bits << shift(at)) }
    }

    /// Writes an object of `len` bytes where a hole begins, and a hole behind it.
    #[inline(always)]
    pub(super) fn place(&mut self, at: usize, len: usize, code: usize) {
        self.set(at, code);
        self.set(at + len, EDGE);
    }

    /// The start of the object that `word`, any word, points into.
    ///
    /// The word is not rounded to its granule first. What it has beyond the granule's start makes the codes be shifted by
    /// fewer bits, so that the place that is found is as much lower, and the sum comes out even, but for odd addresses on
    /// 64-bit ports. Those, and bits of the next granule's code that are left at the top, lead to an address between
    /// granules, and are looked at again.
    #[inline(always)]
    pub(super) fn find(&self, word: usize) -> Option<usize> {
        let below_last = self.below_last(word)?;
        // The codes up to this granule's, at the top.
        let places = below_last / (GRANULE / 4);
        // SAFETY: `word` is in the heap.
        let below = unsafe { *self.word(word) }.wrapping_shl(places as u32);
        // `OBJECT` is the top bit of a code, so that its place says how many whole codes are above it. Any other code's top
        // bit is a lower one: an address between granules comes of that, as of `places` where there is no code.
        let start = below_by_top_bit(word, below, places);
        if !start.is_multiple_of(GRANULE) {
            return self.find_further(word & !(GRANULE - 1));
        }
        Some(start)
    }

    #[cold]
    #[inline(never)]
    fn find_further(&self, at: usize) -> Option<usize> {
        self.nearest(at).and_then(|(start, code)| (code & OBJECT != 0).then_some(start))
    }

    /// The nearest start at or below an address of the heap, and its code. `None` in a large hole.
    pub(super) fn nearest(&self, at: usize) -> Option<(usize, usize)> {
        let mut at = at;
        loop {
            // SAFETY: `at` is in the heap.
            let below = unsafe { *self.word(at) } << (BITS - 4 - shift(at));
            if below != 0 {
                let granules = below.leading_zeros() as usize / 4;
                return Some((at - granules * GRANULE, below << (granules * 4) >> (BITS - 4)));
            }
            // The last granule of the span below.
            let span = at & !(SPAN - 1);
            at = span - GRANULE;
            if span.is_multiple_of(BLOCK) {
                // SAFETY: both blocks are in the heap: its first granule is an edge, so that nothing leads below it.
                let (back, free) = unsafe { ((*self.block(span)).back as usize, (*self.block(at)).free) };
                if back > 0 {
                    at -= (back - 1) * BLOCK;
                } else if free == BLOCK_GRANULES {
                    return None;
                }
            }
        }
    }

    /// The length of what begins at `start`, an edge, bytes. In few instructions.
    #[inline(always)]
    pub(super) fn len_of(&self, start: usize) -> usize {
        // SAFETY: `start` is in the heap.
        let above = unsafe { *self.word(start) } >> shift(start) >> 4;
        // A code that waits to be scanned has no lowest bit.
        if above != 0 {
            return (above.trailing_zeros() as usize / 4 + 1) * GRANULE;
        }
        let next = (start | (SPAN - 1)) + 1;
        // SAFETY: in the heap, or its end.
        let codes = unsafe { *self.word(next) };
        if codes != 0 { next - start + codes.trailing_zeros() as usize / 4 * GRANULE } else { self.len_further(start) }
    }

    /// The same for the marker, which looks at objects in an order of its own: where in a word of the map their codes lie is
    /// as good as random there, and no branch depends on it.
    #[inline(always)]
    pub(super) fn len_anywhere(&self, start: usize) -> usize {
        let word = self.word(start);
        let place = place(start);
        // A whole word of the codes behind the first one.
        // SAFETY: `start` is in the heap, and the map has a word for its end.
        let above = unsafe {
            word.read().wrapping_shr(place) >> 4
                | word.add(1).read().wrapping_shl((BITS as u32 - 4).wrapping_sub(place))
        };
        if above != 0 { (above.trailing_zeros() as usize / 4 + 1) * GRANULE } else { self.len_further(start) }
    }

    #[cold]
    #[inline(never)]
    fn len_further(&self, start: usize) -> usize {
        let mut at = (start | (SPAN - 1)) + 1;
        if at.is_multiple_of(BLOCK) || self.next_span(at, (at | (BLOCK - 1)) + 1).is_err() {
            // Over the blocks that say that they begin inside this object.
            at = at.next_multiple_of(BLOCK) + self.covered(start) * BLOCK;
        }
        match self.next_span(at, self.end() + SPAN) {
            Ok(edge) | Err(edge) => edge - start,
        }
    }

    /// How many blocks behind the first block border above `start` begin inside the large object there, but for the last.
    fn covered(&self, start: usize) -> usize {
        let first = (start - self.start()) / BLOCK;
        let inside = |n: usize| {
            first + n < self.blocks() && {
                // SAFETY: a block of the heap.
                unsafe { (*self.table.as_ptr().wrapping_add(first + n)).back as usize == n }
            }
        };
        // What is inside comes before what is not.
        let (mut last, mut step) = (0, 1 << self.blocks().ilog2());
        while step > 0 {
            if inside(last + step) {
                last += step;
            }
            step /= 2;
        }
        last.saturating_sub(1)
    }

    /// The first edge in the spans from `at` on; where there is none below `to`, that is the error.
    #[inline(never)] // from three places
    fn next_span(&self, at: usize, to: usize) -> Result<usize, usize> {
        let mut at = at;
        while at < to {
            // SAFETY: in the heap or at its end.
            let word = unsafe { *self.word(at) };
            if word != 0 {
                return Ok(at + word.trailing_zeros() as usize / 4 * GRANULE);
            }
            at += SPAN;
        }
        Err(to)
    }

    /// The first edge above `start`, or `start + most` if there is none up to there.
    pub(super) fn next_edge(&self, start: usize, most: usize) -> usize {
        // SAFETY: in the heap.
        let above = unsafe { *self.word(start) } >> shift(start) >> 4;
        let found = if above != 0 {
            start + (above.trailing_zeros() as usize / 4 + 1) * GRANULE
        } else {
            match self.next_span((start | (SPAN - 1)) + 1, start.saturating_add(most).min(self.end())) {
                Ok(at) | Err(at) => at,
            }
        };
        found.min(start.saturating_add(most))
    }
}
