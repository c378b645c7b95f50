//! Runs jobs under the runner, which is one of the machines, like the host's own kernel and those in QEMU.

use std::time::Duration;

use anyhow::Result;

use super::abi::rlimit;
use super::{Limit, Options, run, signal_number};
use crate::run::job::{End, Job, Outcome, Stack};
use crate::run::tracer::launch::Launch;
use crate::run::tracer::report;

/// Runs `jobs` in their order; each may take `timeout` seconds. `ended` is called with each outcome.
///
/// A job that breaks a rule of FreeBSD's ends with [`End::Missing`], which says which rule. One that FreeBSD would not
/// execute ends with status 127, and its output says why. The initial block is at another place mod 16 for each job in
/// turn.
///
/// # Errors
///
/// A program cannot be read, or ptrace is not allowed on this machine.
pub fn run_jobs(jobs: &[Job], timeout: u64, ended: &mut dyn FnMut(&Outcome)) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (turn, job) in jobs.iter().enumerate() {
        let outcome = run_one(job, timeout, turn as u64)?;
        ended(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn run_one(job: &Job, timeout: u64, turn: u64) -> Result<Outcome> {
    let both = |bytes: u64| {
        let bytes = i64::try_from(bytes).unwrap_or(rlimit::INFINITY);
        Limit { soft: bytes, hard: bytes }
    };
    let options = Options {
        launch: Launch { time_limit: Some(Duration::from_secs(timeout)), ..Launch::default() },
        limit_as: job.limit.map_or(Limit::INFINITE, both),
        limit_stack: match job.stack {
            Stack::Inherited => None,
            Stack::Unlimited => Some(Limit::INFINITE),
            Stack::Bytes(bytes) => Some(both(bytes)),
        },
        block_mod: turn % 4 * 4,
        ..Options::default()
    };
    let arguments: Vec<&str> = job.args.iter().map(String::as_str).collect();
    let outcome = run(&job.program, &arguments, &options)?;
    let end = match &outcome.end {
        _ if !outcome.violations.is_empty() => End::Missing(outcome.violations.join("; ")),
        report::End::Exit(status) => End::Exit(*status),
        report::End::Signal(name) => End::Signal(name.parse().map_or(0, signal_number)),
        // `init` and shells end with this status when execve fails.
        report::End::Refused(_) => End::Exit(127),
        report::End::TimedOut => End::Timeout,
    };
    let refusal = if let report::End::Refused(reason) = &outcome.end { reason.as_str() } else { "" };
    Ok(Outcome { name: job.name.clone(), output: outcome.output() + &outcome.errors() + refusal, end })
}
