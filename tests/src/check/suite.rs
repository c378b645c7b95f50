//! What every port has to show on every machine that can enforce its limits.

use crate::check::freebsd_answers::{self, Column};
use crate::check::sweep::{self, Extent, Report, Run};
use crate::port::Port;
use crate::run::job::{End, Job, Outcome};
use crate::run::make::root;
use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

const KIB: u64 = 1 << 10;

/// How many rounds the threads of a job do, all together.
const ROUNDS: u64 = 80_000;

/// What `alloc` prints first: words in order, and a sum.
const COLLECTIONS: &str = "a: [0, 3, 6]\nheap: [1, 4, 7]\nis: [2, 5]\nsum=4999950000 ";

/// The jobs of one or more ports, and what must hold of their outcomes.
#[derive(Default)]
pub struct Suite {
    /// What is run, in this order.
    pub jobs: Vec<Job>,
    parts: Vec<Part>,
}

/// Successive jobs with one rule for their outcomes.
enum Part {
    /// One job that must end like this and print exactly this.
    Exactly(End, String),
    /// One job that must end like this and print something that contains this.
    Saying(End, &'static str),
    /// One job under a limit that leaves nothing for its arena.
    Refused,
    /// Pairs of jobs under limits so tight that nothing may fit; see [`check_tight`].
    Tight(usize),
    /// A sweep.
    Sweep(Vec<Run>),
    /// One job that fills its heap twice; see [`check_filling`].
    Filling { limit: u64, block: u64, percent: u64 },
    /// One job with this many threads on one heap; see [`check_threads`].
    Threads { number: u64, limit: Option<u64> },
    /// `probe table` on a kernel whose answers are recorded.
    Answers(Column),
}

impl Part {
    fn jobs(&self) -> usize {
        match self {
            Part::Exactly(..)
            | Part::Saying(..)
            | Part::Refused
            | Part::Filling { .. }
            | Part::Threads { .. }
            | Part::Answers(_) => 1,
            Part::Tight(pairs) => 2 * pairs,
            Part::Sweep(runs) => runs.len(),
        }
    }
}

/// How the line begins that a program prints when nothing fits.
const CANNOT_RESERVE: &str = "rt0: cannot reserve arena virtual address space";

impl Suite {
    /// Adds what `port` has to show of its arena. `dist` has its programs.
    pub fn add(&mut self, port: Port, dist: &Path, extent: Extent, seed: u64) -> Result<()> {
        let [hello, limits] = programs(port, dist, ["hello", "limits"])?;
        let job = |name: &str, program: &Path, args: &[&str]| Job::new(format!("{port}/{name}"), program, args);

        self.one(job("hello", &hello, &[]), Part::Exactly(End::Exit(0), "hello, world\n".into()));
        self.one(job("usage", &limits, &["--no-such-flag"]), Part::Saying(End::Exit(2), "usage: limits"));
        self.one(job("usage-number", &limits, &["--allowance=many"]), Part::Saying(End::Exit(2), "usage: limits"));
        self.one(job("allowance-too-large", &limits, &["--allowance=1099511627776"]).limited(64 << 20), Part::Refused);

        let tight: Vec<u64> = (128 * KIB..1024 * KIB).step_by(8 << 10).collect();
        for limit in &tight {
            self.jobs.push(job(&format!("tight/{limit}/starts"), &limits, &["--no-such-flag"]).limited(*limit));
            self.jobs.push(job(&format!("tight/{limit}"), &limits, &[]).limited(*limit));
        }
        self.parts.push(Part::Tight(tight.len()));

        let runs = sweep::runs(port, &limits, extent, seed);
        self.jobs.extend(runs.iter().map(|run| run.job.clone()));
        self.parts.push(Part::Sweep(runs));
        Ok(())
    }

    /// Adds what `port` has to show of its collector: that its heap is whole wherever memory runs out, that any word leads
    /// to its object, that binary-trees fits under tight limits; that the Lisp's programs print what they are to print
    /// without a limit and under limits, where it collects instead of dying, and that a Lisp whose memory is used up goes on.
    pub fn add_collector(&mut self, port: Port, dist: &Path) -> Result<()> {
        let [lisp, collect, pairs] = programs(port, dist, ["lisp", "collect", "pairs"])?;
        self.one(
            Job::new(format!("{port}/pairs"), &pairs, &[]),
            Part::Exactly(End::Exit(0), "hello, collector\n".into()),
        );
        let mut check = |name: &str, limit: Option<u64>, part: Part| {
            let limit_name = limit.map_or("none".into(), |limit| limit.to_string());
            let job = Job::new(format!("{port}/collect/{name}/{limit_name}"), &collect, &[name]);
            self.one(job.limited(limit.map(|limit| limit * KIB)), part);
        };
        for limit in [None, Some(500), Some(520), Some(640), Some(700), Some(1000), Some(2000), Some(64 << 10)] {
            check("exhaust", limit, Part::Exactly(End::Exit(0), "exhausted and whole\n".into()));
        }
        check("breathe", None, Part::Exactly(End::Exit(0), "refused=0\nwhole\n".into()));
        for limit in [None, Some(500), Some(800)] {
            check("words", limit, Part::Exactly(End::Exit(0), "every word found\n".into()));
        }
        check("segments", None, Part::Exactly(End::Exit(0), "kept by variables\n".into()));
        check("keys", None, Part::Exactly(End::Exit(0), "every key found\n".into()));
        // The count of all nodes, and the limits that it was promised to run under.
        let tight = if port.bits() == 64 { 6 << 10 } else { 4 << 10 };
        for limit in [None, Some(tight)] {
            check("binary", limit, Part::Saying(End::Exit(0), "sum=8711918\n"));
        }
        let folder = root().join("examples/lisp/programs");
        let mut sources: Vec<PathBuf> = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        sources.retain(|path| path.extension().is_some_and(|extension| extension == "lisp"));
        sources.sort();
        ensure!(!sources.is_empty(), "{} has no programs", folder.display());
        for source in sources {
            let name = source.file_stem().unwrap_or_default().to_string_lossy();
            let printed = fs::read_to_string(source.with_extension("out"))?;
            // What uses up its memory needs a limit, and not a large one.
            let limits: &[Option<u64>] = if name == "exhaustion" {
                &[Some(640), Some(700), Some(1000), Some(2000), Some(4000)]
            } else {
                &[None, Some(1200), Some(2 << 10), Some(8 << 10), Some(64 << 10), Some(1 << 20)]
            };
            for limit in limits {
                let limit = limit.map(|limit| limit * KIB);
                let name = format!("{port}/lisp/{name}/{}", limit.map_or("none".into(), |limit| limit.to_string()));
                let job = Job::new(name, &lisp, &[&source.to_string_lossy()]).limited(limit);
                self.one(job, Part::Exactly(End::Exit(0), printed.clone()));
            }
        }
        Ok(())
    }

    /// Adds what `port` has to show of its heap: that it fills the arena under every limit, that its threads share it,
    /// and that a request which finds no room gets null.
    pub fn add_heap(&mut self, port: Port, dist: &Path) -> Result<()> {
        let [alloc, threads] = programs(port, dist, ["alloc", "threads"])?;
        let job = |name: String, program: &Path, args: &[&str]| Job::new(format!("{port}/{name}"), program, args);

        let mut fill = |limit: u64, block: u64, percent: u64| {
            let args = [&*format!("--fill={block}"), "--allowance=0"];
            let job = job(format!("fill/{limit}/{block}"), &alloc, &args).limited(limit);
            self.one(job, Part::Filling { limit, block, percent });
        };
        let mebibytes = [1, 2, 3, 4, 8, 16, 64, 100, 128, 256, 1024, 4096];
        for limit in [300, 400, 600].into_iter().chain(mebibytes.map(|mebibytes| mebibytes << 10)) {
            fill(limit * KIB, 48, 90);
            fill(limit * KIB, 64 * KIB, 97);
        }
        for limit in (300..600).step_by(20).chain((1 << 10..100 << 10).step_by(7 << 10)) {
            fill(limit * KIB, 1000, 90);
        }

        for (number, limit) in [
            (1, None),
            (4, None),
            (16, None),
            (1, Some(500)),
            (4, Some(600)),
            (4, Some(1 << 10)),
            (4, Some(2 << 10)),
            (16, Some(4 << 10)),
            (16, Some(64 << 10)),
        ] {
            let limit = limit.map(|limit| limit * KIB);
            let rounds = format!("--rounds={}", ROUNDS / number);
            let name = format!("threads/{number}/{}", limit.map_or("none".into(), |limit| limit.to_string()));
            let job = job(name, &threads, &[&format!("--threads={number}"), &rounds]).limited(limit);
            self.one(job, Part::Threads { number, limit });
        }
        for wrong in ["--threads=0", "--threads=65", "--threads=x", "--rounds=", "--rounds", "extra"] {
            let job = job(format!("threads/usage/{wrong}"), &threads, &[wrong]);
            self.one(job, Part::Saying(End::Exit(2), "usage: threads"));
        }

        for limit in [None, Some(64 << 20), Some(16 << 20)] {
            let job = job(format!("collections/{limit:?}"), &alloc, &[]).limited(limit);
            self.one(job, Part::Saying(End::Exit(0), COLLECTIONS));
        }
        // There is room for the program, but not for 100,000 boxes.
        let full = job("collections/full".into(), &alloc, &[]).limited(1 << 20);
        self.one(
            full,
            Part::Saying(End::Exit(2), "rt0: cannot reserve arena virtual address space: limit 1048576 (RLIMIT_AS), "),
        );
        self.one(job("fill/usage".into(), &alloc, &["--fill=0"]), Part::Saying(End::Exit(2), "usage: alloc"));
        Ok(())
    }

    /// Adds what `port` has to show of its memory functions: that they do what loops over single bytes do.
    pub fn add_memory(&mut self, port: Port, dist: &Path) -> Result<()> {
        let [memory] = programs(port, dist, ["memory"])?;
        let right = ["memcpy", "memmove", "overlap", "memset", "memcmp", "bcmp", "strlen"];
        let output = right.map(|name| format!("{name}=ok\n")).concat();
        self.one(Job::new(format!("{port}/memory"), &memory, &[]), Part::Exactly(End::Exit(0), output));
        Ok(())
    }

    /// Adds the questions whose answers are recorded for FreeBSD's kernels.
    pub fn add_answers(&mut self, port: Port, dist: &Path, column: Column) -> Result<()> {
        let [probe] = programs(port, dist, ["probe"])?;
        self.one(Job::new(format!("{port}/answers"), probe, &["table"]), Part::Answers(column));
        Ok(())
    }

    fn one(&mut self, job: Job, part: Part) {
        self.jobs.push(job);
        self.parts.push(part);
    }

    /// Describes everything that does not hold; `outcomes` are those of the jobs, in their order.
    pub fn check(&self, outcomes: &[Outcome]) -> Vec<String> {
        let names_agree = self.jobs.iter().map(|job| &job.name).eq(outcomes.iter().map(|outcome| &outcome.name));
        if !names_agree {
            return vec![format!("{} outcomes are not those of the {} jobs", outcomes.len(), self.jobs.len())];
        }
        let mut broken = Vec::new();
        let mut rest = outcomes;
        for part in &self.parts {
            let (these, after) = rest.split_at(part.jobs());
            rest = after;
            match part {
                Part::Exactly(end, output) => {
                    expect(
                        these[0].end == *end && these[0].output == *output,
                        &these[0],
                        &format!("{end}, {output:?}"),
                        &mut broken,
                    );
                }
                Part::Saying(end, words) => {
                    expect(
                        these[0].end == *end && these[0].output.contains(words),
                        &these[0],
                        &format!("{end}, {words:?}"),
                        &mut broken,
                    );
                }
                Part::Refused => expect(is_refusal(&these[0]), &these[0], "the one line and exit=2", &mut broken),
                Part::Tight(_) => check_tight(these, &mut broken),
                Part::Sweep(runs) => broken.extend(sweep::check_all(runs, these)),
                Part::Filling { limit, block, percent } => {
                    expect_ok(check_filling(&these[0], *limit, *block, *percent), &these[0], &mut broken);
                }
                Part::Answers(column) => {
                    let differences = freebsd_answers::differences(*column, &these[0].output);
                    broken.extend(differences.iter().map(|difference| format!("{}: {difference}", these[0].name)));
                }
                Part::Threads { number, limit } => {
                    expect_ok(check_threads(&these[0], *number, *limit), &these[0], &mut broken);
                }
            }
        }
        broken
    }
}

/// The files of the named programs.
///
/// # Errors
///
/// One of them is missing.
fn programs<const N: usize>(port: Port, dist: &Path, names: [&str; N]) -> Result<[PathBuf; N]> {
    let files = names.map(|name| port.program(dist, name));
    for file in &files {
        ensure!(file.exists(), "{} is missing; `make dist PORT={port}` builds it", file.display());
    }
    Ok(files)
}

fn expect_ok(checked: Result<(), String>, outcome: &Outcome, broken: &mut Vec<String>) {
    if let Err(wanted) = checked {
        expect(false, outcome, &wanted, broken);
    }
}

fn expect(holds: bool, outcome: &Outcome, wanted: &str, broken: &mut Vec<String>) {
    if !holds {
        broken.push(format!("{}: {}, {:?}; wanted: {wanted}", outcome.name, outcome.end, outcome.output));
    }
}

/// Whether a program printed the one line which says that no arena fits, and exited with 2.
fn is_refusal(outcome: &Outcome) -> bool {
    outcome.end == End::Exit(2) && outcome.output.starts_with(CANNOT_RESERVE) && outcome.output.lines().count() == 1
}

/// Pairs of outcomes: of the program called with a wrong option, so that it ends before it needs an arena, and called
/// rightly.
///
/// If the first shows that the kernel can start the program at all, the second must get an arena or print the one line.
fn check_tight(outcomes: &[Outcome], broken: &mut Vec<String>) {
    let mut started = 0;
    for pair in outcomes.chunks_exact(2) {
        let [wrongly, rightly] = pair else { continue };
        for outcome in pair {
            if matches!(outcome.end, End::Timeout | End::Missing(_)) {
                broken.push(format!("{}: {}", outcome.name, outcome.end));
            }
        }
        if wrongly.end != End::Exit(2) {
            continue;
        }
        started += 1;
        expect(
            rightly.end == End::Exit(0) || is_refusal(rightly),
            rightly,
            "an arena, or the one line and exit=2",
            broken,
        );
    }
    if started < outcomes.len() / 4 {
        broken.push(format!("the kernel started only {started} of {} programs under tight limits", outcomes.len() / 2));
    }
}

/// `alloc --fill` has an arena as large as the limit lets it be, but for what the program itself takes, and
/// as many whole blocks in it as `percent` of it have room for; all of them keep what was written; and when they
/// have been freed, as many fit again.
fn check_filling(outcome: &Outcome, limit: u64, block: u64, percent: u64) -> Result<(), String> {
    /// The most that a program needs beside its heap.
    const TAKEN: u64 = 512 * KIB;
    const CAP: u64 = 256 << 20;
    if outcome.end != End::Exit(0) {
        return Err(End::Exit(0).to_string());
    }
    let report = Report::parse(&outcome.output)?;
    let (arena, filled) = (report.number("arena")?, report.number("filled")?);
    must(arena > 0 || block > limit / 8, || "an arena".into())?;
    must(arena + TAKEN > limit.min(CAP), || format!("an arena of nearly {limit} bytes"))?;
    let least = arena * percent / 100 / block * block;
    must(filled >= least, || format!("at least {least} bytes filled, {percent} %"))?;
    must(report.number("again")? == filled, || "as much filled again".into())?;
    must(report.number("damaged")? == 0, || "every block as it was written".into())?;
    must(report.text("check")? == "whole", || "a whole heap".into())
}

/// `threads` must have done all its rounds. Without a limit there was always room, under a tight limit there was not.
/// All blocks kept what was written to them and were freed, some by other threads.
fn check_threads(outcome: &Outcome, number: u64, limit: Option<u64>) -> Result<(), String> {
    if outcome.end != End::Exit(0) {
        return Err(End::Exit(0).to_string());
    }
    let report = Report::parse(&outcome.output)?;
    must(report.number("threads")? == number, || format!("{number} threads"))?;
    must(report.number("rounds")? == ROUNDS, || format!("{ROUNDS} rounds"))?;
    must(report.number("swapped")? > 0, || "blocks that went from thread to thread".into())?;
    must(report.number("damaged")? == 0, || "every block as it was written".into())?;
    must(report.number("live")? == 0, || "every block freed".into())?;
    must(report.text("check")? == "whole", || "a whole heap".into())?;
    // Under such a limit not even the blocks of one thread fit.
    let tight = limit.is_some_and(|limit| limit <= 600 * KIB);
    let refused = report.number("refused")?;
    must(!tight || refused > 0, || "requests that found no room".into())?;
    must(limit.is_some() || refused == 0, || "room for every request".into())
}

fn must(holds: bool, wanted: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wanted()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(output: &str, end: End) -> Outcome {
        Outcome { name: "a".into(), output: output.into(), end }
    }

    fn tight(rightly: Outcome) -> Vec<String> {
        let wrongly = outcome("usage: limits\n", End::Exit(2));
        let refused = outcome("rt0: cannot reserve arena virtual address space: ...\n", End::Exit(2));
        let mut broken = Vec::new();
        check_tight(&[wrongly.clone(), refused, wrongly, rightly], &mut broken);
        broken
    }

    #[test]
    fn under_a_tight_limit_there_is_an_arena_or_one_line() {
        assert!(tight(outcome("arena=4096\n", End::Exit(0))).is_empty());
        for wrong in [
            outcome("", End::Signal(11)),
            outcome("", End::Exit(2)),
            outcome("rt0: cannot reserve arena virtual address space\nand more\n", End::Exit(2)),
            outcome("", End::Timeout),
            outcome("", End::Missing("why".into())),
        ] {
            assert_ne!(tight(wrong.clone()).len(), 0, "{wrong:?}");
        }
        let mut broken = Vec::new();
        let killed = outcome("", End::Signal(9));
        check_tight(&vec![killed; 8], &mut broken);
        assert_eq!(broken.len(), 1);
    }

    #[test]
    fn outcomes_of_other_jobs_are_refused() {
        let mut suite = Suite::default();
        suite.one(Job::new("a", "/x", &[]), Part::Exactly(End::Exit(0), "x\n".into()));
        assert!(suite.check(&[outcome("x\n", End::Exit(0))]).is_empty());
        assert_eq!(suite.check(&[]).len(), 1);
        assert_eq!(suite.check(&[outcome("y\n", End::Exit(0))]).len(), 1);
        assert_eq!(suite.check(&[outcome("x\n", End::Exit(1))]).len(), 1);
    }

    #[test]
    fn a_heap_that_is_not_filled_or_not_whole_is_seen() {
        let right = "block=48\narena=900000\nfilled=899952\nagain=899952\ndamaged=0\ncheck=whole\n";
        let check = |output: &str, end| check_filling(&outcome(output, end), 1 << 20, 48, 90);
        assert_eq!(check(right, End::Exit(0)), Ok(()));
        assert!(check(right, End::Signal(11)).is_err());
        for (fact, wrong) in [
            ("arena=900000", "arena=500000"),
            ("arena=900000", "arena=0"),
            ("filled=899952", "filled=809000"),
            ("again=899952", "again=899904"),
            ("damaged=0", "damaged=1"),
            ("check=whole", "check=broken"),
            ("check=whole\n", ""),
        ] {
            assert!(check(&right.replace(fact, wrong), End::Exit(0)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn threads_that_do_not_share_are_seen() {
        let right = "threads=4\nrounds=80000\nswapped=9\nrefused=0\ndamaged=0\npeak=9\nlive=0\ncheck=whole\n";
        let check = |output: &str, limit| check_threads(&outcome(output, End::Exit(0)), 4, limit);
        assert_eq!(check(right, None), Ok(()));
        assert_eq!(check(&right.replace("refused=0", "refused=7"), Some(1 << 20)), Ok(()));
        assert!(check(right, Some(600 << 10)).is_err(), "a tight limit, and always room");
        for (fact, wrong) in [
            ("threads=4", "threads=3"),
            ("rounds=80000", "rounds=79999"),
            ("swapped=9", "swapped=0"),
            ("refused=0", "refused=1"),
            ("damaged=0", "damaged=1"),
            ("live=0", "live=48"),
            ("check=whole", "check=broken"),
        ] {
            assert!(check(&right.replace(fact, wrong), None).is_err(), "{wrong}");
        }
        assert!(check_threads(&outcome(right, End::Timeout), 4, None).is_err());
    }
}
