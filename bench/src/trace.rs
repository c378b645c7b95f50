//! Traces of real programs: what was recorded is compacted, read, checked, and made ready for the replay.
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

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rt0_bench_heap::trace::{ALLOC, FREE, RESIZE, ZEROED};

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

/// Reads a trace file, checks it, and writes it as the calls that [`rt0_bench_heap::trace::open`] maps:
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
