//! One call that does the work of many: growth, huge blocks, memory that is never written.

use super::{Block, KIB, MIB, Pattern, Run};
use crate::work::Random;

const GIB: usize = 1 << 30;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("grow-1k", "2 GiB in blocks of 1 KiB: the longest call on the way", |r| grow(r, 2 * GIB, KIB))
        .growing(),
    Pattern::new("grow-64k", "2 GiB in blocks of 64 KiB: the longest call on the way", |r| grow(r, 2 * GIB, 64 * KIB))
        .growing(),
    Pattern::new("grow-1m", "2 GiB in blocks of 1 MiB: the longest call on the way", |r| grow(r, 2 * GIB, MIB))
        .growing(),
    Pattern::new("grow-48", "2 GiB in blocks of 48 bytes: the longest call on the way", |r| grow(r, 2 * GIB, 48))
        .growing(),
    Pattern::new("untouched-8g", "8 GiB that is never written, then 256 KiB in blocks of 256 bytes", untouched),
    Pattern::new("sparse", "blocks of 1 MiB of which one page is written, random ones of 256 replaced", sparse),
    Pattern::new(
        "huge-and-tiny",
        "a block of 64 MiB with one page written, beside 1,000 of 32 bytes, 300 times",
        mixed,
    ),
    Pattern::new("large-any", "64 KiB to 4 MiB, random ones of 64 replaced", large),
    Pattern::new("thresholds", "just over 32 KiB to 32 MiB, each freed and taken again, 1,000 times", thresholds),
    Pattern::new("megabytes", "80 blocks of 1 MiB freed and taken again, 30 times", |r| rounds(r, 80, MIB, 30)),
];

fn grow(run: &mut Run, total: usize, size: usize) {
    for _ in 0..total / size {
        run.get(size);
    }
}

fn untouched(run: &mut Run) {
    run.take(8 * GIB, 8).expect("address space is not short");
    for _ in 0..KIB {
        run.get(256);
    }
}

/// All are freed, then all taken again.
fn rounds(run: &mut Run, count: usize, size: usize, times: usize) {
    let mut blocks = run.table(count);
    for _ in 0..times {
        for _ in 0..count {
            let block = run.get(size);
            blocks.push(block);
        }
        run.free_all(&mut blocks);
    }
}

/// Takes a block and writes its first page.
fn one_page(run: &mut Run, size: usize) -> Block {
    let block = run.take(size, 8).expect("address space is not short");
    // SAFETY: the block has a first byte.
    unsafe { block.at.write_volatile(1) };
    block
}

fn sparse(run: &mut Run) {
    let mut random = Random(0x1357_9bdf_0246_8ace);
    let mut blocks = run.table(256).filled();
    for _ in 0..50_000 {
        let slot = random.below(256);
        run.free(blocks[slot]);
        blocks[slot] = one_page(run, MIB);
    }
}

fn mixed(run: &mut Run) {
    let mut small = run.table(1_000);
    for _ in 0..300 {
        let huge = one_page(run, 64 * MIB);
        run.fill(&mut small, || 32);
        run.free(huge);
        run.free_all(&mut small);
    }
}

fn large(run: &mut Run) {
    let mut random = Random(0x2468_ace0_1357_9bdf);
    let mut blocks = run.table(64).filled();
    for _ in 0..2_000 {
        let slot = random.below(64);
        run.replace(&mut blocks[slot], random.skewed(64 * KIB, 4 * MIB));
    }
}

/// Sizes from which on allocators go another way: to larger slabs, to the kernel.
fn thresholds(run: &mut Run) {
    for doubling in 0..=10 {
        for _ in 0..1_000 {
            let block = one_page(run, ((32 * KIB) << doubling) + 1);
            run.free(block);
        }
    }
}
