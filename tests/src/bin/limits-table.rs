//! `limits-table [PORT...]`: builds each port and prints which arena fits under each of ten limits.
//!
//! `make run` runs it. linux_386 and linux_amd64 run on this machine's kernel, linux_arm on Debian's kernel in QEMU,
//! and the FreeBSD ports under the runner, a test double of FreeBSD's kernel, which the table says. On a terminal there
//! are colours.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

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

/// Columns of the bar that stands for a limit.
const BAR: usize = 32;

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
    let mut failed = false;
    let mut fail = |port: Port, error: &anyhow::Error| {
        println!("{}", paint(Colour::Red, &format!("{port}: FAILED: {error:#}")));
        failed = true;
    };
    let mut built = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        eprint!("[{}/{}] {port}: building ... ", index + 1, ports.len());
        let start = Instant::now();
        match build(*port) {
            Ok(()) => built.push(*port),
            Err(error) => fail(*port, &error),
        }
        eprintln!("{:.1} s", start.elapsed().as_secs_f64());
    }
    println!("GO: what the rule of the Go runtime of 2012 asks for, and whether a program starts with it.");
    println!("FIT: what rt0 reserves. Both keep room for stacks.");
    let parts = [
        (Colour::Image, "image and stack"),
        (Colour::Bitmap, "bitmap"),
        (Colour::Arena, "arena"),
        (Colour::Free, "free"),
    ];
    println!("{}", parts.map(|(colour, name)| format!("{} {name}", paint(colour, colour.block()))).join("   "));
    for port in built {
        if let Err(error) = table(port) {
            fail(port, &error);
        }
    }
    println!(
        "\nWhere GO asks for 576 MiB or 17 GiB under a smaller limit, its rule found that less than 16 MiB was left, and"
    );
    println!("took that for no limit at all: it then asks for the most that it ever asks for, and does not start.");
    ExitCode::from(u8::from(failed))
}

/// What is shown in a colour of its own where there are colours.
#[derive(Clone, Copy)]
enum Colour {
    Red,
    Bold,
    Image,
    Bitmap,
    Arena,
    Free,
}

impl Colour {
    /// The parameters of "select graphic rendition" (ECMA-48, 8.3.117).
    fn code(self) -> &'static str {
        match self {
            Colour::Red => "1;31",
            Colour::Bold => "1",
            Colour::Image => "33",
            Colour::Bitmap => "36",
            Colour::Arena => "32",
            Colour::Free => "2",
        }
    }

    /// What stands for a part of the limit, told apart without colours too.
    fn block(self) -> &'static str {
        match self {
            Colour::Image => "▒",
            Colour::Bitmap => "▓",
            Colour::Arena => "█",
            _ => "·",
        }
    }
}

fn paint(colour: Colour, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{}m{text}\x1b[0m", colour.code())
    } else {
        text.into()
    }
}

/// A limit as a bar: what the program has of it before the heap, bitmap, arena, and what stays free. What is there at all
/// has a column at least.
fn bar(limit: u64, footprint: u64, bitmap: u64, arena: u64) -> String {
    let columns = |bytes: u64| match (u128::from(bytes) * BAR as u128 / u128::from(limit.max(1))) as usize {
        0 if bytes > 0 => 1,
        columns => columns,
    };
    let mut left = BAR;
    let mut text = String::new();
    for (colour, bytes) in [(Colour::Image, footprint), (Colour::Bitmap, bitmap), (Colour::Arena, arena)] {
        let columns = columns(bytes).min(left);
        left -= columns;
        text += &paint(colour, &colour.block().repeat(columns));
    }
    text + &paint(Colour::Free, &Colour::Free.block().repeat(left))
}

fn build(port: Port) -> Result<()> {
    let made = Command::new("make").args(["-s", "dist", &format!("PORT={port}")]).output().context("make")?;
    if !made.status.success() {
        bail!("make dist PORT={port}: {}\n{}", made.status, String::from_utf8_lossy(&made.stderr));
    }
    Ok(())
}

/// The heading and the rows of a port.
fn table(port: Port) -> Result<()> {
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
    println!("\n{}", paint(Colour::Bold, &format!("{port} on {machine}")));
    println!(
        "{:>9} {:>9}  {:>10}  starts  {:>10} {:>10} {:>7}",
        "limit", "allowed", "GO asks", "FIT arena", "bitmap", "arena"
    );
    // A row appears as soon as its two runs have ended: GO's is the first.
    let mut go = None;
    let mut broken = Ok(());
    machine.run(dist, &jobs, PATIENCE, &mut |outcome| match go.take() {
        None => go = Some(outcome.clone()),
        Some(go) => match format_row(&go, outcome) {
            Ok(row) => println!("{row}"),
            Err(error) => broken = Err(error),
        },
    })?;
    broken
}

fn format_row(go: &Outcome, fit: &Outcome) -> Result<String> {
    if fit.end != End::Exit(0) {
        bail!("{}: {}: {}", fit.name, fit.end, fit.output.trim());
    }
    let report = Report::parse(&fit.output).map_err(anyhow::Error::msg)?;
    let number = |key| report.number(key).map_err(anyhow::Error::msg);
    let (arena, bitmap, footprint) = (number("arena")?, number("bitmap")?, number("footprint")?);
    let told = report.text("limit").map_err(anyhow::Error::msg)?;
    let limit: Option<u64> = told.parse().ok();
    let name = fit.name.split_once('/').map_or("", |(_, limit)| limit);
    let (asked, starts) = match go.end {
        End::Exit(0) => {
            let report = Report::parse(&go.output).map_err(anyhow::Error::msg)?;
            let sum = report.number("arena").and_then(|arena| Ok(arena + report.number("bitmap")?));
            (sum.map_err(anyhow::Error::msg)?, "yes   ".into())
        }
        // The one line of a failure says what was tried.
        End::Exit(2) => {
            let asked = tried(&go.output).with_context(|| format!("{}: {:?}", go.name, go.output))?;
            (asked, paint(Colour::Red, "NO    "))
        }
        _ => bail!("{}: {}: {}", go.name, go.end, go.output.trim()),
    };
    let share = limit.map_or("-".into(), |limit| format!("{:.1} %", arena as f64 * 100.0 / limit as f64));
    let row = format!(
        "{:>9} {:>9}  {:>10}  {starts}  {:>10} {:>10} {share:>7}  {}",
        name.parse().map_or(name.into(), size),
        limit.map_or(told.into(), size),
        size(asked),
        size(arena),
        size(bitmap),
        limit.map_or(String::new(), |limit| bar(limit, footprint, bitmap, arena)),
    );
    Ok(row.trim_end().into())
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
