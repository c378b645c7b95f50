//! Lua and SQLite on rt0 without a C library, on rt0 under glibc, on glibc, musl and mimalloc: processor time, peak of resident
//! memory, start, size, and the smallest `ulimit -v` under which each starts and does a small job; at the end what rt0 has to hold.
//!
//! `make bench-guests` builds them. Each run is a process of its own; all variants of a workload run in turn, round after round,
//! and the table has the medians.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rt0_bench::process::{self, Spent};

/// Rounds of the interleaved run, unless an argument says otherwise.
const ROUNDS: usize = 7;

/// Variants: a name, the program for a guest, what is preloaded.
const VARIANTS: [(&str, &str, Option<&str>); 5] = [
    ("rt0", "dist/linux_amd64/guests/GUEST", None),
    ("rt0 under glibc", "dist/hosted/GUEST-rt0", None),
    ("glibc", "dist/hosted/GUEST-glibc", None),
    ("musl", "dist/hosted/GUEST-musl", None),
    ("mimalloc", "dist/hosted/GUEST-dynamic", Some("libmimalloc.so.2")),
];

/// Which of them is rt0 without a C library, glibc's malloc and mimalloc.
const RT0: usize = 0;
const GLIBC: usize = 2;
const MIMALLOC: usize = 4;

/// Workloads: guest, name, arguments, what is read from stdin.
const WORKLOADS: [(&str, &str, &[&str], Option<&str>); 5] = [
    ("lua", "binary-trees", &["examples/guests/lua/bench/binary-trees.lua"], None),
    ("lua", "strings", &["examples/guests/lua/bench/strings.lua"], None),
    ("lua", "n-body", &["examples/guests/lua/bench/n-body.lua"], None),
    ("lua", "tables", &["examples/guests/lua/bench/tables.lua"], None),
    ("sqlite", "speed", &[":memory:"], Some("examples/guests/sqlite/bench/speed.sql")),
];

/// A small job of each guest, and whether its output is right.
const SMALL: [(&str, &[&str], &str); 2] = [
    ("lua", &["-e", "local t = {} for i = 1, 100 do t[i] = {i} end print(#t)"], "100\n"),
    ("sqlite", &[":memory:", "create table t(a); insert into t values(1), (2); select sum(a) from t"], "3\n"),
];

fn command(guest: &str, (_, program, preload): (&str, &str, Option<&str>)) -> Command {
    let mut command = Command::new(PathBuf::from(program.replace("GUEST", guest)));
    if let Some(library) = preload {
        command.env("LD_PRELOAD", library);
    }
    command
}

/// Runs a process to its end, under a limit of its address space.
fn run(mut command: Command, input: Option<&str>, limit: Option<u64>) -> Result<Option<Spent>> {
    let input = match input {
        Some(file) => Stdio::from(std::fs::File::open(file).with_context(|| file.to_string())?),
        None => Stdio::null(),
    };
    command.stdin(input).stderr(Stdio::null());
    if let Some(bytes) = limit {
        // SAFETY: setrlimit may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
                if libc::setrlimit(libc::RLIMIT_AS, &raw const limit) == 0 {
                    Ok(())
                } else {
                    Err(std::io::Error::last_os_error())
                }
            });
        }
    }
    process::run(&mut command)
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The geometric mean of what a variant's processor times are to another one's.
fn mean(workloads: &[Vec<(u64, u64)>], index: usize, other: usize) -> f64 {
    let logs = workloads.iter().map(|row| (row[index].0 as f64 / row[other].0 as f64).ln());
    (logs.sum::<f64>() / workloads.len() as f64).exp()
}

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    println!(
        "{:<14} {:<16} {:>9} {:>7} {:>7} {:>9} {:>7}",
        "workload", "memory", "CPU ms", "/glibc", "/mimal.", "peak KiB", "/glibc"
    );
    let mut workloads: Vec<Vec<(u64, u64)>> = Vec::new();
    for (guest, name, args, input) in WORKLOADS {
        let mut costs: Vec<Vec<Spent>> = VARIANTS.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (variant, costs) in VARIANTS.iter().zip(&mut costs) {
                let mut command = command(guest, *variant);
                command.args(args);
                let cost = run(command, input, None)?;
                costs.push(cost.with_context(|| format!("{name} on {} failed", variant.0))?);
            }
        }
        let output = costs[0][0].output.clone();
        let figures: Vec<(u64, u64)> = costs
            .iter()
            .map(|costs| {
                (
                    median(costs.iter().map(|cost| cost.time).collect()),
                    median(costs.iter().map(|cost| cost.peak).collect()),
                )
            })
            .collect();
        for (index, (variant, (time, peak))) in VARIANTS.iter().zip(&figures).enumerate() {
            ensure!(costs[index].iter().all(|cost| cost.output == output), "{name}: outputs differ on {}", variant.0);
            let to = |other: usize| *time as f64 / figures[other].0 as f64;
            println!(
                "{name:<14} {:<16} {:>9.1} {:>7.2} {:>7.2} {peak:>9} {:>7.2}",
                variant.0,
                *time as f64 / 1000.0,
                to(GLIBC),
                to(MIMALLOC),
                *peak as f64 / figures[GLIBC].1 as f64
            );
        }
        workloads.push(figures);
    }
    for (index, variant) in VARIANTS.iter().enumerate() {
        let (of_glibc, of_mimalloc) = (mean(&workloads, index, GLIBC), mean(&workloads, index, MIMALLOC));
        println!("{:<14} {:<16} {:>9} {of_glibc:>7.2} {of_mimalloc:>7.2}", "mean", variant.0, "");
    }

    let mut least = Vec::new();
    println!("\n{:<8} {:<16} {:>9} {:>9} {:>14}", "guest", "memory", "start us", "file", "ulimit -v KiB");
    for (guest, args, wanted) in SMALL {
        for variant in VARIANTS {
            let starts: Vec<u64> = (0..101)
                .filter_map(|_| {
                    let mut command = command(guest, variant);
                    command.args(args);
                    let begun = std::time::Instant::now();
                    run(command, None, None).ok()??;
                    Some(begun.elapsed().as_micros() as u64)
                })
                .collect();
            let does = |pages: u64| {
                let mut command = command(guest, variant);
                command.args(args);
                let cost = run(command, None, Some(pages * 4096)).ok().flatten();
                cost.is_some_and(|cost| cost.output == wanted.as_bytes())
            };
            let (mut too_little, mut enough) = (1, 1 << 20);
            while enough - too_little > 1 {
                let middle = (enough + too_little) / 2;
                if does(middle) {
                    enough = middle;
                } else {
                    too_little = middle;
                }
            }
            let size = std::fs::metadata(variant.1.replace("GUEST", guest))?.len();
            println!("{guest:<8} {:<16} {:>9} {size:>9} {:>14}", variant.0, median(starts), enough * 4);
            least.push(enough as f64);
        }
    }

    let times = |other: usize| workloads.iter().map(move |row| row[RT0].0 as f64 / row[other].0 as f64);
    let peaks = workloads.iter().map(|row| row[RT0].1 as f64 / row[GLIBC].1 as f64);
    let most = |ratios: &mut dyn Iterator<Item = f64>| ratios.fold(0.0, f64::max);
    println!("\nrt0 without a C library:");
    for (what, ratio, bound) in [
        ("CPU time in the mean, to mimalloc's", mean(&workloads, RT0, MIMALLOC), 1.0),
        ("CPU time in the mean, to glibc's", mean(&workloads, RT0, GLIBC), 0.95),
        ("the worst row, to mimalloc's or glibc's", most(&mut times(MIMALLOC).chain(times(GLIBC))), 1.05),
        ("the worst peak, to glibc's", most(&mut peaks.into_iter()), 1.0),
        ("the smallest ulimit -v of lua, to glibc's", least[RT0] / least[GLIBC], 0.6),
        (
            "the smallest ulimit -v of sqlite, to glibc's",
            least[VARIANTS.len() + RT0] / least[VARIANTS.len() + GLIBC],
            0.6,
        ),
    ] {
        let holds = if ratio <= bound { "holds" } else { "DOES NOT HOLD" };
        println!("{what:<46} {ratio:>5.2}, at most {bound:.2}: {holds}");
    }
    Ok(())
}
