//! A heap that has no memory left. Each program runs under an RLIMIT_AS, takes
//! until it is refused, and then asks for what it has just freed: each refusal
//! counts. Memory is freed at the end.

use super::{Block, Blocks, KIB, MIB, Pattern, Run};
use crate::work::Random;

/// Enough for every allocator's start but snmalloc's.
const LIMIT: usize = 192 * MIB;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("full-64@64", "64 bytes aligned to 64, freed and had again in a full heap", |r| again(r, 64, 64))
        .under(LIMIT),
    Pattern::new("full-4k@4k", "4 KiB aligned to 4 KiB, freed and had again in a full heap", |r| again(r, 4096, 4096))
        .under(LIMIT),
    Pattern::new("full-64k@64k", "64 KiB aligned to 64 KiB, freed and had again in a full heap", |r| {
        again(r, 64 * KIB, 64 * KIB);
    })
    .under(LIMIT),
    Pattern::new("full-1m@1m", "1 MiB aligned to 1 MiB, freed and had again in a full heap", |r| again(r, MIB, MIB))
        .under(LIMIT),
    Pattern::new("full-any", "any size and alignment, freed and had again in a full heap", any).under(LIMIT),
    Pattern::new("full-joined", "all freed and had again in blocks 16 times as large, full heap", joined).under(LIMIT),
    Pattern::new("shrink-200000", "200,000 bytes made 8,000 in a full heap", |r| shrink(r, 200_000, 8_000))
        .under(LIMIT),
    Pattern::new("shrink-4096", "4,096 bytes made 16 in a full heap", |r| shrink(r, 4096, 16)).under(LIMIT),
    Pattern::new("steps-520m", "520, 540, ... 1200 MiB, each freed before the next, under 1800 MiB", steps)
        .under(1800 * MIB),
];

/// Takes blocks until one is refused, and fills up what is left with blocks of half
/// the size, a quarter, ... down to 16 bytes. Those are in the chain, and so are blocks
/// beyond the table, which has to fit beside a heap that takes all it can at its start.
fn fill(run: &mut Run, blocks: &mut Blocks, mut next: impl FnMut() -> (usize, usize)) -> Chain {
    let mut chain = Chain(Block::NONE);
    let mut rest = loop {
        let (size, align) = next();
        let Some(block) = run.take(size, align) else { break size };
        block.touch(0);
        if blocks.is_full() {
            chain.push(block);
        } else {
            blocks.push(block);
        }
    };
    while rest > 16 {
        rest = (rest / 2).max(16);
        while let Some(block) = run.take(rest, 8) {
            block.touch(0);
            chain.push(block);
        }
    }
    chain
}

/// Blocks of at least 16 bytes, each of which holds the next.
struct Chain(Block);

impl Chain {
    fn push(&mut self, block: Block) {
        // SAFETY: a block in use has room for a `Block`, and is aligned to 8 bytes at least.
        unsafe { block.at.cast::<Block>().write(self.0) };
        self.0 = block;
    }

    fn free(self, run: &mut Run) {
        let mut block = self.0;
        while !block.at.is_null() {
            // SAFETY: written by `push`.
            let next = unsafe { block.at.cast::<Block>().read() };
            run.free(block);
            block = next;
        }
    }
}

/// Replaces random blocks by others just like them.
fn replace(run: &mut Run, blocks: &mut Blocks, chain: Chain, times: usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    run.begin();
    for _ in 0..times {
        let slot = random.below(blocks.len);
        let layout = blocks[slot].layout();
        let old = std::mem::replace(&mut blocks[slot], Block::NONE);
        run.free(old);
        match run.take(layout.size(), layout.align()) {
            Some(block) => {
                block.touch(0);
                blocks[slot] = block;
            }
            None => {
                // The slot goes, so that each refusal is for a block of its own.
                run.refused += 1;
                blocks.swap_remove(slot);
                if blocks.is_empty() {
                    break;
                }
            }
        }
    }
    run.end();
    run.free_all(blocks);
    chain.free(run);
}

fn again(run: &mut Run, size: usize, align: usize) {
    let mut blocks = run.table(LIMIT / 4 * 3 / size);
    let chain = fill(run, &mut blocks, || (size, align));
    replace(run, &mut blocks, chain, (20 * LIMIT / size).min(200_000));
}

fn any(run: &mut Run) {
    let mut blocks = run.table(1 << 16);
    let mut random = Random(0xfeed_beef_0000_0001);
    let chain = fill(run, &mut blocks, || (random.skewed(16, 256 * KIB), 8 << random.below(14)));
    replace(run, &mut blocks, chain, 200_000);
}

fn joined(run: &mut Run) {
    const SMALL: usize = 4 * KIB;
    let mut blocks = run.table(LIMIT / SMALL);
    let chain = fill(run, &mut blocks, || (SMALL, 8));
    let had = blocks.len * SMALL;
    run.begin();
    for size in [16 * SMALL, SMALL, 256 * SMALL, SMALL] {
        run.free_all(&mut blocks);
        // A sixteenth may be lost in rounding and at the edges.
        for _ in 0..had / size * 15 / 16 {
            match run.take(size, 8) {
                Some(block) => blocks.push(block),
                None => run.refused += 1,
            }
        }
    }
    run.end();
    run.free_all(&mut blocks);
    chain.free(run);
}

fn shrink(run: &mut Run, from: usize, to: usize) {
    let mut blocks = run.table(LIMIT / from);
    let chain = fill(run, &mut blocks, || (from, 8));
    run.begin();
    for i in 0..blocks.len {
        match run.try_resize(blocks[i], to) {
            Some(block) => blocks[i] = block,
            None => run.refused += 1,
        }
    }
    run.end();
    run.free_all(&mut blocks);
    chain.free(run);
}

fn steps(run: &mut Run) {
    for size in (520..=1200).step_by(20) {
        match run.take(size * MIB, 8) {
            Some(block) => {
                // Its first mebibyte is written: more would measure the kernel alone.
                Block::new(block.at, super::shape(MIB, 8)).touch(0);
                run.free(block);
            }
            None => run.refused += 1,
        }
    }
}
