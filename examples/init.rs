//! Runs a plan: a list of programs, each under limits of its own. It runs on Linux and FreeBSD and has no heap.
//!
//! As the first process of a machine it runs the file `/plan` and turns the machine off. Otherwise `init PLAN` runs
//! the file PLAN and exits with 0, or with 2 if some line of it made no sense.
//!
//! The plan is read line by line:
//!
//! ```text
//! # a comment
//! NAME LIMIT PROGRAM ARGUMENT...   run PROGRAM (a path) with RLIMIT_AS = LIMIT bytes; `-` for no limit
//! !timeout SECONDS                 how long each program below may take; 0 means none
//! !stack BYTES                     RLIMIT_STACK for the programs below; also `unlimited` (up to the hard limit), and `-`
//! ```
//!
//! Words are separated by blanks; a word that begins with `'` or `"` ends at the next such quote. Numbers are
//! decimal, or hexadecimal after `0x`; `k`, `m` and `g` after a decimal one multiply it by 2^10, 2^20 and 2^30.
//!
//! For each program the console shows, each on a line of its own,
//!
//! ```text
//! === NAME
//! ...what it prints...
//! --- NAME exit=STATUS             or signal=NUMBER, or TIMEOUT
//! ```
//!
//! between `init: up` and `ALL DONE`. A program that could not be started exits with 127 after a line that says why.
//! A line of the plan that makes no sense is reported by its number, and nothing is run for it.
#![no_std]
#![no_main]

use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ptr;

use heapless::Vec;
use rt0::sys::{self, Errno, Rlimit, Timespec};
use rt0::{Args, eprintln, println};

rt0::entry!(main);

/// The longest line of a plan, its end included.
const LINE: usize = 4096;
/// The most words on it.
const WORDS: usize = 64;

const SIGKILL: i32 = 9;

fn main(args: Args) -> i32 {
    let first = sys::getpid() == 1;
    if first {
        system::open_console();
    }
    let plan = match (first, args.get(1), args.len()) {
        (true, ..) => c"/plan",
        (false, Some(plan), 2) => plan,
        _ => {
            eprintln!(
                "usage: init PLAN (runs a plan), or as process 1 of a machine (runs /plan and turns the machine off)"
            );
            return 2;
        }
    };
    // The kernel may have printed part of a line; ours must begin at the margin.
    println!("\ninit: up");
    let status = match sys::open(plan, sys::O_RDONLY | sys::O_CLOEXEC, 0) {
        Ok(fd) => run_plan(Lines::new(fd)),
        Err(errno) => {
            println!("init: {}: {errno}", plan.to_str().unwrap_or("the plan"));
            2
        }
    };
    println!("ALL DONE");
    if first {
        turn_off();
    }
    status
}

fn turn_off() {
    // The console's driver may still be sending the last line.
    let _ = sys::nanosleep(Timespec { seconds: 0, nanoseconds: 100_000_000 });
    system::prepare_power_off();
    let errno = sys::reboot(sys::REBOOT_POWER_OFF);
    println!("init: power off: {errno}");
    sys::reboot(sys::REBOOT_RESTART);
}

/// What the lines that begin with `!` have set for the programs below them.
struct Settings {
    /// Seconds; 0 means no timeout.
    timeout: u64,
    /// RLIMIT_STACK.
    stack: Stack,
}

/// Runs the lines and returns the status to exit with.
fn run_plan(mut lines: Lines) -> i32 {
    let mut status = 0;
    let mut settings = Settings { timeout: 0, stack: Stack::Kept };
    let mut number = 0;
    loop {
        number += 1;
        let result = match lines.next() {
            Ok(None) => return status,
            Ok(Some(line)) => run_line(line, &mut settings),
            Err(Unreadable::Kernel(errno)) => {
                println!("init: reading the plan: {errno}");
                return 2;
            }
            Err(Unreadable::TooLong) => {
                println!("init: plan, line {number}: longer than {LINE} bytes");
                return 2;
            }
        };
        if let Err(wrong) = result {
            println!("init: plan, line {number}: {wrong}");
            status = 2;
        }
    }
}

fn run_line(line: &mut [u8], settings: &mut Settings) -> Result<(), &'static str> {
    let words = split(line)?;
    match words.as_slice() {
        [] => {}
        [word, value] if word.to_bytes() == b"!timeout" => settings.timeout = number(value)?,
        [word, value] if word.to_bytes() == b"!stack" => {
            settings.stack = match value.to_bytes() {
                b"-" => Stack::Kept,
                b"unlimited" => Stack::Unlimited,
                _ => Stack::Bytes(number(value)?),
            }
        }
        [word, ..] if word.to_bytes().starts_with(b"!") => {
            return Err("no such setting: there are !timeout and !stack, each with one value");
        }
        [name, limit, program @ ..] if !program.is_empty() => {
            let limit = if limit.to_bytes() == b"-" { None } else { Some(both(number(limit)?)) };
            let name = name.to_str().map_err(|_| "the name is not UTF-8")?;
            println!("=== {name}");
            match run(program, limit, settings) {
                Ok(End::Exit(status)) => println!("--- {name} exit={status}"),
                Ok(End::Signal(signal)) => println!("--- {name} signal={signal}"),
                Ok(End::Timeout) => println!("--- {name} TIMEOUT"),
                Err(errno) => println!("init: {name}: {errno}"),
            }
        }
        _ => return Err("a line needs at least NAME LIMIT PROGRAM"),
    }
    Ok(())
}

/// The RLIMIT_STACK that a program gets.
enum Stack {
    Kept,
    Unlimited,
    Bytes(u64),
}

impl Stack {
    fn limit(&self) -> Result<Option<Rlimit>, Errno> {
        Ok(match self {
            Stack::Kept => None,
            Stack::Unlimited => {
                let hard = sys::getrlimit(sys::RLIMIT_STACK)?.hard;
                Some(Rlimit { soft: hard, hard })
            }
            Stack::Bytes(bytes) => Some(both(*bytes)),
        })
    }
}

/// A soft limit and a hard limit of the same size, so that the program cannot raise it.
fn both(bytes: u64) -> Rlimit {
    Rlimit { soft: Some(bytes), hard: Some(bytes) }
}

/// How a program ended.
enum End {
    Exit(i32),
    Signal(i32),
    Timeout,
}

/// Runs the program `words[0]` with the arguments `words` to its end.
///
/// The timeout is a second child, which sleeps. So one `wait4` waits for both, and returns when the first of them ends.
fn run(words: &[&CStr], limit: Option<Rlimit>, settings: &Settings) -> Result<End, Errno> {
    let program = fork(|| start(words, limit, settings))?;
    let clock = if settings.timeout == 0 { 0 } else { fork(|| sleep(settings.timeout))? };
    let mut timeout = false;
    let status = loop {
        match sys::wait4(-1, 0) {
            Ok((pid, status)) if pid == program => break status,
            Ok((pid, _)) if pid == clock => {
                timeout = true;
                sys::kill(program, SIGKILL)?;
            }
            // A child that some program left behind.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    };
    if clock != 0 && !timeout {
        // It has not been waited for, so its process number cannot belong to another process yet.
        sys::kill(clock, SIGKILL)?;
        while sys::wait4(clock, 0) == Err(Errno::EINTR) {}
    }
    Ok(match (timeout, status.signaled()) {
        (true, _) => End::Timeout,
        (false, Some(signal)) => End::Signal(signal),
        (false, None) => End::Exit(status.exited().unwrap_or(-1)),
    })
}

/// Makes a child process that does `work` and exits with what `work` returns.
fn fork(work: impl FnOnce() -> i32) -> Result<i32, Errno> {
    // SAFETY: this process has one thread and no locks.
    match unsafe { sys::fork() }? {
        0 => sys::exit(work()),
        child => Ok(child),
    }
}

/// Runs in the child: sets the limits and becomes the program.
fn start(words: &[&CStr], limit: Option<Rlimit>, settings: &Settings) -> i32 {
    if let Err(errno) = set_limits(limit, settings) {
        println!("init: setting limits: {errno}");
        return 127;
    }
    let mut argv = [ptr::null(); WORDS + 1];
    for (pointer, word) in argv.iter_mut().zip(words) {
        *pointer = word.as_ptr().cast();
    }
    let environment = [ptr::null()];
    // SAFETY: `argv` has a null pointer behind the last word, as there are no more than WORDS.
    let errno = unsafe { sys::execve(words[0], argv.as_ptr(), environment.as_ptr()) };
    println!("init: execve {}: {errno}", words[0].to_str().unwrap_or("?"));
    127
}

fn set_limits(limit: Option<Rlimit>, settings: &Settings) -> Result<(), Errno> {
    if let Some(stack) = settings.stack.limit()? {
        sys::setrlimit(sys::RLIMIT_STACK, stack)?;
    }
    if let Some(limit) = limit {
        sys::setrlimit(sys::RLIMIT_AS, limit)?;
    }
    Ok(())
}

/// Runs in the child that is the timeout.
fn sleep(seconds: u64) -> i32 {
    let _ = sys::nanosleep(Timespec { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanoseconds: 0 });
    0
}

/// Splits a line, whose last byte is its newline, into words. The blank or quote after each word is overwritten with
/// the NUL that ends it as a C string.
fn split(line: &mut [u8]) -> Result<Vec<&CStr, WORDS>, &'static str> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0);
    let mut starts: Vec<usize, WORDS> = Vec::new();
    let mut at = 0;
    while let Some(gap) = line[at..].iter().position(|byte| !blank(byte)) {
        at += gap;
        let first = line[at];
        if first == b'#' && starts.is_empty() {
            break;
        }
        let quoted = matches!(first, b'\'' | b'"');
        at += usize::from(quoted);
        let end =
            if quoted { line[at..].iter().position(|&byte| byte == first) } else { line[at..].iter().position(blank) };
        let end = at + end.ok_or("a quote that is not closed")?;
        starts.push(at).map_err(|_| "too many words")?;
        line[end] = 0;
        at = end + 1;
    }
    let line = &*line;
    starts
        .into_iter()
        .map(|start| CStr::from_bytes_until_nul(&line[start..]).map_err(|_| "a word without an end"))
        .collect()
}

/// Reads a number as the head of this file describes it.
fn number(word: &CStr) -> Result<u64, &'static str> {
    let text = word.to_str().unwrap_or("");
    let wrong = "not a number: decimal, perhaps with k, m or g, or 0x and hexadecimal";
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).map_err(|_| wrong);
    }
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or(wrong)
}

/// Reads a file line by line.
struct Lines {
    fd: i32,
    buffer: [MaybeUninit<u8>; LINE],
    /// What has been read and not yet handed out: `buffer[start..end]`, which has been written.
    start: usize,
    end: usize,
}

/// Why there is no next line.
enum Unreadable {
    Kernel(Errno),
    TooLong,
}

impl Lines {
    fn new(fd: i32) -> Self {
        Lines { fd, buffer: [MaybeUninit::uninit(); LINE], start: 0, end: 0 }
    }

    /// The next line with its newline. A last line without one has been cut off, and is left out.
    fn next(&mut self) -> Result<Option<&mut [u8]>, Unreadable> {
        let mut searched = self.start;
        loop {
            if let Some(length) = self.written(searched, self.end).iter().position(|&byte| byte == b'\n') {
                let (from, to) = (self.start, searched + length + 1);
                self.start = to;
                return Ok(Some(self.written(from, to)));
            }
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            searched = self.end;
            if self.end == LINE {
                return Err(Unreadable::TooLong);
            }
            match sys::read_uninit(self.fd, &mut self.buffer[self.end..]) {
                Ok(0) => return Ok(None),
                Ok(read) => self.end += read,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Unreadable::Kernel(errno)),
            }
        }
    }

    fn written(&mut self, from: usize, to: usize) -> &mut [u8] {
        assert!(to <= self.end);
        // SAFETY: the kernel has written everything below `end`.
        unsafe { self.buffer[from..to].assume_init_mut() }
    }
}

#[cfg(target_os = "linux")]
mod system {
    /// Linux has opened the console already.
    pub(crate) fn open_console() {}

    /// Linux turns the machine off at once.
    pub(crate) fn prepare_power_off() {}
}

#[cfg(target_os = "freebsd")]
mod system {
    use rt0::sys::{self, nr};

    /// FreeBSD starts process 1 without open descriptors, so the first three that are opened become 0, 1 and 2.
    ///
    /// Meanwhile drivers still attach, and the kernel's messages about them would interrupt our lines.
    pub(crate) fn open_console() {
        let _ = sys::nanosleep(sys::Timespec { seconds: 2, nanoseconds: 0 });
        for _ in 0..3 {
            let _ = sys::open(c"/dev/console", sys::O_RDWR, 0);
        }
    }

    /// FreeBSD waits five seconds before it turns off, so that a disk can write its cache; this sets it to none:
    /// `kern.shutdown.poweroff_delay`.
    pub(crate) fn prepare_power_off() {
        let name = b"kern.shutdown.poweroff_delay";
        // sys/sys/sysctl.h: CTL_SYSCTL, CTL_SYSCTL_NAME2OID finds a name's numbers, of which there are CTL_MAXNAME at
        // most.
        let name_to_oid = [0i32, 3];
        let mut oid = [0i32; 24];
        let mut oid_size = size_of_val(&oid);
        let delay = 0i32;
        let none = core::ptr::null_mut::<u8>();
        // SAFETY: __sysctl(name, words, old, &old_size, new, new_size): the kernel reads `name_to_oid` and `name`,
        // and writes at most `oid_size` bytes to `oid`.
        let found = unsafe {
            sys::syscall(
                nr::SYSCTL,
                [
                    (&raw const name_to_oid).into(),
                    name_to_oid.len().into(),
                    (&raw mut oid).into(),
                    (&raw mut oid_size).into(),
                    name.as_ptr().into(),
                    name.len().into(),
                ],
            )
        };
        if found.is_ok() {
            // SAFETY: the kernel reads the name and the new value, an int; there is no old value to write.
            let _ = unsafe {
                sys::syscall(
                    nr::SYSCTL,
                    [
                        (&raw const oid).into(),
                        (oid_size / size_of::<i32>()).into(),
                        none.into(),
                        none.into(),
                        (&raw const delay).into(),
                        size_of_val(&delay).into(),
                    ],
                )
            };
        }
    }
}
