//! Free memory in pieces between blocks that stay.

use super::{Block, KIB, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("aligned-4k", "4 KiB aligned to 4 KiB, random ones of 64 MiB replaced", |r| aligned(r, 4096, 4096)),
    Pattern::new("aligned-any", "alignments from 16 bytes to 64 KiB, random ones of 4,000 blocks replaced", mixed),
    Pattern::new("survivors-30k", "1 GiB of 30 KiB blocks, a survivor of 2 KiB after every second", |r| {
        survivors(r, 36_000, 30 * KIB, 2, 2 * KIB);
    }),
    Pattern::new("survivors-200", "200 MiB of 200 bytes, a survivor of 200 after every 100th", |r| {
        survivors(r, 1_000_000, 200, 100, 200);
    }),
    Pattern::new("survivors-any", "200,000 blocks of 16 bytes to 4 KiB, of which a random hundredth stays", random),
    Pattern::new("holes-8208", "40,000 holes of 8,208 bytes, requests of 9,000", holes),
    Pattern::new("holes-any", "20,000 holes, each of another size, and requests for sizes among theirs", distinct),
    Pattern::new("comb", "every second block freed, then blocks twice as large: 32 bytes to 64 KiB, 32 MiB live", comb),
    Pattern::new("robson", "Robson's program against 32 MiB, from 64 bytes to 64 KiB (Robson 1971, 1974)", robson),
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

/// All are freed but the survivors, one of which comes after every `every` blocks.
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

fn mixed(run: &mut Run) {
    const COUNT: usize = 4_000;
    let mut random = Random(0x0bad_f00d_1234_5678);
    let mut blocks = run.table(COUNT).filled();
    for _ in 0..50 * COUNT {
        let slot = random.below(COUNT);
        run.free(blocks[slot]);
        let align = 16 << random.below(13);
        blocks[slot] = run.aligned(1 + random.below(2 * align), align);
    }
}

fn random(run: &mut Run) {
    let mut random = Random(0xabcd_ef01_2345_6789);
    let mut blocks = run.table(200_000);
    run.fill(&mut blocks, || random.skewed(16, 4096));
    blocks.shuffle(&mut random);
    blocks.len -= 2_000;
    run.free_all(&mut blocks);
}

/// A search by size has no two holes alike to stop at.
fn distinct(run: &mut Run) {
    const HOLES: usize = 20_000;
    let mut random = Random(0x7777_1234_8888_4321);
    let mut blocks = run.table(HOLES);
    for i in 0..HOLES {
        let block = run.get(4096 + 2 * i);
        blocks.push(block);
        run.get(16);
    }
    blocks.shuffle(&mut random);
    run.free_all(&mut blocks);
    run.begin();
    for _ in 0..10 {
        for _ in 0..HOLES / 10 {
            let block = run.get(4096 + random.below(2 * HOLES));
            blocks.push(block);
        }
        run.free_all(&mut blocks);
    }
}

/// The simplest program against which joining alone does not help: no two free
/// neighbours make room for what comes next.
fn comb(run: &mut Run) {
    const LIVE: usize = 32 * MIB;
    let mut blocks = run.table(LIVE / 32);
    let mut size = 32;
    while size <= 64 * KIB {
        while run.live as usize + size <= LIVE {
            let block = run.get(size);
            blocks.push(block);
        }
        let mut kept = 0;
        for i in 0..blocks.len {
            if i % 2 == 0 {
                run.free(blocks[i]);
            } else {
                blocks[kept] = blocks[i];
                kept += 1;
            }
        }
        blocks.len = kept;
        size *= 2;
    }
}

/// The program of J. M. Robson's proof (JACM 18(3) 1971, 21(3) 1974): any allocator that
/// does not move blocks needs half the logarithm of the largest over the smallest
/// size, and one, times what is live: here 6. Step i keeps what covers an address that
/// is f modulo 2^i, picks the f that keeps the most room unusable, and takes blocks of 2^i.
fn robson(run: &mut Run) {
    const LIVE: usize = 32 * MIB;
    const UNIT: usize = 64;
    let mut blocks = run.table(LIVE / UNIT);
    // In units: does the block cover an address that is f modulo m?
    let covers = |block: &Block, f: usize, m: usize| {
        let first = block.at.addr() / UNIT;
        let last = (block.at.addr() + block.size() - 1) / UNIT;
        (f.wrapping_sub(first) & (m - 1)) <= last - first
    };
    let mut f = 0;
    for step in 0..=10 {
        let m = 1 << step;
        if step > 0 {
            let unusable = |f: usize| -> usize {
                blocks.iter().filter(|b| covers(b, f, m)).map(|b| (m * UNIT).saturating_sub(b.size())).sum()
            };
            f = [f, f + m / 2].into_iter().max_by_key(|f| unusable(*f)).expect("there are two");
            let mut kept = 0;
            for i in 0..blocks.len {
                if covers(&blocks[i], f, m) {
                    blocks[kept] = blocks[i];
                    kept += 1;
                } else {
                    run.free(blocks[i]);
                }
            }
            blocks.len = kept;
        }
        while run.live as usize + m * UNIT <= LIVE {
            let block = run.get(m * UNIT);
            blocks.push(block);
        }
    }
}
