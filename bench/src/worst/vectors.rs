//! Blocks that are resized: alone, and in one another's way.

use super::{Block, KIB, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("race-doubling", "16 vectors double in turn up to 4 MiB, 4 times", |r| race(r, 4 * MIB, |n| 2 * n)),
    Pattern::new("race-half", "16 vectors grow by a half in turn up to 4 MiB, 4 times", |r| {
        race(r, 4 * MIB, |n| n + n / 2);
    }),
    Pattern::new("race-steps", "16 vectors grow by 256 bytes in turn up to 64 KiB, 4 times", |r| {
        race(r, 64 * KIB, |n| n + 256);
    }),
    Pattern::new("steps-alone", "one block grows by 4 KiB up to 8 MiB, 4 times", |r| steps(r, false)),
    Pattern::new("steps-blocked", "the same, and after each step a block of 64 bytes is taken that stays", |r| {
        steps(r, true);
    }),
    Pattern::new("swing", "one block from 4 KiB to 4 MiB and back by doubling and halving, 200 times", swing),
    Pattern::new("fitted", "30,000 vectors grow to 16 KiB at most by doubling and are cut to what they hold", fitted),
    Pattern::new("doubling-512m", "one vector doubles up to 512 MiB", |r| race_of(r, 1, 512 * MIB, |n| 2 * n)),
];

fn race(run: &mut Run, up_to: usize, step: fn(usize) -> usize) {
    for _ in 0..4 {
        race_of(run, 16, up_to, step);
    }
}

fn race_of(run: &mut Run, count: usize, up_to: usize, step: fn(usize) -> usize) {
    let mut vectors = run.table(count);
    run.fill(&mut vectors, || 64);
    while vectors[0].size() < up_to {
        for i in 0..count {
            vectors[i] = run.resize(vectors[i], step(vectors[i].size()));
        }
    }
    run.free_all(&mut vectors);
}

fn steps(run: &mut Run, blocked: bool) {
    for _ in 0..4 {
        let mut block = run.get(4 * KIB);
        while block.size() < 8 * MIB {
            block = run.resize(block, block.size() + 4 * KIB);
            if blocked {
                run.get(64);
            }
        }
        run.free(block);
    }
}

fn swing(run: &mut Run) {
    let mut block = run.get(4 * KIB);
    for _ in 0..200 {
        while block.size() < 4 * MIB {
            block = run.resize(block, 2 * block.size());
        }
        while block.size() > 4 * KIB {
            block = run.resize(block, block.size() / 2);
        }
    }
    run.free(block);
}

fn fitted(run: &mut Run) {
    let mut random = Random(0x2718_2818_2845_9045);
    let mut vectors = run.table(30_000);
    while !vectors.is_full() {
        let holds = random.skewed(64, 16 * KIB);
        let mut vector: Block = run.get(64);
        while vector.size() < holds {
            vector = run.resize(vector, 2 * vector.size());
        }
        vector = run.resize(vector, holds);
        vectors.push(vector);
    }
}
