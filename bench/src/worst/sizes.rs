//! The sizes change, or are wrong for size classes.

use super::{Blocks, KIB, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(
        "alternating",
        "1,000,000 blocks of 64 bytes freed in random order and taken as 96, and back, 6 times",
        |r| alternating(r, 1_000_000, [64, 96], 6),
    ),
    Pattern::new("alternating-1k", "100,000 of 1,000 bytes taken as 1,500, and back, 6 times", |r| {
        alternating(r, 100_000, [1000, 1500], 6);
    }),
    Pattern::new("powers-plus-1", "a power of two and one byte, random ones of 20,000 replaced", |r| {
        replaced(r, 20_000, |random| (16 << random.below(9)) + 1);
    }),
    Pattern::new("fibonacci", "Fibonacci's numbers from 21 to 10,946, random ones of 20,000 replaced", |r| {
        replaced(r, 20_000, |random| fibonacci(8 + random.below(14)));
    }),
    Pattern::new("swinging", "32 MiB live, sizes from 96 bytes to 6 KiB and back, twice", swinging),
    Pattern::new(
        "migrating",
        "32 MiB of one size, of which a hundredth stays, then half as large again, ...",
        migrating,
    ),
    Pattern::new(
        "documents",
        "trees of small blocks, 1 to 16 MiB each, one taken while the last is dropped",
        documents,
    ),
];

fn fibonacci(n: usize) -> usize {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

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

/// Random ones of `count` blocks are replaced.
fn replaced(run: &mut Run, count: usize, size: fn(&mut Random) -> usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut blocks = run.table(count).filled();
    for _ in 0..40 * count {
        let slot = random.below(count);
        run.replace(&mut blocks[slot], size(&mut random));
    }
}

/// Memory that was freed in pieces of one size is asked for in pieces a little larger.
fn swinging(run: &mut Run) {
    const LIVE: isize = 32 << 20;
    const STEPS: usize = 6 * 8;
    let mut random = Random(0xfeed_face_0bad_cafe);
    let mut blocks = run.table(LIVE as usize / 48);
    for step in 0..4 * STEPS {
        let at = step % (2 * STEPS);
        let at = at.min(2 * STEPS - at);
        let middle = (96 << (at / 8)) * (8 + at % 8) / 8;
        let mut asked = 0;
        while asked < LIVE as usize / 8 {
            let block = run.get(middle / 2 + random.below(middle));
            asked += block.size();
            blocks.push(block);
            while run.live > LIVE {
                let block = blocks.swap_remove(random.below(blocks.len));
                run.free(block);
            }
        }
    }
}

/// No slab of a size class is ever empty when the next class needs room.
fn migrating(run: &mut Run) {
    let mut random = Random(0x1111_2222_3333_4444);
    let mut blocks = run.table(2 * MIB);
    let mut size = 16;
    while size < 8 * KIB {
        for _ in 0..32 * MIB / size {
            let block = run.get(size);
            blocks.push(block);
        }
        blocks.shuffle(&mut random);
        blocks.len -= blocks.len / 100;
        run.free_all(&mut blocks);
        size += size / 2;
    }
}

/// What a parser does: nodes, strings, and vectors of nodes that double, in the order of the text.
fn documents(run: &mut Run) {
    let mut random = Random(0xdada_0000_1234_0001);
    let mut document = |run: &mut Run, blocks: &mut Blocks, size: isize| {
        let up_to = run.live + size;
        let (mut vector, mut holds) = (run.get(32), 0);
        while run.live < up_to {
            let block = run.get(if random.below(3) == 0 { 48 } else { random.skewed(8, 128) });
            blocks.push(block);
            holds += 8;
            // Few vectors are long: an object's fields, and now and then a table's rows.
            if random.below(if holds < 256 { 8 } else { 20_000 }) == 0 {
                blocks.push(vector);
                (vector, holds) = (run.get(32), 0);
            } else if holds > vector.size() {
                vector = run.resize(vector, 2 * vector.size());
            }
        }
        blocks.push(vector);
    };
    let (mut last, mut next) = (run.table(MIB), run.table(MIB));
    for round in 0..20 {
        document(run, &mut next, [1, 16, 4, 8, 2][round % 5] << 20);
        run.free_all(&mut last);
        std::mem::swap(&mut last, &mut next);
    }
}
