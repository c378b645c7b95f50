//! Runs the workloads of several threads under every allocator that serves threads, interleaved, and prints tables of
//! medians. Each run is a process of its own.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rt0_bench::peers::{self, median};
use rt0_bench::threads::{Cost, WORKLOADS};

const USAGE: &str = "\
usage: bench-threads [--rounds=N] [--only=WORKLOAD,...] [--threads=N,...]
  --rounds=N      rounds of the interleaved run (default 5)
  --only=...      these workloads only
  --threads=...   these numbers of threads (default 1,2,4)";

/// `mimalloc` is version 3.
const ALLOCATORS: [&str; 6] = ["rt0-lock", "mimalloc", "mimalloc2", "jemalloc", "snmalloc", "glibc"];
const MEASURE: usize = 1;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    use lexopt::prelude::*;
    let (mut rounds, mut only, mut numbers) = (5, None, vec![1, 2, 4]);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => rounds = args.value()?.parse()?,
            Long("only") => only = Some(args.value()?.string()?),
            Long("threads") => {
                numbers = args.value()?.string()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            Long("help") | Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    ensure!(rounds > 0 && !numbers.is_empty() && !numbers.contains(&0), "{USAGE}");
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|one| one == name));
    let workloads: Vec<_> = WORKLOADS.iter().filter(|workload| wanted(workload.0)).collect();
    ensure!(!workloads.is_empty(), "--only names no workload");

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
    let programs = peers::build(root, &ALLOCATORS)?;
    // By workload, number of threads and allocator.
    let mut costs: HashMap<(&str, usize, usize), Vec<Cost>> = HashMap::new();
    for round in 0..rounds {
        for (at, workload) in workloads.iter().enumerate() {
            for number in &numbers {
                eprint!("\r\x1b[Kround {}/{rounds}: {}, {number}", round + 1, workload.0);
                // Each is first now and then: what a run leaves to the next is nobody's.
                for a in 0..ALLOCATORS.len() {
                    let a = (a + round + at) % ALLOCATORS.len();
                    let mut command = Command::new(&programs[a]);
                    command.args(["threads", workload.0, &number.to_string()]);
                    let output = peers::output(&mut command, PATIENCE)?;
                    let output = output.with_context(|| format!("{} hangs in {}", ALLOCATORS[a], workload.0))?;
                    ensure!(output.status.success(), "{} fails in {}", ALLOCATORS[a], workload.0);
                    let cost = Cost::parse(&String::from_utf8_lossy(&output.stdout))?;
                    costs.entry((workload.0, *number, a)).or_default().push(cost);
                }
            }
        }
    }
    eprint!("\r\x1b[K");

    for (name, what, _) in &workloads {
        println!("{name:8} {what}");
    }
    let of =
        |key: (&str, usize, usize), figure: &dyn Fn(&Cost) -> f64| median(costs[&key].iter().map(figure).collect());
    let against = |key: (&'static str, usize, usize), by: usize, figure: &dyn Fn(&Cost) -> f64| {
        let by = &costs[&(key.0, key.1, by)];
        median(costs[&key].iter().zip(by).map(|(of, by)| figure(of) / figure(by)).collect())
    };
    let wall = |cost: &Cost| cost.wall as f64;
    let table = |title: &str, mean: bool, cell: &dyn Fn((&'static str, usize, usize)) -> f64| {
        println!("\n{title}");
        print!("{:16}", "threads");
        ALLOCATORS.iter().for_each(|allocator| print!("{allocator:>10}"));
        println!();
        let mut sums = [0.0; ALLOCATORS.len()];
        for workload in &workloads {
            for number in &numbers {
                print!("{:12}{number:4}", workload.0);
                for (a, sum) in sums.iter_mut().enumerate() {
                    let value = cell((workload.0, *number, a));
                    *sum += value.ln();
                    print!("{value:10.2}");
                }
                println!();
            }
        }
        if mean {
            print!("{:16}", "geometric mean");
            sums.iter().for_each(|sum| print!("{:10.2}", (sum / (workloads.len() * numbers.len()) as f64).exp()));
            println!();
        }
    };
    table(&format!("Wall time, mimalloc 3 = 1.00 (medians of {rounds} rounds)"), true, &|key| {
        against(key, MEASURE, &wall)
    });
    table("CPU time, mimalloc 3 = 1.00", true, &|key| against(key, MEASURE, &|cost| cost.cpu as f64));
    table("Work in the time that one thread needs for 1.00", false, &|key| {
        of((key.0, numbers[0], key.2), &wall) / of(key, &wall)
    });
    table("Wall time, milliseconds", false, &|key| of(key, &wall) / 1e6);
    table("Peak resident set, MiB", false, &|key| of(key, &|cost| cost.peak_rss as f64 / f64::from(1 << 20)));
    table("Sleeps", false, &|key| of(key, &|cost| cost.sleeps as f64));
    Ok(())
}
