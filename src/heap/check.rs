//! The whole-heap consistency check.

use super::back::Back;
use super::bins::{BINS, bin_of};
use super::chunk::{Chunk, DIRTY_MIN};
use super::class::{GRANULE, SizeClass};
use super::front::Front;
use super::memory::Memory;

/// The first thing that is wrong with a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A free chunk's words contradict its edge bits or the region.
    Chunk(usize),
    /// Two free chunks touch, or one touches its region's top.
    Unjoined(usize),
    /// A chunk is in the wrong bin, or its links are broken.
    Bin(usize),
    /// The bins hold another number of chunks than the regions show.
    Count,
    /// The sums kept of free, used or resident bytes are wrong.
    Sum,
    /// A block in a free list lies outside the regions, in a free chunk, or off
    /// the granule; or the list runs in a circle.
    List(usize),
}

/// Looks at every chunk and every listed block.
pub(super) fn check<M: Memory>(front: &Front, back: &Back<M>) -> Result<(), Fault> {
    let (mut chunks, mut free, mut used, mut dirty) = (0, 0, 0, 0);
    for region in back.regions() {
        let mut offset = 0;
        let mut last_end = None;
        while offset < region.top {
            if !region.edge(offset) {
                offset += GRANULE;
                continue;
            }
            let at = region.at(offset);
            // SAFETY: an edge that is not inside a chunk is the start of one.
            let chunk = unsafe { Chunk::starting(at) };
            let (len, at) = (chunk.len(), at.addr().get());
            if len == 0 || len % GRANULE != 0 || len > region.top - offset || !region.edge(offset + len - GRANULE) {
                return Err(Fault::Chunk(at));
            }
            // SAFETY: the chunk lies in the region, so its end does too.
            if unsafe { Chunk::ending(region.at(offset + len)) } != chunk {
                return Err(Fault::Chunk(at));
            }
            if (GRANULE..len.saturating_sub(GRANULE)).step_by(GRANULE).any(|o| region.edge(offset + o)) {
                return Err(Fault::Chunk(at));
            }
            if last_end == Some(offset) || offset + len == region.top {
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
        used += region.top;
        dirty += region.resident - region.top;
    }
    if (free, used, dirty) != (back.free, back.used, back.dirty()) {
        return Err(Fault::Sum);
    }
    let mut binned = 0;
    for bin in 0..BINS {
        let mut prev = None;
        for chunk in back.bins.chunks(bin) {
            let at = chunk.start();
            let edge = back.regions().any(|r| r.offset_of(at).is_some_and(|o| r.edge(o)));
            binned += 1;
            if !edge || chunk.prev() != prev || bin_of(chunk.len()) != bin || binned > chunks {
                return Err(Fault::Bin(at.addr().get()));
            }
            prev = Some(chunk);
        }
    }
    if binned != chunks || !back.bins.marks_are_right() {
        return Err(Fault::Count);
    }
    let mut out = 0;
    for class in SizeClass::all() {
        let len = class.len();
        out += front.out[class.index()] * len;
        for (i, block) in front.list(class).enumerate() {
            let at = block.addr().get();
            let in_use = back.regions().any(|r| {
                r.offset_of(block).is_some_and(|o| {
                    let granules = (o..o + len).step_by(GRANULE);
                    o + len <= r.top && granules.into_iter().all(|o| !r.edge(o))
                })
            });
            if at % GRANULE != 0 || !in_use || i >= front.out[class.index()] {
                return Err(Fault::List(at));
            }
        }
    }
    if out > used - free {
        return Err(Fault::Sum);
    }
    Ok(())
}
