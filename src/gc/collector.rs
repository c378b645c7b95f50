//! The collector: when to collect, in which order, and what to tell the language.

use core::mem;
use core::ptr::NonNull;

use super::alloc::Allocator;
use super::handles::Handles;
use super::lists::{Lists, Passes};
use super::map::{EDGE, GRANULE, OBJECT, SCAN};
use super::mark::{Embedder, Marker};
use super::policy::{Growth, Kind, Policy};
use super::space::{HeapError, Space};
use super::stack;
use super::stats::{Event, Stats};
use crate::sys::{self, CLOCK_MONOTONIC};

/// A heap that collects, for the language `E`.
pub struct Collector<E> {
    pub(super) heap: Allocator,
    pub(super) handles: Handles,
    pub(super) lists: Lists,
    /// There is none until a list has an entry.
    pub(super) passes: Option<Passes<E>>,
    growth: Growth,
    /// Gives memory back. There is none where all of it is used before each collection, so that a program with such a heap
    /// does not contain it.
    purge: Option<fn(&mut Allocator, usize) -> usize>,
    /// Where this thread's stack begins, if it is scanned.
    stack: Option<*const usize>,
    inhibited: usize,
    /// How much was to be allocated after the last collection before the next.
    room: usize,
    /// Bytes that objects hold elsewhere, and by how much those may grow before the next collection.
    external: usize,
    external_limit: usize,
    stats: Stats,
    embedder: E,
}

impl<E: Embedder> Collector<E> {
    /// Makes a heap.
    ///
    /// # Errors
    ///
    /// [`HeapError`] if nothing fits, or the policy's growth is none. Nothing is reserved then.
    #[expect(clippy::result_large_err, reason = "there is no heap yet to put it in")]
    pub fn new(policy: &Policy, embedder: E) -> Result<Collector<E>, HeapError> {
        if let Growth::Live { percent: percent @ ..=100, .. } = policy.growth {
            return Err(HeapError::Percent(percent));
        }
        let space = Space::reserve(&policy.arena, policy.handles)?;
        let handles = Handles::new(space.handles());
        let mut collector = Collector {
            heap: Allocator::new(space),
            handles,
            lists: Lists::default(),
            passes: None,
            growth: policy.growth,
            purge: matches!(policy.growth, Growth::Live { .. }).then_some(Allocator::purge),
            stack: None,
            inhibited: 0,
            room: 0,
            external: 0,
            external_limit: 0,
            stats: Stats::default(),
            embedder,
        };
        collector.set_limits(0);
        Ok(collector)
    }

    /// The language's own.
    pub fn embedder(&self) -> &E {
        &self.embedder
    }

    /// The language's own, its roots among it.
    #[inline]
    pub fn embedder_mut(&mut self) -> &mut E {
        &mut self.embedder
    }

    /// An object of `size` bytes, zeroed, aligned to a word; one of no bytes has a word. It may collect first, so whatever
    /// is needed later has to be reachable now. `None` only where a collection has found no room, or if the heap cannot
    /// become as long as that, and it is whole then: the language can raise an error of its own and go on.
    #[inline(always)]
    pub fn allocate(&mut self, size: usize, kind: Kind) -> Option<NonNull<u8>> {
        let code = match kind {
            Kind::Scan => EDGE | OBJECT | SCAN,
            Kind::Leaf => EDGE | OBJECT,
        };
        // What is too long for an address space stays too long.
        let len = (size.max(1).saturating_add(GRANULE - 1)) & !(GRANULE - 1);
        match self.heap.allocate(len, code) {
            Some(at) => Some(self.heap.map.pointer(at)),
            None => self.allocate_slowly(len, code),
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate_slowly(&mut self, len: usize, code: usize) -> Option<NonNull<u8>> {
        match self.heap.search(len, code) {
            Some(at) => Some(self.heap.map.pointer(at)),
            None => stack::spilled(|top| self.make_room(len, code, top)),
        }
    }

    /// Finds room where there is none as the heap is. A collection comes first, or if it is too soon for one, a longer heap.
    /// The stack is scanned from `top` on: what the search has left on it are addresses of the heap, too.
    #[inline(never)]
    fn make_room(&mut self, len: usize, code: usize, top: *const usize) -> Option<NonNull<u8>> {
        // What the whole heap has no room for needs no collection to be refused.
        if len > self.heap.space.len() {
            return None;
        }
        let collects = self.inhibited == 0;
        let mut found = self.grow(len, code);
        let too_soon = self.too_soon();
        for last in [false, true] {
            if found.is_some() {
                break;
            }
            if collects && too_soon == last {
                self.collect_from(top);
                found = self.heap.search(len, code).or_else(|| self.grow(len, code));
            }
            found = found.or_else(|| self.grow_beyond(len, code));
        }
        found.map(|at| self.heap.map.pointer(at))
    }

    /// Whether less than half of what the heap was to have room for has been allocated since the last collection: what is
    /// free is in holes that are too short, and the heap had better grow.
    fn too_soon(&self) -> bool {
        match self.growth {
            Growth::Whole => false,
            Growth::Live { .. } => self.heap.taken < self.room / 2,
        }
    }

    /// Lets the heap grow within its limit, until there is room.
    #[inline(never)] // from three places
    fn grow(&mut self, len: usize, code: usize) -> Option<usize> {
        while self.heap.grow(len) {
            if let Some(at) = self.heap.search(len, code) {
                return Some(at);
            }
        }
        None
    }

    /// Lets the heap grow beyond its limit, as far as there is memory. The limit stays as it was if that is not enough.
    #[inline(never)] // seldom
    fn grow_beyond(&mut self, len: usize, code: usize) -> Option<usize> {
        let limit = self.heap.limit;
        self.heap.raise_limit(len);
        let found = self.grow(len, code);
        if found.is_none() {
            self.heap.limit = limit;
        }
        found
    }

    /// Has this thread's registers and stack scanned in each collection, from where it is then up to `base`: every word of
    /// it is a root.
    ///
    /// # Safety
    ///
    /// As long as the heap is used, `base` is an address on the stack of the thread that uses it, above every frame that
    /// holds references to objects.
    pub unsafe fn scan_stack(&mut self, base: *const usize) {
        self.stack = Some(base);
    }

    /// Collects: frees what is not reachable.
    #[inline(never)]
    pub fn collect(&mut self) {
        stack::spilled(|top| self.collect_from(top));
    }

    /// The same, with the stack scanned from `top` on, which lies above this function's frame.
    #[inline(never)]
    fn collect_from(&mut self, top: *const usize) {
        let half_marked = HalfMarked;
        self.embedder.event(&Event::Begin);
        let begin = now();
        self.stats.total += self.heap.taken as u64;
        self.heap.retire();
        let mut marker = Marker::new(self.heap.map, self.heap.space.stack());
        self.embedder.roots(&mut marker);
        self.handles.roots(&mut marker);
        // The lists begin with addresses of objects, and the collector may lie on the stack that is scanned.
        let mut lists = mem::take(&mut self.lists);
        if let Some(passes) = &self.passes {
            (passes.roots)(&lists, &mut marker);
        }
        if let Some(base) = self.stack {
            // SAFETY: from `top` up to `base`, which `scan_stack` was told, all of it is this thread's stack.
            unsafe { marker.roots(top, base) };
        }
        match &self.passes {
            Some(passes) => (passes.mark_all)(&mut lists, &mut marker, &mut self.embedder),
            None => marker.settle(&mut self.embedder),
        }
        self.embedder.before_sweep(&marker);
        self.lists = lists;
        let free = self.heap.map.sweep();
        mem::forget(half_marked);
        let live = self.heap.map.len() - free;
        self.set_limits(live);
        let limit = self.heap.limit;
        let purged = self.purge.map_or(0, |purge| purge(&mut self.heap, limit));
        let pause = now().saturating_sub(begin);
        self.stats.collections += 1;
        self.stats.live = live;
        self.stats.pauses += pause;
        self.stats.longest_pause = self.stats.longest_pause.max(pause);
        self.embedder.event(&Event::End { live, purged, pause });
    }

    /// How far the heap may extend until the next collection.
    fn set_limits(&mut self, live: usize) {
        let most = self.heap.space.len();
        self.heap.limit = match self.growth {
            Growth::Whole => most,
            Growth::Live { percent, least } => (live / 100).saturating_mul(percent).max(least).min(most),
        };
        self.room = self.heap.limit - live.min(self.heap.limit);
        self.external_limit = self.external.saturating_add(self.heap.limit);
    }

    /// No collection but by [`collect`](Collector::collect) until as many [`allow`](Collector::allow) follow: allocation takes
    /// new memory as long as there is some, and then answers `None`.
    pub fn inhibit(&mut self) {
        self.inhibited += 1;
    }

    /// Ends what [`inhibit`](Collector::inhibit) began.
    pub fn allow(&mut self) {
        self.inhibited = self.inhibited.saturating_sub(1);
    }

    /// Says that everything which is needed is reachable now. Collects if that is due.
    pub fn safepoint(&mut self) {
        if self.inhibited == 0 && self.external > self.external_limit {
            self.collect();
        }
    }

    /// Says that objects hold so many bytes more, or less, outside of the heap: much of it makes the next
    /// [`safepoint`](Collector::safepoint) collect.
    pub fn external(&mut self, bytes: isize) {
        self.external = self.external.saturating_add_signed(bytes);
        // What goes while finalizers run after a collection does not count as live for the next one.
        self.external_limit = self.external_limit.min(self.external.saturating_add(self.heap.limit));
    }

    /// Figures of the heap.
    pub fn stats(&self) -> Stats {
        Stats {
            taken: self.heap.taken,
            total: self.stats.total + self.heap.taken as u64,
            heap: self.heap.map.len(),
            limit: self.heap.limit,
            most: self.heap.space.len(),
            footprint: self.heap.space.bytes_for(self.heap.map.len()),
            external: self.external,
            ..self.stats
        }
    }

    /// Gives back all memory of the heap; answers what the embedder was.
    ///
    /// # Safety
    ///
    /// No object is used any more.
    pub unsafe fn release(self) -> E {
        self.heap.space.release();
        self.embedder
    }
}

/// A heap whose collection has not come to its end. It cannot be used: the next collection would take what was marked for
/// scanned, and free what that refers to.
struct HalfMarked;

impl Drop for HalfMarked {
    /// A function of the language has unwound: a second panic ends the process.
    fn drop(&mut self) {
        panic!("a panic in the middle of a collection");
    }
}

/// The time, nanoseconds; 0 if the kernel does not tell.
fn now() -> u64 {
    sys::clock_gettime(CLOCK_MONOTONIC).map_or(0, |time| time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64)
}
