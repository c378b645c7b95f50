//! A free chunk: a run of free granules between two runs that are in use.
//!
//! A chunk keeps what the heap must know of it in its own memory, so a block
//! in use carries nothing. Its words, W bytes each:
//!
//! ```text
//!   0        next of the same bin or length  | ONE if the chunk is a single granule
//!   1        previous, likewise              | ONE if the chunk is a single granule
//!   2        length in bytes                 (two granules and more)
//!   3, 4     children in its bin's tree      (LONG bytes and more, as all that follow)
//!   5        parent in its bin's tree
//!   6, 7     older and newer of the dirty chunks
//!   8        bytes that may be resident and can be given back
//!   9, 10    where those lie at most, from one offset up to another
//!   last     length in bytes                 (two granules and more)
//! ```
//!
//! The length stands at both ends so that a neighbour on either side can find
//! the whole. A single granule has no room for it, but pointers to granules and
//! lengths leave their low bit free, and that bit says it.

use core::ptr::NonNull;

use super::class::GRANULE;
use crate::vm::{round_down, round_up};

/// Low bit of the first and of the last word of a chunk of one granule.
const ONE: usize = 1;

const WORD: usize = size_of::<usize>();

/// Chunks of this many bytes and more have all words; their bins are trees.
pub(super) const LONG: usize = 64 * GRANULE;

/// How many bytes at the front and at the back hold the chunk's words.
const FRONT: usize = 11 * WORD;
const BACK: usize = WORD;

/// A free chunk. Holding one means: it starts at a granule, its memory is
/// committed and belongs to nobody but the heap, and its words are as above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) struct FreeChunk(NonNull<u8>);

/// Another chunk, or none.
type Link = Option<FreeChunk>;

impl FreeChunk {
    /// Writes the words of a new chunk that is in no bin and has nothing to give back.
    ///
    /// # Safety
    ///
    /// The `len` bytes at `at` are whole granules, committed, and in nobody's use.
    #[inline]
    pub(super) unsafe fn write(at: NonNull<u8>, len: usize) -> FreeChunk {
        let chunk = FreeChunk(at);
        chunk.set_links(None, None, len == GRANULE);
        if len > GRANULE {
            // SAFETY: two granules are four words; word 2 and the last word lie
            // in the `len` bytes that the caller gives, and word 8 where there are so many.
            unsafe {
                chunk.word(2).write(len);
                at.add(len - WORD).cast::<usize>().write(len);
                if len >= LONG {
                    chunk.word(8).write(0);
                }
            }
        }
        chunk
    }

    /// The chunk that starts at `at`.
    ///
    /// # Safety
    ///
    /// A free chunk starts there.
    #[inline]
    pub(super) unsafe fn starting(at: NonNull<u8>) -> FreeChunk {
        FreeChunk(at)
    }

    /// The chunk that ends at `end`.
    ///
    /// # Safety
    ///
    /// A free chunk ends there.
    #[inline]
    pub(super) unsafe fn ending(end: NonNull<u8>) -> FreeChunk {
        // SAFETY: the last word of the chunk lies before its end and says how
        // far back it starts.
        unsafe {
            let last = end.sub(WORD).cast::<usize>().read();
            let len = if last & ONE != 0 { GRANULE } else { last };
            FreeChunk(end.sub(len))
        }
    }

    #[inline]
    pub(super) fn start(self) -> NonNull<u8> {
        self.0
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        // SAFETY: word 0 is there in every chunk, word 2 where ONE is not set.
        unsafe { if self.word(0).read() & ONE != 0 { GRANULE } else { self.word(2).read() } }
    }

    #[inline]
    pub(super) fn next(self) -> Link {
        self.link(0)
    }

    #[inline]
    pub(super) fn prev(self) -> Link {
        self.link(1)
    }

    /// Sets both links of a list; `one`: the chunk, and each of its list, is a single granule.
    #[inline]
    pub(super) fn set_links(self, prev: Link, next: Link, one: bool) {
        self.set_link(0, next, one);
        self.set_link(1, prev, one);
    }

    #[inline]
    pub(super) fn set_prev(self, prev: Link, one: bool) {
        self.set_link(1, prev, one);
    }

    /// Puts another chunk of its list behind this one.
    #[inline]
    pub(super) fn insert_after(self, chunk: FreeChunk, one: bool) {
        let next = self.next();
        chunk.set_links(Some(self), next, one);
        if let Some(next) = next {
            next.set_link(1, Some(chunk), one);
        }
        self.set_link(0, Some(chunk), one);
    }

    /// Takes this chunk out of its list: the ones before and after it are linked.
    #[inline]
    pub(super) fn remove_from_list(self, one: bool) {
        let (prev, next) = (self.prev(), self.next());
        if let Some(next) = next {
            next.set_link(1, prev, one);
        }
        if let Some(prev) = prev {
            prev.set_link(0, next, one);
        }
    }

    /// A child in the tree of its bin, of a `LONG` chunk; `side` is 0 or 1.
    #[inline]
    pub(super) fn child(self, side: usize) -> Link {
        self.link(3 + side)
    }

    #[inline]
    pub(super) fn set_child(self, side: usize, child: Link) {
        self.set_link(3 + side, child, false);
    }

    #[inline]
    pub(super) fn parent(self) -> Link {
        self.link(5)
    }

    #[inline]
    pub(super) fn set_parent(self, parent: Link) {
        self.set_link(5, parent, false);
    }

    /// The dirty chunk that became free before this dirty one.
    #[inline]
    pub(super) fn older(self) -> Link {
        self.link(6)
    }

    #[inline]
    pub(super) fn set_older(self, older: Link) {
        self.set_link(6, older, false);
    }

    #[inline]
    pub(super) fn newer(self) -> Link {
        self.link(7)
    }

    #[inline]
    pub(super) fn set_newer(self, newer: Link) {
        self.set_link(7, newer, false);
    }

    /// The whole pages that hold none of the chunk's words, as offsets from its start; empty if there is none.
    #[inline]
    pub(super) fn pages(self, len: usize, page: usize) -> (usize, usize) {
        let start = self.0.addr().get();
        let (from, to) = (round_up(start + FRONT, page), round_down(start + len - BACK, page));
        if from < to { (from - start, to - start) } else { (0, 0) }
    }

    /// How many bytes of its pages may be resident.
    #[inline]
    pub(super) fn dirty(self, len: usize) -> usize {
        // SAFETY: a LONG chunk has a word 8.
        if len < LONG { 0 } else { unsafe { self.word(8).read() } }
    }

    /// Says how many bytes may be resident, and between which offsets.
    #[inline]
    pub(super) fn set_dirty(self, bytes: usize, from: usize, to: usize) {
        debug_assert!(self.len() >= LONG);
        // SAFETY: a LONG chunk has these words.
        unsafe {
            self.word(8).write(bytes);
            self.word(9).write(from);
            self.word(10).write(to);
        }
    }

    /// Between which offsets the bytes of a dirty chunk lie that may be resident.
    #[inline]
    pub(super) fn dirty_between(self) -> (usize, usize) {
        // SAFETY: a dirty chunk is LONG.
        unsafe { (self.word(9).read(), self.word(10).read()) }
    }

    #[inline]
    unsafe fn word(self, i: usize) -> NonNull<usize> {
        // SAFETY: the caller asks for a word that the chunk has.
        unsafe { self.0.cast::<usize>().add(i) }
    }

    #[inline]
    fn link(self, i: usize) -> Link {
        // SAFETY: words 0 and 1 are there in every chunk, the others in those that have such links.
        let word = unsafe { self.0.cast::<*mut u8>().add(i).read() };
        NonNull::new(word.map_addr(|a| a & !ONE)).map(FreeChunk)
    }

    #[inline]
    fn set_link(self, i: usize, to: Link, one: bool) {
        let to = to.map_or(core::ptr::null_mut(), |c| c.0.as_ptr());
        // SAFETY: as in `link`.
        unsafe { self.0.cast::<*mut u8>().add(i).write(to.map_addr(|a| a | usize::from(one))) };
    }
}
