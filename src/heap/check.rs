//! The whole-heap consistency check.

use super::backend::Backend;
use super::bins::{BINS, bin_of};
use super::cache::Cache;
use super::class::{GRANULE, SizeClass};
use super::free_chunk::{DIRTY_MIN, FreeChunk};
use super::memory::Memory;

/// The first thing that is wrong with a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A free chunk's words contradict its edge bits or the segment.
    Chunk(usize),
    /// Two free chunks touch, or one touches its segment's top.
    Unjoined(usize),
    /// A chunk is in the wrong bin, or its links are broken.
    Bin(usize),
    /// The bins hold another number of chunks than the segments show.
    Count,
    /// The sums kept of free, used or resident bytes are wrong.
    Sum,
    /// A block in a free list lies outside the segments, in a free chunk, or off
    /// the granule; or the list runs in a circle.
    List(usize),
}

/// Looks at every chunk and every listed block.
pub(super) fn check<M: Memory>(cache: &Cache, backend: &Backend<M>) -> Result<(), Fault> {
    let (mut chunks, mut free, mut used, mut dirty) = (0, 0, 0, 0);
    for segment in backend.segments() {
        let mut offset = 0;
        let mut last_end = None;
        while offset < segment.top {
            if !segment.edge(offset) {
                offset += GRANULE;
                continue;
            }
            let at = segment.at(offset);
            // SAFETY: an edge that is not inside a chunk is the start of one.
            let chunk = unsafe { FreeChunk::starting(at) };
            let (len, at) = (chunk.len(), at.addr().get());
            if len == 0 || len % GRANULE != 0 || len > segment.top - offset || !segment.edge(offset + len - GRANULE) {
                return Err(Fault::Chunk(at));
            }
            // SAFETY: the chunk lies in the segment, so its end does too.
            if unsafe { FreeChunk::ending(segment.at(offset + len)) } != chunk {
                return Err(Fault::Chunk(at));
            }
            if (GRANULE..len.saturating_sub(GRANULE)).step_by(GRANULE).any(|o| segment.edge(offset + o)) {
                return Err(Fault::Chunk(at));
            }
            if last_end == Some(offset) || offset + len == segment.top {
                return Err(Fault::Unjoined(at));
            }
            if len >= DIRTY_MIN {
                dirty += chunk.dirty();
            }
            chunks += 1;
            free += len;
            offset += len;
            last_end = Some(offset);
        }
        used += segment.top;
        dirty += segment.resident - segment.top;
    }
    if (free, used, dirty) != (backend.free, backend.used, backend.dirty()) {
        return Err(Fault::Sum);
    }
    let mut binned = 0;
    for bin in 0..BINS {
        let mut prev = None;
        for chunk in backend.bins.chunks(bin) {
            let at = chunk.start();
            let edge = backend.segments().any(|r| r.offset_of(at).is_some_and(|o| r.edge(o)));
            binned += 1;
            if !edge || chunk.prev() != prev || bin_of(chunk.len()) != bin || binned > chunks {
                return Err(Fault::Bin(at.addr().get()));
            }
            prev = Some(chunk);
        }
    }
    if binned != chunks || !backend.bins.marks_are_right() {
        return Err(Fault::Count);
    }
    let mut out = 0;
    for class in SizeClass::all() {
        let len = class.len();
        out += cache.out[class.index()] * len;
        for (i, block) in cache.list(class).enumerate() {
            let at = block.addr().get();
            let in_use = backend.segments().any(|r| {
                r.offset_of(block).is_some_and(|o| {
                    let granules = (o..o + len).step_by(GRANULE);
                    o + len <= r.top && granules.into_iter().all(|o| !r.edge(o))
                })
            });
            if at % GRANULE != 0 || !in_use || i >= cache.out[class.index()] {
                return Err(Fault::List(at));
            }
        }
    }
    if out > used - free {
        return Err(Fault::Sum);
    }
    Ok(())
}
