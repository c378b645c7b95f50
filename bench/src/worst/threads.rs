//! Blocks and threads: freed elsewhere than taken, left behind, in one another's way.

use std::sync::Barrier;

use super::{Block, Blocks, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("pairs-4", "4 threads, each takes 64 bytes and frees them", pairs).threaded(),
    Pattern::new("producer", "one thread takes 10,000 blocks while another frees the last 10,000", producer).threaded(),
    Pattern::new(
        "larson-4",
        "4 threads replace random blocks, and new threads take over (Larson, Krishnan 1998)",
        larson,
    )
    .threaded(),
    Pattern::new("left-behind", "200 threads take 512 KiB each and end; the main thread frees all", left_behind)
        .threaded(),
    Pattern::new("blowup", "8 threads, one after the other, take 16 MiB and free them (Berger et al. 2000)", blowup)
        .threaded(),
    Pattern::new("pipeline", "batches pass through 3 threads, each resizes, frees and adds", pipeline).threaded(),
    Pattern::new("pool", "500 threads, 8 at once, each takes 4 MiB in 16 bytes to 8 KiB and leaves a 50th", pool)
        .threaded(),
    Pattern::new("many-few", "200 threads at once with 20 blocks each of 16 bytes to 4 KiB, 5 times", many_few)
        .threaded(),
    Pattern::new("many-churn", "64 threads at once replace random ones of 100 blocks", many_churn).threaded(),
    Pattern::new("fan-in", "8 threads take, one frees all", fan_in).threaded(),
    Pattern::new("fan-out", "one thread takes, 8 free", fan_out).threaded(),
    Pattern::new("large-4", "4 threads replace blocks of 32 KiB to 1 MiB", large_4).threaded(),
    Pattern::new("mixed-4", "4 threads replace blocks of 16 bytes to 128 KiB, a tenth of them one another's", mixed_4)
        .threaded(),
    Pattern::new("resize-4", "4 threads resize blocks of 16 bytes to 64 KiB", resize_4).threaded(),
    Pattern::new(
        "peaks-8",
        "8 threads, one after the other, take 32 MiB in a size of its own and free all but a 100th",
        peaks_8,
    )
    .threaded(),
    Pattern::new("swap-sizes-4", "4 threads take 8 MiB of a size and free them, each round another size", swap_sizes)
        .threaded(),
];

// SAFETY: a block may be freed by any thread, and one thread at a time has it.
unsafe impl Send for Block {}

/// A thread for each table, all at once.
fn parallel(run: &mut Run, tables: &mut [Blocks], body: impl Fn(&mut Run, usize, &mut Blocks) + Sync) {
    let timed = run.timed;
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let body = &body;
        let work = |(i, table)| {
            move || {
                let mut run = Run::new(timed, true);
                body(&mut run, i, table);
                run
            }
        };
        let threads: Vec<_> = tables.iter_mut().enumerate().map(|work_on| scope.spawn(work(work_on))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no pattern panics")).collect()
    });
    for (i, thread) in (1..).zip(runs) {
        run.join(thread, i);
    }
}

fn tables<const N: usize>(run: &mut Run, slots: usize) -> [Blocks; N] {
    std::array::from_fn(|_| run.table(slots))
}

fn pairs(run: &mut Run) {
    let mut tables: [Blocks; 4] = tables(run, 1);
    parallel(run, &mut tables, |run, _, _| {
        for _ in 0..500_000 {
            let block = run.get(64);
            run.free(block);
        }
    });
}

fn producer(run: &mut Run) {
    let mut tables: [Blocks; 2] = tables(run, 10_000);
    for round in 0..60 {
        parallel(run, &mut tables, |run, i, blocks| {
            if i == round % 2 {
                let mut random = Random(0x1234_5678_9abc_def0);
                run.fill(blocks, || random.skewed(16, 1024));
            } else {
                run.free_all(blocks);
            }
        });
    }
}

fn larson(run: &mut Run) {
    let mut tables: [Blocks; 4] = tables(run, 5_000);
    tables = tables.map(Blocks::filled);
    for round in 0..20 {
        tables.rotate_left(1);
        parallel(run, &mut tables, |run, i, blocks| {
            let mut random = Random(0xdead_beef + 4 * round + i as u64);
            for _ in 0..20_000 {
                let slot = random.below(blocks.len);
                run.replace(&mut blocks[slot], 10 + random.below(490));
            }
        });
    }
}

fn left_behind(run: &mut Run) {
    const EACH: usize = MIB / 2 / 128;
    let mut all = run.table(200 * EACH);
    let mut tables: [Blocks; 4] = tables(run, EACH);
    for _ in 0..50 {
        parallel(run, &mut tables, |run, _, blocks| {
            run.fill(blocks, || 128);
        });
        for table in &mut tables {
            table.iter().for_each(|block| all.push(*block));
            table.len = 0;
        }
    }
    run.free_all(&mut all);
}

/// What one thread has freed, another has to get: else memory in use grows with the
/// number of threads.
fn blowup(run: &mut Run) {
    const BLOCKS: usize = 16 * MIB / 256;
    let mut tables: [Blocks; 8] = tables(run, BLOCKS);
    let turn = Barrier::new(tables.len());
    parallel(run, &mut tables, |run, i, blocks| {
        for at in 0..8 {
            if at == i {
                run.fill(blocks, || 256);
                run.free_all(blocks);
            }
            turn.wait();
        }
    });
    // One thread at a time has blocks.
    run.peak = 16 << 20;
}

fn pipeline(run: &mut Run) {
    let mut tables: [Blocks; 3] = tables(run, 3_000);
    for round in 0..60 {
        tables.rotate_left(1);
        parallel(run, &mut tables, |run, i, blocks| {
            let mut random = Random(0x1111_0000_2222 + 3 * round + i as u64);
            match i {
                0 => {
                    run.free_all(blocks);
                    run.fill(blocks, || random.skewed(32, 2048));
                }
                1 => {
                    for at in 0..blocks.len {
                        blocks[at] = run.resize(blocks[at], 16 + random.below(4000));
                    }
                }
                _ => {
                    while blocks.len > 1_500 {
                        let block = blocks.swap_remove(random.below(blocks.len));
                        run.free(block);
                    }
                }
            }
        });
    }
}

fn pool(run: &mut Run) {
    let mut tables: [Blocks; 8] = tables(run, 16_000);
    for round in 0..62 {
        parallel(run, &mut tables, |run, i, blocks| {
            let mut random = Random(0x3333_0000_2222 + 8 * round + i as u64);
            while run.live < 4 << 20 && !blocks.is_full() {
                let block = run.get(random.skewed(16, 8192));
                blocks.push(block);
            }
            blocks.shuffle(&mut random);
            blocks.len -= blocks.len / 50;
            run.free_all(blocks);
        });
    }
}

fn many_few(run: &mut Run) {
    let mut tables: Vec<Blocks> = (0..200).map(|_| run.table(20)).collect();
    for round in 0..5 {
        let barrier = Barrier::new(200);
        parallel(run, &mut tables, |run, i, blocks| {
            let mut random = Random(0x3333_0000_2222 + 200 * round + i as u64);
            barrier.wait();
            run.free_all(blocks);
            run.fill(blocks, || random.skewed(16, 4096));
            barrier.wait();
        });
    }
}

fn many_churn(run: &mut Run) {
    let mut tables: Vec<Blocks> = (0..64).map(|_| run.table(100)).collect();
    parallel(run, &mut tables, |run, i, blocks| {
        let mut random = Random(0x3333_0000_2222 + i as u64);
        run.fill(blocks, || random.skewed(16, 4096));
        for _ in 0..20_000 {
            let slot = random.below(100);
            run.replace(&mut blocks[slot], random.skewed(16, 4096));
        }
    });
}

fn fan_in(run: &mut Run) {
    let mut tables: [Blocks; 8] = tables(run, 5_000);
    for round in 0..20 {
        parallel(run, &mut tables, |run, i, blocks| {
            let mut random = Random(0x3333_0000_2222 + 8 * round + i as u64);
            run.fill(blocks, || random.skewed(16, 8192));
        });
        for table in &mut tables {
            run.free_all(table);
        }
    }
}

fn fan_out(run: &mut Run) {
    let mut tables: [Blocks; 8] = tables(run, 5_000);
    for round in 0..20 {
        let mut random = Random(0x3333_0000_2222 + round);
        for table in &mut tables {
            run.fill(table, || random.skewed(16, 8192));
        }
        parallel(run, &mut tables, |run, _, blocks| run.free_all(blocks));
    }
}

fn large_4(run: &mut Run) {
    let mut tables: [Blocks; 4] = tables(run, 16);
    tables = tables.map(Blocks::filled);
    parallel(run, &mut tables, |run, i, blocks| {
        let mut random = Random(0x3333_0000_2222 + i as u64);
        for _ in 0..2_000 {
            let slot = random.below(16);
            run.replace(&mut blocks[slot], random.skewed(32 << 10, MIB));
        }
    });
}

fn mixed_4(run: &mut Run) {
    let mut tables: [Blocks; 4] = tables(run, 1_000);
    tables = tables.map(Blocks::filled);
    for round in 0..20 {
        tables.rotate_left(1);
        parallel(run, &mut tables, |run, i, blocks| {
            let mut random = Random(0x3333_0000_2222 + 8 * round + i as u64);
            for at in 0..10_000 {
                let slot = if at < 100 { at } else { 100 + random.below(900) };
                run.replace(&mut blocks[slot], random.skewed(16, 128 << 10));
            }
        });
    }
}

fn resize_4(run: &mut Run) {
    let mut tables: [Blocks; 4] = tables(run, 500);
    parallel(run, &mut tables, |run, i, blocks| {
        let mut random = Random(0x3333_0000_2222 + i as u64);
        run.fill(blocks, || random.skewed(16, 64 << 10));
        for _ in 0..20_000 {
            let slot = random.below(500);
            blocks[slot] = run.resize(blocks[slot], random.skewed(16, 64 << 10));
        }
    });
}

fn peaks_8(run: &mut Run) {
    let mut tables: [Blocks; 8] = tables(run, 300_000);
    let turn = Barrier::new(tables.len());
    parallel(run, &mut tables, |run, i, blocks| {
        let mut random = Random(0x3333_0000_2222 + i as u64);
        for at in 0..8 {
            if at == i {
                while run.live < 32 << 20 {
                    let block = run.get(128 + 112 * i);
                    blocks.push(block);
                }
                blocks.shuffle(&mut random);
                blocks.len -= blocks.len / 100;
                run.free_all(blocks);
            }
            turn.wait();
        }
    });
    run.peak = 35 << 20;
}

fn swap_sizes(run: &mut Run) {
    let mut tables: [Blocks; 4] = tables(run, 100_000);
    let turn = Barrier::new(tables.len());
    parallel(run, &mut tables, |run, i, blocks| {
        for round in 0..12 {
            let size = 96 << ((round + i) % 6);
            while run.live < 8 << 20 {
                let block = run.get(size);
                blocks.push(block);
            }
            run.free_all(blocks);
            turn.wait();
        }
    });
}
