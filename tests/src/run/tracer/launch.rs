//! Starts a program and stops it at its first instruction, with its streams arranged and its time limited.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::personality::{self, Persona};
use nix::sys::ptrace::{self, Options};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::tracee::Tracee;

/// What one of the program's descriptors is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The runner's own.
    Inherit,
    /// A pipe that is read into the outcome; for descriptor 0, an empty one.
    Capture,
    /// Nothing: the descriptor is closed.
    Closed,
    /// A pipe that is full and never read, with `O_NONBLOCK`, so that writes return EAGAIN.
    FullPipe,
}

/// How a program is started, for both runners.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Descriptors 0, 1 and 2.
    pub streams: [Stream; 3],
    /// The program is killed after this time. It then has a process group of its own.
    pub time_limit: Option<Duration>,
    /// The Linux kernel's limits that are set before the program is executed.
    pub limits: Vec<(Resource, u64)>,
}

impl Default for Launch {
    fn default() -> Launch {
        Launch { streams: [Stream::Capture; 3], time_limit: Some(Duration::from_secs(60)), limits: Vec::new() }
    }
}

/// A program that is stopped at its first instruction.
#[derive(Debug)]
pub struct Launched {
    /// Its first thread.
    pub tracee: Tracee,
    readers: [Option<JoinHandle<Vec<u8>>>; 2],
    full_pipes: Vec<io::PipeReader>,
    watchdog: Option<Watchdog>,
}

/// Kills a process group when its time is over.
#[derive(Debug)]
struct Watchdog {
    done: mpsc::Sender<()>,
    fired: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Launch {
    /// Executes `program` and stops it at its first instruction. Address-space randomisation is off.
    ///
    /// # Errors
    /// Linux cannot execute the file, or ptrace is not allowed here.
    pub fn start(&self, program: &Path, arguments: &[Vec<u8>], environment: &[Vec<u8>]) -> Result<Launched> {
        let mut command = Command::new(program);
        let mut full_pipes = Vec::new();
        command.env_clear();
        for variable in environment {
            let split = variable.iter().position(|byte| *byte == b'=').unwrap_or(variable.len());
            let value = variable.get(split + 1..).unwrap_or_default();
            command.env(os(&variable[..split]), os(value));
        }
        if let Some((name, rest)) = arguments.split_first() {
            command.arg0(os(name)).args(rest.iter().map(|argument| os(argument)));
        }
        command.stdin(self.stdio(0, &mut full_pipes)?);
        command.stdout(self.stdio(1, &mut full_pipes)?);
        command.stderr(self.stdio(2, &mut full_pipes)?);
        if self.time_limit.is_some() {
            command.process_group(0);
        }
        let (streams, limits) = (self.streams, self.limits.clone());
        let prepare = move || {
            for (descriptor, stream) in (0..).zip(streams) {
                if stream == Stream::Closed {
                    nix::unistd::close(descriptor)?;
                }
            }
            personality::set(Persona::ADDR_NO_RANDOMIZE)?;
            ptrace::traceme()?;
            for (resource, limit) in &limits {
                setrlimit(*resource, *limit, *limit)?;
            }
            Ok(())
        };
        // SAFETY: between fork and exec the closure makes plain system calls only; it neither allocates nor locks.
        unsafe { command.pre_exec(prepare) };
        let mut child =
            command.spawn().with_context(|| format!("cannot execute {} under ptrace", program.display()))?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let readers = [child.stdout.take().map(read_all), child.stderr.take().map(read_all)];
        let first = waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))?;
        if !matches!(first, WaitStatus::Stopped(_, Signal::SIGTRAP)) {
            bail!("{} did not stop at its first instruction: {first:?}", program.display());
        }
        let options = Options::PTRACE_O_EXITKILL
            | Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC;
        ptrace::setoptions(pid, options)?;
        let watchdog = self.time_limit.map(|limit| Watchdog::new(pid, limit));
        Ok(Launched { tracee: Tracee(pid), readers, full_pipes, watchdog })
    }

    fn stdio(&self, descriptor: usize, full_pipes: &mut Vec<io::PipeReader>) -> Result<Stdio> {
        Ok(match self.streams[descriptor] {
            Stream::Inherit => Stdio::inherit(),
            Stream::Capture if descriptor == 0 => Stdio::null(),
            Stream::Capture => Stdio::piped(),
            Stream::Closed => Stdio::null(),
            Stream::FullPipe => {
                let (reader, mut writer) = io::pipe()?;
                fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
                while writer.write(&[0; 4096]).is_ok() {}
                full_pipes.push(reader);
                writer.into()
            }
        })
    }
}

impl Launched {
    /// What the program has written, and whether its time was over. Call it when every traced thread has ended.
    #[must_use]
    pub fn finish(self) -> ([Vec<u8>; 2], bool) {
        let timed_out = self.watchdog.is_some_and(Watchdog::stop);
        drop(self.full_pipes);
        let written =
            self.readers.map(|reader| reader.map_or_else(Vec::new, |thread| thread.join().unwrap_or_default()));
        (written, timed_out)
    }
}

impl Watchdog {
    fn new(group: Pid, limit: Duration) -> Watchdog {
        let (done, ended) = mpsc::channel();
        let fired = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let fired = Arc::clone(&fired);
            move || {
                if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    fired.store(true, Ordering::SeqCst);
                    // The group may be gone already; then there is nothing to kill.
                    let _ = killpg(group, Signal::SIGKILL);
                }
            }
        });
        Watchdog { done, fired, thread }
    }

    fn stop(self) -> bool {
        drop(self.done);
        let _ = self.thread.join();
        self.fired.load(Ordering::SeqCst)
    }
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

fn os(bytes: &[u8]) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// The mappings of a process, from `/proc/PID/maps`: start and end of each.
///
/// # Errors
/// The process is gone.
pub fn mappings(tracee: Tracee) -> Result<Vec<(u64, u64)>> {
    let mut text = String::new();
    File::open(format!("/proc/{}/maps", tracee.0))?.read_to_string(&mut text)?;
    text.lines()
        .map(|line| {
            let (start, rest) = line.split_once('-').context("a line of /proc/PID/maps without a range")?;
            let (end, _) = rest.split_once(' ').context("a line of /proc/PID/maps without protection")?;
            Ok((u64::from_str_radix(start, 16)?, u64::from_str_radix(end, 16)?))
        })
        .collect()
}
