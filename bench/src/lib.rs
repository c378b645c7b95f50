//! What every program of the benchmark shares: it runs one workload through its
//! own global allocator and prints what that cost.

pub mod arena;
pub mod trace;
pub mod work;

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
/// name of [`work::WORKLOADS`] or the path of a trace.
pub fn main() -> Result<()> {
    let name = std::env::args().nth(1).context("usage: PROGRAM WORKLOAD|TRACE-FILE [TIMES|count]")?;
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
    // The peak so far is not the workload's.
    std::fs::write("/proc/self/clear_refs", "5").context("cannot reset the peak resident set")?;
    let (rss, _) = resident()?;
    let faults = usage()?.ru_minflt;
    let cpu = cpu_time();
    let done = run();
    let cpu = cpu_time() - cpu;
    let faults = usage()?.ru_minflt - faults;
    let (end, peak) = resident()?;
    Cost {
        cpu,
        faults: faults as u64,
        peak_rss: peak.saturating_sub(rss),
        end_rss: end.saturating_sub(rss),
        calls: done.calls,
        peak_live: done.peak as u64,
        live: done.live as u64,
    }
    .print();
    Ok(())
}

/// The resident set now and at its peak, in bytes.
fn resident() -> Result<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = status.lines().find(|l| l.starts_with(name));
        let kib = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).with_context(|| format!("/proc/self/status has no {name}"))
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
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

fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills `time`; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
