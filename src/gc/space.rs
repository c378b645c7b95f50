//! The memory beneath the heap: one reservation, laid out once, committed as the heap grows.
//!
//! ```text
//!   | map                | mark stack | shelves | handles | table of blocks | heap ...          |
//!   the arena's bitmap     the arena, from its first byte on
//! ```
//!
//! This file alone knows of arenas and of the kernel. What lies before the table is committed at the start, so that a
//! collection never asks the kernel for anything. The map's words and the table's entries are committed before the
//! part of the heap that they describe.

use core::ptr::NonNull;

use super::map::{BLOCK, Block, SPAN, WORD};
use super::shelves::Shelves;
use crate::arena::{self, ArenaError, Options};
use crate::os::initial_stack::page_size;
use crate::vm::{self, Extent, round_up};

/// Bytes of mark stack: one in this many of the arena, within these bounds.
const STACK_SHARE: usize = 256;
const STACK_MAX: usize = 256 << 10;

pub(super) struct Space {
    /// Words for the map, from the first that describes the heap on.
    bitmap: Extent,
    arena: Extent,
    layout: Layout,
}

/// Where the parts of the arena begin, bytes from its start.
#[derive(Clone, Copy)]
struct Layout {
    shelves: usize,
    table: usize,
    heap: usize,
}

impl Layout {
    /// The heap begins at 0 if there is no room for a block.
    fn new(arena: usize, handles: usize, page: usize) -> Layout {
        let shelves = round_up((arena / STACK_SHARE).clamp(1, STACK_MAX), page);
        let words = handles.saturating_mul(WORD).min(arena);
        let table = round_up(shelves + size_of::<Shelves>() + words, page);
        let rest = arena.saturating_sub(table);
        // One entry more than blocks, since the end of the heap has one.
        let entries = rest / (BLOCK + size_of::<Block>()) + 2;
        let heap = round_up(table + entries * size_of::<Block>(), page.max(BLOCK));
        Layout { shelves, table, heap: if heap + BLOCK <= arena { heap } else { 0 } }
    }
}

/// Why there is no heap.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum HeapError {
    /// There is no arena.
    Arena(ArenaError),
    /// There is an arena, but it is too small for a heap, or its first pages could not be committed.
    Small,
    /// The policy's [`Growth::Live`](super::Growth) has this many percent: with 100 or less nothing could be allocated
    /// between two collections.
    Percent(usize),
}

impl core::fmt::Display for HeapError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            HeapError::Arena(error) => error.fmt(f),
            HeapError::Small => f.write_str("rt0: the arena is too small for a heap that collects"),
            HeapError::Percent(percent) => {
                write!(f, "rt0: a heap that collects cannot grow to {percent} % of what is live: at least 101 %")
            }
        }
    }
}

impl core::error::Error for HeapError {}

impl Space {
    /// Reserves an arena as `options` say, with room for `handles`.
    #[expect(clippy::result_large_err, reason = "there is no heap yet to put it in")]
    pub(super) fn reserve(options: &Options, handles: usize) -> Result<Space, HeapError> {
        let arena = arena::mallocinit(&options.bitmap(true)).map_err(HeapError::Arena)?;
        let (bitmap, arena) = arena.into_region().into_parts();
        let layout = Layout::new(arena.len(), handles, page_size());
        let mut space = Space { bitmap, arena, layout };
        if layout.heap == 0 || !space.commit(0) {
            space.release();
            return Err(HeapError::Small);
        }
        Ok(space)
    }

    /// Bytes of heap at most, whole blocks.
    pub(super) fn len(&self) -> usize {
        (self.arena.len() - self.layout.heap) / BLOCK * BLOCK
    }

    /// Bytes of memory that the first `len` bytes of heap take in all, with what describes them.
    pub(super) fn bytes_for(&self, len: usize) -> usize {
        len + len / SPAN * WORD + len / BLOCK * size_of::<Block>() + self.layout.table
    }

    pub(super) fn base(&self) -> NonNull<u8> {
        self.at(self.layout.heap)
    }

    pub(super) fn words(&self) -> NonNull<usize> {
        self.bitmap.base().cast()
    }

    pub(super) fn table(&self) -> NonNull<Block> {
        self.at(self.layout.table).cast()
    }

    /// The mark stack: its first word and how many there are.
    pub(super) fn stack(&self) -> (NonNull<usize>, usize) {
        (self.at(0).cast(), self.layout.shelves / WORD)
    }

    /// The shelves, all empty at first.
    pub(super) fn shelves(&self) -> NonNull<Shelves> {
        self.at(self.layout.shelves).cast()
    }

    /// The words for handles, and how many there are.
    pub(super) fn handles(&self) -> (NonNull<usize>, usize) {
        let start = self.layout.shelves + size_of::<Shelves>();
        (self.at(start).cast(), (self.layout.table - start) / WORD)
    }

    fn at(&self, offset: usize) -> NonNull<u8> {
        // SAFETY: the layout is inside the arena.
        unsafe { self.arena.base().add(offset) }
    }

    /// Commits the first `len` bytes of heap, all that lies before them, and what describes them and the heap's end. `false`:
    /// the kernel refuses, and the heap is as it was.
    pub(super) fn commit(&mut self, len: usize) -> bool {
        let Layout { table, heap, .. } = self.layout;
        // From the start on: what is committed already stays as it is.
        self.bitmap.commit(0..(len / SPAN + 1) * WORD).is_ok()
            && self.arena.commit(0..table + (len / BLOCK + 1) * size_of::<Block>()).is_ok()
            && self.arena.commit(heap..heap + len).is_ok()
    }

    /// Asks for huge pages in the bytes `from..to` of the heap, whole blocks that are committed: one fault and one entry of the
    /// TLB instead of 512.
    pub(super) fn prefer_huge(&self, from: usize, to: usize) {
        // SAFETY: whole pages of this space, committed.
        unsafe { vm::prefer_huge(self.at(self.layout.heap + from), to - from) };
    }

    /// Gives the memory of the whole pages in `from..to` back, offsets into the heap.
    pub(super) fn reset(&mut self, from: usize, to: usize) {
        let heap = self.layout.heap;
        self.arena.reset(heap + from..heap + to);
    }

    /// Gives everything back. What the kernel keeps stays reserved: there is nothing else to be done about it.
    pub(super) fn release(self) {
        let _ = (self.bitmap.release(), self.arena.release());
    }
}
