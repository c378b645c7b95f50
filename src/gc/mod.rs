//! A heap that collects: objects that are freed when nothing refers to them any more.
//!
//! ```text
//!   Collector     when to collect, what to tell the language          (mod.rs)
//!   Embedder      what the language says: roots, references, tags     (embedder.rs)
//!   roots, weak   handles, stack, variables; weak cells, ephemerons, finalizers
//!   Marker        reaches everything from the roots                   (mark.rs)
//!   Allocator     bumps through holes, lets the heap grow             (alloc.rs)
//!   Map, sweep    four bits a word, and a table of blocks             (map.rs, sweep.rs)
//!   Space         one arena: reserve, commit, reset                   (space.rs)
//! ```
//!
//! Each knows only those below it. The design in short:
//!
//! - **Everything is pinned.** Nothing moves, whatever refers to it: an address is an object's name for as long as it lives,
//!   may be hashed, handed to the kernel and found in any register.
//! - **No headers.** Beside the heap lie four bits for each word of it, which say where objects and holes begin, what is to
//!   be scanned and what was reached: 1.5 bytes for an object of 24 on 64-bit ports, and 0.07 for the table of blocks. On
//!   32-bit ports a word is half as long, so that it is 12.5 % of the heap there. A bit for a granule would take less, but
//!   then lengths and kinds would stand elsewhere, in headers or in size classes, and cost more than they save: with four
//!   bits in one place the usual object is found, measured and marked by one load.
//! - **Allocation** bumps through holes of any length, in the order of addresses, so that a few survivors cost what they
//!   are long and no more; what is free side by side is one hole after each collection.
//! - **Marking** has a small stack, a ring that waits for the cache, and bits for what finds no room on the stack.
//!   Everything that a collection needs is there before the first one begins.
//! - **Sweeping** goes through the four bits, a machine word at a time, at once; memory itself is touched when it is
//!   allocated.
//! - **A pause** is a whole collection. It grows with what is live and, a hundredth as fast, with the heap.
//!
//! A collector serves one thread. Where several threads share one, they exclude one another, stop for a collection at
//! places of their own choosing, and each gives its stack by [`Marker::roots`].

mod alloc;
mod check;
mod embedder;
mod map;
mod mark;
mod roots;
mod space;
mod stats;
mod sweep;
mod walk;
mod weak;

use core::ptr::NonNull;

use crate::arena::Options;
use crate::sys::{self, CLOCK_MONOTONIC};

use alloc::Allocator;
use map::{EDGE, OBJECT, SCAN};
use roots::Handles;
use space::Space;
use weak::Lists;

pub use check::Fault;
pub use embedder::Embedder;
pub use map::GRANULE;
pub use mark::Marker;
pub use roots::{Handle, data_segments};
pub use space::HeapError;
pub use stats::{Event, Stats};
pub use walk::{Object, Objects};
pub use weak::{Ephemerons, Weak};

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
        /// Above 100. 200 collects when as much was allocated as is live.
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

/// A heap that collects, for the language `E`.
pub struct Collector<E> {
    heap: Allocator,
    handles: Handles,
    lists: Lists,
    growth: Growth,
    /// Objects that are kept while an operation of the collector itself allocates.
    keep: [usize; 3],
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
    /// [`HeapError`] if nothing fits. Nothing is reserved then.
    #[expect(clippy::result_large_err, reason = "there is no heap yet to put it in")]
    pub fn new(policy: &Policy, embedder: E) -> Result<Collector<E>, HeapError> {
        let space = Space::reserve(&policy.arena, policy.handles)?;
        let handles = Handles::new(space.handles());
        let mut collector = Collector {
            heap: Allocator::new(space),
            handles,
            lists: Lists::default(),
            growth: policy.growth,
            keep: [0; 3],
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
    /// is needed later has to be reachable now. `None` only where a collection has found no room, and the heap is whole
    /// then: the language can raise an error of its own and go on.
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
        if len > isize::MAX as usize {
            return None;
        }
        let found = self.heap.search(len, code);
        let found = found.or_else(|| self.grow(len, code));
        let found = found.or_else(|| {
            if self.inhibited > 0 || self.too_soon() {
                return None;
            }
            self.collect();
            self.heap.search(len, code).or_else(|| self.grow(len, code))
        });
        let found = found.or_else(|| {
            // Beyond the limit, as far as there is memory.
            self.heap.raise_limit(len);
            self.grow(len, code)
        });
        let found = found.or_else(|| {
            if self.inhibited > 0 || !self.too_soon() {
                return None;
            }
            self.collect();
            self.heap.search(len, code)
        });
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

    fn grow(&mut self, len: usize, code: usize) -> Option<usize> {
        while self.heap.grow(len) {
            if let Some(at) = self.heap.search(len, code) {
                return Some(at);
            }
        }
        None
    }

    /// Allocates while the words `keep` count as roots.
    fn allocate_keeping(&mut self, size: usize, kind: Kind, keep: [usize; 3]) -> Option<NonNull<u8>> {
        self.keep = keep;
        let object = self.allocate(size, kind);
        self.keep = [0; 3];
        object
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
        self.embedder.event(&Event::Begin);
        let begin = now();
        self.heap.retire();
        let mut marker = Marker::new(self.heap.map, self.heap.space.stack());
        self.embedder.roots(&mut marker);
        self.handles.roots(&mut marker);
        self.lists.roots(&mut marker);
        for word in self.keep {
            marker.root(word);
        }
        if let Some(base) = self.stack {
            // SAFETY: `scan_stack` was told so.
            unsafe { roots::stack(&mut marker, base) };
        }
        marker.drain();
        self.lists.after_mark(&mut marker);
        let free = self.heap.map.sweep();
        let live = self.heap.map.len() - free;
        self.set_limits(live);
        let purged = match self.growth {
            Growth::Whole => 0,
            Growth::Live { .. } => self.heap.purge(self.heap.limit),
        };
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

    /// No collection until as many [`allow`](Collector::allow) follow: allocation takes new memory as long as there is some,
    /// and then answers `None`.
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
    }

    /// Figures of the heap.
    pub fn stats(&self) -> Stats {
        Stats {
            taken: self.heap.taken,
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

/// The time, nanoseconds; 0 if the kernel does not tell.
fn now() -> u64 {
    sys::clock_gettime(CLOCK_MONOTONIC).map_or(0, |time| time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64)
}
