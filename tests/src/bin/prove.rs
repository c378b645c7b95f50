//! `prove [--whole] [--seed=N] [PORT...]`: runs what each port has to show on every machine here that can enforce its
//! limits, and prints a table of which machine proved what.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use lexopt::prelude::*;
use rt0_tests::check::suite::Suite;
use rt0_tests::check::sweep::Extent;
use rt0_tests::port::Port;
use rt0_tests::run::machine::{Machine, default_dist};
use rt0_tests::run::qemu::linux::Kernel;

const USAGE: &str = "usage: prove [--whole] [--seed=NUMBER] [PORT...]";
const MACHINES: [Machine; 5] = [
    Machine::Native,
    Machine::Runner,
    Machine::Linux(Kernel::Armhf),
    Machine::Linux(Kernel::I386),
    Machine::Linux(Kernel::Amd64),
];
/// How many seconds each program may take.
const PATIENCE: u64 = 20;
/// How many failures of one machine are printed.
const SHOWN: usize = 20;

struct Options {
    extent: Extent,
    seed: u64,
    ports: Vec<Port>,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options { extent: Extent::Thin, seed: fastrand::u64(..), ports: Vec::new() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("whole") => options.extent = Extent::Whole,
            Long("seed") => options.seed = parser.value()?.parse()?,
            Value(port) => options.ports.push(port.parse()?),
            _ => return Err(arg.unexpected()),
        }
    }
    if options.ports.is_empty() {
        options.ports = Port::ALL.to_vec();
    }
    Ok(options)
}

fn main() -> Result<ExitCode> {
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("prove: {wrong}\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    println!("what every port has to show; the random limits are those of --seed={}", options.seed);
    let mut rows = Vec::new();
    let mut sums = (0, 0);
    for machine in &MACHINES {
        let ports: Vec<Port> = machine.ports().iter().copied().filter(|port| options.ports.contains(port)).collect();
        for (port, runs, failures) in prove(machine, &ports, &options)? {
            sums = (sums.0 + runs - failures, sums.1 + failures);
            rows.push((port.to_string(), machine.to_string(), runs, failures));
        }
    }
    rows.sort();
    println!("\n{:<14} {:<22} {:>6} {:>9}", "port", "proved by", "runs", "failures");
    for (port, machine, runs, failures) in &rows {
        println!("{port:<14} {machine:<22} {runs:>6} {failures:>9}");
    }
    for port in Port::ALL.iter().filter(|port| port.is_freebsd() && options.ports.contains(port)) {
        println!(
            "{:<14} {:<22} {:>6}   not run: make test-freebsd KERNEL=FILE",
            port.to_string(),
            "FreeBSD's kernel",
            "-"
        );
    }
    println!("\ntest result: {}. {} passed; {} failed", if sums.1 == 0 { "ok" } else { "FAILED" }, sums.0, sums.1);
    Ok(ExitCode::from(u8::from(sums.1 > 0)))
}

/// Runs what `ports` have to show on a machine. Returns, for each port, how many runs there were and how many failed.
fn prove(machine: &Machine, ports: &[Port], options: &Options) -> Result<Vec<(Port, usize, usize)>> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    let (dist, start) = (default_dist(), Instant::now());
    let mut suite = Suite::default();
    for &port in ports {
        suite.add(port, &dist, options.extent, options.seed)?;
    }
    eprintln!("{machine}: {} runs", suite.jobs.len());
    let outcomes = machine.run(&dist, &suite.jobs, PATIENCE, &mut |_| ())?;
    let broken = suite.check(&outcomes);
    eprintln!("{machine}: {:.0} s, {} failures", start.elapsed().as_secs_f64(), broken.len());
    for what in broken.iter().take(SHOWN) {
        println!("FAILED on {machine}: {what}");
    }
    // A run may fail in several ways but counts once. A failure that names no run counts for the first port.
    let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
    for what in &broken {
        *failed.entry(what.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    let of = |port: Port| move |name: &str| name.starts_with(&format!("{port}/"));
    let nameless = failed.keys().filter(|name| !ports.iter().any(|&port| of(port)(name))).count();
    Ok(ports
        .iter()
        .enumerate()
        .map(|(index, &port)| {
            let runs = suite.jobs.iter().filter(|job| of(port)(&job.name)).count();
            let failures = failed.keys().filter(|name| of(port)(name)).count() + if index == 0 { nameless } else { 0 };
            (port, runs, failures)
        })
        .collect())
}
