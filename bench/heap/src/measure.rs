//! The CPU's clock and the kernel's figures, by rt0's system calls. Nothing here allocates: the heap may be full.

use core::ffi::CStr;

use anyhow::{Context, Result};
use rt0::sys;

/// The CPU time of all threads (Linux `include/uapi/linux/time.h`).
const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;

/// The CPU time of the process in nanoseconds.
pub fn cpu_time() -> u64 {
    let time = sys::clock_gettime(CLOCK_PROCESS_CPUTIME_ID).expect("this clock exists on every Linux");
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

/// What the kernel counts, in bytes.
pub struct Memory {
    /// The resident set.
    pub resident: u64,
    /// The largest one so far, or since [`reset_peak`].
    pub peak_resident: u64,
    /// The most address space so far.
    pub peak_space: u64,
}

/// The process's memory now.
///
/// # Errors
///
/// `/proc/self/status` cannot be read.
pub fn memory() -> Result<Memory> {
    let mut text = [0; 4096];
    let text = read(c"/proc/self/status", &mut text)?;
    let field = |name: &'static str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|number| number.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).context(name).context("/proc/self/status lacks a figure")
    };
    Ok(Memory { resident: field("VmRSS:")?, peak_resident: field("VmHWM:")?, peak_space: field("VmPeak:")? })
}

/// Forgets the peak resident set so far, which is not the workload's.
///
/// # Errors
///
/// `/proc/self/clear_refs` cannot be written, or the memory not be read.
pub fn reset_peak() -> Result<Memory> {
    let fd = sys::open(c"/proc/self/clear_refs", sys::O_WRONLY, 0).context("cannot reset the peak resident set")?;
    sys::write(fd, b"5").context("cannot reset the peak resident set")?;
    sys::close(fd)?;
    memory()
}

/// How many page faults the process had that read nothing from a disk.
///
/// # Errors
///
/// `/proc/self/stat` cannot be read.
pub fn faults() -> Result<u64> {
    let mut text = [0; 4096];
    let text = read(c"/proc/self/stat", &mut text)?;
    // `minflt` is the eighth figure behind the program's name, which is in parentheses (proc_pid_stat(5)).
    let figure = text.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(7));
    figure.and_then(|number| number.parse().ok()).context("/proc/self/stat has no minflt")
}

/// The text of a small file.
fn read<'a>(path: &CStr, text: &'a mut [u8]) -> Result<&'a str> {
    let fd = sys::open(path, sys::O_RDONLY, 0)?;
    let mut len = 0;
    loop {
        match sys::read(fd, &mut text[len..])? {
            0 => break,
            more => len += more,
        }
    }
    sys::close(fd)?;
    Ok(str::from_utf8(&text[..len])?)
}
