//! Traces of real programs: read, checked, replayed.
//!
//! A trace is a list of calls. Blocks are numbered by slots that are used again
//! once free, so a number says where the replay keeps the block. In the file
//! each call is one or two LEB128 numbers:
//!
//! ```text
//!   size << 2 | 0          allocate, into the lowest free slot
//!   size << 2 | 1          allocate zeroed, into the lowest free slot
//!   slot << 2 | 2, size    resize
//!   slot << 2 | 3          free
//! ```

use std::alloc::{GlobalAlloc, Layout};
use std::collections::{BTreeMap, BinaryHeap};
use std::cmp::Reverse;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// One call, ready to be replayed.
#[derive(Clone, Copy)]
pub enum Call {
    /// Allocate into a slot.
    Alloc(u32, u32),
    /// Allocate zeroed into a slot.
    Zeroed(u32, u32),
    /// Resize the block of a slot.
    Resize(u32, u32),
    /// Free the block of a slot.
    Free(u32),
}

/// A trace in memory.
pub struct Trace {
    /// The calls in order.
    pub calls: Vec<Call>,
    /// How many slots they need.
    pub slots: usize,
    /// The most bytes that are live at once.
    pub peak: usize,
}

const ALIGN: usize = 16;

/// Turns the recorder's raw events into a trace file's bytes. Blocks from
/// before the recording, or of a size that a trace does not hold, are left out.
pub fn compact(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut slots: BTreeMap<usize, u32> = BTreeMap::new();
    let mut spare: BinaryHeap<Reverse<u32>> = BinaryHeap::new();
    let mut fresh = 0;
    for event in raw.chunks_exact(24) {
        let word = |i: usize| usize::from_le_bytes(event[i * 8..i * 8 + 8].try_into().unwrap());
        let (kind, size, old, new) = (word(0) & 7, word(0) >> 3, word(1), word(2));
        match kind {
            0 | 1 if new != 0 && size < 1 << 30 => {
                // A block that was freed unseen (by fork's other side, say) and is
                // handed out again: its slot is free.
                if let Some(slot) = slots.remove(&new) {
                    number(&mut out, (slot as usize) << 2 | 3);
                    spare.push(Reverse(slot));
                }
                let slot = spare.pop().map_or_else(|| { fresh += 1; fresh - 1 }, |Reverse(slot)| slot);
                slots.insert(new, slot);
                number(&mut out, size << 2 | kind);
            }
            2 if new != 0 && size < 1 << 30 => {
                if let Some(slot) = slots.remove(&old) {
                    slots.insert(new, slot);
                    number(&mut out, (slot as usize) << 2 | 2);
                    number(&mut out, size);
                }
            }
            3 => {
                if let Some(slot) = slots.remove(&old) {
                    number(&mut out, (slot as usize) << 2 | 3);
                    spare.push(Reverse(slot));
                }
            }
            _ => {}
        }
    }
    out
}

fn number(out: &mut Vec<u8>, mut n: usize) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads a trace file.
pub fn read(path: &Path) -> Result<Trace> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read the trace {}", path.display()))?;
    let mut at = 0;
    let mut next = || {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = *bytes.get(at)?;
            at += 1;
            n |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(n);
            }
        }
    };
    let mut calls = Vec::new();
    let mut sizes: Vec<Option<usize>> = Vec::new();
    let mut spare: BinaryHeap<Reverse<u32>> = BinaryHeap::new();
    let (mut live, mut peak) = (0, 0);
    while let Some(n) = next() {
        match n & 3 {
            kind @ (0 | 1) => {
                let size = n >> 2;
                let slot = spare.pop().map_or(sizes.len(), |Reverse(slot)| slot as usize);
                if slot == sizes.len() {
                    sizes.push(None);
                }
                sizes[slot] = Some(size);
                live += size;
                calls.push(if kind == 0 { Call::Alloc(slot as u32, size as u32) } else { Call::Zeroed(slot as u32, size as u32) });
            }
            2 => {
                let slot = n >> 2;
                let size = next().context("the trace ends within a call")?;
                let old = sizes.get_mut(slot).and_then(|s| s.as_mut()).with_context(|| format!("slot {slot} is resized but not live"))?;
                live = live - *old + size;
                *old = size;
                calls.push(Call::Resize(slot as u32, size as u32));
            }
            _ => {
                let slot = n >> 2;
                let old = sizes.get_mut(slot).and_then(Option::take);
                live -= old.with_context(|| format!("slot {slot} is freed but not live"))?;
                spare.push(Reverse(slot as u32));
                calls.push(Call::Free(slot as u32));
            }
        }
        peak = peak.max(live);
    }
    ensure!(!calls.is_empty(), "the trace {} holds no calls", path.display());
    // What is still live goes at the end, so that a trace can be replayed again.
    for (slot, size) in sizes.iter().enumerate() {
        if size.is_some() {
            calls.push(Call::Free(slot as u32));
        }
    }
    Ok(Trace { calls, slots: sizes.len(), peak })
}

/// Replays a trace `times` times through the global allocator. Each new block's
/// first byte and one in each of its pages is written.
#[inline(never)]
pub fn replay(trace: &Trace, slots: &mut [(*mut u8, usize)], times: usize) {
    replay_on(&Program, trace, slots, times);
}

/// As [`replay`], with one block for all: what the replay itself costs.
#[inline(never)]
pub fn replay_nothing(trace: &Trace, slots: &mut [(*mut u8, usize)], times: usize) {
    let block = crate::arena::reserve(1 << 30).cast().as_ptr();
    replay_on(&Nothing(block), trace, slots, times);
}

/// The program's global allocator.
struct Program;

// SAFETY: passed on.
unsafe impl GlobalAlloc for Program {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on, as all below.
        unsafe { std::alloc::alloc(layout) }
    }
    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { std::alloc::alloc_zeroed(layout) }
    }
    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { std::alloc::realloc(block, layout, size) }
    }
    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { std::alloc::dealloc(block, layout) };
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
fn replay_on<A: GlobalAlloc>(target: &A, trace: &Trace, slots: &mut [(*mut u8, usize)], times: usize) {
    let layout = |size: usize| Layout::from_size_align(size.max(1), ALIGN).expect("a trace's sizes are below 1 GiB");
    for _ in 0..times {
        for &call in &trace.calls {
            // SAFETY: reading the trace has shown that slots hold blocks when
            // they are resized or freed; sizes are kept beside them.
            unsafe {
                match call {
                    Call::Alloc(slot, size) => {
                        let block = target.alloc(layout(size as usize));
                        touch(block, 0, size as usize);
                        slots[slot as usize] = (block, size as usize);
                    }
                    Call::Zeroed(slot, size) => {
                        let block = target.alloc_zeroed(layout(size as usize));
                        touch(block, 0, size as usize);
                        slots[slot as usize] = (block, size as usize);
                    }
                    Call::Resize(slot, size) => {
                        let (block, old) = slots[slot as usize];
                        let block = target.realloc(block, layout(old), (size as usize).max(1));
                        touch(block, old, size as usize);
                        slots[slot as usize] = (block, size as usize);
                    }
                    Call::Free(slot) => {
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
