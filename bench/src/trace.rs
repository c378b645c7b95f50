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
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// One call, ready to be replayed: what is done, the slot, the size.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    kind: u32,
    slot: u32,
    size: u32,
}

const ALLOC: u32 = 0;
const ZEROED: u32 = 1;
const RESIZE: u32 = 2;
const FREE: u32 = 3;

/// A trace in memory that is no allocator's: its pages are the file's.
pub struct Trace {
    /// The calls in order.
    pub calls: &'static [Call],
    /// A place for each block.
    pub slots: &'static mut [(*mut u8, usize)],
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
                let slot = spare.pop().map_or_else(
                    || {
                        fresh += 1;
                        fresh - 1
                    },
                    |Reverse(slot)| slot,
                );
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

/// Reads a trace file, checks it, and writes it as the calls that [`open`] maps:
/// three words, the number of slots, the peak of the live bytes and 0, then the
/// calls.
pub fn expand(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| format!("cannot read the trace {}", from.display()))?;
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
    let mut calls: Vec<[u32; 3]> = Vec::new();
    let mut sizes: Vec<Option<usize>> = Vec::new();
    let mut spare: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
    let (mut live, mut peak) = (0, 0);
    while let Some(n) = next() {
        let (kind, mut slot, mut size) = ((n & 3) as u32, n >> 2, 0);
        match kind {
            ALLOC | ZEROED => {
                size = n >> 2;
                slot = spare.pop().map_or(sizes.len(), |Reverse(slot)| slot);
                if slot == sizes.len() {
                    sizes.push(None);
                }
                sizes[slot] = Some(size);
                live += size;
            }
            RESIZE => {
                size = next().context("the trace ends within a call")?;
                let old = sizes.get_mut(slot).and_then(|s| s.as_mut());
                let old = old.with_context(|| format!("slot {slot} is resized but not live"))?;
                live = live - *old + size;
                *old = size;
            }
            _ => {
                let old = sizes.get_mut(slot).and_then(Option::take);
                live -= old.with_context(|| format!("slot {slot} is freed but not live"))?;
                spare.push(Reverse(slot));
            }
        }
        calls.push([kind, slot as u32, size as u32]);
        peak = peak.max(live);
    }
    ensure!(!calls.is_empty(), "the trace {} holds no calls", from.display());
    // What is still live goes at the end, so that a trace can be replayed again.
    calls.extend((0..sizes.len()).filter(|&slot| sizes[slot].is_some()).map(|slot| [FREE, slot as u32, 0]));
    let head = [sizes.len() as u32, peak as u32, 0];
    let words = head.iter().chain(calls.as_flattened());
    let out: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
    std::fs::write(to, out).with_context(|| format!("cannot write {}", to.display()))
}

/// Maps a file that [`expand`] wrote.
pub fn open(path: &Path) -> Result<Trace> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open the calls {}", path.display()))?;
    let len = file.metadata()?.len() as usize;
    ensure!(len > size_of::<Call>(), "{} is no file of calls", path.display());
    let flags = libc::MAP_PRIVATE | libc::MAP_POPULATE;
    // SAFETY: a new mapping, which replaces none.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, flags, file.as_raw_fd(), 0) };
    ensure!(at != libc::MAP_FAILED, "cannot map {}: {}", path.display(), std::io::Error::last_os_error());
    // SAFETY: the file is `len` bytes of words, and nobody changes it.
    let all = unsafe { std::slice::from_raw_parts(at.cast::<Call>(), len / size_of::<Call>()) };
    let (slots, peak) = (all[0].kind as usize, all[0].slot as usize);
    let places = crate::arena::reserve(slots * size_of::<(*mut u8, usize)>());
    // SAFETY: as many places as the mapping has room for; written here first.
    let slots = unsafe {
        let places = places.cast::<(*mut u8, usize)>();
        for i in 0..slots {
            places.add(i).write((std::ptr::dangling_mut(), 1));
        }
        std::slice::from_raw_parts_mut(places.as_ptr(), slots)
    };
    Ok(Trace { calls: &all[1..], slots, peak })
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
    let block = crate::arena::reserve(1 << 30).cast().as_ptr();
    replay_on(&Nothing(block), trace, times);
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
