//! Runs programs on real kernels: `kernels --help` says how.

use anyhow::{Context, Result, anyhow, bail};
use lexopt::prelude::*;
use rt0_tests::check::freebsd_answers::Column;
use rt0_tests::check::suite::Suite;
use rt0_tests::check::sweep::Extent;
use rt0_tests::port::Port;
use rt0_tests::run::machine::{Machine, default_dist};
use rt0_tests::run::qemu::console::Console;
use rt0_tests::run::qemu::{fetch, freebsd, linux, plan};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: kernels fetch [ARCH...]            get Debian's kernels (i386, amd64, armhf)
       kernels run MACHINE PLAN           run the plan in the file PLAN, with paths on this machine, and print the results
       kernels suite MACHINE [PORT...]    run what every port has to show, with a sweep of limits
       kernels freebsd [KERNEL]           the same on a FreeBSD kernel file
       kernels plan PORT...               write the suite as a plan for `init PLAN` on a machine with the same --dist
       kernels check FILE PORT...         check what that `init` printed (2>&1) into FILE; needs the plan's --seed
MACHINE: native, a Debian architecture (in QEMU), the file of a FreeBSD kernel (in QEMU), or runner, a test double of one
  --dist=FOLDER     programs, as `make dist` writes them (default: dist)
  --timeout=SECONDS each program may take (default: 20)
  --whole           suite: every limit instead of a selection
  --seed=NUMBER     suite: seed of the random limits (default: a new one, which is printed)";

/// How often a long suite reports its progress.
const PROGRESS: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match Options::parse().map(|options| (options.work)(&options)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            eprintln!("kernels: {error:#}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("kernels: {error}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    work: fn(&Options) -> Result<ExitCode>,
    /// What follows the command's name.
    words: Vec<String>,
    dist: PathBuf,
    timeout: u64,
    extent: Extent,
    seed: Option<u64>,
}

impl Options {
    fn parse() -> Result<Options, lexopt::Error> {
        let mut words: Vec<String> = Vec::new();
        let mut options =
            Options { work: help, words: vec![], dist: default_dist(), timeout: 20, extent: Extent::Thin, seed: None };
        let mut help_wanted = false;
        let mut parser = lexopt::Parser::from_env();
        while let Some(arg) = parser.next()? {
            match arg {
                Value(word) => words.push(word.string()?),
                Long("dist") => options.dist = parser.value()?.into(),
                Long("timeout") => options.timeout = parser.value()?.parse()?,
                Long("whole") => options.extent = Extent::Whole,
                Long("seed") => options.seed = Some(parser.value()?.parse()?),
                Short('h') | Long("help") => help_wanted = true,
                _ => return Err(arg.unexpected()),
            }
        }
        let mut words = words.into_iter();
        let command = words.next();
        options.words = words.collect();
        options.work = match (command.as_deref(), options.words.len()) {
            _ if help_wanted => help,
            (Some("fetch"), _) => fetch_kernels,
            (Some("run"), 2) => run,
            (Some("suite"), 1..) => suite,
            (Some("freebsd"), 0..=1) => suite_on_freebsd,
            (Some("plan"), 1..) => plan_for_elsewhere,
            (Some("check"), 2..) => check_from_elsewhere,
            (Some(command @ ("run" | "suite" | "freebsd" | "plan" | "check")), count) => {
                return Err(format!("{command} with {count} arguments").into());
            }
            (Some(command), _) => return Err(format!("there is no command {command:?}").into()),
            (None, _) => return Err("a command is missing".into()),
        };
        Ok(options)
    }
}

fn help(_: &Options) -> Result<ExitCode> {
    println!("{USAGE}");
    Ok(ExitCode::SUCCESS)
}

fn fetch_kernels(options: &Options) -> Result<ExitCode> {
    let all = linux::Kernel::ALL;
    let named = |name: &String| {
        all.into_iter()
            .find(|kernel| kernel.architecture() == name)
            .with_context(|| format!("no kernel for {name:?}; there are i386, amd64, armhf"))
    };
    let kernels =
        if options.words.is_empty() { all.to_vec() } else { options.words.iter().map(named).collect::<Result<_>>()? };
    for kernel in kernels {
        let image = fetch::fetch(kernel)?;
        println!("{}: {} ({})", kernel.architecture(), image.file.display(), image.version);
    }
    Ok(ExitCode::SUCCESS)
}

fn run(options: &Options) -> Result<ExitCode> {
    let machine = Machine::named(&options.words[0])?;
    let file = &options.words[1];
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let jobs = plan::parse(&text).with_context(|| format!("the plan {file}"))?;
    let mut failed = 0;
    let outcomes = machine.run(&options.dist, &jobs, options.timeout, &mut |outcome| {
        print!("=== {}\n{}--- {} {}\n", outcome.name, outcome.output, outcome.name, outcome.end);
    })?;
    for outcome in outcomes {
        if let rt0_tests::run::job::End::Missing(_) = outcome.end {
            println!("--- {} {}", outcome.name, outcome.end);
            failed += 1;
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn suite_on_freebsd(options: &Options) -> Result<ExitCode> {
    match options.words.first().map(String::as_str) {
        None | Some("") => bail!("{}", freebsd::WHERE_TO_GET_ONE),
        Some(file) => run_suite(&Machine::FreeBsd(freebsd::Kernel::read(file.as_ref())?), &[], options),
    }
}

fn suite(options: &Options) -> Result<ExitCode> {
    run_suite(&Machine::named(&options.words[0])?, &options.words[1..], options)
}

/// The suite of the named ports.
fn suite_of(names: &[String], options: &Options, seed: u64) -> Result<Suite> {
    let mut suite = Suite::default();
    for name in names {
        let port = name.parse::<Port>().map_err(|error| anyhow!(error))?;
        suite.add(port, &options.dist, options.extent, seed)?;
        suite.add_heap(port, &options.dist)?;
        suite.add_collector(port, &options.dist)?;
        suite.add_memory(port, &options.dist)?;
    }
    Ok(suite)
}

fn plan_for_elsewhere(options: &Options) -> Result<ExitCode> {
    let seed = options.seed.context("--seed=NUMBER is needed, so that `check` can be given the same")?;
    let suite = suite_of(&options.words, options, seed)?;
    print!("{}", plan::write(&suite.jobs, options.timeout, &mut |program| program.display().to_string())?);
    Ok(ExitCode::SUCCESS)
}

fn check_from_elsewhere(options: &Options) -> Result<ExitCode> {
    let seed = options.seed.context("--seed=NUMBER is needed, the one that the plan was made with")?;
    let (file, ports) = (&options.words[0], &options.words[1..]);
    let suite = suite_of(ports, options, seed)?;
    let text = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let mut console = Console::new(&suite.jobs);
    for line in String::from_utf8_lossy(&text).lines() {
        console.line(line);
    }
    let (outcomes, fault) = console.finish("the file ended");
    let mut broken = suite.check(&outcomes);
    broken.extend(fault);
    Ok(report(&format!("{file}: {}", ports.join(", ")), &suite, &broken))
}

/// Prints the result of a suite.
fn report(what: &str, suite: &Suite, broken: &[String]) -> ExitCode {
    const SHOWN: usize = 50;
    for broken in broken.iter().take(SHOWN) {
        println!("FAILED {broken}");
    }
    if broken.len() > SHOWN {
        println!("... and {} more", broken.len() - SHOWN);
    }
    println!("{what}; {} jobs, {} failures", suite.jobs.len(), broken.len());
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_suite(machine: &Machine, ports: &[String], options: &Options) -> Result<ExitCode> {
    let own: Vec<String> = machine.ports().iter().map(ToString::to_string).collect();
    let ports = if ports.is_empty() { &own } else { ports };
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut suite = suite_of(ports, options, seed)?;
    if let Machine::FreeBsd(kernel) = machine {
        for name in ports {
            let port = name.parse::<Port>().map_err(|error| anyhow!(error))?;
            match Column::of(&kernel.version, kernel.cpu == freebsd::Cpu::I386, port.bits()) {
                Some(column) => suite.add_answers(port, &options.dist, column)?,
                None => println!("{machine}: no answers to {port} are recorded"),
            }
        }
    }
    if let Some(port) = ports.iter().find(|port| !own.contains(port)) {
        bail!("{port} does not run on {machine}");
    }
    let what = format!("{machine}: {}", ports.join(", "));
    println!("{what}; {} jobs, --seed={seed}", suite.jobs.len());

    let (mut count, mut told) = (0, Instant::now());
    let outcomes = machine.run(&options.dist, &suite.jobs, options.timeout, &mut |_| {
        count += 1;
        if told.elapsed() > PROGRESS {
            println!("{machine}: {count} of {}", suite.jobs.len());
            told = Instant::now();
        }
    })?;
    Ok(report(&what, &suite, &suite.check(&outcomes)))
}
