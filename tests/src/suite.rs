//! What every port has to show on whatever enforces its limit.

use crate::job::{End, Job, Outcome};
use crate::port::Port;
use crate::sweep::{self, Extent, Run};
use anyhow::{Result, ensure};
use std::path::Path;

const KIB: u64 = 1 << 10;

/// The jobs of one or more ports, and what must hold of their outcomes.
#[derive(Default)]
pub struct Suite {
    /// What is run, in this order.
    pub jobs: Vec<Job>,
    parts: Vec<Part>,
}

/// A number of successive jobs with one rule.
enum Part {
    /// One job that ends like this and prints this.
    Exactly(End, String),
    /// One job that ends like this; what it prints contains this.
    Saying(End, &'static str),
    /// One job for which nothing is left.
    Refused,
    /// Pairs of jobs under limits so tight that nothing may fit; see [`check_tight`].
    Tight(usize),
    /// A sweep.
    Sweep(Vec<Run>),
}

impl Part {
    fn jobs(&self) -> usize {
        match self {
            Part::Exactly(..) | Part::Saying(..) | Part::Refused => 1,
            Part::Tight(pairs) => 2 * pairs,
            Part::Sweep(runs) => runs.len(),
        }
    }
}

/// How the line begins that a program ends with when nothing fits.
const CANNOT_RESERVE: &str = "rt0: cannot reserve arena virtual address space";

impl Suite {
    /// Adds what `port` has to show, with its programs in `dist`.
    pub fn add(&mut self, port: Port, dist: &Path, extent: Extent, seed: u64) -> Result<()> {
        let (hello, limits) = (port.program(dist, "hello"), port.program(dist, "limits"));
        for program in [&hello, &limits] {
            ensure!(program.exists(), "{} is missing; `make dist PORT={port}` builds it", program.display());
        }
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

    fn one(&mut self, job: Job, part: Part) {
        self.jobs.push(job);
        self.parts.push(part);
    }

    /// Everything that does not hold; `outcomes` are those of the jobs, in their order.
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
            }
        }
        broken
    }
}

fn expect(holds: bool, outcome: &Outcome, wanted: &str, broken: &mut Vec<String>) {
    if !holds {
        broken.push(format!("{}: {}, {:?}; wanted: {wanted}", outcome.name, outcome.end, outcome.output));
    }
}

/// Whether a program says in one line that there is no room for its arena, and ends with 2.
fn is_refusal(outcome: &Outcome) -> bool {
    outcome.end == End::Exit(2) && outcome.output.starts_with(CANNOT_RESERVE) && outcome.output.lines().count() == 1
}

/// Pairs of outcomes: the program called wrongly, so that it needs no arena, and rightly.
///
/// Where the first shows that the kernel starts the program at all, the second gets an arena or says in one line that
/// it cannot.
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
}
