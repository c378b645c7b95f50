//! The state of the kernel that is played (its processes and their limits), and how a call is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use nix::sys::signal::Signal;

use super::abi::{Errno, rlimit};
use super::calls::{Handler, Interrupted, Start};
use super::elf::PAGE;
use super::options::Options;
use crate::run::tracer::faults::Faults;
use crate::run::tracer::report::Call;
use crate::run::tracer::space::{Kind, Space};
use crate::run::tracer::tracee::{BadAddress, Class, LinuxCall, Registers, Tracee};

/// The address of the one system call instruction that the runner keeps in the program's address space, below
/// everything that FreeBSD hands out.
pub(super) const GADGET: u64 = 0x1_0000;

/// What a call returns: the result and the second result, if it has one, or the error.
pub(super) type Answer = Result<(u64, Option<u64>), Errno>;

/// What happens next in a call.
pub(super) enum Step {
    /// The call returns.
    Answer(Answer),
    /// A Linux call is made in the program's name, and its answer decides what follows.
    Linux(LinuxCall, [u64; 6], Then),
    /// The call does not return: a signal ends the process.
    Kill(Signal),
    /// The call does not return: the registers are these.
    Registers(Box<Registers>),
}

/// What is done with a Linux call's answer.
pub(super) type Then = Box<dyn FnOnce(&mut Kernel, Context, i64) -> Step>;

impl Step {
    /// The call succeeds with this result.
    #[must_use]
    pub(super) fn value(value: u64) -> Step {
        Step::Answer(Ok((value, None)))
    }

    /// A Linux call whose result is also FreeBSD's; its errors are translated.
    #[must_use]
    pub(super) fn linux(call: LinuxCall, arguments: [u64; 6]) -> Step {
        Step::Linux(call, arguments, Box::new(|_, _, answer| Step::Answer(from_linux(answer))))
    }

    /// A Linux call, and what follows if it succeeds.
    #[must_use]
    pub(super) fn linux_then(
        call: LinuxCall,
        arguments: [u64; 6],
        then: impl FnOnce(&mut Kernel, Context, u64) -> Step + 'static,
    ) -> Step {
        let then = move |kernel: &mut Kernel, context: Context, answer: i64| match from_linux(answer) {
            Ok((value, _)) => then(kernel, context, value),
            error => Step::Answer(error),
        };
        Step::Linux(call, arguments, Box::new(then))
    }
}

impl From<Errno> for Step {
    fn from(errno: Errno) -> Step {
        Step::Answer(Err(errno))
    }
}

impl From<BadAddress> for Errno {
    fn from(_: BadAddress) -> Errno {
        Errno::EFAULT
    }
}

/// Linux's answer as FreeBSD's.
pub(super) fn from_linux(answer: i64) -> Answer {
    match answer {
        error @ -4095..=-1 => Err(Errno::from_linux(-error as i32)),
        value => Ok((value.cast_unsigned(), None)),
    }
}

/// Which thread of which process makes a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// The thread.
    pub tracee: Tracee,
    /// Its process.
    pub process: i32,
    /// The width of its words.
    pub class: Class,
}

/// A limit as FreeBSD keeps it, as signed numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The soft limit, which the kernel enforces.
    pub soft: i64,
    /// The hard limit, up to which the process may raise the soft one.
    pub hard: i64,
}

impl Limit {
    /// No limit.
    pub const INFINITE: Limit = Limit { soft: rlimit::INFINITY, hard: rlimit::INFINITY };

    /// The soft limit in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        u64::try_from(self.soft).unwrap_or(u64::MAX)
    }
}

/// A process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Its address space.
    pub space: Space,
    /// Its limits, by resource.
    pub limits: [Limit; rlimit::COUNT],
    /// First page of the text segment, `vm_taddr`.
    pub text_start: u64,
    /// First page of the data segment, `vm_daddr`.
    pub data_start: u64,
    /// Highest address of the stack, exclusive.
    pub stack_top: u64,
    /// Whether the executable has an ABI note; without one, an access to a page without access rights is SIGBUS.
    pub has_note: bool,
    /// Whether SIGSYS is ignored, so that unknown calls return ENOSYS.
    pub ignores_sigsys: bool,
    /// The handlers of signals, by FreeBSD's number.
    pub handlers: BTreeMap<i32, Handler>,
}

impl Process {
    /// Where mmap(0) starts to search: `vm_daddr` + hard RLIMIT_DATA (`sys/vm/vm_mmap.c`, `kern_mmap`).
    #[must_use]
    pub(super) fn search_start(&self) -> u64 {
        let data = u64::try_from(self.limits[rlimit::DATA].hard).unwrap_or(u64::MAX);
        self.data_start.saturating_add(data).checked_next_multiple_of(PAGE).unwrap_or(u64::MAX / PAGE * PAGE)
    }

    /// The lowest address to which the stack has grown.
    #[must_use]
    pub(super) fn stack_low(&self) -> u64 {
        let parts = self.space.all().into_iter().filter(|(_, kind)| *kind == Kind::Stack);
        parts.map(|(range, _)| range.start).min().unwrap_or(self.stack_top)
    }
}

/// The kernel that is played, and what it has seen.
pub(super) struct Kernel<'a> {
    /// The options that it was started with.
    pub options: &'a Options,
    /// Its processes, by pid.
    pub processes: BTreeMap<i32, Process>,
    /// The failures that are still to be injected.
    pub faults: Faults,
    /// Threads that are being made, by the thread that makes them.
    pub starting: BTreeMap<Tracee, Start>,
    /// Handlers that run, by their thread.
    pub interrupted: BTreeMap<Tracee, Interrupted>,
    /// Where handlers run, and how many bytes there are, by thread.
    pub alternate: BTreeMap<Tracee, (u64, u64)>,
    /// Threads in whose process Linux has executed another program that is not yet arranged as FreeBSD's.
    pub starting_program: BTreeSet<Tracee>,
    /// The calls made.
    pub calls: Vec<Call>,
    /// What the program did that no correct program does.
    pub violations: Vec<String>,
    /// Why the kernel would not execute a program, from the last such refusal.
    pub refused: Option<String>,
    /// The largest size that any address space has had.
    pub peak: u64,
}

impl Kernel<'_> {
    /// The process of a call.
    pub(super) fn process(&mut self, context: Context) -> &mut Process {
        self.processes.get_mut(&context.process).expect("a thread that makes a call has a process")
    }

    /// Records something that no correct program does.
    pub(super) fn violation(&mut self, context: Context, text: impl AsRef<str>) {
        let line = format!("process {}: {}", context.process, text.as_ref());
        if self.options.trace {
            eprintln!("freebsd-runner: violation: {line}");
        }
        self.violations.push(line);
    }

    /// Extends the stack to `address` if it may grow to there, as `vm_map_growstack` does.
    pub(super) fn grow_stack(&mut self, context: Context, address: u64) -> Option<Range<u64>> {
        let page = address / PAGE * PAGE;
        let process = self.process(context);
        let in_gap = process.space.overlaps(page..page + PAGE).first().is_some_and(|(_, kind)| *kind == Kind::StackGap);
        if !in_gap {
            return None;
        }
        let low = process.stack_low();
        let grown = process.stack_top - low;
        let allowed = process.limits[rlimit::STACK].bytes() / PAGE * PAGE;
        if process.stack_top - page > allowed {
            return None;
        }
        let gap_start = process.space.all().into_iter().rev().find(|(range, _)| range.end == low)?.0.start;
        let amount = (low - page).next_multiple_of(STACK_STEP).min(low - gap_start).min(allowed - grown);
        if process.space.size() + amount > process.limits[rlimit::AS].bytes() {
            return None;
        }
        process.space.insert(low - amount..low, Kind::Stack);
        Some(low - amount..low)
    }
}

/// `sgrowsiz`: the step by which the stack grows, and its size at first (`sys/{amd64,i386}/include/vmparam.h`).
pub(super) const STACK_STEP: u64 = 128 << 10;

/// Sets the registers to what the program finds after a call: the answer, and poison in every one that the kernel
/// destroys.
pub(super) fn answer(registers: &mut Registers, class: Class, answer: Answer) {
    use crate::run::tracer::poison;
    registers.eflags |= poison::ARITHMETIC_FLAGS;
    let (first, second) = match answer {
        Ok((first, second)) => {
            registers.eflags &= !poison::CARRY;
            (first, second)
        }
        Err(errno) => (u64::from(errno.0.unsigned_abs()), Some(poison::value(class, 20))),
    };
    registers.rax = class.truncate(first);
    // A call with one result leaves the second register as it was, but the program may not rely on that.
    registers.rdx = second.map_or_else(|| poison::value(class, 21), |second| class.truncate(second));
    if class == Class::Bits64 {
        registers.rcx = poison::value(class, 22);
        registers.r11 = poison::value(class, 23);
        registers.r8 = poison::value(class, 24);
        registers.r9 = poison::value(class, 25);
        registers.r10 = poison::value(class, 26);
    }
    registers.orig_rax = u64::MAX;
}

/// Reads the file at `path` (a path of the runner's) as FreeBSD's execve would.
///
/// # Errors
/// FreeBSD would not execute it; the error says why.
pub(super) fn read_program(path: &Path) -> anyhow::Result<super::elf::Image> {
    use anyhow::Context as _;
    let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    super::elf::Image::parse(&file)
}
