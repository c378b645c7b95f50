//! One call that does the work of many: growth, huge blocks, memory that is never written.

use super::{KIB, MIB, Pattern, Run};

const GIB: usize = 1 << 30;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("grow-1k", "2 GiB in blocks of 1 KiB: the longest call on the way", |r| grow(r, 2 * GIB, KIB))
        .growing(),
    Pattern::new("grow-64k", "2 GiB in blocks of 64 KiB: the longest call on the way", |r| grow(r, 2 * GIB, 64 * KIB))
        .growing(),
    Pattern::new("untouched-8g", "8 GiB that is never written, then 256 KiB in blocks of 256 bytes", untouched),
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
