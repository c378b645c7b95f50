//! What every hosted program of the benchmark shares: it runs one workload through its own global allocator and prints what
//! that cost. The workloads that need no std are in `bench/heap/`.

pub mod arena;
mod measure;
pub mod peers;
pub mod process;
pub mod programs;
pub mod scaling;
pub mod threads;
pub mod trace;
pub mod worst;

use std::ffi::CString;

use anyhow::{Context, Result};
pub(crate) use rt0_bench_heap::work;

/// The `main` of an allocator's program: `PROGRAM WORKLOAD`, as [`rt0_bench_heap::run`] has it; or `PROGRAM worst PATTERN`,
/// a name of [`worst::patterns`]; or `PROGRAM threads WORKLOAD NUMBER`; or `PROGRAM scaling LIVE-BLOCKS`. `trim` makes the
/// allocator give back what it can.
pub fn main(trim: fn()) -> Result<()> {
    const USAGE: &str = "usage: PROGRAM WORKLOAD|TRACE-FILE [TIMES|count], PROGRAM worst PATTERN [timed], PROGRAM threads \
        WORKLOAD NUMBER, or PROGRAM scaling LIVE-BLOCKS";
    let name = std::env::args().nth(1).context(USAGE)?;
    let word = std::env::args().nth(2);
    match name.as_str() {
        "threads" => threads::measured(std::env::args().skip(2)),
        "scaling" => scaling::measured(word.context(USAGE)?.parse()?),
        "worst" => {
            worst::measured(&word.context(USAGE)?, std::env::args().nth(3).is_some_and(|word| word == "timed"), trim)
        }
        _ => rt0_bench_heap::run(&CString::new(name)?, word.map(CString::new).transpose()?.as_deref()),
    }
}

/// The instructions that a run under callgrind says it has collected.
pub fn collected(output: &std::process::Output) -> Option<u64> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().find(|line| line.contains("Collected :"))?.split_whitespace().last()?.parse().ok()
}
