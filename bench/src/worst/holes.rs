//! Free memory in pieces between blocks that stay.

use super::{KIB, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("aligned-4k", "4 KiB aligned to 4 KiB, random ones of 64 MiB replaced", |r| aligned(r, 4096, 4096)),
    Pattern::new("survivors-30k", "1 GiB of 30 KiB blocks, a survivor of 2 KiB after every second", |r| {
        survivors(r, 36_000, 30 * KIB, 2, 2 * KIB);
    }),
    Pattern::new("survivors-200", "200 MiB of 200 bytes, a survivor of 200 after every 100th", |r| {
        survivors(r, 1_000_000, 200, 100, 200);
    }),
    Pattern::new("holes-8208", "40,000 holes of 8,208 bytes, requests of 9,000", holes),
];

/// Random ones of 64 MiB are replaced.
fn aligned(run: &mut Run, size: usize, align: usize) {
    let count = 64 * MIB / size;
    let mut blocks = run.table(count);
    for _ in 0..count {
        let block = run.aligned(size, align);
        blocks.push(block);
    }
    let mut random = Random(0x0123_4567_89ab_cdef);
    run.begin();
    for _ in 0..20 * count {
        let slot = random.below(count);
        run.free(blocks[slot]);
        blocks[slot] = run.aligned(size, align);
    }
}

/// All are freed but the survivors, each of which came after so many others.
fn survivors(run: &mut Run, count: usize, size: usize, every: usize, survivor: usize) {
    let mut blocks = run.table(count);
    for i in 0..count {
        let block = run.get(size);
        blocks.push(block);
        if i % every == 0 {
            run.get(survivor);
        }
    }
    run.free_all(&mut blocks);
}

/// Requests that no hole is large enough for.
fn holes(run: &mut Run) {
    const HOLES: usize = 40_000;
    let mut blocks = run.table(HOLES);
    for _ in 0..HOLES {
        let block = run.get(8208);
        blocks.push(block);
        run.get(16);
    }
    run.free_all(&mut blocks);
    run.begin();
    for _ in 0..400 {
        run.get(9000);
    }
}
