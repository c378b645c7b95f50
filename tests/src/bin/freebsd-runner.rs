//! Runs a FreeBSD program for x86 on Linux x86-64, under a test double of FreeBSD's kernel.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lexopt::{Arg, Parser, ValueExt};
use nix::sys::signal::Signal;
use rt0_tests::run::freebsd_runner::{self, Holes, Limit, Options};
use rt0_tests::run::tracer::faults::{Fault, number};
use rt0_tests::run::tracer::launch::{Launch, Stream};
use rt0_tests::run::tracer::report::End;

const HELP: &str = "\
Runs a freebsd_amd64 or freebsd_386 program natively on Linux x86-64, under ptrace.

This is a test double for a FreeBSD kernel, not FreeBSD: it gives the program FreeBSD's process entry, plays the system
calls that a runtime core makes as FreeBSD's sources define them, destroys every register that the real kernel destroys, and
counts mappings against RLIMIT_AS as FreeBSD does. A call that it does not play ends the run with SIGSYS and a message.

usage: freebsd-runner [OPTION...] PROGRAM [ARGUMENT...]

  --limit-as=BYTES[:HARD]     RLIMIT_AS (soft, and hard if that differs); --limit-data and --limit-stack likewise
  --block-mod=0|4|8|12        the address of the initial block mod 16: 0 or 8 for amd64, any of them for 386
  --arg0=TEXT                 argv[0] instead of the program's path
  --argc0                     no arguments, argc is 0
  --env=NAME=VALUE            a variable of the environment, which is empty otherwise
  --no-pagesz                 no AT_PAGESZ
  --kernel=10.4|11.1          the release whose answers are given (default: 11.1)
  --osreldate=NUMBER          AT_OSRELDATE, which --kernel sets too
  --i386-kernel               3 GiB of addresses for a 386 program, not 4
  --holes=COUNT:BYTES         leave only COUNT free ranges of BYTES each
  --fail=CALL:NTH:EFFECT      the NTH call (`3`, or `3+` for all from the third on) has another effect: an errno's name or
                              number, `unknown`; for mmap `at=ADDRESS`, `off=BYTES`; for write `short=BYTES`
  --close=FD                  descriptor 0, 1 or 2 is closed
  --full=FD                   descriptor 1 or 2 is a full pipe
  --time-limit=SECONDS        kill the program after this time
  --trace                     print calls and violations to standard error
  --help                      this

Exit status: the program's own; 128 + FreeBSD's number for a signal; 124 if its time was over; 125 if it broke
FreeBSD's rules (a Linux number or flag, or replacing a mapping that is not its own); 126 if FreeBSD would not execute it;
127 if the runner failed; 2 for a usage error.
";

fn main() -> ExitCode {
    let (program, arguments, options) = match parse() {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("freebsd-runner: {error:#}\nfreebsd-runner: --help lists the options");
            return ExitCode::from(2);
        }
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match freebsd_runner::run(&program, &arguments, &options) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("freebsd-runner: {error:#}");
            return ExitCode::from(127);
        }
    };
    for violation in &outcome.violations {
        eprintln!("freebsd-runner: violation: {violation}");
    }
    let crash = outcome.crash.as_deref().unwrap_or("no details");
    let status = match &outcome.end {
        End::Refused(reason) => {
            eprintln!("freebsd-runner: FreeBSD would not execute {}: {reason}", program.display());
            126
        }
        End::TimedOut => {
            eprintln!("freebsd-runner: {} was killed: its time was over", program.display());
            124
        }
        End::Signal(name) => {
            eprintln!("freebsd-runner: {} ended by {name} ({crash})", program.display());
            let signal: Option<Signal> = name.parse().ok();
            signal.map_or(255, |signal| 128 + freebsd_runner::signal_number(signal).unsigned_abs() as u8)
        }
        End::Exit(status) => *status as u8,
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
            "i386-kernel" => options.i386_kernel = true,
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
    match name {
        "limit-as" => options.limit_as = limit(value)?,
        "limit-data" => options.limit_data = Some(limit(value)?),
        "limit-stack" => options.limit_stack = Some(limit(value)?),
        "block-mod" => {
            options.block_mod = number(value)?;
            if options.block_mod >= 16 || !options.block_mod.is_multiple_of(4) {
                bail!("the initial block stands at 0, 4, 8 or 12 mod 16");
            }
        }
        "arg0" => options.argument_0 = Some(value.as_bytes().to_vec()),
        "env" => options.environment.push(value.as_bytes().to_vec()),
        "osreldate" => options.osreldate = number(value)?.try_into().context("__FreeBSD_version has 32 bits")?,
        "kernel" => {
            options.osreldate = match value {
                "10.4" => Options::RELEASE_10_4,
                "11.1" => Options::RELEASE_11_1,
                _ => bail!("there are 10.4 and 11.1"),
            }
        }
        "holes" => {
            let (count, size) = value.split_once(':').context("give COUNT:BYTES")?;
            options.holes = Some(Holes { count: number(count)?, size: number(size)?.next_multiple_of(4096) });
        }
        "fail" => options.faults.push(Fault::parse(value, freebsd_runner::errno_named)?),
        "close" => *stream(options, value)? = Stream::Closed,
        "full" => *stream(options, value)? = Stream::FullPipe,
        "time-limit" => options.launch.time_limit = Some(Duration::from_secs(number(value)?)),
        _ => bail!("there is no such option"),
    }
    Ok(())
}

fn stream<'a>(options: &'a mut Options, descriptor: &str) -> Result<&'a mut Stream> {
    let index: usize = descriptor.parse()?;
    options.launch.streams.get_mut(index).context("only descriptors 0, 1 and 2 can be arranged")
}

fn limit(value: &str) -> Result<Limit> {
    let bytes = |text: &str| -> Result<i64> { number(text)?.try_into().context("limits are signed 64-bit numbers") };
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    Ok(Limit { soft: bytes(soft)?, hard: bytes(hard)? })
}
