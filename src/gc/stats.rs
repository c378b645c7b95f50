//! Figures of the heap, and what it tells while it works.

/// Figures of a heap. All sizes are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Collections so far.
    pub collections: usize,
    /// What was live after the last collection.
    pub live: usize,
    /// What was taken out of holes since then: allocated, or about to be.
    pub taken: usize,
    /// What was taken out of holes in all, before the last collection too.
    pub total: u64,
    /// How far the heap extends now.
    pub heap: usize,
    /// How far it may extend before the next collection.
    pub limit: usize,
    /// How far the heap can extend at most.
    pub most: usize,
    /// Memory in use at most so far, with all that describes the heap.
    pub footprint: usize,
    /// What the embedder said that objects hold elsewhere.
    pub external: usize,
    /// The longest pause, nanoseconds; 0 where the kernel does not tell the time.
    pub longest_pause: u64,
    /// All pauses together, nanoseconds.
    pub pauses: u64,
}

/// What the heap tells its embedder.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A collection begins.
    Begin,
    /// A collection has ended.
    End {
        /// Bytes that are live.
        live: usize,
        /// Bytes of free pages that went back to the kernel.
        purged: usize,
        /// Nanoseconds.
        pause: u64,
    },
}
