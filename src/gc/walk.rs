//! Questions about objects: what a word points into, how long an object is, which objects there are.

use core::ptr::NonNull;

use super::collector::Collector;
use super::map::{Map, OBJECT, SCAN};
use super::mark::Embedder;
use super::policy::Kind;

/// An object of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its first byte.
    pub start: NonNull<u8>,
    /// Its length, bytes: what was asked for, in whole words.
    pub len: usize,
    /// Whether it is traced.
    pub kind: Kind,
}

impl<E: Embedder> Collector<E> {
    /// The start of the object that a word points into, any word, from anywhere; `None` if it points into none. A pointer
    /// to the byte behind an object's last does not point into it. Nothing is freed between two collections, so an object
    /// that is dead but was not collected yet is found.
    #[inline(always)]
    pub fn find_start(&self, word: usize) -> Option<NonNull<u8>> {
        self.heap.map.find(word).map(|at| self.heap.map.pointer(at))
    }

    /// The object that a word points into, as [`find_start`](Collector::find_start).
    #[inline(always)]
    pub fn find(&self, word: usize) -> Option<Object> {
        self.heap.map.find(word).map(|at| object(&self.heap.map, at))
    }

    /// The length of an object, bytes.
    ///
    /// # Safety
    ///
    /// `object` is the start of an object of this heap.
    #[inline(always)]
    pub unsafe fn size_of(&self, object: NonNull<u8>) -> usize {
        self.heap.map.len_of(object.addr().get())
    }

    /// All objects, in the order of their addresses; those too that are dead but were not collected yet.
    pub fn objects(&self) -> Objects<'_> {
        Objects { map: &self.heap.map, at: self.heap.map.start() }
    }
}

#[inline(always)]
fn object(map: &Map, at: usize) -> Object {
    let kind = if map.code(at) & SCAN != 0 { Kind::Scan } else { Kind::Leaf };
    Object { start: map.pointer(at), len: map.len_of(at), kind }
}

/// The objects of a heap, one after the other.
pub struct Objects<'heap> {
    map: &'heap Map,
    at: usize,
}

impl Iterator for Objects<'_> {
    type Item = Object;

    fn next(&mut self) -> Option<Object> {
        while self.at < self.map.end() {
            let at = self.at;
            self.at = self.map.next_edge(at, usize::MAX);
            if self.map.code(at) & OBJECT != 0 {
                return Some(object(self.map, at));
            }
        }
        None
    }
}
