//! Runs every pattern of `rt0_bench::worst` under every allocator, interleaved, each
//! run in a process of its own, and prints what each costs and whether rt0's bounds
//! hold. A pattern runs three times a round: once for nothing, once for its time and memory,
//! once with a clock around each call for the longest of them.
//!
//! `rt0` is `Heap::new()`, with its lock, as the other allocators have theirs;
//! `rt0-unlocked` is there if it is asked for. Nothing that this prints makes it fail:
//! a busy machine must not.

use std::collections::HashMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rt0_bench::peers::{self, median};
use rt0_bench::worst::{Outcome, Pattern, patterns};

const USAGE: &str = "\
usage: worst [--rounds=N] [--only=PATTERN,...] [--against=NAME,...] [--list]
  --rounds=N       rounds of the interleaved run (default 3)
  --only=...       the patterns whose names begin so
  --against=...    these allocators only
  --list           say what each pattern does, and run none";

/// An allocator: its name, its program, and what it is here for.
struct Peer {
    name: &'static str,
    program: &'static str,
    /// rt0 is held against it.
    measure: bool,
    /// It has no lock.
    single: bool,
}

const fn peer(name: &'static str, program: &'static str) -> Peer {
    Peer { name, program, measure: false, single: false }
}

/// All allocators, in the order of the tables.
const PEERS: &[Peer] = &[
    peer("rt0", "rt0-lock"),
    Peer { single: true, ..peer("rt0-unlocked", "rt0") },
    Peer { measure: true, ..peer("mimalloc3", "mimalloc") },
    Peer { measure: true, ..peer("mimalloc2", "mimalloc2") },
    Peer { measure: true, ..peer("jemalloc", "jemalloc") },
    Peer { measure: true, ..peer("snmalloc", "snmalloc") },
    peer("glibc", "glibc"),
    Peer { single: true, ..peer("talc", "talc") },
];
/// Not there unless it is asked for.
const EXTRA: &str = "rt0-unlocked";

/// A run that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(30);

const MIB: f64 = 1024.0 * 1024.0;
const MILLISECOND: f64 = 1e6;

/// What rt0 has to hold, row by row.
mod bound {
    /// Times the least time of those it is held against, and nanoseconds a call that are allowed.
    pub(super) const TIME: (f64, f64) = (3.0, 5_000.0);
    /// Times the least resident set, and bytes that are allowed.
    pub(super) const RESIDENT: (f64, f64) = (1.3, 8.0 * super::MIB);
    /// The same after trimming. A mebibyte is allowed because the kernel's counters may be
    /// off by 32 pages a CPU for each kind of page (`percpu_counter_batch`, `lib/percpu_counter.c`).
    pub(super) const TRIMMED: (f64, f64) = (1.3, super::MIB);
}

struct Options {
    rounds: usize,
    only: Option<Vec<String>>,
    against: Option<Vec<String>>,
    list: bool,
}

fn options() -> Result<Options> {
    use lexopt::prelude::*;
    let mut options = Options { rounds: 3, only: None, against: None, list: false };
    let list = |value: std::ffi::OsString| -> Result<Vec<String>> {
        Ok(value.string()?.split(',').map(str::to_owned).collect())
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => options.rounds = args.value()?.parse()?,
            Long("only") => options.only = Some(list(args.value()?)?),
            Long("against") => options.against = Some(list(args.value()?)?),
            Long("list") => options.list = true,
            Long("help") | Short('h') => {
                println!("{USAGE}");
                std::process::exit(0);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    ensure!(options.rounds > 0, "--rounds must be at least 1, not 0");
    for name in options.against.iter().flatten() {
        let names: Vec<&str> = PEERS.iter().map(|p| p.name).collect();
        ensure!(names.contains(&name.as_str()), "no allocator is called {name:?}; there are {}", names.join(", "));
    }
    Ok(options)
}

fn main() {
    let options = options().unwrap_or_else(|error| {
        eprintln!("worst: {error}\n{USAGE}");
        std::process::exit(2);
    });
    if options.list {
        for pattern in patterns() {
            println!("{:<16} {}", pattern.name, pattern.what);
        }
    } else if let Err(error) = run(&options) {
        eprintln!("worst: {error:#}");
        std::process::exit(1);
    }
}

/// The runs of one pattern under one allocator.
#[derive(Default)]
struct Cell {
    plain: Vec<Outcome>,
    timed: Vec<Outcome>,
    /// Why there are none.
    failed: Option<String>,
}

impl Cell {
    fn median(&self, of: impl Fn(&Outcome) -> f64) -> Option<f64> {
        (self.failed.is_none() && !self.plain.is_empty()).then(|| median(self.plain.iter().map(of).collect()))
    }

    /// How long the longest call takes: for each call the median of all rounds, which
    /// sheds the rounds in which the kernel ran something else during it, and of those
    /// the most. A call that a round does not name took no longer there than the shortest
    /// that it names. Threads make other calls in each round: there the least of the
    /// rounds' longest counts.
    fn longest(&self, threads: bool) -> Option<f64> {
        if self.failed.is_some() || self.timed.is_empty() {
            return None;
        }
        if threads {
            let most = |outcome: &Outcome| outcome.longest.iter().map(|call| call.1).max();
            return self.timed.iter().filter_map(most).min().map(|time| time as f64);
        }
        let rounds: Vec<(HashMap<u64, u64>, u64)> = self
            .timed
            .iter()
            .map(|outcome| {
                let least = outcome.longest.iter().map(|call| call.1).min().unwrap_or(0);
                (outcome.longest.iter().copied().collect(), least)
            })
            .collect();
        let usual = |call: &u64| median(rounds.iter().map(|(r, least)| *r.get(call).unwrap_or(least) as f64).collect());
        rounds.iter().flat_map(|(calls, _)| calls.keys().map(usual)).max_by(f64::total_cmp)
    }
}

struct Results<'a> {
    patterns: Vec<&'static Pattern>,
    peers: Vec<&'static Peer>,
    cells: Vec<Vec<Cell>>,
    options: &'a Options,
}

fn run(options: &Options) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
    let wanted = |list: &Option<Vec<String>>, name: &str| {
        list.as_ref().is_none_or(|list| list.iter().any(|wanted| name.starts_with(wanted.as_str())))
    };
    let patterns: Vec<&Pattern> = patterns().filter(|p| wanted(&options.only, p.name)).collect();
    ensure!(!patterns.is_empty(), "--only names no pattern");
    let peers: Vec<&Peer> = PEERS
        .iter()
        .filter(|p| options.against.as_ref().map_or(p.name != EXTRA, |list| list.iter().any(|name| name == p.name)))
        .collect();
    let programs = peers::build(root, &peers.iter().map(|p| p.program).collect::<Vec<_>>())?;
    let mut cells: Vec<Vec<Cell>> = patterns.iter().map(|_| peers.iter().map(|_| Cell::default()).collect()).collect();
    for round in 0..options.rounds {
        for (p, pattern) in patterns.iter().enumerate() {
            eprint!("\r\x1b[Kround {}/{}: {}", round + 1, options.rounds, pattern.name);
            for a in peers::order(round, p, peers.len()) {
                let cell = &mut cells[p][a];
                if cell.failed.is_some() || (pattern.threads && peers[a].single) {
                    continue;
                }
                // The first run counts for nothing: a virtual machine has as much memory at hand after it as the pattern
                // needs, whoever ran before.
                for (timed, counts) in [(false, false), (false, true), (true, true)] {
                    match once(&programs[a], pattern, timed)? {
                        Ok(_) if !counts => {}
                        Ok(outcome) if timed => cell.timed.push(outcome),
                        Ok(outcome) => cell.plain.push(outcome),
                        Err(reason) => {
                            cell.failed = Some(reason);
                            break;
                        }
                    }
                }
            }
        }
    }
    eprint!("\r\x1b[K");
    Results { patterns, peers, cells, options }.print();
    Ok(())
}

/// One run, or why it came to nothing.
fn once(program: &PathBuf, pattern: &Pattern, timed: bool) -> Result<Result<Outcome, String>> {
    let mut command = Command::new(program);
    command.arg("worst").arg(pattern.name).args(timed.then_some("timed")).stderr(Stdio::null());
    if let Some(bytes) = pattern.limit {
        let limit = libc::rlimit { rlim_cur: bytes as u64, rlim_max: bytes as u64 };
        // SAFETY: between fork and exec it makes one system call and allocates nothing.
        unsafe {
            command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_AS, &limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
    }
    let Some(output) = peers::output(&mut command, PATIENCE)? else {
        return Ok(Err(format!("takes more than {} s", PATIENCE.as_secs())));
    };
    if !output.status.success() {
        return Ok(Err(format!("{}", output.status)));
    }
    Outcome::parse(String::from_utf8_lossy(&output.stdout).trim()).map(Ok)
}

/// What a table shows of a cell, and what rt0 has to hold there.
struct Column {
    title: String,
    scale: f64,
    /// Bytes that are live under rt0, in the first column; none for time.
    live: Option<fn(&Outcome) -> u64>,
    value: fn(&Cell, &Pattern) -> Option<f64>,
    bound: fn(&Results, usize) -> Option<f64>,
}

impl Results<'_> {
    fn print(&self) {
        println!(
            "{} patterns, {} rounds, medians. A dash: the allocator cannot run the pattern.",
            self.patterns.len(),
            self.options.rounds
        );
        let columns = [
            Column {
                title: format!(
                    "Time a call in ns (the wall's with threads); bound: {} times the best of {}, or {} us",
                    bound::TIME.0,
                    self.measures(),
                    bound::TIME.1 / 1000.0
                ),
                scale: 1.0,
                live: None,
                value: |cell, _| cell.median(|o| o.time as f64 / o.calls as f64),
                bound: |results, p| {
                    results.best(p, |cell| cell.median(|o| o.time as f64 / o.calls as f64), bound::TIME)
                },
            },
            Column {
                title: "Longest call in us; bound: on the way to 2 GiB mimalloc's, or 1 ms".to_owned(),
                scale: 1000.0,
                live: None,
                value: |cell, pattern| cell.longest(pattern.threads),
                bound: |results, p| {
                    let mimalloc =
                        results.least(p, |cell| cell.longest(false), |peer| peer.name.starts_with("mimalloc"))?;
                    results.patterns[p].growth.then_some(mimalloc.max(MILLISECOND))
                },
            },
            Column {
                title: format!(
                    "Resident at the peak in MiB; bound: {} times the best, or {} MiB",
                    bound::RESIDENT.0,
                    bound::RESIDENT.1 / MIB
                ),
                scale: MIB,
                live: Some(|o| o.peak_live),
                value: |cell, _| cell.median(|o| o.resident[0] as f64),
                // Under a limit each has another amount live: that counts in proportion.
                bound: |results, p| {
                    let live = results.ours(p)?.median(|o| o.peak_live as f64)?;
                    let per_live = |o: &Outcome| o.resident[0] as f64 / o.peak_live as f64;
                    results.best(p, |cell| cell.median(per_live).map(|ratio| ratio * live), bound::RESIDENT)
                },
            },
            Column {
                title: "Resident at the end in MiB; the same bound".to_owned(),
                scale: MIB,
                live: Some(|o| o.live),
                value: |cell, _| cell.median(|o| o.resident[1] as f64),
                bound: |results, p| results.best(p, |cell| cell.median(|o| o.resident[1] as f64), bound::RESIDENT),
            },
            Column {
                title: format!(
                    "Resident after trim in MiB; bound: {} times the best, or {} MiB",
                    bound::TRIMMED.0,
                    bound::TRIMMED.1 / MIB
                ),
                scale: MIB,
                live: Some(|o| o.live),
                value: |cell, _| cell.median(|o| o.resident[2] as f64),
                bound: |results, p| results.best(p, |cell| cell.median(|o| o.resident[2] as f64), bound::TRIMMED),
            },
            Column {
                title: "Address space at the peak in MiB; no bound".to_owned(),
                scale: MIB,
                live: Some(|o| o.peak_live),
                value: |cell, _| cell.median(|o| o.space as f64),
                bound: |_, _| None,
            },
            Column {
                title: "Requests refused that could have been served; bound: none".to_owned(),
                scale: 1.0,
                live: None,
                value: |cell, _| cell.median(|o| o.refused as f64),
                bound: |results, p| results.patterns[p].limit.map(|_| 0.0),
            },
        ];
        let mut failures = Vec::new();
        let mut rows = 0;
        for column in &columns {
            rows += self.table(column, &mut failures);
        }
        println!("\n{} bounds of {rows} hold", rows - failures.len());
        for failure in failures {
            println!("NO  {failure}");
        }
    }

    /// Prints one table; says how many bounds it has, and notes those that do not hold.
    fn table(&self, column: &Column, failures: &mut Vec<String>) -> usize {
        println!("\n{}", column.title);
        print!("{:<16}", "");
        if column.live.is_some() {
            print!(" {:>8}", "live");
        }
        for peer in &self.peers {
            print!(" {:>9}", peer.name);
        }
        if column.live.is_some() {
            print!(" {:>9}", "rt0/live");
        }
        println!(" {:>9}", "bound");
        let number = |value: Option<f64>| match value.map(|value| value / column.scale) {
            Some(value) if value >= 1000.0 => format!("{value:.0}"),
            Some(value) => format!("{value:.1}"),
            None => "-".to_owned(),
        };
        let mut bounds = 0;
        for (p, pattern) in self.patterns.iter().enumerate() {
            let limit = (column.bound)(self, p);
            if pattern.limit.is_none() && column.title.starts_with("Requests") {
                continue;
            }
            print!("{:<16}", pattern.name);
            let ours = self.ours(p);
            let live = column.live.map(|live| ours.and_then(|cell| cell.median(|o| live(o) as f64)));
            if let Some(live) = live {
                print!(" {:>8}", number(live));
            }
            for cell in &self.cells[p] {
                print!(" {:>9}", number((column.value)(cell, pattern)));
            }
            if let Some(live) = live {
                let value = ours.and_then(|cell| (column.value)(cell, pattern));
                let over = live.filter(|live| *live >= MIB).zip(value).map(|(live, value)| value / live);
                print!(" {:>9}", over.map_or("-".to_owned(), |over| format!("{over:.2}")));
            }
            let (Some(limit), Some(cell)) = (limit, ours) else {
                println!(" {:>9}", "-");
                continue;
            };
            bounds += 1;
            let value = (column.value)(cell, pattern);
            let holds = value.is_some_and(|value| value <= limit);
            println!(" {:>9} {}", number(Some(limit)), if holds { "OK" } else { "NO" });
            if !holds {
                let reason = cell.failed.clone().unwrap_or_else(|| number(value));
                let what = column.title.split(" in ").next().unwrap_or(&column.title);
                let what = what.split(';').next().unwrap_or(what);
                failures.push(format!("{:<16} {what}: {reason}, not {}", pattern.name, number(Some(limit))));
            }
        }
        bounds
    }

    fn ours(&self, p: usize) -> Option<&Cell> {
        self.peers.iter().zip(&self.cells[p]).find(|(peer, _)| peer.name == "rt0").map(|(_, cell)| cell)
    }

    fn measures(&self) -> String {
        let names: Vec<&str> = self.peers.iter().filter(|p| p.measure).map(|p| p.name).collect();
        names.join(", ")
    }

    fn least(&self, p: usize, value: impl Fn(&Cell) -> Option<f64>, of: impl Fn(&Peer) -> bool) -> Option<f64> {
        let cells = self.peers.iter().zip(&self.cells[p]);
        cells.filter(|(peer, _)| of(peer)).filter_map(|(_, cell)| value(cell)).min_by(f64::total_cmp)
    }

    /// The bound: a multiple of the best of those that rt0 is held against, or what is allowed anyway.
    fn best(&self, p: usize, value: impl Fn(&Cell) -> Option<f64>, (times, allowed): (f64, f64)) -> Option<f64> {
        self.least(p, value, |peer| peer.measure).map(|best| (times * best).max(allowed))
    }
}
