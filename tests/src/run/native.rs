//! Runs jobs on this machine's own kernel.

use crate::run::job::{End, Job, Outcome, Stack};
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, getrlimit, pidfd_open, setrlimit};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs `jobs` in their order; each may take `timeout` seconds. `ended` is called with each outcome.
///
/// # Errors
///
/// A program cannot be started at all. A program that fails is no error: its [`Outcome`] says so.
pub fn run(jobs: &[Job], timeout: u64, ended: &mut dyn FnMut(&Outcome)) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for job in jobs {
        let outcome = run_one(job, timeout).with_context(|| format!("{}: {}", job.name, job.program.display()))?;
        ended(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

fn run_one(job: &Job, timeout: u64) -> Result<Outcome> {
    // A file in memory takes any amount of output, and nobody has to read it meanwhile.
    let mut output = File::from(memfd_create("output", MemfdFlags::CLOEXEC)?);
    let mut command = Command::new(&job.program);
    command.args(&job.args).env_clear();
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
    let (limit, stack) = (job.limit, job.stack);
    // SAFETY: between fork and exec only setrlimit is called, which is a bare system call.
    unsafe { command.pre_exec(move || set_limits(limit, stack)) };
    let mut child = command.spawn()?;

    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let patience = Timespec::try_from(Duration::from_secs(timeout))?;
    let in_time = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience))? > 0;
    if !in_time {
        child.kill()?;
    }
    let status = child.wait()?;

    let mut bytes = Vec::new();
    output.rewind()?;
    output.read_to_end(&mut bytes)?;
    let end = match (in_time, status.code(), status.signal()) {
        (false, ..) => End::Timeout,
        (_, Some(code), _) => End::Exit(code),
        (_, None, signal) => End::Signal(signal.unwrap_or(0)),
    };
    Ok(Outcome { name: job.name.clone(), output: String::from_utf8_lossy(&bytes).into_owned(), end })
}

fn set_limits(limit: Option<u64>, stack: Stack) -> std::io::Result<()> {
    let both = |bytes| Rlimit { current: bytes, maximum: bytes };
    match stack {
        Stack::Inherited => {}
        Stack::Unlimited => setrlimit(Resource::Stack, both(getrlimit(Resource::Stack).maximum))?,
        Stack::Bytes(bytes) => setrlimit(Resource::Stack, both(Some(bytes)))?,
    }
    if limit.is_some() {
        setrlimit(Resource::As, both(limit))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Job {
        Job::new("a", "/bin/sh", &["-c", script])
    }

    #[test]
    fn a_job_is_told_by_its_end_and_both_its_streams() {
        let jobs = [shell("echo out; echo err >&2; exit 7"), shell("kill -11 $$"), shell("exec sleep 1000")];
        let mut seen = 0;
        let outcomes: [Outcome; 3] = run(&jobs, 1, &mut |_| seen += 1).unwrap().try_into().unwrap();
        assert_eq!((seen, outcomes[0].output.as_str()), (3, "out\nerr\n"));
        let ends = outcomes.map(|outcome| outcome.end);
        assert_eq!(ends, [End::Exit(7), End::Signal(11), End::Timeout]);
        assert!(run(&[Job::new("a", "/no/such/program", &[])], 1, &mut |_| ()).is_err());
    }

    #[test]
    fn limits_are_set_and_nothing_is_inherited_from_the_environment() {
        let mut job = shell("ulimit -v; ulimit -Hs; echo ${HOME-none}").limited(100 << 20);
        job.stack = Stack::Bytes(256 << 10);
        assert_eq!(run(&[job], 9, &mut |_| ()).unwrap()[0].output, "102400\n256\nnone\n");
    }
}
