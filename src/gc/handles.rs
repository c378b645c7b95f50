//! Handles: the words of an array of the collector's own, each of which is a root.

use core::ptr::NonNull;

use super::mark::{Embedder, Marker};

/// A root that names one object: a place in the collector's own array, which is the object's as long as its scope is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub(super) usize);

/// The words of the handles, of which the first `len` are in use.
pub(super) struct Handles {
    words: NonNull<usize>,
    pub(super) room: usize,
    pub(super) len: usize,
}

impl Handles {
    pub(super) fn new((words, room): (NonNull<usize>, usize)) -> Handles {
        Handles { words, room, len: 0 }
    }

    pub(super) fn in_use(&mut self) -> &mut [usize] {
        // SAFETY: committed when the heap was made, and the handles' alone.
        unsafe { NonNull::slice_from_raw_parts(self.words, self.len).as_mut() }
    }

    pub(super) fn roots<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        for word in self.in_use() {
            marker.pointer(*word);
        }
    }
}
