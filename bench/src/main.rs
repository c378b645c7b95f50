//! Runs every workload under every allocator, interleaved, and prints one table
//! of medians. Each run is a process of its own.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rt0_bench::peers::median;
use rt0_bench::programs::{PROGRAMS, record};
use rt0_bench::{collected, peers, trace};
use rt0_bench_heap::Cost;
use rt0_bench_heap::work::WORKLOADS;

const USAGE: &str = "\
usage: rt0-bench [--rounds=N] [--only=WORKLOAD,...] [--allocators=NAME,...] [--instructions]
  --rounds=N          rounds of the interleaved run (default 5)
  --only=...          these workloads and traces only
  --allocators=...    these allocators only; mimalloc, the measure, is always there
  --instructions      also count instructions per call on the traces (valgrind; slow)";

/// The allocators, in the order of the table: first rt0's as it is shipped, in a program that rt0 starts and in a hosted one.
/// `mimalloc` is version 3.
const ALLOCATORS: &[&str] = &[
    "rt0-freestanding",
    "rt0-lock",
    "rt0",
    "rt0-huge",
    "rt0-4k",
    "mimalloc",
    "mimalloc2",
    "jemalloc",
    "snmalloc",
    "glibc",
    "talc",
    "rlsf",
    "dlmalloc",
    "linked-list",
];
const MEASURE: &str = "mimalloc";

/// A run that takes longer is given up, and its allocator sits the workload out.
const PATIENCE: Duration = Duration::from_secs(20);

struct Options {
    rounds: usize,
    only: Option<Vec<String>>,
    allocators: Option<Vec<String>>,
    instructions: bool,
}

fn options() -> Result<Options> {
    use lexopt::prelude::*;
    let mut options = Options { rounds: 5, only: None, allocators: None, instructions: false };
    let list = |value: std::ffi::OsString| -> Result<Vec<String>> {
        Ok(value.string()?.split(',').map(str::to_owned).collect())
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => options.rounds = args.value()?.parse()?,
            Long("only") => options.only = Some(list(args.value()?)?),
            Long("allocators") => options.allocators = Some(list(args.value()?)?),
            Long("instructions") => options.instructions = true,
            Long("help") | Short('h') => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    ensure!(options.rounds > 0, "--rounds must be at least 1, not 0");
    for name in options.allocators.iter().flatten() {
        ensure!(
            ALLOCATORS.contains(&name.as_str()),
            "no allocator is called {name:?}; there are {}",
            ALLOCATORS.join(", ")
        );
    }
    Ok(options)
}

fn main() {
    let options = options().unwrap_or_else(|error| {
        eprintln!("rt0-bench: {error}\n{USAGE}");
        std::process::exit(2);
    });
    if let Err(error) = run(&options) {
        eprintln!("rt0-bench: {error:#}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
    let programs: HashMap<&str, PathBuf> = ALLOCATORS.iter().copied().zip(peers::build(root, ALLOCATORS)?).collect();
    let traces = traces(root)?;
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| only.iter().any(|o| o == name));
    let mut workloads: Vec<(String, String)> =
        WORKLOADS.iter().map(|w| (w.0.to_owned(), w.0.to_owned())).filter(|w| wanted(&w.0)).collect();
    workloads
        .extend(traces.iter().filter(|t| wanted(&t.0)).map(|(name, path)| (name.clone(), path.display().to_string())));
    ensure!(!workloads.is_empty(), "--only names no workload");
    let asked = |a: &&str| *a == MEASURE || options.allocators.as_ref().is_none_or(|list| list.iter().any(|l| l == a));
    let (allocators, missing): (Vec<&str>, Vec<&str>) =
        ALLOCATORS.iter().copied().filter(asked).partition(|name| programs[name].exists());
    for name in missing {
        println!("{name} is left out: `make bench` builds {}, which is not here", programs[name].display());
    }

    let mut costs: HashMap<(usize, usize), Vec<Cost>> = HashMap::new();
    let mut out: HashSet<(usize, usize)> = HashSet::new();
    for round in 0..options.rounds {
        for (w, (name, argument)) in workloads.iter().enumerate() {
            eprint!("\r\x1b[Kround {}/{}: {name}", round + 1, options.rounds);
            for a in peers::order(round, w, allocators.len()) {
                if out.contains(&(w, a)) {
                    continue;
                }
                match once(&programs[allocators[a]], argument)? {
                    Some(cost) => costs.entry((w, a)).or_default().push(cost),
                    None => {
                        out.insert((w, a));
                        costs.remove(&(w, a));
                    }
                }
            }
        }
    }
    eprint!("\r\x1b[K");

    let measure = allocators.iter().position(|a| *a == MEASURE).context("mimalloc is always there")?;
    let names: Vec<&str> = workloads.iter().map(|w| w.0.as_str()).collect();
    let ratios = |w: usize, a: usize| {
        let (of, by) = (costs.get(&(w, a))?, costs.get(&(w, measure))?);
        Some(median(of.iter().zip(by).map(|(of, by)| of.cpu as f64 / by.cpu as f64).collect()))
    };
    println!("CPU time, {MEASURE} 3 = 1.00 (medians of {} rounds)", options.rounds);
    table(&names, &allocators, true, ratios);
    println!("\nPeak resident set over peak live bytes, where those are a mebibyte or more");
    let peak = |w: usize, a: usize| {
        let costs = costs.get(&(w, a))?;
        (costs[0].peak_live >> 20 > 0)
            .then(|| median(costs.iter().map(|c| c.peak_rss as f64 / c.peak_live as f64).collect()))
    };
    table(&names, &allocators, true, peak);
    println!("\nResident at the end over live bytes");
    let end = |w: usize, a: usize| {
        let costs = costs.get(&(w, a))?;
        (costs[0].live > 0).then(|| median(costs.iter().map(|c| c.end_rss as f64 / c.live as f64).collect()))
    };
    table(&names, &allocators, false, end);
    println!("\nPage faults, thousands");
    table(&names, &allocators, false, |w, a| {
        Some(median(costs.get(&(w, a))?.iter().map(|c| c.faults as f64 / 1000.0).collect()))
    });
    let first_trace = names.iter().take_while(|name| WORKLOADS.iter().any(|w| w.0 == **name)).count();
    let mut counts: HashMap<(usize, usize), f64> = HashMap::new();
    if options.instructions {
        // snmalloc reserves more address space than valgrind can give.
        for (w, workload) in workloads.iter().enumerate().skip(first_trace) {
            for (a, name) in allocators.iter().enumerate() {
                if let Some(count) = count(&programs[name], Path::new(&workload.1)) {
                    counts.insert((w, a), count);
                }
            }
        }
        println!("\nInstructions per call on the traces, without the replay's own");
        table(&names, &allocators, true, |w, a| counts.get(&(w, a)).copied());
    }
    if options.only.is_none() {
        let all: Vec<usize> = (0..names.len()).collect();
        let traces = &all[first_trace..];
        // A mean over what all others have too: with one missing there is none. `peak` is nobody's in a small workload.
        let measured = |w: &usize, cell: &dyn Fn(usize, usize) -> Option<f64>| cell(*w, measure).is_some();
        let mean = |over: &[usize], cell: &dyn Fn(usize, usize) -> Option<f64>, a: usize| {
            let over: Vec<usize> = over.iter().copied().filter(|w| measured(w, cell)).collect();
            let logarithms: Option<Vec<f64>> = over.iter().map(|w| Some(cell(*w, a)?.ln())).collect();
            logarithms.filter(|all| !all.is_empty()).map(|all| (all.iter().sum::<f64>() / all.len() as f64).exp())
        };
        let counted = |w: usize, a: usize| counts.get(&(w, a)).copied();
        let large = all.iter().filter(|w| measured(w, &peak)).count();
        let fragmented = names.iter().position(|name| *name == "fragmentation");
        markdown(
            &[
                (&format!("CPU time, geometric mean of {} workloads", all.len()), &|a| mean(&all, &ratios, a)),
                (&format!("peak resident over live, {large} workloads"), &|a| mean(&all, &peak, a)),
                (&format!("the same, {} traces", traces.len()), &|a| mean(traces, &peak, a)),
                ("the same after a long fragmenting run", &|a| end(fragmented?, a)),
                (&format!("instructions per call, {} traces", traces.len()), &|a| mean(traces, &counted, a)),
            ],
            &allocators,
        );
    }
    Ok(())
}

/// A row of a table: its name, and the cell for each allocator.
type Row<'a> = (&'a str, &'a dyn Fn(usize) -> Option<f64>);

/// The tables of `docs/benchmarks.md`, from a whole run: `tools/figures` finds the rows there by their names.
fn markdown(rows: &[Row<'_>], allocators: &[&str]) {
    println!("\n| | {} |", allocators.iter().map(|name| title(name)).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(allocators.len()));
    for (name, cell) in rows {
        if (0..allocators.len()).all(|a| cell(a).is_none()) {
            continue; // not measured
        }
        print!("| {name} |");
        for a in 0..allocators.len() {
            match cell(a) {
                Some(value) if value >= 100.0 => print!(" {value:.0} |"),
                Some(value) if name.starts_with("instructions") => print!(" {value:.1} |"),
                Some(value) => print!(" {value:.2} |"),
                None => print!(" |"),
            }
        }
        println!();
    }
}

/// What the tables call an allocator.
fn title(name: &str) -> &str {
    match name {
        "rt0-freestanding" => "rt0, freestanding",
        "rt0-lock" => "rt0, locked",
        "rt0-huge" => "rt0, huge from 0",
        "rt0-4k" => "rt0, never huge",
        "mimalloc" => "mimalloc 3",
        "mimalloc2" => "mimalloc 2",
        name => name,
    }
}

/// Records the traces that are not there yet, and says where all of them are.
fn traces(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let dir = root.join(".cache/traces");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut found = Vec::new();
    for (name, command) in PROGRAMS {
        let path = dir.join(format!("{name}.trace"));
        if !path.exists() {
            eprintln!("recording {name}");
            let Some(raw) = record(root, "rt0-bench-recorder", command, &dir.join("scratch"))? else {
                eprintln!("rt0-bench: {name} cannot be recorded here; it is left out");
                continue;
            };
            std::fs::write(&path, trace::compact(&raw)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let calls = dir.join(format!("{name}.calls"));
        if !calls.exists() {
            trace::expand(&path, &calls)?;
        }
        found.push(((*name).to_owned(), calls));
    }
    Ok(found)
}

/// One run; `None` if it took too long.
fn once(program: &Path, workload: &str) -> Result<Option<Cost>> {
    let Some(output) = peers::output(Command::new(program).arg(workload), PATIENCE)? else { return Ok(None) };
    if !output.status.success() {
        bail!("{} {workload}: {}", program.display(), output.status);
    }
    Cost::parse(String::from_utf8_lossy(&output.stdout).trim()).map(Some)
}

/// Instructions per call of a trace.
fn count(program: &Path, trace: &Path) -> Option<f64> {
    let run = |function: &str| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--toggle-collect={function}"))
            .arg(program)
            .arg(trace)
            .arg("count")
            .output()
            .ok()?;
        let calls: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
        Some(collected(&output)? as f64 / calls)
    };
    Some(run("rt0_bench_heap::trace::replay")? - run("rt0_bench_heap::trace::replay_nothing")?)
}

fn table(rows: &[&str], columns: &[&str], mean: bool, cell: impl Fn(usize, usize) -> Option<f64>) {
    let widths: Vec<usize> = columns.iter().map(|c| c.len().max(7)).collect();
    print!("{:<15}", "");
    for (column, width) in columns.iter().zip(&widths) {
        print!(" {column:>width$}");
    }
    println!();
    let mut sums = vec![Some(0.0); columns.len()];
    let mut shown = 0;
    for (r, row) in rows.iter().enumerate() {
        let cells: Vec<Option<f64>> = (0..columns.len()).map(|c| cell(r, c)).collect();
        if cells.iter().all(Option::is_none) {
            continue;
        }
        print!("{row:<15}");
        for ((value, width), sum) in cells.iter().zip(&widths).zip(&mut sums) {
            match value {
                Some(value) => print!(" {value:>width$.2}"),
                None => print!(" {:>width$}", "-"),
            }
            *sum = sum.zip(*value).map(|(sum, value)| sum + f64::ln(value));
        }
        shown += 1;
        println!();
    }
    if mean {
        print!("{:<15}", "geometric mean");
        for (sum, width) in sums.iter().zip(&widths) {
            match sum {
                Some(sum) => print!(" {:>width$.2}", (sum / f64::from(shown)).exp()),
                None => print!(" {:>width$}", "-"),
            }
        }
        println!();
    }
}
