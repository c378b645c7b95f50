//! Whole programs of other people's crates (`bench/whole/`): freestanding on rt0, and with std on glibc's, musl's and
//! mimalloc's memory. Processor time, peak of resident memory, page faults, and instructions if asked for.
//!
//! `make bench-programs` builds them, all by one compiler with the same options. Each run is a process of its own; all
//! variants of a program run in turn, round after round.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use rt0_bench::collected;
use rt0_bench::peers::{self, median};
use rt0_bench::process::{self, Spent};

const USAGE: &str = "\
usage: bench-programs [--rounds=N] [--only=PROGRAM,...] [--instructions]
  --rounds=N      rounds of the interleaved run (default 15)
  --only=...      these programs only: json, script, deflate, patterns
  --instructions  count instructions too (valgrind)";

const PROGRAMS: [&str; 4] = ["json", "script", "deflate", "patterns"];

/// The memory that a program has; its file is `target/whole/MEMORY/PROGRAM`.
const MEMORIES: [&str; 4] = ["rt0", "glibc", "musl", "mimalloc"];
const MEASURE: &str = "glibc";

/// What all runs of a program on one memory cost.
struct Row {
    memory: &'static str,
    least: f64,
    middle: f64,
    peak: f64,
    faults: f64,
    instructions: Option<f64>,
}

fn main() -> Result<()> {
    use lexopt::prelude::*;
    let (mut rounds, mut only, mut instructions) = (15, None, false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => rounds = args.value()?.parse()?,
            Long("only") => only = Some(args.value()?.string()?),
            Long("instructions") => instructions = true,
            Long("help") | Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    ensure!(rounds > 0, "{USAGE}");
    let wanted = |name: &&str| only.as_ref().is_none_or(|only: &String| only.split(',').any(|one| one == *name));
    let programs: Vec<&str> = PROGRAMS.into_iter().filter(wanted).collect();
    ensure!(!programs.is_empty(), "--only names no program; there are {}", PROGRAMS.join(", "));

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
    let file = |memory: &str, program: &str| root.join("target/whole").join(memory).join(program);
    // musl's needs a compiler that comes with the sources of std.
    let here = |memory: &&str| programs.iter().all(|program| file(memory, program).exists());
    let memories: Vec<&'static str> = MEMORIES.into_iter().filter(here).collect();
    for memory in MEMORIES.iter().filter(|memory| !memories.contains(memory)) {
        println!("{memory}: not here");
    }
    ensure!(
        memories.contains(&MEASURE),
        "{MEASURE} is what the others are compared with; `make bench-programs` builds it"
    );

    println!(
        "{:<9} {:<9} {:>8} {:>7} {:>10} {:>7} {:>9} {:>7} {:>7} {:>12} {:>7}",
        "program",
        "memory",
        "least ms",
        "ratio",
        "median ms",
        "ratio",
        "peak KiB",
        "ratio",
        "faults",
        "instructions",
        "ratio"
    );
    // Sums of logarithms: of the least time, the median, the peak.
    let mut means = vec![[0.0; 3]; memories.len()];
    for (at, program) in programs.iter().enumerate() {
        let files: Vec<PathBuf> = memories.iter().map(|memory| file(memory, program)).collect();
        let mut costs: Vec<Vec<Spent>> = memories.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            eprint!("\r\x1b[K{program}, round {}/{rounds}", round + 1);
            for memory in peers::order(round, at, files.len()) {
                let spent = process::run(&mut command(&files[memory]))?;
                costs[memory].push(spent.with_context(|| format!("{} fails", files[memory].display()))?);
            }
        }
        eprint!("\r\x1b[K");
        let output = &costs[0][0].output;
        ensure!(!output.is_empty(), "{program} prints nothing");
        ensure!(costs.iter().flatten().all(|cost| cost.output == *output), "{program}: the outputs differ");

        let rows: Vec<Row> = costs
            .iter()
            .enumerate()
            .map(|(memory, costs)| {
                let times: Vec<f64> = costs.iter().map(|cost| cost.time as f64 / 1000.0).collect();
                Row {
                    memory: memories[memory],
                    least: times.iter().copied().fold(f64::INFINITY, f64::min),
                    middle: median(times),
                    peak: median(costs.iter().map(|cost| cost.peak as f64).collect()),
                    faults: median(costs.iter().map(|cost| cost.faults as f64).collect()),
                    instructions: instructions.then(|| count(&files[memory])).flatten(),
                }
            })
            .collect();
        let measure = rows.iter().find(|row| row.memory == MEASURE).context("it is one of them")?;
        for (row, means) in rows.iter().zip(&mut means) {
            let ratios = [row.least / measure.least, row.middle / measure.middle, row.peak / measure.peak];
            for (mean, ratio) in means.iter_mut().zip(ratios) {
                *mean += ratio.ln() / programs.len() as f64;
            }
            let counted = row.instructions.zip(measure.instructions);
            let counted = counted.map(|(own, other)| format!("{:>12.0} {:>7.3}", own, own / other));
            println!(
                "{program:<9} {:<9} {:>8.1} {:>7.3} {:>10.1} {:>7.3} {:>9.0} {:>7.2} {:>7.0} {}",
                row.memory,
                row.least,
                ratios[0],
                row.middle,
                ratios[1],
                row.peak,
                ratios[2],
                row.faults,
                counted.unwrap_or_else(|| format!("{:>12} {:>7}", "-", "-"))
            );
        }
    }
    for (memory, mean) in memories.iter().zip(&means) {
        let [least, middle, peak] = mean.map(f64::exp);
        println!("{:<9} {memory:<9} {:>8} {least:>7.3} {:>10} {middle:>7.3} {:>9} {peak:>7.2}", "mean", "", "", "");
    }
    Ok(())
}

/// A program in an environment that is the same for everyone.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    command
}

fn count(program: &Path) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .output()
        .ok()?;
    collected(&output).map(|instructions| instructions as f64)
}
