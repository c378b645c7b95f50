//! What the heap's tests share: a memory with a limit and injected refusals, and the driver that compares a heap with a
//! model.

use std::alloc::Layout;
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use rt0::heap::{Extent, GRANULE, Heap, Memory, SMALL_MAX, block_len};
use rt0::lock::Unlocked;
use rt0::{sys, vm};

/// The kernel's memory as a test wants it: at most `left` bytes of address
/// space, and refusals when the test says so.
pub struct Bounded<'a> {
    /// Bytes that may still be reserved.
    pub left: usize,
    /// The page size that the heap sees.
    pub page: usize,
    /// Whether there is room behind an extent, and what is given back is zero.
    pub grows: bool,
    /// How many calls of `reserve` and `commit` there were, and the number of the one that is refused.
    pub calls: &'a Cell<(usize, usize)>,
}

/// Where the next extent goes that has room behind it, and how far it is to the one after.
static NEXT: AtomicUsize = AtomicUsize::new(1 << 42);
const APART: usize = 1 << 34;

/// A reservation at an address, or elsewhere if something is there.
fn reserve_at(address: usize, len: usize) -> Extent {
    let at = std::ptr::without_provenance_mut(address);
    let flags = sys::MAP_PRIVATE | sys::MAP_ANON | sys::MAP_NORESERVE;
    // SAFETY: without MAP_FIXED the kernel takes address space that nobody has.
    let base = unsafe { sys::mmap(at, len, sys::PROT_NONE, flags, -1, 0) }.expect("address space");
    // SAFETY: a fresh mapping, nobody else's.
    unsafe { Extent::from_raw(NonNull::new(base).expect("an address"), len) }
}

impl Bounded<'_> {
    fn refused(&self) -> bool {
        let (calls, refuse) = self.calls.get();
        self.calls.set((calls + 1, refuse));
        calls == refuse
    }
}

// SAFETY: each extent is a fresh mapping that the kernel has made, which nobody else uses.
unsafe impl Memory for Bounded<'_> {
    fn page_size(&self) -> usize {
        self.page
    }

    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
        let len = want.min(self.left / self.page * self.page);
        if len < min || self.refused() {
            return None;
        }
        let address = if self.grows { NEXT.fetch_add(APART, Relaxed) } else { 0 };
        self.left -= len;
        Some(reserve_at(address, len))
    }

    fn reserve_behind(&mut self, end: usize, min: usize, want: usize) -> Option<Extent> {
        let len = want.min(self.left / self.page * self.page);
        if !self.grows || len < min || self.refused() {
            return None;
        }
        let extent = reserve_at(end, len);
        if extent.base().addr().get() != end {
            extent.release().expect("the kernel takes back what it gave");
            return None;
        }
        self.left -= len;
        Some(extent)
    }

    fn most(&mut self, _: usize) -> usize {
        if self.grows { self.left } else { 0 }
    }

    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
        assert_eq!((at.addr().get() % self.page, len % self.page), (0, 0), "commit of parts of pages");
        // SAFETY: the heap commits pages of an extent that it got from `reserve` and has not released.
        !self.refused() && unsafe { vm::commit(at, len) }.is_ok()
    }

    unsafe fn reset(&mut self, at: NonNull<u8>, len: usize) {
        assert_eq!((at.addr().get() % self.page, len % self.page), (0, 0), "reset of parts of pages");
        // Some bytes become zero, some stay: a kernel may decide for each page, and a word of the heap may not be torn.
        for word in (0..len).step_by(2 * size_of::<usize>()) {
            // SAFETY: the heap resets committed pages whose content it no longer needs.
            unsafe { at.add(word).cast::<usize>().write(0) };
        }
    }

    unsafe fn reset_to_zero(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: the heap resets committed pages whose content it no longer needs.
        unsafe {
            self.reset(at, len);
            if self.grows {
                at.write_bytes(0, len);
            }
        }
        self.grows
    }

    fn release(&mut self, extent: Extent) {
        self.left += extent.len();
        extent.release().expect("the kernel takes back what it gave");
    }
}

/// A heap with a model beside it. Every block is filled with a pattern of its own,
/// which is checked whenever the block is touched.
pub struct Watched<'a> {
    /// The heap.
    pub heap: Heap<Unlocked, Bounded<'a>>,
    blocks: Vec<Block>,
    next: u64,
}

struct Block {
    at: NonNull<u8>,
    layout: Layout,
    seed: u64,
}

fn pattern(seed: u64, i: usize) -> u8 {
    // It differs between blocks and along a block, and is simple enough to be quick.
    (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ (i as u8).wrapping_mul(29) ^ (i >> 8) as u8
}

impl Block {
    fn fill(&self, from: usize) {
        let Some(len) = self.layout.size().checked_sub(from) else { return };
        // SAFETY: the bytes are inside the block, which only the model uses.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr().add(from).cast::<MaybeUninit<u8>>(), len) };
        for (i, byte) in bytes.iter_mut().enumerate() {
            byte.write(pattern(self.seed, from + i));
        }
    }

    fn look(&self, to: usize) {
        // SAFETY: the bytes are inside the block, and `fill` has initialised them.
        let bytes = unsafe { std::slice::from_raw_parts(self.at.as_ptr(), to.min(self.layout.size())) };
        let changed =
            bytes.iter().enumerate().fold(false, |changed, (i, byte)| changed | (*byte != pattern(self.seed, i)));
        assert!(!changed, "bytes of {:?} at {:?} have changed", self.layout, self.at);
    }
}

impl<'a> Watched<'a> {
    /// An empty heap on the given memory.
    pub fn new(memory: Bounded<'a>) -> Watched<'a> {
        // SAFETY: one thread uses a `Watched`: it holds pointers, so it is neither `Send` nor `Sync`.
        Watched { heap: unsafe { Heap::unlocked_on(memory) }, blocks: Vec::new(), next: 1 }
    }

    /// The number of blocks.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are no blocks.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Allocates a block; returns whether there was room.
    pub fn allocate(&mut self, layout: Layout, zeroed: bool) -> bool {
        let at = if zeroed { self.heap.allocate_zeroed(layout) } else { self.heap.allocate(layout) };
        let Some(at) = at else { return false };
        assert_eq!(at.addr().get() % layout.align(), 0, "{at:?} is not aligned for {layout:?}");
        if zeroed {
            // SAFETY: the bytes are inside the block, and the heap has zeroed them.
            let bytes = unsafe { std::slice::from_raw_parts(at.as_ptr(), layout.size()) };
            let set = bytes.iter().position(|byte| *byte != 0);
            assert_eq!(set, None, "a zeroed block for {layout:?} is not zero");
        }
        self.next += 1;
        let block = Block { at, layout, seed: self.next };
        block.fill(0);
        self.blocks.push(block);
        true
    }

    /// The layout of the block `which`.
    pub fn layout(&self, which: usize) -> Layout {
        self.blocks[which].layout
    }

    /// Where the block `which` is.
    pub fn address(&self, which: usize) -> usize {
        self.blocks[which].at.addr().get()
    }

    /// Frees the block `which`.
    pub fn free(&mut self, which: usize) {
        let block = self.blocks.swap_remove(which);
        block.look(usize::MAX);
        // SAFETY: the heap allocated the block with this layout, and it has left the model, so it is freed once.
        unsafe { self.heap.deallocate(block.at, block.layout) };
    }

    /// Resizes the block `which`; returns whether there was room.
    pub fn resize(&mut self, which: usize, size: usize) -> bool {
        let block = &mut self.blocks[which];
        block.look(usize::MAX);
        // SAFETY: the heap allocated the block with this layout; the sizes of tests are far below `isize::MAX`.
        let Some(at) = (unsafe { self.heap.reallocate(block.at, block.layout, size) }) else {
            assert!(size > block.layout.size(), "{:?} cannot be made {size} bytes short", block.layout);
            block.look(usize::MAX);
            return false;
        };
        let (old, align) = (block.layout.size(), block.layout.align());
        assert_eq!(at.addr().get() % align, 0, "{at:?} is not aligned for {align}");
        block.at = at;
        block.look(size.min(old));
        block.layout = Layout::from_size_align(size, align).expect("sizes of tests are small");
        block.fill(old.min(size));
        true
    }

    /// Frees everything.
    pub fn clear(&mut self) {
        while !self.blocks.is_empty() {
            self.free(self.blocks.len() - 1);
        }
    }

    /// Checks every block and the heap itself: no two blocks overlap, and the heap's figures are the
    /// model's.
    pub fn check(&self) {
        assert_eq!(self.heap.check(), Ok(()));
        let mut ranges: Vec<(usize, usize)> = Vec::with_capacity(self.blocks.len());
        let mut live = 0;
        for block in &self.blocks {
            block.look(usize::MAX);
            let len = block_len(block.layout);
            ranges.push((block.at.addr().get(), len));
            live += len;
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "blocks overlap: {pair:x?}");
        }
        let stats = self.heap.stats();
        assert_eq!(stats.live, live, "live bytes");
        assert!(stats.peak >= live && stats.committed <= stats.reserved, "{stats:?}");
        let small: usize = stats.classes().iter().map(|c| c.live).sum();
        let small_here = self.blocks.iter().filter(|b| is_small(b.layout)).count();
        assert_eq!(small, small_here, "live blocks of the classes");
    }
}

/// Whether a request has a class.
fn is_small(layout: Layout) -> bool {
    match layout.align() / GRANULE {
        0 | 1 => layout.size() <= SMALL_MAX,
        2 | 4 | 8 => (1..=16 * layout.align()).contains(&layout.size()),
        _ => false,
    }
}

/// One run of the fuzz target, in which the bytes say what is done. The heap is checked now and then
/// and at the end, and everything is freed: what is left must be one free run.
pub fn drive(bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let mut next = || bytes.next();
    let calls = Cell::new((0, usize::MAX));
    let (Some(room), Some(refuse)) = (next(), next()) else { return };
    if refuse < 64 {
        calls.set((0, usize::from(refuse)));
    }
    let (left, grows) = (8192 << (room % 12), room & 16 != 0);
    let mut watched = Watched::new(Bounded { left, page: 4096, grows, calls: &calls });
    let mut steps = 0;
    while let (Some(op), Some(a), Some(b)) = (next(), next(), next()) {
        let number = usize::from(a) | usize::from(b) << 8;
        // Most sizes are small, a few up to 4 MiB.
        let size = match b >> 5 {
            0..=3 => usize::from(a),
            4 | 5 => number % 2048,
            6 => number,
            _ => number << (b % 7),
        };
        let which = number % watched.len().max(1);
        match op % 16 {
            0..=5 => drop(watched.allocate(Layout::from_size_align(size, 1 << ((op >> 4) % 5)).expect("small"), false)),
            6 => drop(watched.allocate(Layout::from_size_align(size, 1 << (a % 22)).expect("small"), false)),
            7 => drop(watched.allocate(Layout::from_size_align(size, 16).expect("small"), true)),
            8 | 9 if !watched.is_empty() => drop(watched.resize(which, size)),
            10..=14 if !watched.is_empty() => watched.free(which),
            15 if a == 0 => watched.heap.trim(),
            15 if a == 1 => watched.heap.set_purge_threshold(number),
            15 if a == 2 => watched.clear(),
            _ => {}
        }
        steps += 1;
        if steps % 64 == 0 {
            watched.check();
        }
    }
    watched.check();
    watched.clear();
    watched.heap.trim();
    watched.check();
    let stats = watched.heap.stats();
    assert_eq!((stats.live, stats.listed, stats.free), (0, 0, 0), "an empty heap is one untouched run");
    assert!(stats.segments <= 1, "empty segments are released");
}
