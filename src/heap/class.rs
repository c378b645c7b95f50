//! Size classes: how long the block is that serves a request.
//!
//! Every block is a whole number of granules, and a granule is two words: the
//! least that a free block needs for its links, and the alignment that C's
//! `malloc` promises on every port (16 bytes on 64-bit ones, 8 on 32-bit ones).
//!
//! Up to 66 granules each number of granules is a class of its own; above, a
//! doubling is divided into 16 classes, up to [`SMALL_MAX`]. Each of those is two granules
//! longer than the division makes it: what is so long is most often a power of two, or
//! a simple part of one, with a header before it, and the header alone would put it into the
//! next class. Longer blocks have no classes; from [`LARGE`] on they are whole pages. So a
//! block is longer than its request by less than a granule or by less than a sixteenth,
//! whichever is more: below 12.5 % from eight granules up.

use core::alloc::Layout;

use crate::sys::PAGE_SIZE_MIN;
use crate::vm::round_up;

/// The unit of block lengths and the alignment of every block, in bytes.
pub const GRANULE: usize = 2 * size_of::<usize>();

/// What a header takes at most, in granules: its owner's words, and the length where the C interface keeps it.
const HEADER: usize = 2;
/// Granules up to which each length is a class, without a header.
const EXACT: usize = 64;
const EXACT_LOG: usize = EXACT.ilog2() as usize;
/// Classes of a doubling, as a binary logarithm.
const STEPS_LOG: usize = 4;

/// The largest request, in bytes, that the cache's free lists serve: 8 KiB and 32 bytes on
/// 64-bit ports, 4 KiB and 16 bytes on 32-bit ones.
pub const SMALL_MAX: usize = (8 * EXACT + HEADER) * GRANULE;

/// From how many bytes on a block is whole pages, and begins at one if that can be:
/// such blocks are copied faster, and all of their memory can be given back.
pub(super) const LARGE: usize = 32 * PAGE_SIZE_MIN;

/// Number of classes; class 0 holds the blocks of zero-sized requests.
pub const CLASSES: usize = class_of(SMALL_MAX) + 1;

/// The class of a request of `size` bytes; meaningful up to [`SMALL_MAX`].
#[inline]
#[allow(clippy::manual_div_ceil, reason = "div_ceil takes twice the instructions, and this is the fast path")]
pub const fn class_of(size: usize) -> usize {
    // A layout's size is at most isize::MAX, so this sum cannot overflow.
    let granules = (size + (GRANULE - 1)) / GRANULE;
    if granules <= EXACT + HEADER {
        return granules;
    }
    let log = log2(granules - HEADER - 1);
    // The top bit of the step, 1 << STEPS_LOG, is always set.
    let step = ((granules - HEADER - 1) >> (log - STEPS_LOG)) - (1 << STEPS_LOG);
    EXACT + HEADER + ((log - EXACT_LOG) << STEPS_LOG) + step + 1
}

/// The place of the top bit of what is not zero. `ilog2` has a check for that, and a panic, which stay in some callers.
#[inline(always)]
pub(super) const fn log2(n: usize) -> usize {
    (usize::BITS - 1 - n.leading_zeros()) as usize
}

/// The length in bytes of the blocks of a class. A zero-sized request gets a
/// block too: it must have an address of its own.
#[inline]
pub const fn class_len(class: usize) -> usize {
    if class == 0 {
        return GRANULE;
    }
    if class <= EXACT + HEADER {
        return class * GRANULE;
    }
    let above = class - EXACT - HEADER - 1;
    let log = EXACT_LOG + (above >> STEPS_LOG);
    let step = (1 << STEPS_LOG) + (above & ((1 << STEPS_LOG) - 1)) + 1;
    ((step << (log - STEPS_LOG)) + HEADER) * GRANULE
}

/// The length in bytes of the block that serves a request. One that is aligned to more than a granule has no class, and is
/// not made longer for one: pages that begin at pages lie side by side.
#[inline(never)]
pub const fn block_len(layout: Layout) -> usize {
    match (SizeClass::of(layout), layout.size()) {
        (Some(class), _) => class.len(),
        (None, 0) => GRANULE,
        (None, size) => round_up(size, if size < LARGE { GRANULE } else { PAGE_SIZE_MIN }),
    }
}

/// A size class, as a number that is known to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeClass(usize);

impl SizeClass {
    /// The class of a request, if it has one: the others are too long, or aligned to more than every block is.
    #[inline]
    pub(super) const fn of(layout: Layout) -> Option<SizeClass> {
        if layout.size() <= SMALL_MAX && layout.align() <= GRANULE {
            Some(SizeClass(class_of(layout.size())))
        } else {
            None
        }
    }

    /// That of requests of no bytes.
    pub(super) const SHORTEST: SizeClass = SizeClass(0);

    /// The next shorter one; after the shortest, the longest.
    pub(super) const fn shorter(self) -> SizeClass {
        SizeClass(if self.0 == 0 { CLASSES - 1 } else { self.0 - 1 })
    }

    /// All of them, from short blocks to long ones.
    pub(super) fn all() -> impl Iterator<Item = SizeClass> {
        (0..CLASSES).map(SizeClass)
    }

    /// Its number.
    #[inline]
    pub(super) const fn index(self) -> usize {
        // SAFETY: `class_of` never falls, so `of` answers at most the class of SMALL_MAX, the last one; no other function
        // here makes a class that is not one.
        unsafe { core::hint::assert_unchecked(self.0 < CLASSES) };
        self.0
    }

    /// The length in bytes of its blocks.
    #[inline]
    pub(super) const fn len(self) -> usize {
        class_len(self.0)
    }
}
