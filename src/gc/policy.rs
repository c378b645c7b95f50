//! What a heap may take, and what an object of it holds.

use crate::arena::Options;

/// What an object holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words that may be references: the object is traced.
    Scan,
    /// No references: the object is never looked into.
    Leaf,
}

/// How far a heap extends before it is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// As far as it can: it is collected when all of its memory was used.
    Whole,
    /// As far as this share of what was live after the last collection, percent, and this many bytes at least.
    Live {
        /// Above 100; others are refused. 200 collects when as much was allocated as is live.
        percent: usize,
        /// Bytes.
        least: usize,
    },
}

/// What a heap may take.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Cap and allowance of its arena: all that it may take, with what describes it. Whatever is said here, it fits the limit.
    pub arena: Options,
    /// When it is collected.
    pub growth: Growth,
    /// How many handles there can be at once, at least.
    pub handles: usize,
}

impl Policy {
    /// Whatever the limit leaves; collected when there is twice of what was live, and 4 MiB at least.
    pub const DEFAULT: Policy =
        Policy { arena: Options::DEFAULT, growth: Growth::Live { percent: 200, least: 4 << 20 }, handles: 512 };

    /// All of this many bytes is used before each collection.
    pub const fn bound(bytes: u64) -> Policy {
        Policy { arena: Options::DEFAULT.cap(bytes), growth: Growth::Whole, handles: 512 }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Policy::DEFAULT
    }
}
