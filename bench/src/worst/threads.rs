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
                while !blocks.is_full() {
                    let block = run.get(random.skewed(16, 1024));
                    blocks.push(block);
                }
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
                run.free(blocks[slot]);
                blocks[slot] = run.get(10 + random.below(490));
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
            while !blocks.is_full() {
                let block = run.get(128);
                blocks.push(block);
            }
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
                while !blocks.is_full() {
                    let block = run.get(256);
                    blocks.push(block);
                }
                run.free_all(blocks);
            }
            turn.wait();
        }
    });
    // One thread at a time has blocks.
    run.peak = 16 << 20;
}
