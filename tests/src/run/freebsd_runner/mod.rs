//! A test double of FreeBSD's kernel: runs FreeBSD programs for x86 on a Linux x86-64 host, and watches what they do.
//!
//! It is not FreeBSD. The program's instructions run natively, and ptrace stops it at each system call. This module
//! then plays the call as FreeBSD's sources define it, and makes Linux calls in the program's name where memory, files
//! or processes have to change. It is strict about what a runtime core depends on: the state at process entry, the
//! calling convention (every register that the real kernel destroys is destroyed), the address space and its
//! accounting. Anything that it does not know ends the run with a message; nothing is guessed.
//!
//! - [`options`]: its options
//! - [`elf`]: which executables FreeBSD accepts
//! - [`entry`]: execve, the initial stack and registers
//! - [`crate::run::tracer::space`]: the address space and what counts against its limit
//! - [`calls`]: the system calls
//! - [`kernel`]: the state they work on
//! - [`runner`]: what is done at each stop of a traced thread
//! - [`executor`]: jobs under the runner

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
