//! The result of a run under one of the runners.

use std::fmt;

/// How the program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exit(i32),
    /// A signal ended it, given by its name.
    Signal(String),
    /// The kernel would not have executed it, for this reason.
    Refused(String),
    /// It did not end in time, and was killed.
    TimedOut,
}

/// One system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The process that made it.
    pub pid: i32,
    /// Its name in the kernel's table.
    pub name: String,
    /// The arguments it takes, as the kernel saw them.
    pub arguments: Vec<u64>,
    /// Its result, or the errno in the numbers of the program's system.
    pub answer: Result<u64, i32>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, argument) in self.arguments.iter().enumerate() {
            write!(f, "{}{argument:#x}", if i == 0 { "" } else { ", " })?;
        }
        match self.answer {
            Ok(value) => write!(f, ") = {value:#x}"),
            Err(errno) => write!(f, ") = error {errno}"),
        }
    }
}

/// The result of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the program ended.
    pub end: End,
    /// What it wrote to descriptor 1, where that was captured.
    pub stdout: Vec<u8>,
    /// What it wrote to descriptor 2, where that was captured.
    pub stderr: Vec<u8>,
    /// The calls that it and its children made, in the order in which they ended. A call that does not return is
    /// recorded with 0 as its answer.
    pub calls: Vec<Call>,
    /// What it did that no correct program does: a Linux number or flag on FreeBSD, or replacing a mapping that is not
    /// its own.
    pub violations: Vec<String>,
    /// The last signal that was delivered, with the instruction's address and the address that it touched.
    pub crash: Option<String>,
    /// The most that was counted against the address-space limit, in bytes; 0 if the host's kernel does the counting.
    pub peak: u64,
}

impl Outcome {
    /// Descriptor 1's text.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Descriptor 2's text.
    #[must_use]
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The names of the calls, in order.
    #[must_use]
    pub fn call_names(&self) -> Vec<&str> {
        self.calls.iter().map(|call| call.name.as_str()).collect()
    }

    /// The value of the line `key=value` in the output.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<String> {
        let output = self.output();
        output.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_string()))
    }
}
