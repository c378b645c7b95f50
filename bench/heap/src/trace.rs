//! Traces of real programs, replayed. The rest of what is to be known of them is in `bench/src/trace.rs`, which records them.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::CStr;
use core::ptr::{dangling_mut, null_mut};

use anyhow::{Context, Result, ensure};
use rt0::sys;

/// One call, ready to be replayed: what is done, the slot, the size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    kind: u32,
    slot: u32,
    size: u32,
}

/// A call that allocates.
pub const ALLOC: u32 = 0;
/// A call that allocates zeroed memory.
pub const ZEROED: u32 = 1;
/// A call that resizes.
pub const RESIZE: u32 = 2;
/// A call that frees.
pub const FREE: u32 = 3;

/// A block and its size.
pub type Place = (*mut u8, usize);

/// A trace in memory that is no allocator's: its pages are the file's.
pub struct Trace {
    /// The calls in order.
    pub calls: &'static [Call],
    /// A place for each block.
    pub slots: &'static mut [Place],
    /// The most bytes that are live at once.
    pub peak: usize,
}

const ALIGN: usize = 16;

/// All pages are there at once (Linux `include/uapi/asm-generic/mman-common.h`).
const MAP_POPULATE: i32 = 0x8000;

/// Maps a file of calls, which the recording has checked: three words, the number of slots, the peak of the live bytes and 0,
/// then the calls.
///
/// # Errors
///
/// It cannot be opened or mapped, or it is too short.
pub fn open(path: &CStr) -> Result<Trace> {
    let fd = sys::open(path, sys::O_RDONLY, 0).context("cannot open the trace's calls")?;
    let len = sys::fstat(fd)?.size as usize;
    ensure!(len > size_of::<Call>(), "this is no file of a trace's calls");
    // SAFETY: a new mapping, which replaces none.
    let at = unsafe { sys::mmap(null_mut(), len, sys::PROT_READ, sys::MAP_PRIVATE | MAP_POPULATE, fd, 0) };
    let at = at.context("cannot map the trace's calls")?;
    sys::close(fd)?;
    // SAFETY: the file is `len` bytes of words, and nobody changes it.
    let all = unsafe { core::slice::from_raw_parts(at.cast::<Call>(), len / size_of::<Call>()) };
    let (slots, peak) = (all[0].kind as usize, all[0].slot as usize);
    let places = memory(slots * size_of::<Place>())?.cast::<Place>();
    // SAFETY: the mapping has room for this many places, all of which are written here; nobody else has it, and it stays.
    let slots = unsafe {
        for i in 0..slots {
            places.add(i).write((dangling_mut(), 1));
        }
        core::slice::from_raw_parts_mut(places, slots)
    };
    Ok(Trace { calls: &all[1..], slots, peak })
}

/// New memory that no allocator has and that stays.
fn memory(bytes: usize) -> Result<*mut u8> {
    let protection = sys::PROT_READ | sys::PROT_WRITE;
    // SAFETY: a new mapping, which replaces none.
    let at = unsafe { sys::mmap(null_mut(), bytes, protection, sys::MAP_PRIVATE | sys::MAP_ANON, -1, 0) };
    at.context("cannot map memory for the replay")
}

/// Replays a trace `times` times through the global allocator. Each new block's
/// first byte and one in each of its pages is written.
#[inline(never)]
pub fn replay(trace: &mut Trace, times: usize) {
    replay_on(&Program, trace, times);
}

/// As [`replay`], with one block for all: what the replay itself costs.
#[inline(never)]
pub fn replay_nothing(trace: &mut Trace, times: usize) {
    let block = memory(1 << 30).expect("there is address space for a block");
    replay_on(&Nothing(block), trace, times);
}

/// The program's global allocator.
struct Program;

// SAFETY: each call is the global allocator's, whose contract is the same.
unsafe impl GlobalAlloc for Program {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: this function's contract is that of the function called.
        unsafe { alloc::alloc::alloc(layout) }
    }
    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: this function's contract is that of the function called.
        unsafe { alloc::alloc::alloc_zeroed(layout) }
    }
    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: this function's contract is that of the function called.
        unsafe { alloc::alloc::realloc(block, layout, size) }
    }
    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: this function's contract is that of the function called.
        unsafe { alloc::alloc::dealloc(block, layout) };
    }
}

/// One block, longer than any of a trace, for every request.
struct Nothing(*mut u8);

// SAFETY: not an allocator; the replay, which never reads a block, may use it.
unsafe impl GlobalAlloc for Nothing {
    #[inline(always)]
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        self.0
    }
    #[inline(always)]
    unsafe fn alloc_zeroed(&self, _: Layout) -> *mut u8 {
        self.0
    }
    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, _: Layout, _: usize) -> *mut u8 {
        block
    }
    #[inline(always)]
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[inline(always)]
fn replay_on<A: GlobalAlloc>(target: &A, trace: &mut Trace, times: usize) {
    let (calls, slots) = (trace.calls, &mut *trace.slots);
    let layout = |size: usize| Layout::from_size_align(size.max(1), ALIGN).expect("a trace's sizes are below 1 GiB");
    for _ in 0..times {
        for &Call { kind, slot, size } in calls {
            // SAFETY: reading the trace has shown that slots hold blocks when
            // they are resized or freed; sizes are kept beside them.
            unsafe {
                match kind {
                    ALLOC => {
                        let block = target.alloc(layout(size as usize));
                        touch(block, 0, size as usize);
                        slots[slot as usize] = (block, size as usize);
                    }
                    ZEROED => {
                        let block = target.alloc_zeroed(layout(size as usize));
                        touch(block, 0, size as usize);
                        slots[slot as usize] = (block, size as usize);
                    }
                    RESIZE => {
                        let (block, old) = slots[slot as usize];
                        let block = target.realloc(block, layout(old), (size as usize).max(1));
                        touch(block, old, size as usize);
                        slots[slot as usize] = (block, size as usize);
                    }
                    _ => {
                        let (block, size) = slots[slot as usize];
                        target.dealloc(block, layout(size));
                    }
                }
            }
        }
    }
}

/// Writes the first byte of a block and one in each page that is new.
#[inline(always)]
unsafe fn touch(block: *mut u8, from: usize, to: usize) {
    assert!(!block.is_null(), "out of memory");
    let mut at = from;
    while at < to {
        // SAFETY: inside the block.
        unsafe { block.add(at).write_volatile(1) };
        at += 4096;
    }
}
