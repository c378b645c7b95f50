//! A FreeBSD kernel's test double: runs FreeBSD programs for x86 on a Linux x86-64 host, and watches what they do.
//!
//! It is no FreeBSD. The program's instructions run natively, stopped by ptrace at each system call; the call is then played
//! by this module after FreeBSD's sources, with Linux calls made in the program's name where memory, files or processes are
//! to change. What it plays strictly is the part that a runtime core stands on: the state at process entry, the calling
//! convention with every register destroyed that the real kernel destroys, the address space and its accounting. What it
//! does not know ends the run and says so; nothing is guessed.
//!
//! - [`options`]: what can be asked of it
//! - [`elf`]: which executables FreeBSD takes
//! - [`entry`]: execve, the initial stack and registers
//! - [`crate::run::tracer::space`]: the address space and what counts against its limit
//! - [`calls`]: the system calls
//! - [`kernel`]: the state they work on
//! - [`runner`]: the stops of the traced threads, one after the other
//! - [`executor`]: jobs and sweeps under the runner

mod abi;
mod calls;
mod elf;
mod entry;
mod executor;
mod kernel;
mod linux;
mod options;
mod runner;

pub use executor::run_jobs;
pub use kernel::Limit;
pub use options::{Holes, Options};
pub use runner::run;

/// FreeBSD's number of the errno of this name.
#[must_use]
pub fn errno_named(name: &str) -> Option<i32> {
    abi::Errno::named(name).map(|errno| errno.0)
}

/// FreeBSD's number of a signal.
#[must_use]
pub fn signal_number(signal: nix::sys::signal::Signal) -> i32 {
    abi::signal_from_linux(signal)
}
