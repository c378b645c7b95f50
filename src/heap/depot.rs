//! The depot: batches of free blocks between the caches and the back end.
//!
//! A cache's list that is full comes here whole, as a batch, and whichever cache has an empty list of that class takes
//! it whole: to pass hundreds of blocks from one thread to another costs a few instructions, and a number of blocks that
//! goes up and down costs nothing. A cache takes back what it has put here, or one of its group ([`GROUPS`]), before it
//! takes another's, which may lie in another processor's cache. Once more than a sixteenth of what is in use is here
//! ([`KEPT_SHARE`]), batches go to the back end, which joins what lies side by side, before more is taken from there; and
//! half of what is in use ([`MOST_SHARE`]) is never here. A program that frees all and ends has joined nothing.
//!
//! Blocks that come back from batches lie where they were freed, all over what was in use, and what stays of them keeps
//! long blocks out. Where address space is short that is dear, so the bounds in bytes are parts of what the heap may come
//! to ([`KEPT_LIMIT_SHARE`], [`MOST_LIMIT_SHARE`]) if that is less.
//!
//! A sorter frees its records in another order than that in which they lie. From a batch its next records would lie all
//! over memory as well, and each access would miss the processor's caches. So a batch that is scattered ([`LINKS`]) is not
//! kept: the back end joins its blocks to what is free beside them. Only the blocks that were freed last are looked at,
//! since those are still in the processor's cache.
//!
//! Blocks of more than [`LONG`] bytes are not kept either: to join one costs little beside what its owner did with it,
//! and a few that wait are much memory.
//!
//! Bounds. A batch has at most 4,096 blocks, twice what a list may hold. At a time [`DRAIN`] blocks go to the back end,
//! and the rest of a batch that is begun; as many more as a batch has that has just come; and an allocation does that
//! four times at most. But those that would be refused otherwise empty the depot.

use core::ptr::NonNull;

use super::backend::Backend;
use super::class::{CLASSES, SMALL_MAX, SizeClass, class_len, class_of};
use super::memory::Memory;

/// As many blocks go from batches to the back end at once, and the rest of a batch that is begun.
const DRAIN: usize = 2048;

/// Nothing is taken from the back end before at most this part of what is in use is here ...
const KEPT_SHARE: usize = 16;
/// ... or this many bytes.
const KEPT_MIN: usize = if usize::BITS == 64 { 5 * 1024 * 1024 } else { 3 * 1024 * 1024 };
/// ... or this part of what the heap may come to, if that is less.
const KEPT_LIMIT_SHARE: usize = 32;
/// At most this part of what is in use is here ...
const MOST_SHARE: usize = 2;
/// ... or this many bytes.
const MOST_MIN: usize = 16 * 1024 * 1024;
/// ... or this part of what the heap may come to, if that is less.
const MOST_LIMIT_SHARE: usize = 16;

/// Longer blocks go to the back end, which joins them.
const LONG: usize = class_len(class_of(SMALL_MAX / 2));

/// Fronts of the same number modulo this one are a group.
const GROUPS: usize = 4;

/// A batch is scattered if this many links, those of the blocks that were freed last ...
const LINKS: usize = 16;
/// ... all lead further than this many bytes, ...
const NEAR: usize = 256 * 1024;
/// ... and more than this many bytes are in use, more than a processor's cache of the second level has.
const SCATTERED_MIN: usize = 4 * 1024 * 1024;

/// A free block: its first word links to the next one of its list or batch. In the first block of a
/// batch the second word links to the first block of the next batch, in its second block it is their number.
pub(super) type Link = Option<NonNull<u8>>;

/// The batches. All zeroes is an empty depot.
#[derive(Debug)]
pub(super) struct Depot {
    /// For each class the first batch of the fronts of each group.
    batches: [[Link; GROUPS]; CLASSES],
    /// Bytes in them.
    bytes: usize,
    /// Blocks of each class that are out of the back end: live, in a cache or here.
    pub(super) out: [usize; CLASSES],
}

/// What follows a block in its list or batch.
///
/// # Safety
///
/// The block is in one.
#[inline]
pub(super) unsafe fn next(block: NonNull<u8>) -> Link {
    // SAFETY: this function's contract: the block is free and its first word is a link.
    unsafe { block.cast::<Link>().read() }
}

/// Whether the blocks at the head of a list lie all over memory.
fn is_scattered(first: NonNull<u8>) -> bool {
    let mut before = first;
    chain(Some(first)).skip(1).take(LINKS).all(|block| {
        let distance = block.addr().get().abs_diff(before.addr().get());
        before = block;
        distance > NEAR
    })
}

impl Depot {
    pub(super) const fn new() -> Depot {
        Depot { batches: [[None; GROUPS]; CLASSES], bytes: 0, out: [0; CLASSES] }
    }

    /// Makes a batch of a list of `held` blocks, or gives them to the back end if they are long or scattered; of a single
    /// block no batch can be made, and the list stays as it is.
    pub(super) fn put<M: Memory>(
        &mut self,
        class: SizeClass,
        list: &mut Link,
        held: usize,
        front: usize,
        backend: &mut Backend<M>,
    ) {
        let i = class.index();
        // SAFETY: the caller's list.
        let second = list.and_then(|first| unsafe { next(first) });
        let (Some(first), Some(second)) = (*list, second) else { return };
        let scattered = || held > LINKS && backend.out() > SCATTERED_MIN && is_scattered(first);
        if class.len() > LONG || scattered() {
            self.give(class, list.take(), backend);
            return;
        }
        let batches = &mut self.batches[i][front % GROUPS];
        // SAFETY: free blocks, which are at least two words long.
        unsafe {
            first.cast::<Link>().add(1).write(*batches);
            second.cast::<usize>().add(1).write(held);
        }
        *batches = Some(first);
        self.bytes += held * class.len();
        *list = None;
        if self.bytes > (backend.out() / MOST_SHARE).max(MOST_MIN.min(backend.limit / MOST_LIMIT_SHARE)) {
            self.drain(held + DRAIN, backend);
        }
    }

    /// Takes a batch of a class for a front, and says how many blocks it has.
    pub(super) fn take(&mut self, class: SizeClass, front: usize) -> Option<(NonNull<u8>, usize)> {
        let batches = &mut self.batches[class.index()];
        let mut own_first = (front..front + GROUPS).map(|front| front % GROUPS);
        let (group, first) = own_first.find_map(|group| Some((group, batches[group]?)))?;
        // SAFETY: the first block of a batch, which has a second one.
        let (following, held) = unsafe {
            let second = first.cast::<NonNull<u8>>().read();
            (first.cast::<Link>().add(1).read(), second.cast::<usize>().add(1).read())
        };
        batches[group] = following;
        self.bytes -= held * class.len();
        Some((first, held))
    }

    /// Gives at least `enough` blocks of batches to the back end, or all there are.
    fn drain<M: Memory>(&mut self, enough: usize, backend: &mut Backend<M>) {
        if self.bytes == 0 {
            return;
        }
        let mut given = 0;
        for class in SizeClass::all() {
            while let Some((batch, held)) = self.take(class, 0) {
                self.give(class, Some(batch), backend);
                given += held;
                if given >= enough {
                    return;
                }
            }
        }
    }

    /// Gives some batches to the back end if more is here than may stay when more is taken from there.
    pub(super) fn drain_excess<M: Memory>(&mut self, backend: &mut Backend<M>) {
        if self.bytes > KEPT_MIN.min(backend.limit / KEPT_LIMIT_SHARE) && self.is_due(backend) {
            self.drain(DRAIN, backend);
        }
    }

    /// Whether more is here than a small part of what is in use.
    pub(super) fn is_due<M: Memory>(&self, backend: &Backend<M>) -> bool {
        self.bytes > backend.out() / KEPT_SHARE
    }

    /// Gives some batches to the back end, if there are any.
    pub(super) fn drain_some<M: Memory>(&mut self, backend: &mut Backend<M>) {
        self.drain(DRAIN, backend);
    }

    /// Gives all batches to the back end.
    pub(super) fn drain_all<M: Memory>(&mut self, backend: &mut Backend<M>) {
        self.drain(usize::MAX, backend);
    }

    /// Gives blocks that were taken out of a list to the back end.
    pub(super) fn give<M: Memory>(&mut self, class: SizeClass, mut blocks: Link, backend: &mut Backend<M>) {
        let len = class.len();
        while let Some(first) = blocks {
            // Blocks that were freed one after the other often lie side by side: such a run is given as one.
            let (mut at, mut run_len) = (first, 0);
            while let Some(block) = blocks {
                if block.addr().get() + len == at.addr().get() {
                    at = block;
                } else if block.addr().get() != at.addr().get() + run_len {
                    break;
                }
                run_len += len;
                self.out[class.index()] -= 1;
                // SAFETY: the caller's list.
                blocks = unsafe { next(block) };
            }
            // SAFETY: blocks in a list are free and have the class's length.
            unsafe { backend.give(at, run_len) };
        }
    }

    /// The blocks of the batches of a class.
    pub(super) fn blocks(&self, class: SizeClass) -> impl Iterator<Item = NonNull<u8>> {
        // SAFETY: the first block of a batch.
        let following = |batch: &NonNull<u8>| unsafe { batch.cast::<Link>().add(1).read() };
        let groups = self.batches[class.index()].into_iter();
        groups.flat_map(move |first| core::iter::successors(first, following)).flat_map(|batch| chain(Some(batch)))
    }

    /// How many bytes the batches are said to hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The blocks from this one on.
pub(super) fn chain(head: Link) -> impl Iterator<Item = NonNull<u8>> {
    // SAFETY: the heads that callers have are those of lists and batches.
    core::iter::successors(head, |block| unsafe { next(*block) })
}

#[cfg(test)]
mod tests;
