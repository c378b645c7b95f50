//! The workloads of the heap's benchmark, and what measures them: one source for the program that rt0 starts (`main.rs`)
//! and for the hosted ones, which have std around it. So it has no std itself, and measures by rt0's system calls.

#![no_std]

extern crate alloc;

pub mod measure;
pub mod trace;
pub mod work;

use alloc::vec::Vec;
use core::ffi::CStr;

use anyhow::{Context, Result, bail};

/// How a program is called.
pub const USAGE: &str = "usage: PROGRAM WORKLOAD|TRACE-FILE [TIMES|count]";

/// What one run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU time, user and system, in nanoseconds.
    pub cpu: u64,
    /// Page faults.
    pub faults: u64,
    /// By how much the resident set grew at most, in bytes.
    pub peak_rss: u64,
    /// By how much it had grown at the end, in bytes.
    pub end_rss: u64,
    /// Calls of the allocator.
    pub calls: u64,
    /// The most bytes live at once.
    pub peak_live: u64,
    /// Bytes live at the end.
    pub live: u64,
}

impl Cost {
    fn print(&self) {
        let Cost { cpu, faults, peak_rss, end_rss, calls, peak_live, live } = self;
        rt0::println!("{cpu} {faults} {peak_rss} {end_rss} {calls} {peak_live} {live}");
    }

    /// Reads what a program printed.
    pub fn parse(line: &str) -> Result<Cost> {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [cpu, faults, peak_rss, end_rss, calls, peak_live, live] = numbers[..] else {
            bail!("seven numbers expected, not {line:?}");
        };
        Ok(Cost { cpu, faults, peak_rss, end_rss, calls, peak_live, live })
    }
}

/// Runs a workload and prints what it cost: a name of [`work::WORKLOADS`], or the path of a trace's calls. A trace is replayed
/// as often as `word` says, or, if that is `count`, once by each of the two replays, for counting their instructions.
///
/// # Errors
///
/// There is no such trace, or the kernel's figures cannot be read.
pub fn run(name: &CStr, word: Option<&CStr>) -> Result<()> {
    if let Some((_, run)) = work::WORKLOADS.iter().find(|workload| workload.0.as_bytes() == name.to_bytes()) {
        return measured(run);
    }
    let mut trace = trace::open(name)?;
    let calls = trace.calls.len();
    let times = match word {
        Some(word) if word == c"count" => {
            trace::replay_nothing(&mut trace, 1);
            trace::replay(&mut trace, 1);
            rt0::println!("{calls}");
            return Ok(());
        }
        Some(word) => word.to_str()?.parse().with_context(|| alloc::format!("not a number of times: {word:?}"))?,
        None => 2_000_000usize.div_ceil(calls),
    };
    measured(|| {
        trace::replay(&mut trace, times);
        work::Done { calls: (calls * times) as u64, peak: trace.peak, live: 0 }
    })
}

fn measured(run: impl FnOnce() -> work::Done) -> Result<()> {
    let before = measure::reset_peak()?;
    let faults = measure::faults()?;
    let cpu = measure::cpu_time();
    let done = run();
    let cpu = measure::cpu_time() - cpu;
    let faults = measure::faults()? - faults;
    let end = measure::memory()?;
    Cost {
        cpu,
        faults,
        peak_rss: end.peak_resident.saturating_sub(before.resident),
        end_rss: end.resident.saturating_sub(before.resident),
        calls: done.calls,
        peak_live: done.peak as u64,
        live: done.live as u64,
    }
    .print();
    Ok(())
}
