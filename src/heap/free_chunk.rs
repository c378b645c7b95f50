//! A free chunk: a run of free granules between two runs that are in use.
//!
//! A chunk keeps what the heap must know of it in its own memory, so a block
//! in use carries nothing. Its words, W bytes each:
//!
//! ```text
//!   0        next in its bin            | ONE if the chunk is a single granule
//!   1        previous in its bin        | ONE if the chunk is a single granule
//!   2        length in bytes            (two granules and more)
//!   3        bytes that may be resident (DIRTY_MIN bytes and more)
//!   last     length in bytes            (two granules and more)
//! ```
//!
//! The length stands at both ends so that a neighbour on either side can find
//! the whole. A single granule has no room for it, but pointers to granules and
//! lengths leave their low bit free, and that bit says it.

use core::ptr::NonNull;

use super::class::GRANULE;

/// Low bit of the first and of the last word of a chunk of one granule.
const ONE: usize = 1;

const WORD: usize = size_of::<usize>();

/// Chunks of this many bytes and more say how much of them may be resident, and
/// are worth giving back to the kernel.
pub(super) const DIRTY_MIN: usize = 64 * 1024;

/// A free chunk. Holding one means: it starts at a granule, its memory is
/// committed and belongs to nobody but the heap, and its words are as above.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FreeChunk(NonNull<u8>);

impl FreeChunk {
    /// Writes the words of a new chunk, unlinked.
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
            // in the `len` bytes that the caller gives.
            unsafe {
                at.cast::<usize>().add(2).write(len);
                at.add(len - WORD).cast::<usize>().write(len);
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
    pub(super) fn next(self) -> Option<FreeChunk> {
        self.link(0)
    }

    #[inline]
    pub(super) fn prev(self) -> Option<FreeChunk> {
        self.link(1)
    }

    /// Sets both links; `one` as in the chunk's length.
    #[inline]
    pub(super) fn set_links(self, prev: Option<FreeChunk>, next: Option<FreeChunk>, one: bool) {
        self.set_link(0, next, one);
        self.set_link(1, prev, one);
    }

    #[inline]
    pub(super) fn set_next(self, next: Option<FreeChunk>, one: bool) {
        self.set_link(0, next, one);
    }

    #[inline]
    pub(super) fn set_prev(self, prev: Option<FreeChunk>, one: bool) {
        self.set_link(1, prev, one);
    }

    /// How many bytes of the chunk may be resident: all of them in a chunk too
    /// small to say.
    #[inline]
    pub(super) fn dirty(self) -> usize {
        let len = self.len();
        if len < DIRTY_MIN {
            return len;
        }
        // SAFETY: a chunk of DIRTY_MIN bytes has a word 3.
        unsafe { self.word(3).read() }
    }

    /// Says how many bytes may be resident.
    #[inline]
    pub(super) fn set_dirty(self, bytes: usize) {
        if self.len() >= DIRTY_MIN {
            // SAFETY: a chunk of DIRTY_MIN bytes has a word 3.
            unsafe { self.word(3).write(bytes) };
        }
    }

    /// How many bytes at the front and at the back hold the chunk's words.
    pub(super) const ENDS: (usize, usize) = (4 * WORD, WORD);

    #[inline]
    unsafe fn word(self, i: usize) -> NonNull<usize> {
        // SAFETY: the caller asks for a word that the chunk has.
        unsafe { self.0.cast::<usize>().add(i) }
    }

    #[inline]
    fn link(self, i: usize) -> Option<FreeChunk> {
        // SAFETY: words 0 and 1 are there in every chunk and hold links.
        let word = unsafe { self.0.cast::<*mut u8>().add(i).read() };
        NonNull::new(word.map_addr(|a| a & !ONE)).map(FreeChunk)
    }

    #[inline]
    fn set_link(self, i: usize, to: Option<FreeChunk>, one: bool) {
        let to = to.map_or(core::ptr::null_mut(), |c| c.0.as_ptr());
        // SAFETY: words 0 and 1 are there in every chunk.
        unsafe { self.0.cast::<*mut u8>().add(i).write(to.map_addr(|a| a | usize::from(one))) };
    }
}
