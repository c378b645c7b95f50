//! What the heap says of itself.

use super::class::CLASSES;

/// Figures of a heap, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// In blocks that the program holds.
    pub live: usize,
    /// The most that was ever out of the back end: in blocks that the program
    /// held or that waited in the cache's lists.
    pub peak: usize,
    /// In blocks that wait in the cache's lists.
    pub listed: usize,
    /// In free chunks of the back end.
    pub free: usize,
    /// Readable and writable, the heap's own records included.
    pub committed: usize,
    /// Of address space, all segments together.
    pub reserved: usize,
    /// Number of segments.
    pub segments: usize,
    pub(super) classes: [Class; CLASSES],
}

impl Stats {
    /// For each size class; [`class_len`](super::class_len) says how long its blocks are.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }
}

/// Figures of one size class, in blocks.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Class {
    /// Blocks that the program holds.
    pub live: usize,
    /// Blocks that wait in the cache's list.
    pub listed: usize,
}
