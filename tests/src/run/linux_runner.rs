//! Runs a linux_amd64 or linux_386 program natively under ptrace: the Linux kernel of the host does all the work, and
//! the runner injects failures, poisons what the program may not rely on, and watches what it maps over.
//!
//! - At entry every register but the stack pointer, and every flag, holds poison; the initial stack can be rebuilt
//!   without arguments or without AT_PAGESZ.
//! - A call for which a failure is injected is not made; its answer is the error.
//! - A MAP_FIXED, munmap or mprotect on memory that the program has not mapped itself is a violation, and is not
//!   carried out.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::run::tracer::faults::{Effect, Fault, Faults};
use crate::run::tracer::launch::{Launch, mappings};
use crate::run::tracer::poison;
use crate::run::tracer::report::{Call, End, Outcome};
use crate::run::tracer::space::{Kind, Space};
use crate::run::tracer::stack::{Block, place};
use crate::run::tracer::tracee::{
    Class, LinuxCall, Registers, Tracee, linux_answer, linux_arguments, set_linux_arguments,
};

/// How a program is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The program's streams and limits, and the time it may take.
    pub launch: Launch,
    /// The environment, `NAME=value` each.
    pub environment: Vec<Vec<u8>>,
    /// No arguments at all, not even `argv[0]`.
    pub no_arguments: bool,
    /// Leave AT_PAGESZ out.
    pub no_page_size: bool,
    /// The failures to inject.
    pub faults: Vec<Fault>,
    /// Leave only this many free ranges of this many bytes each for mmap.
    pub holes: Option<(u64, u64)>,
    /// Print calls and violations to standard error as they happen.
    pub trace: bool,
}

/// The number of a call that a CPU does not have.
const NONE: u64 = u64::MAX;

/// The calls that have a name here: `arch/x86/entry/syscalls/syscall_64.tbl` and `syscall_32.tbl`. Any other is called
/// `call N`.
const NAMES: &[(&str, u64, u64, usize)] = &[
    ("read", 0, 3, 3),
    ("write", 1, 4, 3),
    ("open", 2, 5, 3),
    ("close", 3, 6, 1),
    ("mmap", 9, 192, 6),
    ("mprotect", 10, 125, 3),
    ("munmap", 11, 91, 2),
    ("brk", 12, 45, 1),
    ("sigaction", 13, 174, 4),
    ("sched_yield", 24, 158, 0),
    ("mremap", 25, 163, 5),
    ("mincore", 27, 218, 3),
    ("madvise", 28, 219, 3),
    ("dup2", 33, 63, 2),
    ("nanosleep", 35, 162, 2),
    ("getpid", 39, 20, 0),
    ("clone", 56, 120, 5),
    ("fork", 57, 2, 0),
    ("execve", 59, 11, 3),
    ("exit", 60, 1, 1),
    ("wait4", 61, 114, 4),
    ("kill", 62, 37, 2),
    ("getrlimit", 97, 191, 2),
    ("sigaltstack", 131, 186, 2),
    ("arch_prctl", 158, 384, 2),
    ("set_thread_area", 205, 243, 1),
    ("setrlimit", 160, 75, 2),
    ("futex", 202, 240, 6),
    ("clock_gettime", 228, 265, 2),
    ("clock_gettime64", NONE, 403, 2),
    ("clock_nanosleep64", NONE, 407, 4),
    ("exit_group", 231, 252, 1),
    ("prlimit64", 302, 340, 4),
    ("getrandom", 318, 355, 3),
    ("membarrier", 324, 375, 2),
];

const MMAP: LinuxCall = LinuxCall { amd64: 9, i386: 192 };
const MAP_FIXED: u64 = 0x10;
const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;
/// `MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE`.
const MAP_OBSTACLE: u64 = 0x2 | 0x20 | 0x4000 | MAP_FIXED_NOREPLACE;
const PAGE: u64 = 4096;

/// Linux's errno of this name.
#[must_use]
pub fn errno_named(name: &str) -> Option<i32> {
    // nix prints an errno as `ENOMEM: Out of memory`, which saves a table.
    (1..=133).find(|number| Errno::from_raw(*number).to_string().split(':').next() == Some(name))
}

/// Runs `program` and returns what it did.
///
/// # Errors
/// The runner cannot do its work: there is no such file, ptrace is not allowed, or there is no room for the obstacles.
pub fn run(program: &Path, arguments: &[&str], options: &Options) -> Result<Outcome> {
    let mut strings = vec![program.as_os_str().as_bytes().to_vec()];
    strings.extend(arguments.iter().map(|argument| argument.as_bytes().to_vec()));
    let launched = options.launch.start(program, &strings, &options.environment)?;
    let mut run = Run {
        options,
        faults: Faults::new(&options.faults),
        space: Space::new(0..u64::MAX),
        pending: BTreeMap::new(),
        calls: Vec::new(),
        violations: Vec::new(),
        crash: None,
    };
    let end = run.follow(launched.tracee)?;
    let ([stdout, stderr], timed_out) = launched.finish();
    Ok(Outcome {
        end: if timed_out { End::TimedOut } else { end },
        stdout,
        stderr,
        calls: run.calls,
        violations: run.violations,
        crash: run.crash,
        peak: 0,
    })
}

struct Run<'a> {
    options: &'a Options,
    faults: Faults,
    space: Space,
    /// The calls that have begun, by thread.
    pending: BTreeMap<Tracee, Pending>,
    calls: Vec<Call>,
    violations: Vec<String>,
    crash: Option<String>,
}

/// A call between its entry and its exit.
struct Pending {
    name: String,
    arguments: Vec<u64>,
    outcome: Outlook,
    /// The argument registers as the program set them, where the runner has changed them.
    original: Option<[u64; 6]>,
}

/// What the answer of a call will be.
#[derive(Clone, Copy)]
enum Outlook {
    /// Linux's answer.
    Real,
    /// Linux's answer, off by this many bytes.
    Off(i64),
    /// This error; Linux does not see the call.
    Error(i32),
}

impl Run<'_> {
    fn follow(&mut self, root: Tracee) -> Result<End> {
        self.start(root)?;
        root.resume(None)?;
        let mut end = End::TimedOut;
        loop {
            let status = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Err(Errno::ECHILD) => return Ok(end),
                Err(Errno::EINTR) => continue,
                status => status?,
            };
            let stopped = match status {
                WaitStatus::Exited(pid, status) => {
                    if pid == root.0 {
                        end = End::Exit(status);
                    }
                    continue;
                }
                WaitStatus::Signaled(pid, signal, _) => {
                    if pid == root.0 {
                        end = End::Signal(signal.as_str().to_string());
                    }
                    continue;
                }
                WaitStatus::PtraceSyscall(pid) => self.at_call(Tracee(pid)),
                WaitStatus::PtraceEvent(pid, ..) => Tracee(pid).resume(None).map_err(Into::into),
                WaitStatus::Stopped(pid, signal) => self.at_signal(Tracee(pid), signal),
                other => bail!("a stop that the runner knows nothing of: {other:?}"),
            };
            // A thread that is killed while the runner looks at it is reported by the next wait.
            if let Err(error) = stopped
                && error.downcast_ref() != Some(&Errno::ESRCH)
            {
                return Err(error);
            }
        }
    }

    /// Rebuilds the initial stack, poisons the registers and fills the address space, as the options say.
    fn start(&mut self, tracee: Tracee) -> Result<()> {
        let class = tracee.class()?;
        let mut registers = tracee.registers()?;
        let readable = || "the initial stack cannot be read";
        let mut block = Block::read(tracee, class, registers.rsp).ok().with_context(readable)?;
        let before = block.clone();
        if self.options.no_arguments {
            block.arguments.clear();
        }
        block.auxiliary.retain(|(kind, _)| !(self.options.no_page_size && *kind == 6));
        if block != before {
            let bytes = block.bytes(class);
            registers.rsp = place(registers.rsp, bytes.len(), 0);
            tracee.write(registers.rsp, &bytes).ok().context("the initial stack does not fit")?;
        }
        for (start, end) in mappings(tracee)? {
            self.space.insert(start..end, Kind::Foreign);
        }
        if let Some((count, size)) = self.options.holes {
            self.leave_holes(tracee, class, count, size)?;
        }
        poison::general(&mut registers, class);
        registers.orig_rax = u64::MAX;
        tracee.set_registers(registers)?;
        poison::vectors(tracee)?;
        Ok(())
    }

    /// Maps everything that is free except `count` ranges of `size` bytes in the largest gap.
    fn leave_holes(&mut self, tracee: Tracee, class: Class, count: u64, size: u64) -> Result<()> {
        let end = match class {
            Class::Bits32 => 0xffff_e000,
            Class::Bits64 => 0x7fff_ffff_f000,
        };
        let mut taken: Vec<Range<u64>> = self.space.all().into_iter().map(|(range, _)| range).collect();
        taken.push(end..u64::MAX);
        taken.sort_by_key(|range| range.start);
        let mut gaps = Vec::new();
        let mut from = 0x1_0000;
        for range in taken {
            if range.start > from {
                gaps.push(from..range.start);
            }
            from = from.max(range.end);
        }
        let largest =
            (0..gaps.len()).max_by_key(|index| gaps[*index].end - gaps[*index].start).context("nothing is free")?;
        let mut gap = gaps.swap_remove(largest);
        for _ in 0..count {
            gaps.push(gap.start..gap.start + PAGE);
            gap.start += PAGE + size;
        }
        ensure!(gap.start < gap.end, "there is no room for {count} holes of {size} bytes");
        gaps.push(gap);

        let entry = tracee.registers()?.rip;
        let original = tracee.patch(entry, class.system_call())?;
        for gap in gaps {
            let arguments = [gap.start, gap.end - gap.start, 0, MAP_OBSTACLE, u64::MAX, 0];
            let answer = tracee.inject(entry, MMAP, arguments)?;
            ensure!(answer == gap.start.cast_signed(), "no obstacle at {gap:x?}: {answer}");
            self.space.insert(gap, Kind::Foreign);
        }
        tracee.patch(entry, original)?;
        Ok(())
    }

    fn at_call(&mut self, tracee: Tracee) -> Result<()> {
        let class = tracee.class()?;
        let mut registers = tracee.registers()?;
        match self.pending.remove(&tracee) {
            None => self.enter(tracee, class, &mut registers),
            Some(pending) => self.leave(tracee, class, &mut registers, pending),
        }
        tracee.set_registers(registers)?;
        Ok(tracee.resume(None)?)
    }

    /// The program makes a call.
    fn enter(&mut self, tracee: Tracee, class: Class, registers: &mut Registers) {
        let number = class.truncate(registers.orig_rax);
        let known =
            NAMES.iter().find(|(_, amd64, i386, _)| LinuxCall { amd64: *amd64, i386: *i386 }.number(class) == number);
        let name = known.map_or_else(|| format!("call {number}"), |known| known.0.to_string());
        let mut arguments = linux_arguments(registers, class);
        let original = arguments;
        let recorded = arguments[..known.map_or(6, |known| known.3)].to_vec();
        let mut outcome = match self.faults.next(&name) {
            None => Outlook::Real,
            Some(Effect::Error(number)) => Outlook::Error(number),
            Some(Effect::Unknown) => Outlook::Error(Errno::ENOSYS as i32),
            Some(Effect::Off(bytes)) => Outlook::Off(bytes),
            Some(Effect::At(address)) => {
                arguments[0] = address;
                arguments[3] |= MAP_FIXED_NOREPLACE;
                Outlook::Real
            }
            Some(Effect::Short(most)) => {
                arguments[2] = arguments[2].min(most);
                Outlook::Real
            }
        };
        let replaces = match name.as_str() {
            "mmap" => arguments[3] & MAP_FIXED != 0 && arguments[3] & MAP_FIXED_NOREPLACE == 0,
            "munmap" | "mprotect" | "madvise" => true,
            _ => false,
        };
        let range = arguments[0]..arguments[0].saturating_add(arguments[1]);
        if replaces
            && let Some((part, _)) = self.space.overlaps(range).into_iter().find(|(_, kind)| *kind != Kind::Mapping)
        {
            self.violation(tracee, format!("{name} on what the program has not mapped, at {part:#x?}"));
            outcome = Outlook::Error(Errno::EINVAL as i32);
        }
        set_linux_arguments(registers, class, arguments);
        if matches!(outcome, Outlook::Error(_)) {
            registers.orig_rax = u64::MAX;
        }
        let original = (original != arguments).then_some(original);
        let pending = Pending { name, arguments: recorded, outcome, original };
        if pending.name.starts_with("exit") {
            self.record(tracee, &pending, 0);
        }
        self.pending.insert(tracee, pending);
    }

    /// The call has ended.
    fn leave(&mut self, tracee: Tracee, class: Class, registers: &mut Registers, pending: Pending) {
        let real = linux_answer(registers, class);
        // ERESTARTSYS to ERESTART_RESTARTBLOCK: Linux makes the call again after a signal.
        if (-516..=-512).contains(&real) && matches!(pending.outcome, Outlook::Real) {
            return;
        }
        let answer = match pending.outcome {
            Outlook::Real => real,
            Outlook::Off(bytes) => real + bytes,
            Outlook::Error(number) => -i64::from(number),
        };
        registers.rax = class.truncate(answer.cast_unsigned());
        if let Some(arguments) = pending.original {
            set_linux_arguments(registers, class, arguments);
        }
        if class == Class::Bits64 {
            registers.rcx = poison::value(class, 22);
            registers.r11 = poison::value(class, 23);
        }
        let length = pending.arguments.get(1).copied().unwrap_or(0).next_multiple_of(PAGE);
        match pending.name.as_str() {
            "mmap" if real >= 0 => {
                self.space.insert(real.cast_unsigned()..real.cast_unsigned() + length, Kind::Mapping);
            }
            "munmap" if answer == 0 => self.space.remove(pending.arguments[0]..pending.arguments[0] + length),
            _ => {}
        }
        self.record(tracee, &pending, answer);
    }

    fn at_signal(&mut self, tracee: Tracee, signal: Signal) -> Result<()> {
        let of_birth = signal == Signal::SIGSTOP;
        if !of_birth && signal != Signal::SIGCHLD {
            let information = ptrace::getsiginfo(tracee.0)?;
            // SAFETY: the field is read as a plain number; it is an address for the signals that are faults.
            let address = unsafe { information.si_addr() } as u64;
            self.crash = Some(format!("{signal} at {:#x}, address {address:#x}", tracee.registers()?.rip));
        }
        Ok(tracee.resume(if of_birth { None } else { Some(signal) })?)
    }

    fn violation(&mut self, tracee: Tracee, text: String) {
        if self.options.trace {
            eprintln!("linux-runner: violation: {text}");
        }
        self.violations.push(format!("process {}: {text}", tracee.0));
    }

    fn record(&mut self, tracee: Tracee, pending: &Pending, answer: i64) {
        let result = match answer {
            error @ -4095..=-1 => Err(-error as i32),
            value => Ok(value.cast_unsigned()),
        };
        let call = Call {
            pid: tracee.0.as_raw(),
            name: pending.name.clone(),
            arguments: pending.arguments.clone(),
            answer: result,
        };
        if self.options.trace {
            eprintln!("linux-runner: {}: {call}", tracee.0);
        }
        self.calls.push(call);
    }
}
