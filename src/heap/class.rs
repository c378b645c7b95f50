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
//!
//! Blocks that are aligned to more than a granule have classes of their own, for each of three alignments, the longest 128
//! bytes on 64-bit ports and 64 on 32-bit ones: what threads keep apart, and what vector instructions want. Their lengths are
//! the multiples of the alignment, so a run of such blocks is aligned if its first is; that is also what Rust's types are
//! long. The block may be longer than other requests by less than the alignment. A class belongs to one alignment, as a block
//! does that is made longer or shorter where it is. Blocks that are aligned to more have no classes: pages, most often.

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

/// The largest request, in bytes, that the cache's free lists serve, if it is not aligned to more than a granule: 8 KiB and
/// 32 bytes on 64-bit ports, 4 KiB and 16 bytes on 32-bit ones.
pub const SMALL_MAX: usize = (8 * EXACT + HEADER) * GRANULE;

/// From how many bytes on a block is whole pages, and begins at one if that can be:
/// such blocks are copied faster, and all of their memory can be given back.
pub(super) const LARGE: usize = 32 * PAGE_SIZE_MIN;

/// Number of the classes of blocks that are aligned to a granule; class 0 holds the blocks of zero-sized requests.
const ORDINARY: usize = class_of(SMALL_MAX) + 1;

/// So many alignments above a granule have classes, each twice the one before ...
const ALIGNMENTS: usize = 3;
/// ... and each alignment so many: the multiples of it from one on.
const MULTIPLES: usize = 16;
/// `block_len` looks for no class above that.
const _: () = assert!((MULTIPLES << ALIGNMENTS) * GRANULE <= SMALL_MAX);

/// Number of classes. Those that [`class_of`] answers come first. Behind them come those of blocks that are aligned to 2, 4
/// and 8 times a [`GRANULE`]: for each of these alignments from one to 16 times as long.
pub const CLASSES: usize = ORDINARY + ALIGNMENTS * MULTIPLES;

/// The class of a request of `size` bytes that is aligned to a granule at most; meaningful up to [`SMALL_MAX`].
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
#[inline(never)] // seldom, and from many places
pub const fn class_len(class: usize) -> usize {
    if class >= ORDINARY {
        let above = class - ORDINARY;
        return (above % MULTIPLES + 1) * class_align(class);
    }
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

/// To what the blocks of a class are aligned: the length is a multiple of it.
const fn class_align(class: usize) -> usize {
    if class < ORDINARY { GRANULE } else { (2 * GRANULE) << ((class - ORDINARY) / MULTIPLES) }
}

/// The length in bytes of the block that serves a request. One that has no class is not made longer for its alignment: pages
/// that begin at pages lie side by side.
#[inline(never)]
pub const fn block_len(layout: Layout) -> usize {
    let size = layout.size();
    if size > SMALL_MAX {
        return round_up(size, if size < LARGE { GRANULE } else { PAGE_SIZE_MIN });
    }
    match SizeClass::of(layout) {
        Some(class) => class.len(),
        None => round_up(size + (size == 0) as usize, GRANULE),
    }
}

/// A size class, as a number that is known to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SizeClass(usize);

impl SizeClass {
    /// The class of a request that is aligned as every block is, if it is not too long.
    #[inline]
    pub(super) const fn of_ordinary(layout: Layout) -> Option<SizeClass> {
        if layout.size() <= SMALL_MAX && layout.align() <= GRANULE {
            Some(SizeClass(class_of(layout.size())))
        } else {
            None
        }
    }

    /// The class of a request that is aligned to more, if it has one.
    #[inline]
    pub(super) const fn of_aligned(layout: Layout) -> Option<SizeClass> {
        let log = log2(layout.align());
        // Both differences wrap: an alignment that every block has, and a request of no bytes, have no class here.
        let doublings = log.wrapping_sub(log2(2 * GRANULE));
        let further = layout.size().wrapping_sub(1) >> log;
        if doublings < ALIGNMENTS && further < MULTIPLES {
            Some(SizeClass(ORDINARY + doublings * MULTIPLES + further))
        } else {
            None
        }
    }

    /// The class of a request, if it has one: the others are too long, or aligned to more than any class is.
    #[inline]
    pub(super) const fn of(layout: Layout) -> Option<SizeClass> {
        if layout.size() > SMALL_MAX { None } else { SizeClass::of_short(layout) }
    }

    /// The same where a request may be short enough.
    #[inline(never)] // seldom, and from many places
    const fn of_short(layout: Layout) -> Option<SizeClass> {
        if layout.align() <= GRANULE { SizeClass::of_ordinary(layout) } else { SizeClass::of_aligned(layout) }
    }

    /// That of requests of no bytes.
    pub(super) const SHORTEST: SizeClass = SizeClass(0);

    /// The one before; before the first, the last.
    pub(super) const fn before(self) -> SizeClass {
        SizeClass(if self.0 == 0 { CLASSES - 1 } else { self.0 - 1 })
    }

    /// All of them: from short blocks to long ones, for each alignment.
    pub(super) fn all() -> impl Iterator<Item = SizeClass> {
        (0..CLASSES).map(SizeClass)
    }

    /// Its number.
    #[inline]
    pub(super) const fn index(self) -> usize {
        // SAFETY: `class_of` never falls, so `of_ordinary` answers at most the class of SMALL_MAX, the last ordinary one;
        // `of_aligned` answers one of MULTIPLES behind those for each of ALIGNMENTS; no other function here makes a class
        // that is not one.
        unsafe { core::hint::assert_unchecked(self.0 < CLASSES) };
        self.0
    }

    /// The length in bytes of its blocks.
    #[inline]
    pub(super) const fn len(self) -> usize {
        class_len(self.0)
    }

    /// To what its blocks are aligned.
    pub(super) const fn align(self) -> usize {
        class_align(self.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn classes_are_as_long_and_as_aligned_as_requests_want() {
        let mut used = [false; CLASSES];
        for align in (0..14).map(|log| 1 << log) {
            for size in 0..=SMALL_MAX + 1 {
                let layout = Layout::from_size_align(size, align).expect("a layout");
                let class = SizeClass::of(layout);
                let has_one = if align <= GRANULE { size <= SMALL_MAX } else { size > 0 && size <= 16 * align };
                assert_eq!(class.is_some(), has_one && align <= 8 * GRANULE, "{layout:?}");
                let Some(class) = class else { continue };
                used[class.index()] = true;
                assert_eq!(class.align(), align.max(GRANULE), "{layout:?}");
                assert_eq!((class.len(), class.len() % class.align()), (block_len(layout), 0), "{layout:?}");
                assert!(class.len() >= size && class.index() < CLASSES);
                // What is aligned to more is longer only as far as the next block is to be aligned, too.
                assert!(align <= GRANULE || class.len() - size < align, "{layout:?} in {}", class.len());
            }
        }
        assert_eq!(used, [true; CLASSES]);
    }

    #[test]
    fn no_two_classes_are_the_same() {
        let mut kinds: Vec<_> = SizeClass::all().skip(1).map(|class| (class.align(), class.len())).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // That of no bytes is as long as the next one.
        assert_eq!(kinds.len(), CLASSES - 1);
    }
}
