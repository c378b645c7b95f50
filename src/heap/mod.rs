//! The heap: size-class lists on a back end that joins what is free.
//!
//! ```text
//!   Heap             GlobalAlloc, what is locked when                 (here)
//!                    all that is locked, around a fork                (fork.rs)
//!   Fronts           a lock and a cache for each of several threads   (fronts.rs)
//!   Cache            a free list for each class: most calls end here  (cache.rs)
//!   Depot            batches of blocks on their way between caches    (depot.rs)
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
//! | `allocate`, `deallocate` of up to [`SMALL_MAX`] bytes, or of a [class](CLASSES) of aligned blocks | a few instructions; now and then as below |
//! | others | O(bits of a word + segments): best fit, joins, splits; the same for each block that goes from lists and batches to the back end, at most 32,768; a step of growth makes at most a huge page or two resident; at most 8 MiB go back to the kernel (2 on 32-bit ports), in eight pieces and what lies above tops; for a longer block that is freed, or zeroed, twice its length in such steps, between which other threads get in |
//! | a request that would be refused | unused segments are released; unless it is for more than there can ever be all caches are emptied; for an alignment above a granule every free chunk is looked at: O(N) |
//! | `trim`, `stats`, `check` | O(N) |
//!
//! Resident memory over what is in use: free memory is used again by best fit, joined as soon as it is freed; what no
//! allocator that does not move blocks can avoid (Robson 1974: a factor of half the logarithm of the longest over the
//! shortest block) is the worst case here too. Beyond that at most a quarter of what is in use stays resident, or
//! [`PURGE_THRESHOLD`] bytes if that is more, and up to as much again of what was given back and taken again within some
//! 4,096 calls of the back end, but for what steps of 8 MiB (2) or eight pieces have not given back yet. After
//! [`trim`](Heap::trim) no whole page is resident that holds no block and none of the heap's words.
//! What free lists hold, one set for each of up to 256 threads, is bounded in fronts.rs.
//!
//! Address space over what is in use: what blocks share grows by as much as it is, so it is at most twice what they
//! ever had in use at once, or the first segment, but for what is free in pieces; near the end of what the kernel gives
//! by a quarter of what is left, and then by what a request needs. A block that is large beside all others has
//! a segment of its own, with bits for what it may grow to: at most a seventh of it (a third on 32-bit ports); a block
//! that grows there doubles it. It takes one that is empty if there is any, and those that are too short go back before
//! another is added. What is in nobody's use goes back before a request is refused.
//!
//! Blocks lie under each limit as under any other (but for each power of two lists are longer), until the kernel first
//! refuses: there the larger limit has the more room left, and no luck decides.
//!
//! What was freed can be had again at once, whatever its size and alignment; making a block smaller never fails.
//!
//! From [`HUGE_FROM`] bytes in use on, new pages come as huge ones where the
//! kernel has them.
//!
//! As a plain value, and on memory of its owner's:
//!
//! ```
//! use core::{alloc::Layout, ptr::NonNull};
//! use rt0::arena;
//! use rt0::heap::{Class, Extent, Fault, Heap, Memory, Refusal, Stats, SystemMemory, block_len, class_len, class_of};
//! use rt0::lock::Lock;
//! use rt0::vm;
//!
//! /// Each extent is a reservation of its own.
//! struct Apart;
//!
//! // SAFETY: `vm` hands out what is nobody else's; the kernel's new pages are zero; nothing here allocates or unwinds.
//! unsafe impl Memory for Apart {
//!     fn page_size(&self) -> usize {
//!         rt0::page_size()
//!     }
//!     fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
//!         vm::reserve(want).or_else(|_| vm::reserve(min)).ok()
//!     }
//!     unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
//!         // SAFETY: the pages lie in an extent of this one's, which is the heap's.
//!         unsafe { vm::commit(at, len) }.is_ok()
//!     }
//!     unsafe fn reset(&mut self, at: NonNull<u8>, len: usize) {
//!         // SAFETY: the same, and nobody needs what they hold.
//!         unsafe { vm::reset(at, len) }
//!     }
//!     fn release(&mut self, extent: Extent) {
//!         let _ = extent.release();
//!     }
//!     fn note_refusal(&mut self, refusal: Refusal) {
//!         rt0::eprintln!("no room for {} bytes", refusal.asked);
//!     }
//! }
//!
//! let heap: Heap<Lock, Apart> = Heap::from_parts(Lock::new(), Apart);
//! let layout = Layout::new::<[u64; 10]>();
//! let block = heap.allocate(layout).expect("there is room");
//! let zeroed = heap.allocate_zeroed(layout).expect("there is room");
//! // SAFETY: both blocks are of this heap with this layout, and nobody uses them any more when they are freed.
//! unsafe {
//!     assert_eq!(zeroed.cast::<u64>().read(), 0);
//!     let longer = heap.reallocate(block, layout, 4000).expect("there is room");
//!     heap.deallocate(longer, Layout::from_size_align(4000, layout.align()).unwrap());
//!     heap.deallocate(zeroed, layout);
//! }
//! heap.set_purge_threshold(1 << 20); // bytes that may stay resident without use
//! heap.set_huge_from(usize::MAX); // never huge pages
//! heap.trim();
//! let checked: Result<(), Fault> = heap.check();
//! checked.expect("the heap is whole");
//! let stats: Stats = heap.stats();
//! let class: Class = stats.classes()[class_of(80)];
//! assert_eq!((stats.live, class.live), (0, 0));
//! let len = block_len(Layout::new::<[u8; 80]>());
//! assert!(len == class_len(class_of(80)) && len >= 80);
//!
//! // The kernel's memory with a cap and an allowance; within an arena; without a lock, for one thread.
//! let capped = Heap::on(SystemMemory::new().cap(8 << 20).allowance(1 << 20));
//! capped.reserve().expect("8 MiB fit");
//! let arena = arena::mallocinit(&arena::Options::new().cap(1 << 20).bitmap(false)).expect("1 MiB fits");
//! // SAFETY: this function alone uses both.
//! let (within, own) = unsafe { (Heap::unlocked_on(SystemMemory::in_arena(arena)), Heap::new_unlocked()) };
//! assert!(within.allocate(layout).is_some() && own.allocate(layout).is_some());
//! ```

mod backend;
mod bins;
mod cache;
mod check;
mod class;
mod depot;
mod fork;
mod free_chunk;
mod fronts;
mod growth;
mod memory;
mod purge;
mod segment;
mod stats;
mod system;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

use crate::lock::{self, Lock, RawMutex, Unlocked};

use backend::{Backend, Blocks, Misuse, Request};
use cache::{Cache, FLUSH_MOST};
use class::SizeClass;
use depot::Depot;
use fronts::{Contended, Front, Fronts, Held};
use memory::ADDRESSES;
use purge::{SLICE, THRESHOLD_MOST};

pub use check::Fault;
pub use class::{CLASSES, GRANULE, SMALL_MAX, block_len, class_len, class_of};
pub use growth::HUGE_FROM;
pub use memory::{Extent, Memory, Refusal};
pub use purge::PURGE_THRESHOLD;
pub use stats::{Class, Stats};
pub use system::SystemMemory;

/// A heap over the memory `M`, behind locks of the kind `L`.
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
    fronts: Fronts<L>,
    /// The lock of what is shared, where there are several fronts. It is taken after that of a front.
    gate: Lock,
    shared: UnsafeCell<Shared<M>>,
}

/// What all fronts share.
struct Shared<M> {
    depot: Depot,
    backend: Backend<M>,
}

/// Where a request finds no memory.
#[derive(Debug)]
enum Shortage {
    /// Here; there may be some in the lists of other fronts.
    Here,
    /// Anywhere.
    Everywhere,
}

/// What a call has locked: a front and what is shared, or all there is.
struct Hold<'a, L> {
    held: Held<'a, L>,
    all: bool,
}

/// What a call works on.
struct State<'a, L, M> {
    /// The lists of its front.
    cache: &'a mut Cache,
    depot: &'a mut Depot,
    backend: &'a mut Backend<M>,
    fronts: &'a Fronts<L>,
    /// Whether all fronts are held.
    all: bool,
}

// SAFETY: a cache is reached only by who holds its front's lock, and what is shared by who holds the gate, or the first
// front while there is no other. A lock keeps others out or was made by somebody who has promised to.
unsafe impl<L: RawMutex + Sync, M: Memory + Send> Sync for Heap<L, M> {}
// SAFETY: a heap refers to its memory, and its fronts in it, by pointers that no thread owns.
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
        Heap { fronts: Fronts::new(lock), gate: Lock::new(), shared: UnsafeCell::new(Shared::new(memory)) }
    }

    /// A block for `layout`: aligned as it says, and at least as long. A request
    /// of no bytes gets a block of its own. `None` if there is no memory, and the
    /// heap is as it was.
    #[inline]
    pub fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        let Some(class) = SizeClass::of_ordinary(layout) else { return self.allocate_otherwise(layout) };
        let Some(cache) = self.fronts.alone() else { return self.allocate_beside_others(class, layout) };
        // SAFETY: nobody is in the front, and `pop` calls nothing: this is the only reference.
        let block = unsafe { &mut *cache.get() }.pop(class);
        if block.is_some() {
            return block;
        }
        self.allocate_slowly(layout)
    }

    /// The same for a block that is aligned to more than a granule, or long.
    #[inline(never)]
    fn allocate_otherwise(&self, layout: Layout) -> Option<NonNull<u8>> {
        match SizeClass::of_aligned(layout) {
            Some(class) if self.fronts.alone().is_none() => self.allocate_beside_others(class, layout),
            _ => self.allocate_slowly(layout),
        }
    }

    /// The same where there may be other threads. A function of its own, so that the other way is short enough to become
    /// a part of its callers.
    #[inline(never)]
    fn allocate_beside_others(&self, class: SizeClass, layout: Layout) -> Option<NonNull<u8>> {
        if let Some(held) = self.fronts.enter_own() {
            // SAFETY: the front is held, so this is the only reference.
            let block = unsafe { &mut *held.front.cache.get() }.pop(class);
            // SAFETY: the reference is not used any more.
            unsafe { held.release() };
            if block.is_some() {
                return block;
            }
        }
        self.allocate_slowly(layout)
    }

    /// The same where no list has a block, for a long one, and for a thread that is not the owner of a front.
    #[inline(never)]
    fn allocate_slowly(&self, layout: Layout) -> Option<NonNull<u8>> {
        let held = self.enter();
        if let Some(class) = SizeClass::of(layout) {
            // SAFETY: the front is held, so this is the only reference.
            if let Some(block) = unsafe { &mut *held.front.cache.get() }.pop(class) {
                // SAFETY: the reference is not used any more.
                unsafe { held.release() };
                return Some(block);
            }
        }
        self.allocate_in(held, layout).map(|(block, _)| block)
    }

    /// The rest of it, where no list has a block; also whether the block reads as zero.
    #[inline(never)]
    fn allocate_in(&self, held: Held<'_, L>, layout: Layout) -> Option<(NonNull<u8>, bool)> {
        let mut hold = self.hold(held);
        loop {
            // SAFETY: it is held.
            let result = unsafe { self.state(&hold) }.allocate(layout);
            // SAFETY: it is held.
            unsafe { self.finish(hold) };
            match result {
                Err(Shortage::Here) => hold = self.hold_all(),
                result => return result.ok(),
            }
        }
    }

    /// As [`allocate`](Heap::allocate), and the block's bytes are zero.
    pub fn allocate_zeroed(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (block, zero) = match layout.size() {
            ..=SMALL_MAX => (self.allocate(layout)?, false),
            _ => self.allocate_in(self.enter(), layout)?,
        };
        match layout.size() {
            _ if zero => (),
            // SAFETY: the block is `size` bytes long and ours.
            size @ ..SLICE => unsafe { block.write_bytes(0, size) },
            // SAFETY: the same, and nothing is in it yet.
            size => unsafe { self.zero_long(block, size) },
        }
        Some(block)
    }

    /// Zeroes a block that may never be written as a whole: so its pages go back to the kernel, in steps, between which
    /// others get in.
    ///
    /// # Safety
    ///
    /// The block is `len` bytes long and the caller's, and holds nothing of use.
    #[cold]
    #[inline(never)]
    unsafe fn zero_long(&self, block: NonNull<u8>, len: usize) {
        for start in (0..len).step_by(SLICE) {
            let piece = SLICE.min(len - start);
            // SAFETY: `piece` bytes of the block; what is zero already lies within them.
            unsafe {
                let at = block.add(start);
                let zero = self.with(|state| state.backend.reset_to_zero(at, piece));
                at.write_bytes(0, zero.start);
                at.add(zero.end).write_bytes(0, piece - zero.end);
            }
        }
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
        let Some(class) = SizeClass::of_ordinary(layout) else {
            // SAFETY: this function's contract for the block.
            return unsafe { self.deallocate_otherwise(block, layout) };
        };
        let Some(cache) = self.fronts.alone() else {
            // SAFETY: this function's contract for the block.
            return unsafe { self.deallocate_beside_others(class, block, layout) };
        };
        // SAFETY: nobody is in the front, and `push` calls nothing: this is the only reference. The caller says how
        // long the block is, and that it is free.
        if unsafe { (*cache.get()).push(class, block) } {
            return;
        }
        // SAFETY: this function's contract for the block.
        unsafe { self.deallocate_slowly(block, layout, true) };
    }

    /// The same for a block that is aligned to more than a granule, or long.
    ///
    /// # Safety
    ///
    /// As for `deallocate`.
    #[inline(never)]
    unsafe fn deallocate_otherwise(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: this function's contract for the block.
        unsafe {
            match SizeClass::of_aligned(layout) {
                Some(class) if self.fronts.alone().is_none() => self.deallocate_beside_others(class, block, layout),
                _ => self.deallocate_slowly(block, layout, false),
            }
        }
    }

    /// The same where there may be other threads.
    ///
    /// # Safety
    ///
    /// As for `deallocate`.
    #[inline(never)]
    unsafe fn deallocate_beside_others(&self, class: SizeClass, block: NonNull<u8>, layout: Layout) {
        let held = self.fronts.enter_own();
        let is_listed = held.is_some();
        if let Some(held) = held {
            // SAFETY: the front is held, so this is the only reference, which is not used any more when that ends. The
            // caller says how long the block is, and that it is free.
            unsafe {
                let fits = (*held.front.cache.get()).push(class, block);
                held.release();
                if fits {
                    return;
                }
            }
        }
        // SAFETY: this function's contract for the block.
        unsafe { self.deallocate_slowly(block, layout, is_listed) };
    }

    /// The same where a list is full, for a long block, and for a thread that is not the owner of a front. `is_listed`: the
    /// block is in a list already, which holds one too many.
    ///
    /// # Safety
    ///
    /// As for `deallocate`.
    #[inline(never)]
    unsafe fn deallocate_slowly(&self, block: NonNull<u8>, layout: Layout, is_listed: bool) {
        let held = self.enter();
        if let (false, Some(class)) = (is_listed, SizeClass::of(layout)) {
            // SAFETY: the front is held, so this is the only reference; the caller says how long the block is, and
            // that it is free.
            if unsafe { (*held.front.cache.get()).push(class, block) } {
                // SAFETY: the reference is not used any more.
                return unsafe { held.release() };
            }
        }
        // SAFETY: this function's contract for the block.
        unsafe { self.deallocate_in(held, block, layout) };
    }

    /// The rest of it: the list of its class has the block, and one too many, or it has no class.
    ///
    /// # Safety
    ///
    /// As for `deallocate`.
    #[inline(never)]
    unsafe fn deallocate_in(&self, held: Held<'_, L>, block: NonNull<u8>, layout: Layout) {
        let hold = self.hold(held);
        // SAFETY: all is held that `hold` says; the caller says how long the block is.
        unsafe {
            self.state(&hold).deallocate(block, layout);
            self.finish(hold);
        }
        // What is long takes the kernel long, so that goes in steps, and others get in between.
        for _ in 0..2 * (layout.size() / SLICE) {
            if self.with(|state| state.backend.excess()) == 0 {
                break;
            }
        }
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
    #[inline(never)]
    pub unsafe fn reallocate(&self, block: NonNull<u8>, layout: Layout, new_size: usize) -> Option<NonNull<u8>> {
        // SAFETY: the alignment is a layout's, and the caller says that the size is one.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let (old, new) = (SizeClass::of(layout), SizeClass::of(new_layout));
        if old.is_some() && old == new {
            return Some(block);
        }
        // Small blocks move: copying one costs less than asking its neighbour. Others stay where they are if they can.
        // SAFETY: this function's contract says that the block is this heap's, for this layout.
        if old.is_none() && unsafe { self.resize(block, layout, new_layout) } {
            return Some(block);
        }
        let held = self.enter();
        if let (Some(old), Some(new)) = (old, new) {
            let cache = held.front.cache.get();
            // SAFETY: the front is held, so this is the only reference.
            if let Some(moved) = unsafe { (*cache).pop(new) } {
                // SAFETY: two blocks, each at least as long as what is copied; the old one is not used after that, and the
                // caller says how long it is.
                unsafe {
                    ptr::copy_nonoverlapping(block.as_ptr(), moved.as_ptr(), layout.size().min(new_size));
                    if (*cache).push(old, block) { held.release() } else { self.deallocate_in(held, block, layout) }
                }
                return Some(moved);
            }
        }
        let Some((moved, _)) = self.allocate_in(held, new_layout) else {
            // There is no other block. This one can always be shorter, and what was given back for the other's sake may
            // have left it room to grow.
            // SAFETY: this function's contract says that the block is this heap's, for this layout.
            return unsafe { self.resize(block, layout, new_layout) }.then_some(block);
        };
        // SAFETY: two blocks, each at least as long as what is copied; the old one is not used after that.
        unsafe {
            ptr::copy_nonoverlapping(block.as_ptr(), moved.as_ptr(), layout.size().min(new_size));
            self.deallocate_slowly(block, layout, false);
        }
        Some(moved)
    }

    /// Makes a block longer or shorter where it is, if that can be; it can always be shorter.
    ///
    /// # Safety
    ///
    /// The block is this heap's, for this layout, and nobody uses what it is to lose.
    #[inline(never)]
    unsafe fn resize(&self, block: NonNull<u8>, layout: Layout, new_layout: Layout) -> bool {
        self.with(|State { depot, backend, .. }| {
            // SAFETY: the caller says how long the block is.
            let done = unsafe { backend.resize(block, block_len(layout), block_len(new_layout)) };
            if done {
                if let Some(class) = SizeClass::of(layout) {
                    depot.out[class.index()] -= 1;
                }
                if let Some(class) = SizeClass::of(new_layout) {
                    depot.out[class.index()] += 1;
                }
            }
            done
        })
    }

    /// Figures of the heap. It keeps all other threads out and walks all free lists.
    pub fn stats(&self) -> Stats {
        self.with_all(|state| state.stats())
    }

    /// Looks at the whole heap, and keeps all other threads out for that time; says the first thing that is wrong with it.
    pub fn check(&self) -> Result<(), Fault> {
        self.with_all(|state| state.check())
    }

    /// Gives back to the kernel whatever can be: pages that hold nothing, and
    /// segments in which nothing is in use, but for one if that is all there is. It keeps all other threads out for as
    /// long as that takes.
    pub fn trim(&self) {
        self.with_all(|mut state| {
            state.flush();
            state.backend.release_unused(false, false);
            state.backend.purge_all();
        });
    }

    /// Sets how many free bytes may stay resident; a quarter of what is in use may always stay, and up to as much again of
    /// what was given back and taken again lately. 0: what is free goes back as soon as that can be at 8 MiB (2 on
    /// 32-bit ports) or eight pieces a call.
    pub fn set_purge_threshold(&self, bytes: usize) {
        self.with(|state| state.backend.purge_threshold = Some(bytes.min(THRESHOLD_MOST)));
    }

    /// Sets from how many bytes in use on the heap grows by huge pages, where the
    /// kernel has them (2 MiB; [`HUGE_FROM`] if this is not called): fewer page faults
    /// and TLB misses; below [`HUGE_FROM`] at the price of up to one of them resident
    /// unused. 0: from the first block on; `usize::MAX`: never. What is resident
    /// already stays as it is.
    pub fn set_huge_from(&self, bytes: usize) {
        self.with(|state| state.backend.huge_from = Some(bytes));
    }

    /// A front for the calling thread, which is in it.
    #[inline(never)]
    fn enter(&self) -> Held<'_, L> {
        if self.fronts.alone().is_some() {
            return self.fronts.enter_alone();
        }
        self.enter_among_others()
    }

    /// The same where there may be other threads.
    #[inline(never)]
    fn enter_among_others(&self) -> Held<'_, L> {
        if L::another().is_none() {
            return self.wait_for(self.fronts.first());
        }
        let thread = if L::BIASED { lock::identify() } else { None };
        self.fronts.try_enter(thread).unwrap_or_else(|contended| self.enter_contended(thread, contended))
    }

    /// The same where there is none that the thread has not to wait for.
    #[cold]
    #[inline(never)]
    fn enter_contended<'a>(&'a self, thread: Option<usize>, contended: Contended<'a, L>) -> Held<'a, L> {
        let mut front = contended.front;
        if contended.few {
            let first = self.seize(self.fronts.first());
            // SAFETY: the first front is seized, and nobody has a reference to what is in it after that.
            unsafe {
                front = self.add_front(thread).unwrap_or(front);
                first.let_owner_in();
                first.release();
            }
        }
        let held = self.seize(front);
        // If it is another thread's, there are more threads than fronts: it is everybody's from now on.
        front.bias.disown();
        held
    }

    /// Takes a front's lock, however long that takes. The owner, if that is another thread, may be in it nevertheless.
    #[inline(never)]
    fn wait_for<'a>(&self, front: &'a Front<L>) -> Held<'a, L> {
        if L::another().is_none() {
            front.lock.lock();
        } else {
            self.wait_until(&|| front.lock.try_lock());
        }
        Held::by_lock(front)
    }

    /// Takes a front's lock and keeps its owner out.
    fn seize<'a>(&self, front: &'a Front<L>) -> Held<'a, L> {
        let held = self.wait_for(front);
        if L::BIASED && front.bias.keep_out(lock::calling_thread()) {
            self.wait_until(&|| front.bias.is_left());
        }
        held
    }

    /// Waits until whoever is in a front has left it.
    #[inline(never)]
    fn wait_until(&self, done: &dyn Fn() -> bool) {
        let mut round = 0;
        while !done() {
            fronts::give_way(round, &self.gate);
            round = round.saturating_add(1);
        }
    }

    /// Adds a front for the calling thread, if there may be one and there is memory for it.
    ///
    /// # Safety
    ///
    /// The caller has seized the first front, and has no reference to what is in it or shared.
    unsafe fn add_front(&self, thread: Option<usize>) -> Option<&Front<L>> {
        let lock = L::another()?;
        self.take_gate();
        // SAFETY: the first front is held, and the gate, or the front is the only one: so this is the only reference.
        let backend = unsafe { &mut (*self.shared.get()).backend };
        let has_room = self.fronts.has_room() || self.make_room(backend).is_some();
        backend.further += usize::from(has_room);
        // SAFETY: the gate is held, and the reference is not used any more; there is room, and the first front is seized.
        unsafe {
            self.release_gate();
            has_room.then(|| self.fronts.add(lock, thread))
        }
    }

    /// Makes room for further fronts. The caller holds the first, and there is none.
    fn make_room(&self, backend: &mut Backend<M>) -> Option<()> {
        let (len, align) = self.fronts.room_wanted(backend.memory.limit())?;
        let request = Request { len, count: 1, align };
        let run = backend.take(request).or_else(|| backend.extend(request).then(|| backend.take(request))?)?;
        // SAFETY: the caller holds the first front; the run is as `room_wanted` has said, and is never given back.
        unsafe { self.fronts.set_room(run.at.cast()) };
        Some(())
    }

    /// Whether the gate is taken as well as a front. The caller holds a front.
    #[inline]
    fn several(&self) -> bool {
        L::another().is_some() && self.fronts.several()
    }

    /// Takes the gate, where there are several fronts; whether there are. The caller holds a front.
    #[inline]
    fn take_gate(&self) -> bool {
        let several = self.several();
        if several {
            self.gate.lock();
        }
        several
    }

    /// Locks what is shared.
    #[inline(never)]
    fn hold<'a>(&self, held: Held<'a, L>) -> Hold<'a, L> {
        Hold { held, all: !self.take_gate() }
    }

    /// Locks all there is.
    #[cold]
    #[inline(never)]
    fn hold_all(&self) -> Hold<'_, L> {
        let held = self.seize(self.fronts.first());
        if self.several() {
            self.seize_further();
            self.gate.lock();
        }
        Hold { held, all: true }
    }

    /// Takes the locks of all further fronts and keeps their owners out. The caller has seized the first.
    #[cold]
    fn seize_further(&self) {
        let mut kept_out = false;
        for front in self.fronts.further() {
            kept_out |= self.wait_for(front).mark_owner_out();
        }
        if kept_out {
            lock::order_others();
            self.fronts.further().for_each(|front| self.wait_until(&|| front.bias.is_left()));
        }
    }

    /// What is held.
    ///
    /// # Safety
    ///
    /// It is held, and the last result is not used any more.
    #[inline(always)]
    unsafe fn state(&self, hold: &Hold<'_, L>) -> State<'_, L, M> {
        // SAFETY: the front is held, and the gate, or the front is the only one: so these are the only references.
        let (cache, Shared { depot, backend }) =
            unsafe { (&mut *hold.held.front.cache.get(), &mut *self.shared.get()) };
        State { cache, depot, backend, fronts: &self.fronts, all: hold.all }
    }

    /// The end of each call that came to what is shared: unlocks it, and only then ends the process if a promise was
    /// broken: who prints that may allocate.
    ///
    /// # Safety
    ///
    /// It is held.
    #[inline(never)]
    unsafe fn finish(&self, hold: Hold<'_, L>) {
        // SAFETY: the gate is held, or the only front.
        let backend = unsafe { &mut (*self.shared.get()).backend };
        backend.tick();
        let misuse = backend.misuse.take();
        // SAFETY: all that is unlocked is held.
        unsafe {
            self.release_gate();
            if hold.all {
                if self.several() {
                    self.release_further();
                }
                hold.held.let_owner_in();
            }
            hold.held.release();
        }
        if let Some(misuse) = misuse {
            report(&misuse);
        }
    }

    /// Unlocks what is shared, where there are several fronts.
    ///
    /// # Safety
    ///
    /// It is held, and a front.
    #[inline]
    unsafe fn release_gate(&self) {
        if self.several() {
            // SAFETY: it is held.
            unsafe { self.gate.unlock() };
        }
    }

    /// Unlocks the further fronts.
    ///
    /// # Safety
    ///
    /// All of them are held.
    #[cold]
    #[inline(never)]
    unsafe fn release_further(&self) {
        for front in self.fronts.further() {
            let held = Held::by_lock(front);
            held.let_owner_in();
            // SAFETY: it is held, and this function's contract says that nobody uses what is in it.
            unsafe { held.release() };
        }
    }

    /// Does something with a front and what is shared.
    #[inline(always)]
    fn with<T>(&self, f: impl FnOnce(State<'_, L, M>) -> T) -> T {
        let hold = self.hold(self.enter());
        // SAFETY: it is held until `finish` ends that.
        unsafe {
            let result = f(self.state(&hold));
            self.finish(hold);
            result
        }
    }

    /// Does something with all fronts and what is shared.
    fn with_all<T>(&self, f: impl FnOnce(State<'_, L, M>) -> T) -> T {
        let hold = self.hold_all();
        // SAFETY: it is held until `finish` ends that.
        unsafe {
            let result = f(self.state(&hold));
            self.finish(hold);
            result
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

impl<M> Shared<M> {
    const fn new(memory: M) -> Shared<M>
    where
        M: Memory,
    {
        Shared { depot: Depot::new(), backend: Backend::new(memory) }
    }
}

impl<L: RawMutex, M: Memory> State<'_, L, M> {
    /// A block, and whether it reads as zero.
    #[inline(always)]
    fn allocate(&mut self, layout: Layout) -> Result<(NonNull<u8>, bool), Shortage> {
        let class = SizeClass::of(layout);
        if let Some(class) = class
            && let Some(block) = self.cache.pop(class)
        {
            return Ok((block, false));
        }
        self.serve(class, Request { len: block_len(layout), count: 1, align: layout.align().max(GRANULE) })
            .map(|run| (run.at, run.zero))
    }

    /// Serves a request, after some effort: joins what is in some lists, lets the heap grow, joins what is in all lists,
    /// looks at every chunk. If other fronts are not held, it goes no further than to grow.
    #[inline(always)]
    fn serve(&mut self, class: Option<SizeClass>, request: Request) -> Result<Blocks, Shortage> {
        for effort in 0..=4 {
            let run = match class {
                Some(class) => {
                    let block = self.cache.refill(class, self.depot, self.backend);
                    block.map(|at| Blocks { at, count: 1, zero: false })
                }
                None => {
                    self.depot.drain_excess(self.backend);
                    self.backend.take(request)
                }
            };
            if let Some(run) = run {
                return Ok(run);
            }
            match effort {
                0 => self.collect(),
                // What is longer than all there can ever be is in no list.
                2 if request.len > self.backend.memory.limit().min(ADDRESSES) => break,
                2 if !self.all => return Err(Shortage::Here),
                2 => self.flush(),
                // What was in the lists may have been all that kept a segment: so the heap may grow once more.
                4 => break,
                _ => drop(self.backend.extend(request)),
            }
        }
        let found = if request.align > GRANULE { self.backend.take_thoroughly(request) } else { None };
        if let (Some(_), Some(class)) = (&found, class) {
            // It is of its class as if it had come with a refill.
            self.depot.out[class.index()] += 1;
        }
        if found.is_none() {
            let in_use = self.backend.out();
            let reserved = self.backend.reserved();
            self.backend.memory.note_refusal(Refusal { asked: request.len, align: request.align, in_use, reserved });
        }
        found.ok_or(Shortage::Everywhere)
    }

    /// Gives some of what waits in lists and batches to the back end, before the heap grows.
    #[inline(always)]
    fn collect(&mut self) {
        // What is joined and split again comes to lie among other threads' blocks, and their processors then write to the
        // same lines: so with several fronts it waits until there is more of it.
        if self.all || self.depot.is_due(self.backend) {
            self.depot.drain_some(self.backend);
        }
        if !self.all && !self.fronts.are_due(self.backend.used) {
            return;
        }
        let mut most = FLUSH_MOST;
        self.cache.flush_some(self.depot, self.backend, &mut most);
        if !self.all {
            // Those of threads that have ended, or do something else, would otherwise stay.
            let before = most;
            self.fronts.visit_some(self.cache, |cache| cache.flush_some(self.depot, self.backend, &mut most));
            // Who may take no more has not looked everywhere.
            self.fronts.note_visit(self.backend.used, most < before || most == 0);
        }
    }

    /// Takes a block back that has no class, or is in its list, which has one too many then.
    #[inline(always)]
    unsafe fn deallocate(&mut self, block: NonNull<u8>, layout: Layout) {
        match SizeClass::of(layout) {
            Some(class) => self.cache.overflow(class, self.depot, self.backend),
            // SAFETY: the caller says how long the block is, and that it is free.
            None => unsafe { self.backend.give(block, block_len(layout)) },
        }
    }

    /// Gives all that is in lists and batches to the back end; the other fronts are held.
    #[inline(always)]
    fn flush(&mut self) {
        self.depot.drain_all(self.backend);
        self.cache.flush(self.depot, self.backend);
        for front in self.fronts.further() {
            // SAFETY: all fronts are held, and nobody else has a reference to this cache.
            unsafe { &mut *front.cache.get() }.flush(self.depot, self.backend);
        }
    }

    /// The caches that are held.
    fn caches(&self) -> impl Iterator<Item = &Cache> + Clone {
        let further = self.fronts.further();
        // SAFETY: all fronts are held, and nobody has a unique reference to this cache.
        core::iter::once(&*self.cache).chain(further.map(|front| unsafe { &*front.cache.get() }))
    }

    fn check(&self) -> Result<(), Fault> {
        check::check(self.caches(), self.depot, self.backend)
    }

    fn stats(&self) -> Stats {
        // The room for fronts is nobody's block.
        let own = self.fronts.room_bytes();
        let mut classes = [Class::default(); CLASSES];
        let mut listed = 0;
        for (class, figures) in SizeClass::all().zip(&mut classes) {
            let in_lists: usize = self.caches().map(|cache| cache.list(class).count()).sum();
            figures.listed = in_lists + self.depot.blocks(class).count();
            figures.live = self.depot.out[class.index()] - figures.listed;
            listed += figures.listed * class.len();
        }
        let out = self.backend.out();
        Stats {
            live: out - listed - own,
            peak: self.backend.peak,
            listed,
            free: self.backend.free,
            committed: self.backend.segments().map(|r| r.committed()).sum(),
            reserved: self.backend.reserved(),
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
