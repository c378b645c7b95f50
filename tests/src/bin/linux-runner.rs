//! Runs a Linux program for x86 under ptrace, with failures injected into its system calls.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use nix::sys::resource::Resource;
use nix::sys::signal::Signal;
use rt0_tests::run::linux_runner::{self, Options};
use rt0_tests::run::tracer::faults::{Fault, number};
use rt0_tests::run::tracer::launch::{Launch, Stream};
use rt0_tests::run::tracer::report::End;

const HELP: &str = "\
Runs a linux_amd64 or linux_386 program natively under ptrace. The host's kernel does the work; the runner poisons every
register and flag at entry, injects failures, and refuses calls that would change memory which the program has not mapped.

usage: linux-runner [OPTION...] PROGRAM [ARGUMENT...]

  --limit-as=BYTES            RLIMIT_AS; --limit-stack likewise
  --argc0                     no arguments, argc is 0
  --env=NAME=VALUE            a variable of the environment, which is empty otherwise
  --no-pagesz                 no AT_PAGESZ
  --holes=COUNT:BYTES         leave only COUNT free ranges of BYTES each
  --fail=CALL:NTH:EFFECT      the NTH call (`3`, or `3+` for all from the third on) has another effect: an errno's name or
                              number, `unknown`; for mmap `at=ADDRESS`, `off=BYTES`; for write `short=BYTES`
  --close=FD                  descriptor 0, 1 or 2 is closed
  --full=FD                   descriptor 1 or 2 is a full pipe
  --time-limit=SECONDS        kill the program after this time
  --trace                     print calls and violations to standard error
  --help                      this

Exit status: the program's own; 128 + the number of a signal; 124 if its time was over; 125 if it tried to change
memory that it has not mapped; 127 if the runner failed; 2 for a usage error.
";

fn main() -> ExitCode {
    let (program, arguments, options) = match parse() {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("linux-runner: {error:#}\nlinux-runner: --help lists the options");
            return ExitCode::from(2);
        }
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match linux_runner::run(&program, &arguments, &options) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("linux-runner: {error:#}");
            return ExitCode::from(127);
        }
    };
    for violation in &outcome.violations {
        eprintln!("linux-runner: violation: {violation}");
    }
    let status = match &outcome.end {
        End::Exit(status) => *status as u8,
        End::Signal(name) => {
            let crash = outcome.crash.as_deref().unwrap_or("no details");
            eprintln!("linux-runner: {} ended by {name} ({crash})", program.display());
            name.parse().map_or(255, |signal: Signal| 128 + signal as u8)
        }
        End::TimedOut | End::Refused(_) => {
            eprintln!("linux-runner: {} was killed: its time was over", program.display());
            124
        }
    };
    ExitCode::from(if outcome.violations.is_empty() { status } else { 125 })
}

/// Returns `None` if `--help` was among the arguments.
fn parse() -> Result<Option<(PathBuf, Vec<String>, Options)>> {
    let launch = Launch { streams: [Stream::Inherit; 3], time_limit: None, limits: Vec::new() };
    let mut options = Options { launch, ..Options::default() };
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        let Arg::Long(name) = argument else {
            let Arg::Value(program) = argument else { bail!("there are no short options") };
            let arguments = parser.raw_args()?.map(|word| word.string()).collect::<Result<_, _>>()?;
            return Ok(Some((program.into(), arguments, options)));
        };
        let name = name.to_string();
        match name.as_str() {
            "help" => return Ok(None),
            "argc0" => options.no_arguments = true,
            "no-pagesz" => options.no_page_size = true,
            "trace" => options.trace = true,
            _ => {
                let value = parser.value()?.string()?;
                set(&mut options, &name, &value).with_context(|| format!("--{name}={value}"))?;
            }
        }
    }
    bail!("no PROGRAM to run")
}

/// Sets an option that has a value.
fn set(options: &mut Options, name: &str, value: &str) -> Result<()> {
    let launch = &mut options.launch;
    match name {
        "limit-as" => launch.limits.push((Resource::RLIMIT_AS, number(value)?)),
        "limit-stack" => launch.limits.push((Resource::RLIMIT_STACK, number(value)?)),
        "env" => options.environment.push(value.as_bytes().to_vec()),
        "holes" => {
            let (count, size) = value.split_once(':').context("give COUNT:BYTES")?;
            options.holes = Some((number(count)?, number(size)?.next_multiple_of(4096)));
        }
        "fail" => options.faults.push(Fault::parse(value, linux_runner::errno_named)?),
        "close" => *stream(launch, value)? = Stream::Closed,
        "full" => *stream(launch, value)? = Stream::FullPipe,
        "time-limit" => launch.time_limit = Some(Duration::from_secs(number(value)?)),
        _ => bail!("there is no such option"),
    }
    Ok(())
}

fn stream<'a>(launch: &'a mut Launch, descriptor: &str) -> Result<&'a mut Stream> {
    launch.streams.get_mut(descriptor.parse::<usize>()?).context("only descriptors 0, 1 and 2 can be arranged")
}
