//! One run of a program and how it ended, in the same terms for every machine (native, QEMU, the runner).

use std::fmt;
use std::path::PathBuf;

/// One run of a program under limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Unique within its plan; no white space.
    pub name: String,
    /// RLIMIT_AS, soft and hard, in bytes; `None` leaves it as it is.
    pub limit: Option<u64>,
    /// RLIMIT_STACK.
    pub stack: Stack,
    /// The program's file on this machine.
    pub program: PathBuf,
    /// Arguments after the program's name.
    pub args: Vec<String>,
}

impl Job {
    /// A run without limits.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, args: &[&str]) -> Self {
        Job {
            name: name.into(),
            limit: None,
            stack: Stack::Inherited,
            program: program.into(),
            args: args.iter().map(|&arg| arg.into()).collect(),
        }
    }

    /// The same job under `limit` bytes of address space.
    pub fn limited(mut self, limit: impl Into<Option<u64>>) -> Self {
        self.limit = limit.into();
        self
    }
}

/// RLIMIT_STACK, soft and hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// As it is on the machine (8 MiB on Linux and FreeBSD, soft).
    Inherited,
    /// Raised to the hard limit, which is usually none; Linux then places mappings from low addresses upwards.
    Unlimited,
    /// This many bytes.
    Bytes(u64),
}

/// What one job printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The job's name.
    pub name: String,
    /// Both output streams, lines ended by `\n`.
    pub output: String,
    /// How it ended.
    pub end: End,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exit(i32),
    /// A signal of this number killed it.
    Signal(i32),
    /// It was killed because its time was up.
    Timeout,
    /// How it ended is unknown, and this is why.
    Missing(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exit(status) => write!(f, "exit={status}"),
            End::Signal(number) => write!(f, "signal={number}"),
            End::Timeout => write!(f, "TIMEOUT"),
            End::Missing(why) => write!(f, "MISSING: {why}"),
        }
    }
}

impl End {
    /// Reads what `Display` prints, except `MISSING`, which no program can print about itself.
    pub fn parse(text: &str) -> Option<End> {
        if text == "TIMEOUT" {
            return Some(End::Timeout);
        }
        let (kind, number) = text.split_once('=')?;
        let number = number.parse().ok()?;
        match kind {
            "exit" => Some(End::Exit(number)),
            "signal" => Some(End::Signal(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_they_are_printed() {
        for end in [End::Exit(0), End::Exit(127), End::Signal(11), End::Timeout] {
            assert_eq!(End::parse(&end.to_string()), Some(end));
        }
        for text in ["", "exit=", "exit=x", "exit=0 ", "MISSING: why", "signal", "TIMEOUT "] {
            assert_eq!(End::parse(text), None, "{text:?}");
        }
    }
}
