//! The whole-heap consistency check.

use core::fmt;
use core::ptr::NonNull;

use super::backend::Backend;
use super::bins::BINS;
use super::cache::Cache;
use super::class::{GRANULE, SizeClass};
use super::depot::Depot;
use super::free_chunk::FreeChunk;
use super::memory::Memory;
use super::segment::Segment;

/// The first thing that is wrong with a heap. Addresses are where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A free chunk's words contradict its edge bits or the segment.
    Chunk(usize),
    /// Two free chunks touch, or one touches its segment's top.
    Unjoined(usize),
    /// A chunk is in the wrong bin, or its links are broken.
    Bin(usize),
    /// A dirty chunk is not in the list of those, or its links are broken.
    Age(usize),
    /// The bins hold another number of chunks than the segments show, or are marked wrongly.
    Count,
    /// The sums kept of free, used or resident bytes are wrong.
    Sum,
    /// A block in a free list lies outside the segments, in a free chunk, or not
    /// as aligned as its class; or the list runs in a circle, or holds another number than it says.
    List(usize),
}

/// `a free chunk's words contradict its edge bits, at 0x7f0012345678`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, at) = match *self {
            Fault::Chunk(at) => ("a free chunk's words contradict its edge bits", Some(at)),
            Fault::Unjoined(at) => ("two free chunks touch, or one touches the top", Some(at)),
            Fault::Bin(at) => ("a free chunk is in the wrong bin, or its links are broken", Some(at)),
            Fault::Age(at) => ("a dirty chunk is not in the list of those, or its links are broken", Some(at)),
            Fault::Count => ("the bins hold another number of chunks than the segments show", None),
            Fault::Sum => ("the sums kept of free, used or resident bytes are wrong", None),
            Fault::List(at) => ("a listed block is not a free block of its class", Some(at)),
        };
        f.write_str(what)?;
        at.map_or(Ok(()), |at| write!(f, ", at {at:#x}"))
    }
}

impl core::error::Error for Fault {}

/// What a look at the segments has found.
#[derive(Default)]
struct Found {
    chunks: usize,
    dirty_chunks: usize,
    free: usize,
    used: usize,
    dirty: usize,
}

/// Looks at every chunk and every listed block.
pub(super) fn check<'a, M: Memory>(
    caches: impl Iterator<Item = &'a Cache> + Clone,
    depot: &Depot,
    backend: &Backend<M>,
) -> Result<(), Fault> {
    let mut found = Found::default();
    for segment in backend.segments() {
        check_segment(segment, backend, &mut found)?;
    }
    if (found.free, found.used, found.dirty) != (backend.free, backend.used, backend.dirty) {
        return Err(Fault::Sum);
    }
    check_bins(backend, found.chunks)?;
    check_ages(backend, found.dirty_chunks)?;
    check_lists(caches, depot, backend, found.used - found.free)
}

fn check_segment<M>(segment: &Segment, backend: &Backend<M>, found: &mut Found) -> Result<(), Fault> {
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
        let (dirty, (first, last)) = (chunk.dirty(len), chunk.pages(len, backend.page));
        if dirty > 0 {
            let (from, to) = chunk.dirty_between();
            let is_whole = [from, to].iter().all(|offset| (at + offset).is_multiple_of(backend.page));
            if from < first || to > last || dirty > to.saturating_sub(from) || !is_whole {
                return Err(Fault::Age(at));
            }
        }
        found.dirty += dirty;
        found.dirty_chunks += usize::from(dirty > 0);
        found.chunks += 1;
        found.free += len;
        offset += len;
        last_end = Some(offset);
    }
    found.used += segment.top;
    found.dirty += segment.dirty;
    Ok(())
}

/// Whether a chunk begins there, as far as the segments show.
fn is_chunk<M: Memory>(backend: &Backend<M>, chunk: FreeChunk) -> bool {
    backend.segments().any(|segment| segment.offset_of(chunk.start()).is_some_and(|offset| segment.edge(offset)))
}

fn check_bins<M: Memory>(backend: &Backend<M>, chunks: usize) -> Result<(), Fault> {
    let mut binned = 0;
    for bin in 0..BINS {
        for chunk in backend.bins.chunks(bin) {
            binned += 1;
            if binned > chunks || !is_chunk(backend, chunk) || !backend.bins.has(chunk) {
                return Err(Fault::Bin(chunk.start().addr().get()));
            }
        }
    }
    if binned != chunks || !backend.bins.marks_are_right() {
        return Err(Fault::Count);
    }
    Ok(())
}

fn check_ages<M: Memory>(backend: &Backend<M>, chunks: usize) -> Result<(), Fault> {
    let (mut count, mut older, mut next) = (0, None, backend.oldest);
    while let Some(chunk) = next {
        count += 1;
        let at = chunk.start().addr().get();
        if count > chunks || !is_chunk(backend, chunk) || chunk.dirty(chunk.len()) == 0 || chunk.older() != older {
            return Err(Fault::Age(at));
        }
        (older, next) = (next, chunk.newer());
    }
    if count != chunks || backend.newest != older {
        return Err(Fault::Age(0));
    }
    Ok(())
}

fn check_lists<'a, M: Memory>(
    caches: impl Iterator<Item = &'a Cache> + Clone,
    depot: &Depot,
    backend: &Backend<M>,
    in_use: usize,
) -> Result<(), Fault> {
    let (mut out, mut held, mut listed) = (0, 0, 0);
    for class in SizeClass::all() {
        let len = class.len();
        out += depot.out[class.index()] * len;
        let mut count = 0;
        let mut look = |block: NonNull<u8>| {
            let at = block.addr().get();
            let in_use = backend.segments().any(|r| {
                r.offset_of(block).is_some_and(|o| {
                    let granules = (o..o + len).step_by(GRANULE);
                    o + len <= r.top && granules.into_iter().all(|o| !r.edge(o))
                })
            });
            count += 1;
            let is_free = at.is_multiple_of(class.align()) && in_use && count <= depot.out[class.index()];
            if is_free { Ok(()) } else { Err(Fault::List(at)) }
        };
        for cache in caches.clone() {
            cache.list(class).try_for_each(&mut look)?;
        }
        depot.blocks(class).try_for_each(look)?;
        // Signed, since a number that is wrong may be below zero.
        held += caches.clone().map(|cache| cache.held(class) as isize).sum::<isize>() * len as isize;
        listed += count * len;
    }
    if held + depot.bytes() as isize != listed as isize {
        return Err(Fault::List(0));
    }
    if out > in_use {
        return Err(Fault::Sum);
    }
    Ok(())
}
