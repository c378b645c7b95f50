//! Looks at the whole heap: what must always hold.

use super::collector::Collector;
use super::map::{BLOCK, EDGE, GRANULE, LARGE, OBJECT, SCAN};
use super::mark::Embedder;

/// What is wrong with a heap, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What does not hold.
    pub what: &'static str,
    /// The address of the object, the hole or the block.
    pub at: usize,
}

impl<E: Embedder> Collector<E> {
    /// Looks at the whole heap between two collections and says the first thing that is wrong with it.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn check(&self) -> Result<(), Fault> {
        let map = &self.heap.map;
        let holds = |holds: bool, what, at| if holds { Ok(()) } else { Err(Fault { what, at }) };
        if map.len() == 0 {
            return Ok(());
        }
        holds(map.code(map.start()) & EDGE != 0, "the heap's first granule is an edge", map.start())?;
        holds(map.code(map.end()) == EDGE, "there is an edge behind the heap", map.end())?;
        let mut free = 0;
        let mut at = map.start();
        let mut block = at;
        while at < map.end() {
            let code = map.code(at);
            let object = code & OBJECT != 0;
            holds([EDGE, EDGE | OBJECT, EDGE | OBJECT | SCAN].contains(&code), "the code is one of three", at)?;
            let end = map.next_edge(at, usize::MAX);
            holds(end > at && end <= map.end(), "an edge follows", at)?;
            for inside in [at, at + (end - at) / 2 / GRANULE * GRANULE, end - 1] {
                holds(
                    map.find(inside) == object.then_some(at),
                    "any byte leads to its object, and to nothing in a hole",
                    at,
                )?;
            }
            holds(map.len_of(at) == end - at, "the length leads to the next edge", at)?;
            // The blocks that begin inside.
            while block < end {
                // SAFETY: a block of the heap.
                let entry = unsafe { *map.block(block) };
                let back = (block - at.min(block)).div_ceil(BLOCK);
                if block > at && object && end - at >= LARGE {
                    holds(entry.back as usize == back, "the table leads to a large object's block", block)?;
                } else {
                    holds(entry.back == 0, "the table leads to large objects alone", block)?;
                }
                holds(entry.next == 0, "no block waits to be scanned", block)?;
                block += BLOCK;
            }
            if !object && !self.heap.in_piece(at) {
                free += end - at;
            }
            at = end;
        }
        let mut counted = 0;
        for block in (map.start()..map.end()).step_by(BLOCK) {
            // SAFETY: a block of the heap.
            counted += usize::from(unsafe { (*map.block(block)).free }) * GRANULE;
        }
        // What was left of a piece, and what is on the shelves, is counted again by the next collection.
        holds(counted <= free, "the table has no more free granules than there are", counted)
    }
}
