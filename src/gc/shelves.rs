//! Shelves: holes by their length, between two collections.
//!
//! There is a shelf for each length below that of a large object. The first word of a hole on a shelf leads to the next one
//! there, and a bit says which shelves have one: so the shortest hole that will do is found in a few steps, however many
//! holes there are. Of runs of free blocks, which large objects need, no more is known than below which address there is none.

use super::map::{BITS, GRANULE, LARGE, Map};

/// A shelf for each number of granules.
const SHELVES: usize = LARGE / GRANULE;

/// Classes of large objects, each twice as long as the one below, but for the last one, which has no end.
pub(super) const CLASSES: usize = 16;

/// Where the search for a large object of a class begins.
#[derive(Clone, Copy)]
pub(super) struct Rover {
    /// An address below which no run of free blocks begins that has room for the shortest of the class ...
    pub(super) any: usize,
    /// ... and one below which none begins that has room for this many bytes: what a search found that passed very many.
    pub(super) len: usize,
    pub(super) at: usize,
}

/// Empty if all is zero.
#[repr(C)]
pub(super) struct Shelves {
    /// For each class of large objects.
    pub(super) rovers: [Rover; CLASSES],
    /// The address of the first hole of each shelf, or 0.
    heads: [usize; SHELVES],
    /// A bit for each shelf that has a hole ...
    filled: [usize; SHELVES / BITS],
    /// ... and the last of these words that had one.
    last: usize,
}

impl Shelves {
    /// Puts a hole of `len` bytes on its shelf.
    ///
    /// # Safety
    ///
    /// The hole is free memory of the heap, in no other place, a granule or more, and shorter than a large object.
    #[inline]
    pub(super) unsafe fn put(&mut self, map: &Map, at: usize, len: usize) {
        let shelf = len / GRANULE % SHELVES; // no index is checked for this
        // SAFETY: the caller says that it is free and not too short.
        unsafe { map.pointer(at).cast::<usize>().write(self.heads[shelf]) };
        self.heads[shelf] = at;
        self.filled[shelf / BITS] |= 1 << (shelf % BITS);
        self.last = self.last.max(shelf / BITS);
    }

    /// Takes the shortest hole that has `len` bytes: its start and its end.
    #[inline]
    pub(super) fn take(&mut self, map: &Map, len: usize) -> Option<(usize, usize)> {
        let shelf = self.lowest(len / GRANULE % SHELVES)? % SHELVES;
        let at = self.heads[shelf];
        // SAFETY: a hole on a shelf is free memory of the heap.
        let next = unsafe { map.pointer(at).cast::<usize>().read() };
        self.heads[shelf] = next;
        if next == 0 {
            self.filled[shelf / BITS] &= !(1 << (shelf % BITS));
        }
        Some((at, at + shelf * GRANULE))
    }

    /// The lowest shelf from `least` on that has a hole.
    fn lowest(&self, least: usize) -> Option<usize> {
        let mut word = least / BITS;
        let mut holes = self.filled[word] & usize::MAX << (least % BITS);
        while holes == 0 {
            if word >= self.last {
                return None;
            }
            word = (word + 1) % self.filled.len(); // no index is checked for this
            holes = self.filled[word];
        }
        Some(word * BITS + holes.trailing_zeros() as usize)
    }
}
