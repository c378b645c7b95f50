//! What every program of the benchmark shares: it runs one workload through its
//! own global allocator and prints what that cost.

pub mod arena;
mod measure;
pub mod peers;
pub mod process;
pub mod programs;
pub mod scaling;
pub mod threads;
pub mod trace;
pub mod work;
pub mod worst;

use std::path::Path;

use anyhow::{Context, Result, bail};

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
        println!("{cpu} {faults} {peak_rss} {end_rss} {calls} {peak_live} {live}");
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

/// The `main` of an allocator's program: `PROGRAM WORKLOAD`, a workload being a
/// name of [`work::WORKLOADS`] or the path of a trace; or `PROGRAM worst PATTERN`,
/// a name of [`worst::patterns`]; or `PROGRAM threads WORKLOAD NUMBER`; or `PROGRAM scaling LIVE-BLOCKS`. `trim` makes the allocator give back what it can.
pub fn main(trim: fn()) -> Result<()> {
    const USAGE: &str = "usage: PROGRAM WORKLOAD|TRACE-FILE [TIMES|count], PROGRAM worst PATTERN [timed], PROGRAM threads \
        WORKLOAD NUMBER, or PROGRAM scaling LIVE-BLOCKS";
    let name = std::env::args().nth(1).context(USAGE)?;
    if name == "threads" {
        return threads::measured(std::env::args().skip(2));
    }
    if name == "scaling" {
        return scaling::measured(std::env::args().nth(2).context(USAGE)?.parse()?);
    }
    if name == "worst" {
        let pattern = std::env::args().nth(2).context(USAGE)?;
        return worst::measured(&pattern, std::env::args().nth(3).is_some_and(|word| word == "timed"), trim);
    }
    if let Some((_, run)) = work::WORKLOADS.iter().find(|w| w.0 == name) {
        return measured(run);
    }
    let mut trace = trace::open(Path::new(&name))?;
    let calls = trace.calls.len();
    let times = match std::env::args().nth(2) {
        // For counting instructions: both replays, once each.
        Some(word) if word == "count" => {
            trace::replay_nothing(&mut trace, 1);
            trace::replay(&mut trace, 1);
            println!("{calls}");
            return Ok(());
        }
        Some(times) => times.parse().with_context(|| format!("not a number of times: {times:?}"))?,
        None => 2_000_000usize.div_ceil(calls),
    };
    measured(|| {
        trace::replay(&mut trace, times);
        work::Done { calls: (calls * times) as u64, peak: trace.peak, live: 0 }
    })
}

fn measured(run: impl FnOnce() -> work::Done) -> Result<()> {
    let before = measure::reset_peak()?;
    let faults = usage()?.ru_minflt;
    let cpu = measure::cpu_time();
    let done = run();
    let cpu = measure::cpu_time() - cpu;
    let faults = usage()?.ru_minflt - faults;
    let end = measure::memory()?;
    Cost {
        cpu,
        faults: faults as u64,
        peak_rss: end.peak_resident.saturating_sub(before.resident),
        end_rss: end.resident.saturating_sub(before.resident),
        calls: done.calls,
        peak_live: done.peak as u64,
        live: done.live as u64,
    }
    .print();
    Ok(())
}

/// The instructions that a run under callgrind says it has collected.
pub fn collected(output: &std::process::Output) -> Option<u64> {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().find(|line| line.contains("Collected :"))?.split_whitespace().last()?.parse().ok()
}

fn usage() -> Result<libc::rusage> {
    // SAFETY: all zeroes is a value of this plain structure, and getrusage fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) } != 0 {
        bail!("getrusage: {}", std::io::Error::last_os_error());
    }
    Ok(usage)
}
