//! An address space: which ranges are taken, and by what.
//!
//! For the FreeBSD runner it plays the kernel's map (`sys/vm/vm_map.c`): it decides where the next mapping goes and
//! what counts against the limit, and Linux only stores the pages. For the Linux runner it records which mappings are
//! the program's own.

use std::collections::BTreeMap;
use std::ops::Range;

/// What is in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A segment of the program.
    Image,
    /// The part of the stack that has grown.
    Stack,
    /// Where the stack may still grow: a guard, which is never counted.
    StackGap,
    /// The page with the kernel's signal trampoline and clock.
    SharedPage,
    /// What the program has mapped.
    Mapping,
    /// What the program has mapped with `MAP_GUARD`; it is never counted.
    Guard,
    /// What a test has put in the program's way. It is not counted, and the program must not touch it.
    Foreign,
}

impl Kind {
    /// Whether the range counts in `map->size`.
    fn counted(self) -> bool {
        !matches!(self, Kind::StackGap | Kind::Guard | Kind::Foreign)
    }

    /// Whether Linux has pages for it.
    #[must_use]
    pub fn backed(self) -> bool {
        matches!(self, Kind::Image | Kind::Stack | Kind::Mapping)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    end: u64,
    kind: Kind,
}

/// The ranges of one process.
#[derive(Clone, Debug)]
pub struct Space {
    entries: BTreeMap<u64, Entry>,
    size: u64,
    peak: u64,
    bounds: Range<u64>,
}

impl Space {
    /// An empty address space between the lowest and the highest address that a program may have.
    #[must_use]
    pub fn new(bounds: Range<u64>) -> Space {
        Space { entries: BTreeMap::new(), size: 0, peak: 0, bounds }
    }

    /// `map->size`: what counts against the limit, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The largest `size` there has been.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.peak
    }

    /// Whether programs may have mappings in the range.
    #[must_use]
    pub fn allows(&self, range: &Range<u64>) -> bool {
        range.start >= self.bounds.start && range.end <= self.bounds.end && range.start <= range.end
    }

    /// Takes a range, in place of whatever was in it.
    pub fn insert(&mut self, range: Range<u64>, kind: Kind) {
        self.remove(range.clone());
        if range.is_empty() {
            return;
        }
        if kind.counted() {
            self.size += range.end - range.start;
            self.peak = self.peak.max(self.size);
        }
        self.entries.insert(range.start, Entry { end: range.end, kind });
    }

    /// Frees a range. The parts of entries beyond its ends stay.
    pub fn remove(&mut self, range: Range<u64>) {
        for (part, kind) in self.overlaps(range) {
            let (start, entry) = self.entry_at(part.start);
            self.entries.remove(&start);
            if kind.counted() {
                self.size -= part.end - part.start;
            }
            if start < part.start {
                self.entries.insert(start, Entry { end: part.start, kind });
            }
            if part.end < entry.end {
                self.entries.insert(part.end, Entry { end: entry.end, kind });
            }
        }
    }

    /// The parts of a range that are taken, in order, and by what.
    #[must_use]
    pub fn overlaps(&self, range: Range<u64>) -> Vec<(Range<u64>, Kind)> {
        let before = self.entries.range(..=range.start).next_back();
        let first = before.filter(|(_, entry)| entry.end > range.start).map_or(range.start, |(start, _)| *start);
        self.entries
            .range(first..range.end.max(first))
            .map(|(start, entry)| ((*start).max(range.start)..entry.end.min(range.end), entry.kind))
            .filter(|(part, _)| !part.is_empty())
            .collect()
    }

    /// The first free range of `length` bytes from `hint` upwards whose start is a multiple of `align`
    /// (`vm_map_findspace`).
    #[must_use]
    pub fn find(&self, hint: u64, length: u64, align: u64) -> Option<u64> {
        let mut start = hint.max(self.bounds.start).checked_next_multiple_of(align)?;
        loop {
            let end = start.checked_add(length)?;
            if end > self.bounds.end {
                return None;
            }
            match self.overlaps(start..end).last() {
                None => return Some(start),
                Some((taken, _)) => start = self.entry_at(taken.start).1.end.checked_next_multiple_of(align)?,
            }
        }
    }

    /// The whole entry that contains an address, if that is taken.
    fn entry_at(&self, address: u64) -> (u64, Entry) {
        let (start, entry) = self.entries.range(..=address).next_back().expect("an overlap belongs to an entry");
        (*start, *entry)
    }

    /// All entries, in order.
    #[must_use]
    pub fn all(&self) -> Vec<(Range<u64>, Kind)> {
        self.entries.iter().map(|(start, entry)| (*start..entry.end, entry.kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space::new(0x1000..0x10_0000)
    }

    #[test]
    fn guards_are_not_counted_and_the_rest_is() {
        let mut space = space();
        space.insert(0x1000..0x5000, Kind::Mapping);
        space.insert(0x8000..0x9_0000, Kind::Guard);
        assert_eq!(space.size(), 0x4000);
        space.insert(0x9000..0xb000, Kind::Mapping);
        assert_eq!(space.size(), 0x6000);
        assert_eq!(space.overlaps(0x8000..0xc000).len(), 3);
    }

    #[test]
    fn a_hole_splits_an_entry() {
        let mut space = space();
        space.insert(0x1000..0x9000, Kind::Mapping);
        space.remove(0x3000..0x4000);
        assert_eq!(space.size(), 0x7000);
        assert_eq!(space.overlaps(0x2000..0x5000), [(0x2000..0x3000, Kind::Mapping), (0x4000..0x5000, Kind::Mapping)]);
        assert_eq!(space.peak(), 0x8000);
    }

    #[test]
    fn the_search_goes_upward_and_is_first_fit() {
        let mut space = space();
        space.insert(0x2000..0x3000, Kind::Image);
        space.insert(0x6000..0x7000, Kind::Foreign);
        assert_eq!(space.find(0x2000, 0x3000, 0x1000), Some(0x3000));
        assert_eq!(space.find(0x2000, 0x4000, 0x1000), Some(0x7000));
        assert_eq!(space.find(0, 0x1000, 0x1000), Some(0x1000));
        assert_eq!(space.find(0x2000, 0x1000, 0x8000), Some(0x8000));
        assert_eq!(space.find(0x2000, 0x10_0000, 0x1000), None);
    }
}
