//! One boot: runs QEMU until the plan is done, or until the console has been silent for too long.

use super::console::Console;
use crate::run::job::{End, Job, Outcome};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How a boot went.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The outcomes of the jobs, in their order.
    pub outcomes: Vec<Outcome>,
    /// From the start of QEMU to the first line of `init`.
    pub to_init: Option<Duration>,
    /// From the start of QEMU to its end.
    pub total: Duration,
    /// Everything that was printed on the console.
    pub console: String,
}

/// How long a machine may take to turn itself off when its plan is done.
const POWER_OFF: Duration = Duration::from_secs(20);

/// Runs `machine`, a QEMU whose first serial port is its standard output, and follows the plan of `jobs` on it.
///
/// `patience` is the longest silence that is waited for. If something is missing, the console is kept in the file
/// `log`, which the error names. `ended` is called with each outcome.
///
/// A job whose end is not on the console ends with [`End::Missing`]. If the ends of all jobs are there but the machine
/// did not end as it should, that is an error.
pub fn boot(
    mut machine: Command,
    jobs: &[Job],
    patience: Duration,
    log: &Path,
    ended: &mut dyn FnMut(&Outcome),
) -> Result<Boot> {
    machine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: between fork and exec only prctl is called, which is a bare system call.
    unsafe { machine.pre_exec(die_with_parent) };
    let start = Instant::now();
    let child = machine.spawn().with_context(|| format!("cannot start {:?}", machine.get_program()))?;
    let mut qemu = Running(child);
    let lines = read_lines(&mut qemu.0)?;
    let complaints = read_all(&mut qemu.0)?;

    let mut follower = Console::new(jobs);
    let (mut to_init, mut console) = (None, String::new());
    let silent = loop {
        match lines.recv_timeout(if follower.done() { POWER_OFF } else { patience }) {
            Ok(line) => {
                console.push_str(&line);
                console.push('\n');
                if let Some(outcome) = follower.line(&line) {
                    ended(outcome);
                }
                if to_init.is_none() && follower.up() {
                    to_init = Some(start.elapsed());
                }
            }
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    if silent {
        qemu.0.kill().context("cannot end QEMU")?;
    }
    let status = qemu.0.wait()?;
    let total = start.elapsed();
    if follower.complete() {
        let (outcomes, _) = follower.finish("");
        return Ok(Boot { outcomes, to_init, total, console });
    }

    fs::write(log, &console).with_context(|| format!("cannot write {}", log.display()))?;
    let complaints = complaints.join().unwrap_or_default();
    let how = if silent {
        format!("no line for {} s, so QEMU was ended", patience.as_secs())
    } else {
        format!("QEMU ended, {status}")
    };
    let (outcomes, fault) =
        follower.finish(&format!("{how}; console: {}; QEMU: {:?}", log.display(), complaints.trim()));
    let missing = outcomes.iter().any(|outcome| matches!(outcome.end, End::Missing(_)));
    if let (Some(fault), false) = (fault, missing) {
        bail!("{fault}");
    }
    Ok(Boot { outcomes, to_init, total, console })
}

/// A child process that is killed when this value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // After a `wait` both fail, and there is nothing left to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs in the child, so that QEMU ends when this process is killed.
fn die_with_parent() -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

/// The lines of the console. A machine that crashes may print bytes that are not UTF-8.
fn read_lines(qemu: &mut Child) -> Result<Receiver<String>> {
    let console = qemu.stdout.take().context("QEMU's output is not piped")?;
    let (sender, receiver) = sync_channel(4096);
    thread::spawn(move || {
        let mut console = BufReader::new(console);
        let mut line = Vec::new();
        while console.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            if sender.send(text.trim_end_matches(['\n', '\r']).into()).is_err() {
                return;
            }
            line.clear();
        }
    });
    Ok(receiver)
}

fn read_all(qemu: &mut Child) -> Result<thread::JoinHandle<String>> {
    let mut stderr = qemu.stderr.take().context("QEMU's errors are not piped")?;
    Ok(thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell script stands for QEMU: what it prints is the console.
    fn machine(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn run(script: &str, patience: Duration) -> Result<Boot> {
        let log = tempfile::NamedTempFile::new()?;
        boot(machine(script), &[Job::new("a", "/x", &[])], patience, log.path(), &mut |_| ())
    }

    #[test]
    fn a_silent_machine_is_ended() {
        let boot = run("printf 'init: up\n=== a\n'; exec sleep 1000", Duration::from_millis(300)).unwrap();
        let End::Missing(why) = &boot.outcomes[0].end else { panic!("{boot:?}") };
        assert!(why.contains("init did not reach its end") && why.contains("no line for"), "{why}");
    }

    #[test]
    fn a_machine_that_ends_early_says_why() {
        let boot = run("echo 'cannot load kernel' >&2; exit 1", Duration::from_secs(60)).unwrap();
        let End::Missing(why) = &boot.outcomes[0].end else { panic!("{boot:?}") };
        assert!(why.contains("init did not start") && why.contains("cannot load kernel"), "{why}");
        assert_eq!(boot.to_init, None);
    }

    #[test]
    fn a_machine_without_its_last_line_is_an_error() {
        let whole = "echo init: up; echo === a; echo --- a exit=0";
        assert!(run(whole, Duration::from_secs(60)).unwrap_err().to_string().contains("did not reach its end"));
        let boot = run(&format!("{whole}; echo ALL DONE"), Duration::from_secs(60)).unwrap();
        assert_eq!((boot.outcomes[0].end.clone(), boot.console.lines().count()), (End::Exit(0), 4));
    }
}
