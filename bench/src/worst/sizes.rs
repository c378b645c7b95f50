//! The sizes change, or are wrong for size classes.

use super::{Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[Pattern::new(
    "alternating",
    "1,000,000 blocks of 64 bytes freed in random order and taken as 96, and back, 6 times",
    |r| alternating(r, 1_000_000, [64, 96], 6),
)];

fn alternating(run: &mut Run, count: usize, sizes: [usize; 2], times: usize) {
    let mut random = Random(0x5555_1234_5555_4321);
    let mut blocks = run.table(count);
    for round in 0..times {
        for _ in 0..count {
            let block = run.get(sizes[round % 2]);
            blocks.push(block);
        }
        blocks.shuffle(&mut random);
        run.free_all(&mut blocks);
    }
}
