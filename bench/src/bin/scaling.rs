//! `scaling [--rounds=N]`: how the cost of a call grows with the heap, for rt0 and others, as the table of
//! `docs/benchmarks.md`. Each run is a process of its own.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rt0_bench::peers::{self, median};
use rt0_bench::scaling::{Growth, LIVE};

/// The programs, and the allocators' names in the tables.
const ALLOCATORS: [(&str, &str); 6] = [
    ("rt0-lock", "rt0, locked"),
    ("rt0", "rt0"),
    ("mimalloc", "mimalloc 3"),
    ("jemalloc", "jemalloc"),
    ("snmalloc", "snmalloc"),
    ("glibc", "glibc"),
];

/// A figure: its name, the smallest number of blocks that it is shown for, its decimal places, and where it is found.
type Figure = (&'static str, usize, usize, fn(&Growth) -> f64);

/// Of a small heap's resident set a page of 2 MiB that was there before is too large a part.
const FIGURES: [Figure; 2] =
    [("ns a call", 0, 0, |it| it.call), ("resident over live", 1_000_000, 2, |it| it.resident)];

/// A run that takes longer has no figure.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    let mut rounds = 3;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            lexopt::Arg::Long("rounds") => rounds = lexopt::ValueExt::parse(&args.value()?)?,
            other => return Err(other.unexpected().into()),
        }
    }
    ensure!(rounds > 0, "--rounds must be at least 1, not 0");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
    let programs = peers::build(root, &ALLOCATORS.map(|(program, _)| program))?;
    let mut runs: HashMap<(usize, usize), Vec<Growth>> = HashMap::new();
    for round in 0..rounds {
        for (item, live) in LIVE.into_iter().enumerate() {
            eprint!("\r\x1b[Kround {}/{rounds}: {live} live blocks", round + 1);
            for at in peers::order(round, item, programs.len()) {
                let mut program = Command::new(&programs[at]);
                let output = peers::output(program.args(["scaling", &live.to_string()]), PATIENCE)?;
                let Some(output) = output.filter(|output| output.status.success()) else { continue };
                let growth = Growth::parse(String::from_utf8_lossy(&output.stdout).trim())?;
                runs.entry((live, at)).or_default().push(growth);
            }
        }
    }
    eprint!("\r\x1b[K");
    println!("| | {} |", ALLOCATORS.map(|(_, name)| name).join(" | "));
    println!("|---|{}", "---|".repeat(ALLOCATORS.len()));
    for (what, least, digits, figure) in FIGURES {
        for live in LIVE.into_iter().filter(|live| *live >= least) {
            print!("| {} live blocks, {what} |", thousands(live));
            for at in 0..programs.len() {
                match runs.get(&(live, at)) {
                    Some(runs) => print!(" {:.digits$} |", median(runs.iter().map(figure).collect())),
                    None => print!(" |"),
                }
            }
            println!();
        }
    }
    Ok(())
}

/// With commas: 10,000.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).expect("digits")).collect();
    groups.join(",")
}
