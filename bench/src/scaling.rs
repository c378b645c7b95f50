//! How the cost of a call grows with the heap: this many blocks live, and random ones replaced.

use anyhow::Result;

use crate::arena;
use crate::measure;
use crate::work::{Block, Random};

/// How many blocks are live.
pub const LIVE: [usize; 6] = [10_000, 100_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000];

/// The lengths of the blocks, bytes: any from the first to the one before the second, 64 on average.
const LENGTHS: (usize, usize) = (16, 113);

/// How many blocks are replaced before the clock starts, and again while it runs.
const REPLACED: u64 = 3_000_000;

/// What a run cost.
pub struct Growth {
    /// CPU time for each call, in nanoseconds, with the choice of a block and a write to it.
    pub call: f64,
    /// Resident bytes over live ones, at the end.
    pub resident: f64,
}

impl Growth {
    /// Reads what a program printed.
    pub fn parse(line: &str) -> Result<Growth> {
        let (call, resident) = line.split_once(' ').unwrap_or((line, ""));
        Ok(Growth { call: call.parse()?, resident: resident.parse()? })
    }
}

/// Runs with this many blocks, through the program's global allocator, and prints what [`Growth::parse`] reads.
pub(crate) fn measured(live: usize) -> Result<()> {
    let (blocks, _) = arena::table(live, Block::NONE);
    let before = measure::memory()?.resident;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let length = |random: &mut Random| LENGTHS.0 + random.below(LENGTHS.1 - LENGTHS.0);
    for block in blocks.iter_mut() {
        *block = Block::new(length(&mut random));
    }
    let mut replace = || {
        for _ in 0..REPLACED {
            let slot = random.below(live);
            blocks[slot].free();
            blocks[slot] = Block::new(length(&mut random));
        }
    };
    replace();
    let start = measure::cpu_time();
    replace();
    let spent = measure::cpu_time() - start;
    let resident = measure::memory()?.resident.saturating_sub(before);
    let bytes: usize = blocks.iter().map(|block| block.1).sum();
    println!("{} {}", spent as f64 / (2 * REPLACED) as f64, resident as f64 / bytes as f64);
    Ok(())
}
