//! A process, run to its end, and what the kernel says that it cost.

use std::io::Read;
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What a process cost.
pub struct Spent {
    /// User and system time, microseconds.
    pub time: u64,
    /// Peak of resident memory, KiB.
    pub peak: u64,
    /// Page faults that read nothing from a disk.
    pub faults: u64,
    /// What it wrote to its standard output.
    pub output: Vec<u8>,
}

/// Runs `command`, whose standard output is read; `None` if it cannot be started or ends with another status than 0.
pub fn run(command: &mut Command) -> Result<Option<Spent>> {
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else { return Ok(None) };
    let mut output = Vec::new();
    child.stdout.take().context("its output is a pipe")?.read_to_end(&mut output)?;
    let pid = i32::try_from(child.id())?;
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: wait4 writes both; the child is our own and has not been waited for.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
    ensure!(waited == pid, "wait4: {}", std::io::Error::last_os_error());
    // SAFETY: zeroes are one, and wait4 has filled it.
    let usage = unsafe { usage.assume_init() };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    let spent = Spent {
        time: micros(usage.ru_utime) + micros(usage.ru_stime),
        peak: usage.ru_maxrss as u64,
        faults: usage.ru_minflt as u64,
        output,
    };
    Ok((status == 0).then_some(spent))
}
