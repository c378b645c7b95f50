//! Size classes: how long the block is that serves a request.
//!
//! Every block is a whole number of granules, and a granule is two words: the
//! least that a free block needs for its links, and the alignment that C's
//! `malloc` promises on every port (16 bytes on 64-bit ones, 8 on 32-bit ones).
//!
//! There is one class for each number of granules up to [`SMALL_MAX`], so a
//! block is never rounded further than to its granule. That is the whole waste:
//! less than one granule a block, which is below 12.5 % from eight granules up.
//! Coarser classes would make reuse likelier, but here the back end joins and
//! splits blocks anyway, so nothing is won by them.

/// The unit of block lengths and the alignment of every block, in bytes.
pub const GRANULE: usize = 2 * size_of::<usize>();

/// The largest request, in bytes, that the front's free lists serve.
pub const SMALL_MAX: usize = 1024;

/// Number of classes; class 0 holds the blocks of zero-sized requests.
pub const CLASSES: usize = class_of(SMALL_MAX) + 1;

/// The class of a request of `size` bytes; meaningful up to [`SMALL_MAX`].
#[inline]
pub const fn class_of(size: usize) -> usize {
    // A layout's size is at most isize::MAX, so this sum cannot overflow.
    (size + (GRANULE - 1)) / GRANULE
}

/// The length in bytes of the blocks of a class. A zero-sized request gets a
/// block too: it must have an address of its own.
#[inline]
pub const fn class_len(class: usize) -> usize {
    if class == 0 { GRANULE } else { class * GRANULE }
}

/// The length in bytes of the block that serves a request of `size` bytes.
#[inline]
pub const fn block_len(size: usize) -> usize {
    class_len(class_of(size))
}
