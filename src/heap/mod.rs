//! The heap: size-class lists on a back end that joins what is free.
//!
//! ```text
//!   Heap         the lock, GlobalAlloc                          (here)
//!   Cache        a free list for each class: most calls end here (cache.rs)
//!   Backend         splits and joins runs of granules               (backend.rs)
//!   Bins, FreeChunk  the free chunks by length, and what one holds   (bins.rs, free_chunk.rs)
//!   Segment       an extent laid out: edge bits, blocks, top      (segment.rs)
//!   Memory       reserve, commit, reset, release              (memory.rs)
//! ```
//!
//! Each knows only those below it. What makes it fast is that a caller of
//! `deallocate` says how long the block is (its `Layout`), so no block needs a
//! header and no free needs to look anything up. What makes it small is that the
//! back end knows of blocks in use only where they meet free ones, one bit a
//! granule, and that it joins all free memory before it takes new.
//!
//! Freed memory stays with the heap, committed, up to [`PURGE_THRESHOLD`] bytes or a
//! quarter of what is in use, whichever is more; beyond that, pages go back to
//! the kernel until half of it is left. [`Heap::trim`] gives back all there is.
//! From [`HUGE_FROM`] bytes in use on, new pages come as huge ones where the
//! kernel has them.

mod backend;
mod bins;
mod cache;
mod check;
mod class;
mod free_chunk;
mod memory;
mod segment;
mod stats;
mod system;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

use crate::lock::{Lock, RawMutex, Unlocked};

use backend::{Backend, Request};
use cache::Cache;
use class::SizeClass;

pub use backend::{HUGE_FROM, PURGE_THRESHOLD};
pub use check::Fault;
pub use class::{CLASSES, GRANULE, SMALL_MAX, block_len, class_len, class_of};
pub use memory::{Extent, Memory};
pub use stats::{Class, Stats};
pub use system::SystemMemory;

/// A heap over the memory `M`, behind the lock `L`.
///
/// As the program's allocator:
///
/// ```ignore
/// #[global_allocator]
/// static HEAP: rt0::Heap = rt0::Heap::new();
/// ```
///
/// As a plain value, for a language runtime: [`allocate`](Heap::allocate),
/// [`deallocate`](Heap::deallocate) and [`reallocate`](Heap::reallocate). A heap
/// takes nothing before the first allocation. It never gives its segments back
/// when it is dropped: blocks may outlive it.
pub struct Heap<L = Lock, M = SystemMemory> {
    lock: L,
    state: UnsafeCell<State<M>>,
}

struct State<M> {
    cache: Cache,
    backend: Backend<M>,
}

/// What is tried next for a request that finds no room.
enum Effort {
    Some,
    All,
    Growth,
    None,
}

// SAFETY: the state is reached only in `with`, which holds the lock, and a lock keeps others out or was made by somebody
// who has promised to.
unsafe impl<L: RawMutex + Sync, M: Memory + Send> Sync for Heap<L, M> {}
// SAFETY: a heap refers to its memory by pointers that no thread owns.
unsafe impl<L: RawMutex + Send, M: Memory + Send> Send for Heap<L, M> {}

impl<M: Memory> Heap<Lock, M> {
    /// A heap on the given memory that threads may share.
    pub const fn on(memory: M) -> Self {
        Heap::from_parts(Lock::new(), memory)
    }
}

impl<M: Memory> Heap<Unlocked, M> {
    /// A heap on the given memory without a lock.
    ///
    /// # Safety
    ///
    /// No two calls of its methods overlap in time: the program has one thread,
    /// or excludes its threads from one another itself; and no signal handler
    /// calls them.
    pub const unsafe fn unlocked_on(memory: M) -> Self {
        // SAFETY: the lock is taken by the heap's methods alone, from their beginning to their end.
        Heap::from_parts(unsafe { Unlocked::new() }, memory)
    }
}

impl<L: RawMutex, M: Memory> Heap<L, M> {
    /// A heap on the given memory behind a lock of the caller's.
    pub const fn from_parts(lock: L, memory: M) -> Self {
        Heap { lock, state: UnsafeCell::new(State::new(memory)) }
    }

    /// A block for `layout`: aligned as it says, and at least as long. A request
    /// of no bytes gets a block of its own. `None` if there is no memory, and the
    /// heap is as it was.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.with(|state| state.allocate(layout))
    }

    /// As [`allocate`](Heap::allocate), and the block's bytes are zero.
    pub fn allocate_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (block, zero) = self.with(|state| state.allocate_zeroed(layout))?;
        if !zero {
            // SAFETY: the block is `size` bytes long and ours.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        Some(block)
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `block` came from this heap for this `layout` and is not used any more.
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: this function's contract says that the block is this heap's, for this layout, and no longer used.
        self.with(|state| unsafe { state.deallocate(block, layout) });
    }

    /// Makes a block `new_size` bytes long, where it is if that can be. Its bytes
    /// up to the lesser size are kept. `None` if there is no memory, and the
    /// block is as it was.
    ///
    /// # Safety
    ///
    /// `block` came from this heap for this `layout`; if a block is returned, the
    /// old one is not used any more. `new_size`, rounded up to the alignment, is
    /// at most `isize::MAX`.
    #[inline]
    pub unsafe fn reallocate(&self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        // SAFETY: this function's contract says that the block is this heap's, for this layout.
        self.with(|state| unsafe { state.reallocate(block, layout, new_size) })
    }

    /// Figures of the heap. Walks the free lists.
    pub fn stats(&self) -> Stats {
        self.with(|state| state.stats())
    }

    /// Looks at the whole heap and says the first thing that is wrong with it.
    pub fn check(&self) -> Result<(), Fault> {
        self.with(|state| check::check(&state.cache, &state.backend))
    }

    /// Gives back to the kernel whatever can be: pages that hold nothing, and
    /// segments, but for the first, in which nothing is in use.
    pub fn trim(&self) {
        self.with(|state| {
            state.cache.flush(usize::MAX, &mut state.backend);
            state.backend.release_empty_segments();
            state.backend.purge(0);
        });
    }

    /// Sets how many free bytes stay committed; a quarter of what is in use may
    /// always stay.
    pub fn set_purge_threshold(&self, bytes: usize) {
        self.with(|state| state.backend.purge_threshold = Some(bytes));
    }

    /// Sets from how many bytes in use on the heap grows by huge pages, where the
    /// kernel has them (2 MiB; [`HUGE_FROM`] if this is not called): fewer page faults
    /// and TLB misses; below [`HUGE_FROM`] at the price of up to one of them resident
    /// unused. 0: from the first block on; `usize::MAX`: never. What is resident
    /// already stays as it is.
    pub fn set_huge_from(&self, bytes: usize) {
        self.with(|state| state.backend.huge_from = Some(bytes));
    }

    #[inline]
    fn with<T>(&self, f: impl FnOnce(&mut State<M>) -> T) -> T {
        self.lock.lock();
        // SAFETY: the lock is held, so this is the only reference.
        let result = f(unsafe { &mut *self.state.get() });
        // SAFETY: taken above.
        unsafe { self.lock.unlock() };
        result
    }
}

/// Says nothing of what is in the heap: looking would take its lock.
impl<L, M> core::fmt::Debug for Heap<L, M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Heap").finish_non_exhaustive()
    }
}

impl<M: Memory> State<M> {
    const fn new(memory: M) -> State<M> {
        State { cache: Cache::new(), backend: Backend::new(memory) }
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        match SizeClass::of(layout.size()) {
            Some(class) if layout.align() <= GRANULE => match self.cache.pop(class) {
                Some(block) => Some(block),
                None => self.refill(class),
            },
            _ => self.take(layout).map(|(block, _)| block),
        }
    }

    fn allocate_zeroed(&mut self, layout: Layout) -> Option<(NonNull<u8>, bool)> {
        if layout.size() <= SMALL_MAX && layout.align() <= GRANULE {
            return Some((self.allocate(layout)?, false));
        }
        self.take(layout)
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller says how long the block is, and that it is free.
        unsafe {
            match SizeClass::of(layout.size()) {
                Some(class) => self.cache.push(class, block),
                None => self.give(block, layout.size()),
            }
        }
    }

    unsafe fn reallocate(&mut self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        match (SizeClass::of(layout.size()), SizeClass::of(new_size)) {
            (Some(old), Some(new)) if old == new => return Some(block),
            // SAFETY: the caller says how long the block is.
            (None, None) if unsafe { self.resize(block, layout.size(), new_size) } => return Some(block),
            // Small blocks move: copying one costs less than asking its neighbour.
            _ => {}
        }
        // SAFETY: the alignment is a layout's, and the caller says that the size is one.
        let moved = self.allocate(unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) })?;
        // SAFETY: two blocks, each at least as long as what is copied; the old
        // one is not used after that.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), moved.as_ptr(), layout.size().min(new_size));
            self.deallocate(block, layout);
        }
        Some(moved)
    }

    /// An empty list: blocks from the back end.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: SizeClass) -> Option<NonNull<u8>> {
        let mut effort = Effort::Some;
        loop {
            if let Some(block) = self.cache.refill(class, &mut self.backend) {
                return Some(block);
            }
            effort = self.make_room(effort, Request { len: class.len(), count: 1, align: GRANULE })?;
        }
    }

    /// A block that no list serves.
    #[inline(never)]
    fn take(&mut self, layout: Layout) -> Option<(NonNull<u8>, bool)> {
        let want = Request { len: block_len(layout.size()), count: 1, align: layout.align().max(GRANULE) };
        let mut effort = Effort::Some;
        let run = loop {
            if let Some(run) = self.backend.take(want) {
                break run;
            }
            effort = self.make_room(effort, want)?;
        };
        if let Some(class) = SizeClass::of(layout.size()) {
            // It will be freed to a list.
            self.cache.out[class.index()] += 1;
        }
        Some((run.at, run.zero))
    }

    /// Takes back a block that has no class.
    #[inline(never)]
    unsafe fn give(&mut self, block: NonNull<u8>, size: usize) {
        // SAFETY: the block is as long as its layout says, whole granules, and no longer used.
        unsafe { self.backend.give(block, block_len(size)) };
    }

    /// Makes a block that has no class one of another size, without a class too, if
    /// it can stay where it is.
    #[inline(never)]
    unsafe fn resize(&mut self, block: NonNull<u8>, size: usize, new_size: usize) -> bool {
        // SAFETY: the block is as long as its layout says, whole granules.
        unsafe { self.backend.resize(block, block_len(size), block_len(new_size)) }
    }

    /// Makes an effort to have room for a request that found none, and says what
    /// the next one is: joins what is in some lists, in all of them, and then lets
    /// the heap grow.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, effort: Effort, want: Request) -> Option<Effort> {
        match effort {
            Effort::Some => {
                self.cache.flush(self.backend.step(), &mut self.backend);
                Some(Effort::All)
            }
            Effort::All => {
                self.cache.flush(usize::MAX, &mut self.backend);
                Some(Effort::Growth)
            }
            Effort::Growth => self.backend.extend(want).then_some(Effort::None),
            Effort::None => None,
        }
    }

    fn stats(&self) -> Stats {
        let mut classes = [Class::default(); CLASSES];
        let mut listed = 0;
        for (class, figures) in SizeClass::all().zip(&mut classes) {
            figures.listed = self.cache.list(class).count();
            figures.live = self.cache.out[class.index()] - figures.listed;
            listed += figures.listed * class.len();
        }
        let out = self.backend.used - self.backend.free;
        Stats {
            live: out - listed,
            peak: self.backend.peak,
            listed,
            free: self.backend.free,
            committed: self.backend.segments().map(|r| r.committed()).sum(),
            reserved: self.backend.segments().map(|r| r.reserved()).sum(),
            segments: self.backend.segments().count(),
            classes,
        }
    }
}

// SAFETY: blocks are distinct, as long and as aligned as their layouts say, and
// stay until they are freed; nothing here unwinds.
unsafe impl<L: RawMutex, M: Memory> GlobalAlloc for Heap<L, M> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        or_null(self.allocate(layout))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `GlobalAlloc`'s contract says that the block is this heap's; blocks are not null.
        unsafe { self.deallocate(NonNull::new_unchecked(block), layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        or_null(self.allocate_zeroed(layout))
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: `GlobalAlloc`'s contract says that the block is this heap's; blocks are not null.
        or_null(unsafe { self.reallocate(NonNull::new_unchecked(block), layout, new_size) })
    }
}

#[inline]
fn or_null(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}
