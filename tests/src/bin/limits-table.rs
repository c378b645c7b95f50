//! `limits-table [PORT...]`: builds each port and prints which arena fits under each of ten limits.
//!
//! `make run` runs it. linux_386 and linux_amd64 run on this machine's kernel, linux_arm on Debian's kernel in QEMU,
//! and the FreeBSD ports under the runner, a test double of FreeBSD's kernel, which the table says.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use rt0_tests::check::sweep::Report;
use rt0_tests::port::Port;
use rt0_tests::run::job::{End, Job, Outcome};
use rt0_tests::run::machine::Machine;
use rt0_tests::run::qemu::linux::Kernel;

const MIB: u64 = 1 << 20;
const LIMITS: [Option<u64>; 10] = [
    None,
    Some(4096 * MIB),
    Some(1024 * MIB),
    Some(256 * MIB),
    Some(128 * MIB),
    Some(100 * MIB),
    Some(64 * MIB),
    Some(16 * MIB),
    Some(4 * MIB),
    Some(MIB),
];
/// How many seconds one run may take.
const PATIENCE: u64 = 60;

fn main() -> ExitCode {
    let mut ports = Vec::new();
    for name in std::env::args().skip(1) {
        match name.parse() {
            Ok(port) => ports.push(port),
            Err(wrong) => {
                eprintln!("limits-table: {wrong}\nusage: limits-table [PORT...]");
                return ExitCode::from(2);
            }
        }
    }
    if ports.is_empty() {
        ports = Port::ALL.to_vec();
    }
    println!("GO: what the rule of the Go runtime of 2012 asks for, bitmap with it, and whether that starts.");
    println!("FIT: what rt0 reserves, and how much of the limit is arena. Both keep room for stacks.\n");
    println!(
        "{:<14} {:>9} {:>9}  {:>10}  {:<8}  {:>10} {:>10} {:>7}  ran on",
        "port", "limit", "allowed", "GO asks", "starts?", "FIT arena", "bitmap", "arena %"
    );
    let mut failed = false;
    for port in ports {
        if let Err(error) = table(port) {
            println!("{port:<14} FAILED: {error:#}");
            failed = true;
        }
    }
    ExitCode::from(u8::from(failed))
}

/// The rows of a port.
fn table(port: Port) -> Result<()> {
    eprintln!("{port}: building");
    let built = Command::new("make").args(["-s", "dist", &format!("PORT={port}")]).status().context("make")?;
    if !built.success() {
        bail!("make dist PORT={port}: {built}");
    }
    let dist = Path::new("dist");
    let program = port.program(dist, "limits");
    let jobs: Vec<Job> = LIMITS
        .iter()
        .flat_map(|&limit| {
            let name = limit.map_or("none".into(), |bytes| bytes.to_string());
            let job = |policy: &str| {
                Job::new(format!("{policy}/{name}"), &program, &[&format!("--policy={policy}")]).limited(limit)
            };
            [job("go"), job("fit")]
        })
        .collect();

    let machine = match port {
        Port::linux_386 | Port::linux_amd64 => Machine::Native,
        Port::linux_arm => Machine::Linux(Kernel::Armhf),
        Port::freebsd_386 | Port::freebsd_amd64 => Machine::Runner,
    };
    eprintln!("{port}: running on {machine}");
    let place = machine.to_string();
    // A row is printed as soon as its two runs have ended, of which GO's is the first.
    let mut go = None;
    let mut broken = Ok(());
    machine.run(dist, &jobs, PATIENCE, &mut |outcome| match go.take() {
        None => go = Some(outcome.clone()),
        Some(go) => match format_row(port, &go, outcome, &place) {
            Ok(row) => println!("{row}"),
            Err(error) => broken = Err(error),
        },
    })?;
    broken
}

fn format_row(port: Port, go: &Outcome, fit: &Outcome, place: &str) -> Result<String> {
    if fit.end != End::Exit(0) {
        bail!("{}: {}: {}", fit.name, fit.end, fit.output.trim());
    }
    let report = Report::parse(&fit.output).map_err(anyhow::Error::msg)?;
    let number = |key| report.number(key).map_err(anyhow::Error::msg);
    let (arena, bitmap) = (number("arena")?, number("bitmap")?);
    let told = report.text("limit").map_err(anyhow::Error::msg)?;
    let limit: Option<u64> = told.parse().ok();
    let name = fit.name.split_once('/').map_or("", |(_, limit)| limit);
    let (asked, starts) = match go.end {
        End::Exit(0) => {
            let report = Report::parse(&go.output).map_err(anyhow::Error::msg)?;
            let sum = report.number("arena").and_then(|arena| Ok(arena + report.number("bitmap")?));
            (sum.map_err(anyhow::Error::msg)?, "yes")
        }
        // The one line of a failure says what was tried.
        End::Exit(2) => (tried(&go.output).with_context(|| format!("{}: {:?}", go.name, go.output))?, "NO"),
        _ => bail!("{}: {}: {}", go.name, go.end, go.output.trim()),
    };
    let share = limit.map_or("-".into(), |limit| format!("{:.1} %", arena as f64 * 100.0 / limit as f64));
    Ok(format!(
        "{:<14} {:>9} {:>9}  {:>10}  {starts:<8}  {:>10} {:>10} {share:>7}  {place}",
        port.to_string(),
        name.parse().map_or(name.into(), size),
        limit.map_or(told.into(), size),
        size(asked),
        size(arena),
        size(bitmap),
    ))
}

fn tried(line: &str) -> Option<u64> {
    line.split_once("tried ")?.1.split_once(' ')?.0.parse().ok()
}

/// A size for people to read, rounded down to about three digits.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..MIB => (1 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    let tenths = (u128::from(bytes) * 10 / unit) as u64;
    if tenths.is_multiple_of(10) || tenths >= 1000 {
        format!("{} {name}", tenths / 10)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}
