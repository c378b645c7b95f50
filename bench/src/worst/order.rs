//! The order in which blocks are freed, and how long they live.

use super::{Blocks, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("free-lifo", "100,000 blocks of 16 bytes to 4 KiB, the last freed first, 5 times", |r| {
        frees(r, |blocks, _| blocks.reverse());
    }),
    Pattern::new("free-fifo", "the same, the first freed first", |r| frees(r, |_, _| ())),
    Pattern::new("free-random", "the same, freed in random order", |r| frees(r, Blocks::shuffle)),
    Pattern::new("long-lived", "a queue of 10,000 short-lived blocks, of which every 50th stays", long_lived),
    Pattern::new("sawtooth", "up to 64 MiB and down to nothing, 8 times", |r| sawtooth(r, 0)),
    Pattern::new("sawtooth-tenth", "up to 64 MiB and down to a random tenth, 8 times", |r| sawtooth(r, 10)),
    Pattern::new("peak", "256 MiB of 16 bytes to 64 KiB, down to 1 MiB, random ones left", peak),
    Pattern::new(
        "edge",
        "at each number of blocks live up to 20,000 the last is freed and taken again, 50 times",
        edge,
    ),
    Pattern::new("batches", "4,000 blocks of one size taken, then all freed; 16 bytes to 32 KiB", batches),
];

fn frees(run: &mut Run, order: fn(&mut Blocks, &mut Random)) {
    let mut random = Random(0xdead_beef_cafe_f00d);
    let mut blocks = run.table(100_000);
    for _ in 0..5 {
        run.fill(&mut blocks, || random.skewed(16, 4096));
        order(&mut blocks, &mut random);
        run.free_all(&mut blocks);
    }
}

fn long_lived(run: &mut Run) {
    let mut random = Random(0xc0ff_ee00_c0ff_ee01);
    let mut queue = run.table(10_000).filled();
    for i in 0..2_000_000 {
        let slot = i % queue.len;
        // The queue's length is a multiple of 50: what is in such a place is left behind.
        if i % 50 != 0 {
            run.free(queue[slot]);
        }
        queue[slot] = run.get(random.skewed(16, 1024));
    }
}

/// Down to one of `one_of` blocks, or to none if that is 0.
fn sawtooth(run: &mut Run, one_of: usize) {
    let mut random = Random(0x0f0f_0f0f_1234_5678);
    let mut blocks = run.table(MIB);
    for _ in 0..8 {
        while run.live < 64 << 20 {
            let block = run.get(random.skewed(16, 4096));
            blocks.push(block);
        }
        blocks.shuffle(&mut random);
        let stay = blocks.len.checked_div(one_of).unwrap_or(0);
        while blocks.len > stay {
            let block = blocks.pop().expect("there are more");
            run.free(block);
        }
    }
}

fn peak(run: &mut Run) {
    let mut random = Random(0x3141_5926_5358_9793);
    let mut blocks = run.table(MIB);
    while run.live < 256 << 20 {
        let block = run.get(random.skewed(16, 64 << 10));
        blocks.push(block);
    }
    blocks.shuffle(&mut random);
    while run.live > 1 << 20 {
        let block = blocks.pop().expect("there are more");
        run.free(block);
    }
}

/// Somewhere on the way is each edge of an allocator's: of a slab, a batch, a segment.
fn edge(run: &mut Run) {
    for i in 0..20_000 {
        let size = [64, 1000, 8000][i % 3];
        for _ in 0..50 {
            let block = run.get(size);
            run.free(block);
        }
        run.get(size);
    }
}

/// A cache of each length overflows, and is empty when it is needed.
fn batches(run: &mut Run) {
    let mut blocks = run.table(4_000);
    for doubling in 0..12 {
        for _ in 0..10 {
            run.fill(&mut blocks, || 16 << doubling);
            run.free_all(&mut blocks);
        }
    }
}
