//! Measures rt0's collector beside the Boehm collector: the programs of `examples/collect/programs.rs` over each, at bounds
//! of 1.5, 2 and 3 times what is live, and what the collector promises of its size, its pauses and its questions.
//!
//! Each run is a process of its own; the heaps take turns, and the best of several rounds counts. Times are CPU time, so
//! that a busy machine spoils little. The last table says which promise holds.

mod costs;
mod heaps;
mod measure;
#[path = "../../../examples/collect/programs.rs"]
mod programs;

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use measure::{BOEHM, Facts, MALLOC, RT0, run};
use programs::PROGRAMS;

const USAGE: &str = "usage: rt0-bench-gc [--rounds=N] [--only=PROGRAM,...]";

/// Bounds, percent of what is live.
const BOUNDS: [u64; 3] = [150, 200, 300];

/// The five whose geometric mean counts.
const SHAPES: [&str; 5] = ["trees", "lists", "arrays", "strings", "eval"];

/// Ends a process whose heap has no room.
#[cold]
fn full() -> ! {
    println!("full");
    std::process::exit(3)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--child", heap, program, bound] => return measure::child(heap, program, bound.parse()?),
        ["--ask", question, count] => {
            let base = 0;
            costs::ask(question, count.parse()?, &raw const base);
            return Ok(());
        }
        _ => {}
    }
    let (mut rounds, mut only) = (9, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("rounds") => rounds = parser.value()?.parse()?,
            Long("only") => only = Some(parser.value()?.string()?),
            _ => bail!(USAGE),
        }
    }
    let chosen = |name: &&str| only.as_ref().is_none_or(|only| only.split(',').any(|chosen| chosen == *name));
    let mut verdicts = Verdicts::default();
    let programs: Vec<&str> = PROGRAMS.into_iter().filter(chosen).collect();
    let best = measure_programs(&programs, rounds)?;
    best.show(&programs);
    best.judge(&programs, &mut verdicts);
    if only.is_none() {
        costs::judge(&mut verdicts)?;
    }
    verdicts.show();
    Ok(())
}

/// What must hold, and whether it does.
#[derive(Default)]
pub(crate) struct Verdicts(Vec<(bool, String)>);

impl Verdicts {
    /// `figure` is what was measured, and must be `most` or less.
    pub(crate) fn at_most(&mut self, what: &str, figure: f64, most: f64) {
        self.0.push((figure <= most, format!("{what}: {figure:.2}, at most {most:.2}")));
    }

    pub(crate) fn at_least(&mut self, what: &str, figure: f64, least: f64) {
        self.0.push((figure >= least, format!("{what}: {figure:.2}, at least {least:.2}")));
    }

    fn show(&self) {
        println!("\nMust hold:");
        for (holds, what) in &self.0 {
            println!("  {} {what}", if *holds { "PASS" } else { "FAIL" });
        }
    }
}

/// The best of each run's rounds: by program, bound in percent, and heap. What is missing did not finish.
struct Best {
    live: HashMap<&'static str, u64>,
    runs: HashMap<(&'static str, u64, &'static str), Facts>,
}

fn measure_programs(programs: &[&'static str], rounds: usize) -> Result<Best> {
    let mut best = Best { live: HashMap::new(), runs: HashMap::new() };
    for program in programs.iter().copied() {
        // The least of several: what a stack keeps by chance is not live.
        for _ in 0..3 {
            let live = run(RT0, program, 0)?.context("a run without a bound")?["live"];
            let least = best.live.entry(program).or_insert(live);
            *least = live.min(*least);
        }
    }
    for round in 0..rounds {
        for program in programs.iter().copied() {
            for percent in BOUNDS {
                let bound = best.live[program] * percent / 100;
                for heap in [RT0].into_iter().chain(BOEHM) {
                    best.note(program, percent, heap, run(heap, program, bound)?);
                }
            }
            // The one that knows when an object is dead.
            if program == "binary" {
                best.note(program, 300, MALLOC, run(MALLOC, program, 0)?);
            }
        }
        eprint!("\rround {} of {rounds} ", round + 1);
    }
    eprintln!();
    Ok(best)
}

impl Best {
    /// The least of each fact; one that went wrong in any round is out.
    fn note(&mut self, program: &'static str, percent: u64, heap: &'static str, facts: Option<Facts>) {
        let Some(facts) = facts else { return };
        let best = self.runs.entry((program, percent, heap)).or_insert_with(|| facts.clone());
        for (key, value) in facts {
            if let Some(least) = best.get_mut(&key) {
                *least = value.min(*least);
            }
        }
    }

    fn fact(&self, program: &'static str, percent: u64, heap: &'static str, key: &str) -> Option<f64> {
        self.runs.get(&(program, percent, heap)).map(|facts| facts[key] as f64)
    }

    /// The best that any mode of the Boehm collector does, infinite if none finishes.
    fn boehm(&self, program: &'static str, percent: u64, key: &str) -> f64 {
        let modes = BOEHM.into_iter().filter_map(|heap| self.fact(program, percent, heap, key));
        modes.fold(f64::INFINITY, f64::min)
    }

    /// How many times as fast rt0 is as the best mode of the Boehm collector.
    fn ratio(&self, program: &'static str, percent: u64) -> f64 {
        self.boehm(program, percent, "cpu") / self.fact(program, percent, RT0, "cpu").unwrap_or(f64::INFINITY)
    }

    fn show(&self, programs: &[&'static str]) {
        println!(
            "CPU ms | longest pause, mean pause, ms of CPU time | peak resident over the bound; - did not finish\n"
        );
        println!(
            "{:<8} {:>9} {:>4}  {:>26}  {:>26}  {:>26}  {:>26}  {:>6}",
            "", "live KiB", "x", RT0, BOEHM[0], BOEHM[1], BOEHM[2], "times"
        );
        for program in programs.iter().copied() {
            for percent in BOUNDS {
                let bound = self.live[program] as f64 * percent as f64 / 100.0;
                print!("{program:<8} {:>9} {:>4}", self.live[program] / 1024, percent as f64 / 100.0);
                for heap in [RT0].into_iter().chain(BOEHM) {
                    let fact = |key| self.fact(program, percent, heap, key).unwrap_or(f64::NAN);
                    let ms = |key| fact(key) / 1e6;
                    if fact("cpu").is_nan() {
                        print!("  {:>26}", "-");
                    } else {
                        let mean = ms("pauses") / fact("count").max(1.0);
                        let resident = fact("resident") / bound;
                        print!("  {:>6.1} | {:>5.2} {:>4.2} | {resident:>4.2}", ms("cpu"), ms("longest"), mean);
                    }
                }
                println!("  {:>6.2}", self.ratio(program, percent));
            }
        }
        if let Some(malloc) = self.fact("binary", 300, MALLOC, "cpu") {
            println!("\nbinary with malloc and free: {:.1} ms", malloc / 1e6);
        }
    }

    fn judge(&self, programs: &[&'static str], verdicts: &mut Verdicts) {
        let has = |name: &&'static str| programs.contains(name);
        let shapes: Vec<f64> = SHAPES.into_iter().filter(has).map(|name| self.ratio(name, 300)).collect();
        if shapes.len() == SHAPES.len() {
            let mean = shapes.iter().product::<f64>().powf(1.0 / shapes.len() as f64);
            verdicts.at_least("at 3 x live, times as fast as the best Boehm mode, geometric mean of five", mean, 1.6);
        }
        for name in SHAPES.into_iter().filter(has) {
            verdicts.at_least(&format!("the same, {name}"), self.ratio(name, 300), 1.2);
        }
        for name in ["binary", "quads"].into_iter().filter(has) {
            verdicts.at_least(
                &format!("at 3 x live, times as fast as the best Boehm mode, {name}"),
                self.ratio(name, 300),
                1.0,
            );
        }
        if programs.contains(&"peval") {
            verdicts.at_most(
                "peval at 3 x live, of the time of the best Boehm mode",
                1.0 / self.ratio("peval", 300),
                0.8,
            );
        }
        let finished = programs.iter().filter(|name| self.fact(name, 150, RT0, "cpu").is_some()).count();
        verdicts.at_least("at 1.5 x live, programs that finish", finished as f64, programs.len() as f64);
        let resident = programs.iter().filter_map(|name| {
            let bound = self.live[*name] as f64 * 1.5;
            Some(self.fact(name, 150, RT0, "resident")? / bound)
        });
        verdicts.at_most("at 1.5 x live, most resident over the bound", resident.fold(0.0, f64::max), 1.05);
        if programs.contains(&"lists") {
            let pause = self.fact("lists", 300, RT0, "longest").unwrap_or(f64::INFINITY);
            let theirs = self.boehm("lists", 300, "longest");
            verdicts.at_most("longest pause on lists at 3 x live, of Boehm's", pause / theirs, 0.4);
        }
    }
}
