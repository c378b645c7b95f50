//! The heap: size-class lists on a back end that joins what is free.
//!
//! ```text
//!   Heap             the lock, GlobalAlloc                            (here)
//!   Cache            a free list for each class: most calls end here  (cache.rs)
//!   Backend          splits and joins runs of granules                (backend.rs)
//!                    grows                                            (growth.rs)
//!                    gives back                                       (purge.rs)
//!   Bins, FreeChunk  the free chunks by length, and what one holds    (bins.rs, free_chunk.rs)
//!   Segment          an extent laid out: edge bits, blocks, top       (segment.rs)
//!   Memory           reserve, commit, reset, release                  (memory.rs, system.rs)
//! ```
//!
//! Each knows only those below it. What makes it fast is that a caller of
//! `deallocate` says how long the block is (its `Layout`), so no block needs a
//! header and no free needs to look anything up. What makes it small is that the
//! back end knows of blocks in use only where they meet free ones, one bit a
//! granule, and that it joins all free memory before it takes new.
//!
//! # Bounds
//!
//! Time, for one call, N being what the heap holds:
//!
//! | call | work |
//! |---|---|
//! | `allocate`, `deallocate` of up to [`SMALL_MAX`] bytes | a few instructions; now and then as below, for at most 2,048 blocks at once |
//! | others | O(bits of a word + segments): best fit, joins, splits; a step of growth makes at most a huge page or two resident; at most 16 MiB go back to the kernel |
//! | a request that would be refused | all of the cache is emptied, unused segments are released; for an alignment above a granule every free chunk is looked at: O(N) |
//! | `trim`, `stats`, `check` | O(N) |
//!
//! Resident memory over what is in use: free memory is used again by best fit, joined as soon as it is freed; what
//! no allocator that does not move blocks can avoid (Robson 1974: a factor of half the logarithm of the longest over the
//! shortest block) is the worst case here too. Beyond that at most a quarter of what is in use, or
//! [`PURGE_THRESHOLD`] bytes if that is more, stays resident without use for longer than 1024 calls of the back end, and
//! four times that at any time, but for what 16 MiB a call have not given back yet. After [`trim`](Heap::trim) no whole page is resident that holds no block and none of
//! the heap's words. Each list of the cache holds at most a 64th of what is in use, or 16 KiB.
//!
//! Address space over what is in use: a segment is as large as all before it, so at most twice what was ever in
//! use, or the first segment; near the end of what the kernel gives a segment takes a quarter of what is left, and then
//! what a request needs. What is in nobody's use goes back before a request is refused.
//!
//! What was freed can be had again at once, whatever its size and alignment; making a block smaller never fails.
//!
//! From [`HUGE_FROM`] bytes in use on, new pages come as huge ones where the
//! kernel has them.

mod backend;
mod bins;
mod cache;
mod check;
mod class;
mod free_chunk;
mod growth;
mod memory;
mod purge;
mod segment;
mod stats;
mod system;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

use crate::lock::{Lock, RawMutex, Unlocked};

use backend::{Backend, Blocks, Misuse, Request};
use cache::Cache;
use class::SizeClass;
use segment::Segment;

pub use check::Fault;
pub use class::{CLASSES, GRANULE, SMALL_MAX, block_len, class_len, class_of};
pub use growth::HUGE_FROM;
pub use memory::{Extent, Memory, Refusal};
pub use stats::{Class, Stats};
pub use system::SystemMemory;

/// How many free bytes may stay resident, unless [`Heap::set_purge_threshold`] says otherwise.
pub const PURGE_THRESHOLD: usize = if usize::BITS == 64 { 32 * 1024 * 1024 } else { 8 * 1024 * 1024 };

/// A heap over the memory `M`, behind the lock `L`.
///
/// As the program's allocator, with `std` or without:
///
/// ```
/// #[global_allocator]
/// static HEAP: rt0::Heap = rt0::Heap::new();
///
/// let numbers: Vec<u32> = (0..1000).collect();
/// assert!(HEAP.stats().live >= 4 * numbers.len());
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
        self.lock.lock();
        if let Some(class) = SizeClass::of(layout) {
            // SAFETY: the lock is held, so this is the only reference.
            if let Some(block) = unsafe { &mut *self.state.get() }.cache.pop(class) {
                // SAFETY: taken above.
                unsafe { self.lock.unlock() };
                return Some(block);
            }
        }
        // SAFETY: the lock is held.
        unsafe { self.allocate_locked(layout) }
    }

    /// The rest of it, where no list has a block.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and has not any more when this returns.
    #[inline(never)]
    unsafe fn allocate_locked(&self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the caller holds the lock.
        unsafe { self.with_locked(|state| state.allocate(layout)) }.map(|(block, _)| block)
    }

    /// As [`allocate`](Heap::allocate), and the block's bytes are zero.
    pub fn allocate_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (block, zero) = if SizeClass::of(layout).is_some() {
            (self.allocate(layout)?, false)
        } else {
            self.with(|state| state.allocate(layout))?
        };
        if !zero {
            // SAFETY: the block is `size` bytes long and ours.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        Some(block)
    }

    /// Takes a block back.
    ///
    /// What is not a block of this heap, or free already, is found out where it meets the back end, then or in a later
    /// call. The process ends then with a panic that says the address and what is wrong with it.
    ///
    /// # Safety
    ///
    /// `block` came from this heap for this `layout` and is not used any more.
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.lock.lock();
        if let Some(class) = SizeClass::of(layout) {
            // SAFETY: the lock is held, so this is the only reference; the caller says how long the block is, and that it
            // is free.
            if unsafe { (*self.state.get()).cache.push(class, block) } {
                // SAFETY: taken above.
                return unsafe { self.lock.unlock() };
            }
        }
        // SAFETY: the lock is held; for the block as above.
        unsafe { self.deallocate_locked(block, layout) };
    }

    /// The rest of it: the list of its class has the block, and one too many, or it has no class.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and has not any more when this returns; the block as for `deallocate`.
    #[inline(never)]
    unsafe fn deallocate_locked(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller holds the lock, and says how long the block is.
        unsafe { self.with_locked(|state| state.deallocate(block, layout)) };
    }

    /// Makes a block `new_size` bytes long, where it is if that can be. Its bytes
    /// up to the lesser size are kept. `None` if there is no memory, and the
    /// block is as it was; a block that is to be shorter is always had.
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
            state.cache.flush(&mut state.backend);
            state.backend.release_empty_segments();
            state.backend.purge_all();
        });
    }

    /// Sets how many free bytes may stay resident when they have not been wanted for a while; a quarter of what is in use
    /// may always stay. 0: what is free goes back as soon as the kernel can take it in pieces of 16 MiB.
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

    fn with<T>(&self, f: impl FnOnce(&mut State<M>) -> T) -> T {
        self.lock.lock();
        // SAFETY: the lock is held.
        unsafe { self.with_locked(f) }
    }

    /// Does something with the state, unlocks, and only then ends the process if a promise was broken: who prints that may
    /// allocate.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and has not any more when this returns.
    #[inline]
    unsafe fn with_locked<T>(&self, f: impl FnOnce(&mut State<M>) -> T) -> T {
        // SAFETY: the lock is held, so this is the only reference.
        let result = f(unsafe { &mut *self.state.get() });
        // SAFETY: the lock is held.
        unsafe { self.finish() };
        result
    }

    /// The end of each call that came to the back end.
    ///
    /// # Safety
    ///
    /// The caller holds the lock, and has not any more when this returns.
    #[inline(never)]
    unsafe fn finish(&self) {
        // SAFETY: the lock is held, so this is the only reference.
        let backend = unsafe { &mut (*self.state.get()).backend };
        backend.tick();
        let misuse = backend.misuse.take();
        // SAFETY: the caller holds it.
        unsafe { self.lock.unlock() };
        if let Some(misuse) = misuse {
            report(&misuse);
        }
    }
}

/// Ends the process: going on would only hide what is wrong. Not by unwinding, which no allocator may do: out of a C
/// function a panic goes no further.
#[cold]
#[inline(never)]
extern "C" fn report(misuse: &Misuse) -> ! {
    panic!("{misuse}")
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

    /// A block, and whether it reads as zero.
    fn allocate(&mut self, layout: Layout) -> Option<(NonNull<u8>, bool)> {
        let class = SizeClass::of(layout);
        if let Some(class) = class
            && let Some(block) = self.cache.pop(class)
        {
            return Some((block, false));
        }
        let len = class.map_or_else(|| block_len(layout.size()), SizeClass::len);
        self.serve(Request { len, count: 1, align: layout.align().max(GRANULE) }, |state, request| match class {
            Some(class) => state.cache.refill(class, &mut state.backend).map(|at| Blocks { at, count: 1, zero: false }),
            None => {
                state.cache.drain_excess(&mut state.backend);
                state.backend.take(request)
            }
        })
        .map(|run| (run.at, run.zero))
    }

    /// Serves a request that `take` may serve, after some effort: joins what is in some lists, lets the heap grow, joins
    /// what is in all lists, looks at every chunk.
    #[inline(never)]
    fn serve(&mut self, request: Request, take: impl Fn(&mut Self, Request) -> Option<Blocks>) -> Option<Blocks> {
        for effort in 0..=4 {
            if let Some(run) = take(self, request) {
                return Some(run);
            }
            match effort {
                0 => self.cache.flush_some(&mut self.backend),
                2 => self.cache.flush(&mut self.backend),
                // What was in the lists may have been all that kept a segment: so the heap may grow once more.
                4 => break,
                _ => drop(self.backend.extend(request)),
            }
        }
        let found = if request.align > GRANULE { self.backend.take_thoroughly(request) } else { None };
        if found.is_none() {
            let in_use = self.backend.out();
            let reserved = self.backend.segments().map(Segment::reserved).sum();
            self.backend.memory.note_refusal(Refusal { asked: request.len, align: request.align, in_use, reserved });
        }
        found
    }

    /// Takes a block back that has no class, or is in its list, which has one too many then.
    #[inline(never)]
    unsafe fn deallocate(&mut self, block: NonNull<u8>, layout: Layout) {
        match SizeClass::of(layout) {
            Some(class) => self.cache.overflow(class, &mut self.backend),
            // SAFETY: the caller says how long the block is, and that it is free.
            None => unsafe { self.backend.give(block, block_len(layout.size())) },
        }
    }

    #[inline(never)]
    unsafe fn reallocate(&mut self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the alignment is a layout's, and the caller says that the size is one.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let (old, new) = (SizeClass::of(layout), SizeClass::of(new_layout));
        match (old, new) {
            (Some(old), Some(new)) if old == new => return Some(block),
            (None, _) => {
                // To be shorter, with a class or without, it stays where it is.
                let (old_len, new_len) = (block_len(layout.size()), block_len(new_size));
                // SAFETY: the caller says how long the block is.
                if unsafe { self.backend.resize(block, old_len, new_len) } {
                    if let Some(new) = new {
                        self.cache.out[new.index()] += 1;
                    }
                    return Some(block);
                }
            }
            // Small blocks move: copying one costs less than asking its neighbour.
            _ => {}
        }
        let Some((moved, _)) = self.allocate(new_layout) else {
            let (old, new) = (old?, new.filter(|_| new_size <= layout.size())?);
            // There is no other block, so this one becomes shorter.
            self.cache.out[old.index()] -= 1;
            self.cache.out[new.index()] += 1;
            // SAFETY: the caller says how long the block is.
            unsafe { self.backend.resize(block, old.len(), new.len()) };
            return Some(block);
        };
        // SAFETY: two blocks, each at least as long as what is copied; the old
        // one is not used after that, and has the length of its class.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), moved.as_ptr(), layout.size().min(new_size));
            if !old.is_some_and(|class| self.cache.push(class, block)) {
                self.deallocate(block, layout);
            }
        }
        Some(moved)
    }

    fn stats(&self) -> Stats {
        let mut classes = [Class::default(); CLASSES];
        let mut listed = 0;
        for (class, figures) in SizeClass::all().zip(&mut classes) {
            figures.listed = self.cache.list(class).count();
            figures.live = self.cache.out[class.index()] - figures.listed;
            listed += figures.listed * class.len();
        }
        let out = self.backend.out();
        Stats {
            live: out - listed,
            peak: self.backend.peak,
            listed,
            free: self.backend.free,
            committed: self.backend.segments().map(|r| r.committed()).sum(),
            reserved: self.backend.segments().map(Segment::reserved).sum(),
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
        // SAFETY: the caller's promise; blocks are not null.
        unsafe { self.deallocate(NonNull::new_unchecked(block), layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        or_null(self.allocate_zeroed(layout))
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise; blocks are not null.
        or_null(unsafe { self.reallocate(NonNull::new_unchecked(block), layout, new_size) })
    }
}

#[inline]
fn or_null(block: Option<NonNull<u8>>) -> *mut u8 {
    block.map_or(ptr::null_mut(), NonNull::as_ptr)
}
