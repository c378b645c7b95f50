//! One run, from the first instruction of a program to the end of its last process.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::Result;
use nix::errno::Errno as LinuxErrno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::abi::Errno;
use super::calls::{self, Arguments, Row, Start};
use super::entry::{self, Strings};
use super::kernel::{self, Answer, Context, Kernel, Step, Then};
use super::linux;
use super::options::Options;
use crate::run::tracer::faults::{Effect, Faults};
use crate::run::tracer::report::{Call, End, Outcome};
use crate::run::tracer::tracee::{self, Registers, Tracee};

/// Runs `program` and returns what it did.
///
/// # Errors
/// The runner cannot do its work: there is no such file, ptrace is not allowed, or a Linux call fails that must not. A
/// program that FreeBSD would refuse is no error but an [`End::Refused`].
pub fn run(program: &Path, arguments: &[&str], options: &Options) -> Result<Outcome> {
    let mut outcome = Outcome {
        end: End::TimedOut,
        stdout: Vec::new(),
        stderr: Vec::new(),
        calls: Vec::new(),
        violations: Vec::new(),
        crash: None,
        peak: 0,
    };
    if let Err(reason) = kernel::read_program(program) {
        outcome.end = End::Refused(format!("{reason:#}"));
        return Ok(outcome);
    }
    let first = options.argument_0.clone().unwrap_or_else(|| program.as_os_str().as_bytes().to_vec());
    let mut strings = Strings { arguments: vec![first], environment: options.environment.clone() };
    strings.arguments.extend(arguments.iter().map(|argument| argument.as_bytes().to_vec()));
    if options.no_arguments {
        strings.arguments.clear();
    }
    let launched = options.launch.start(program, &[], &[])?;
    let mut run = Run {
        kernel: Kernel {
            options,
            processes: BTreeMap::new(),
            faults: Faults::new(&options.faults),
            starting: BTreeMap::new(),
            interrupted: BTreeMap::new(),
            alternate: BTreeMap::new(),
            starting_program: BTreeSet::new(),
            calls: Vec::new(),
            violations: Vec::new(),
            refused: None,
            peak: 0,
        },
        threads: BTreeMap::new(),
        stopped: Vec::new(),
        crash: None,
    };
    let end = run.follow(launched.tracee, &strings)?;
    let ([stdout, stderr], timed_out) = launched.finish();
    let Run { kernel, crash, .. } = run;
    Ok(Outcome {
        end: if timed_out { End::TimedOut } else { end },
        stdout,
        stderr,
        calls: kernel.calls,
        violations: kernel.violations,
        crash,
        peak: kernel.peak,
    })
}

/// What a thread is doing.
enum Phase {
    /// It runs its own code.
    Outside,
    /// It is in a call that is played, at or after the entry of a Linux call.
    Inside(Pending),
    /// It is in a call that is played, before the entry of the next Linux call.
    Between(Pending),
    /// It has been made by fork or thr_new and has not begun.
    Born(Birth),
}

/// How a new thread begins.
enum Birth {
    /// With the registers of the thread that forked.
    Fork(Box<Registers>),
    /// With what thr_new was given.
    Thread(Start),
}

/// A call that is being played.
struct Pending {
    row: &'static Row,
    arguments: Vec<u64>,
    /// The program's registers, as it made the call.
    registers: Box<Registers>,
    next: Next,
    /// For execve, the strings that the new program is started with.
    strings: Option<Strings>,
}

/// What follows the Linux call.
enum Next {
    Answer(Answer),
    Then(Then),
    Kill(Signal),
    Registers(Box<Registers>),
}

struct Thread {
    context: Context,
    phase: Phase,
}

struct Run<'a> {
    kernel: Kernel<'a>,
    threads: BTreeMap<Tracee, Thread>,
    /// Threads whose first stop came before the event at which their maker reports them.
    stopped: Vec<Tracee>,
    /// Where the last fatal signal came from.
    crash: Option<String>,
}

impl Run<'_> {
    /// Follows the program until its last thread has ended.
    fn follow(&mut self, root: Tracee, strings: &Strings) -> Result<End> {
        let context = Context { tracee: root, process: root.0.as_raw(), class: root.class()? };
        if let Err(reason) = entry::execute(&mut self.kernel, root, None, strings) {
            ptrace::kill(root.0)?;
            waitpid(root.0, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))?;
            // The old program is gone by then, so the kernel kills the process (`exec_fail_dealloc`, SIGABRT). [run]
            self.crash = Some(format!("{reason:#}"));
            return Ok(End::Signal("SIGABRT".into()));
        }
        self.threads.insert(root, Thread { context, phase: Phase::Outside });
        gone_is_fine(root.resume(None))?;
        let mut end = End::TimedOut;
        loop {
            let any = Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD);
            let status = match waitpid(Pid::from_raw(-1), any) {
                Err(LinuxErrno::ECHILD) => return Ok(end),
                Err(LinuxErrno::EINTR) => continue,
                status => status?,
            };
            let last = match status {
                WaitStatus::Exited(pid, status) => Some((pid, End::Exit(status))),
                WaitStatus::Signaled(pid, signal, _) => Some((pid, End::Signal(signal.as_str().to_string()))),
                _ => None,
            };
            if let Some((pid, how)) = last {
                self.ended(Tracee(pid));
                if pid == root.0 {
                    end = how;
                }
                continue;
            }
            // A thread that is killed while the runner looks at it is reported by the next wait.
            if let Err(error) = self.stopped(status)
                && error.downcast_ref() != Some(&LinuxErrno::ESRCH)
            {
                return Err(error);
            }
        }
    }

    fn ended(&mut self, tracee: Tracee) {
        self.threads.remove(&tracee);
        if let Some(process) = self.kernel.processes.remove(&tracee.0.as_raw()) {
            self.kernel.peak = self.kernel.peak.max(process.space.peak());
        }
    }

    fn stopped(&mut self, status: WaitStatus) -> Result<()> {
        match status {
            WaitStatus::PtraceSyscall(pid) => self.at_call(Tracee(pid)),
            WaitStatus::PtraceEvent(pid, _, event) => self.at_event(Tracee(pid), event),
            WaitStatus::Stopped(pid, signal) => self.at_signal(Tracee(pid), signal),
            other => anyhow::bail!("a stop that the runner knows nothing of: {other:?}"),
        }
    }

    /// At the entry or the exit of a Linux call.
    fn at_call(&mut self, tracee: Tracee) -> Result<()> {
        let thread = self.threads.get_mut(&tracee).expect("a thread that makes calls is known");
        let context = thread.context;
        match std::mem::replace(&mut thread.phase, Phase::Outside) {
            Phase::Outside => self.enter(context),
            Phase::Between(pending) => {
                thread.phase = Phase::Inside(pending);
                Ok(tracee.resume(None)?)
            }
            Phase::Inside(pending) => self.leave(context, pending),
            Phase::Born(_) => anyhow::bail!("a thread makes a call before it has begun"),
        }
    }

    /// The program makes a call.
    fn enter(&mut self, context: Context) -> Result<()> {
        let Context { tracee, class, .. } = context;
        let registers = tracee.registers()?;
        let number = class.truncate(registers.orig_rax);
        let mut code = [0; 2];
        let instruction = tracee.read(registers.rip - 2, &mut code).map(|()| code);
        let wrong_instruction = instruction != Ok(class.system_call());
        if wrong_instruction {
            let text = format!(
                "call {number} at {:#x} by {code:02x?}, which is not how a program of this port calls FreeBSD",
                registers.rip
            );
            self.kernel.violation(context, text);
        }
        let row = calls::lookup(number, self.kernel.options.osreldate);
        let effect = row.and_then(|row| self.kernel.faults.next(row.name));
        let arguments = Arguments::fetch(context, &registers);
        let taken = match (&arguments, row) {
            (Ok(arguments), Some(row)) => arguments.taken(row),
            _ => Vec::new(),
        };
        let mut strings = None;
        let known = row.filter(|_| effect != Some(Effect::Unknown) && !wrong_instruction);
        let step = match (known, arguments) {
            (None, _) => self.unknown(context, number, row),
            (Some(_), Err(bad)) => Errno::from(bad).into(),
            (Some(row), Ok(arguments)) => {
                if row.name == "execve" {
                    strings = Some(new_strings(context, &arguments));
                }
                self.play(context, row, &arguments, effect)
            }
        };
        let row = row.unwrap_or(&UNKNOWN);
        // A call that does not return is recorded here, all others when they do.
        if row.name.ends_with("exit") && !matches!(step, Step::Answer(_)) {
            self.record(context, row, taken.clone(), Ok((0, None)));
        }
        let pending = |next| Pending { row, arguments: taken, registers: Box::new(registers), next, strings };
        // What was played may have set the base of %gs.
        let mut changed = Registers { gs_base: tracee.registers()?.gs_base, ..registers };
        let pending = match step {
            Step::Linux(call, arguments, then) => {
                tracee::set_linux_call(&mut changed, class, call, arguments);
                pending(Next::Then(then))
            }
            // Linux does nothing for a number that it does not have.
            Step::Answer(answer) => {
                changed.orig_rax = u64::MAX;
                pending(Next::Answer(answer))
            }
            Step::Kill(signal) => {
                changed.orig_rax = u64::MAX;
                pending(Next::Kill(signal))
            }
            Step::Registers(interrupted) => {
                changed.orig_rax = u64::MAX;
                pending(Next::Registers(interrupted))
            }
        };
        tracee.set_registers(changed)?;
        self.set_phase(tracee, Phase::Inside(pending));
        Ok(tracee.resume(None)?)
    }

    /// A call that FreeBSD does not have: SIGSYS, or ENOSYS if the program ignores that signal.
    fn unknown(&mut self, context: Context, number: u64, row: Option<&Row>) -> Step {
        if row.is_none() {
            self.kernel.violation(context, format!("FreeBSD has no system call {number}"));
        }
        if self.kernel.process(context).ignores_sigsys { Errno::ENOSYS.into() } else { Step::Kill(Signal::SIGSYS) }
    }

    fn play(&mut self, context: Context, row: &Row, arguments: &Arguments, effect: Option<Effect>) -> Step {
        let kernel = &mut self.kernel;
        let step = match (effect, row.name, row.play) {
            (Some(Effect::Error(number)), ..) => return Errno(number).into(),
            (Some(effect), "mmap", _) => calls::mmap_elsewhere(kernel, context, arguments, effect),
            (Some(Effect::Short(most)), "write", _) => return calls::write_some(arguments, most),
            (_, _, Some(play)) => play(kernel, context, arguments),
            (_, name, None) => {
                kernel.violation(context, format!("FreeBSD has {name}, and this runner does not play it"));
                return Step::Kill(Signal::SIGSYS);
            }
        };
        step.unwrap_or_else(Step::from)
    }

    /// The Linux call that was made for the program has ended, or there was none.
    fn leave(&mut self, context: Context, mut pending: Pending) -> Result<()> {
        let Context { tracee, class, .. } = context;
        let linux = tracee.registers()?;
        if let Some(strings) = pending.strings.take().filter(|_| self.kernel.starting_program.remove(&tracee)) {
            return self.executed(tracee, &pending, &strings);
        }
        let step = match pending.next {
            Next::Answer(answer) => Step::Answer(answer),
            Next::Kill(signal) => Step::Kill(signal),
            Next::Registers(interrupted) => Step::Registers(interrupted),
            Next::Then(then) => match tracee::linux_answer(&linux, class) {
                // ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK: a signal comes first, and then
                // Linux makes the call again by itself.
                -516 | -514..=-512 => {
                    pending.next = Next::Then(then);
                    self.set_phase(tracee, Phase::Between(pending));
                    return Ok(tracee.resume(None)?);
                }
                answer => then(&mut self.kernel, context, answer),
            },
        };
        match step {
            Step::Answer(answer) => {
                let mut registers = Registers { fs_base: linux.fs_base, gs_base: linux.gs_base, ..*pending.registers };
                kernel::answer(&mut registers, class, answer);
                tracee.set_registers(registers)?;
                self.record(context, pending.row, pending.arguments, answer);
                self.set_phase(tracee, Phase::Outside);
                Ok(tracee.resume(None)?)
            }
            Step::Kill(signal) => {
                self.crash = Some(format!("{signal} at call {} at {:#x}", pending.row.name, pending.registers.rip));
                self.set_phase(tracee, Phase::Outside);
                Ok(tracee.resume(Some(signal))?)
            }
            Step::Registers(interrupted) => {
                tracee.set_registers(Registers {
                    fs_base: linux.fs_base,
                    gs_base: linux.gs_base,
                    orig_rax: u64::MAX,
                    ..*interrupted
                })?;
                self.record(context, pending.row, pending.arguments, Ok((0, None)));
                self.set_phase(tracee, Phase::Outside);
                Ok(tracee.resume(None)?)
            }
            Step::Linux(call, arguments, then) => {
                let mut registers = Registers { fs_base: linux.fs_base, gs_base: linux.gs_base, ..*pending.registers };
                registers.rip = kernel::GADGET;
                tracee::set_linux_call(&mut registers, class, call, arguments);
                registers.orig_rax = u64::MAX;
                tracee.set_registers(registers)?;
                pending.next = Next::Then(then);
                self.set_phase(tracee, Phase::Between(pending));
                Ok(tracee.resume(None)?)
            }
        }
    }

    /// Linux has executed another program in the process.
    fn executed(&mut self, tracee: Tracee, pending: &Pending, strings: &Strings) -> Result<()> {
        let process = tracee.0.as_raw();
        let old = self.kernel.processes.remove(&process);
        let context = Context { tracee, process, class: tracee.class()? };
        self.record(context, pending.row, pending.arguments.clone(), Ok((0, None)));
        self.threads.insert(tracee, Thread { context, phase: Phase::Outside });
        match entry::execute(&mut self.kernel, tracee, old.as_ref(), strings) {
            Ok(()) => Ok(tracee.resume(None)?),
            // The old program is gone by then, so the process is killed (`exec_fail`: SIGABRT).
            Err(reason) => {
                self.crash = Some(format!("{reason:#}"));
                self.kernel.refused = Some(format!("{reason:#}"));
                Ok(tracee.resume(Some(Signal::SIGABRT))?)
            }
        }
    }

    /// A thread has been made, or a program executed.
    fn at_event(&mut self, maker: Tracee, event: i32) -> Result<()> {
        let context = self.threads.get(&maker).map(|thread| thread.context);
        let (Some(context), false) = (context, event == libc::PTRACE_EVENT_EXEC) else {
            self.kernel.starting_program.insert(maker);
            return Ok(maker.resume(None)?);
        };
        let new = Tracee(Pid::from_raw(i32::try_from(ptrace::getevent(maker.0)?)?));
        let (context, birth) = match self.kernel.starting.remove(&maker) {
            Some(start) => (Context { tracee: new, ..context }, Birth::Thread(start)),
            None => {
                let process = self.kernel.process(context).clone();
                self.kernel.processes.insert(new.0.as_raw(), process);
                let Some(Thread { phase: Phase::Inside(pending), .. }) = self.threads.get(&maker) else {
                    anyhow::bail!("a process forks outside of fork");
                };
                let registers = pending.registers.clone();
                (Context { tracee: new, process: new.0.as_raw(), ..context }, Birth::Fork(registers))
            }
        };
        self.threads.insert(new, Thread { context, phase: Phase::Born(birth) });
        if let Some(index) = self.stopped.iter().position(|tracee| *tracee == new) {
            self.stopped.swap_remove(index);
            self.begin(new)?;
        }
        Ok(maker.resume(None)?)
    }

    /// Lets a new thread run, after it has stopped and its maker has reported it.
    fn begin(&mut self, new: Tracee) -> Result<()> {
        let thread = self.threads.get_mut(&new).expect("the caller has looked");
        let context = thread.context;
        match std::mem::replace(&mut thread.phase, Phase::Outside) {
            Phase::Born(Birth::Fork(mut registers)) => {
                kernel::answer(&mut registers, context.class, Ok((0, Some(1))));
                new.set_registers(*registers)?;
            }
            Phase::Born(Birth::Thread(start)) => {
                if start.begin(context).is_err() {
                    self.kernel.violation(context, "thr_new: the stack it names is none");
                }
            }
            other => thread.phase = other,
        }
        Ok(new.resume(None)?)
    }

    /// A signal is about to be delivered.
    fn at_signal(&mut self, tracee: Tracee, signal: Signal) -> Result<()> {
        let Some(thread) = self.threads.get(&tracee) else {
            self.stopped.push(tracee);
            return Ok(());
        };
        let context = thread.context;
        if matches!(thread.phase, Phase::Born(_)) {
            return self.begin(tracee);
        }
        let mut delivered = signal;
        let registers = match &thread.phase {
            // A handler interrupts the program's call, which is not made again.
            Phase::Between(pending) => {
                let linux = tracee.registers()?;
                let mut registers = Registers { fs_base: linux.fs_base, gs_base: linux.gs_base, ..*pending.registers };
                kernel::answer(&mut registers, context.class, Err(Errno::EINTR));
                registers
            }
            _ => tracee.registers()?,
        };
        if matches!(signal, Signal::SIGSEGV | Signal::SIGBUS) {
            let information = ptrace::getsiginfo(tracee.0)?;
            // SAFETY: a SIGSEGV or SIGBUS that is about to be delivered carries an address.
            let address = unsafe { information.si_addr() } as u64;
            if let Some(grown) = self.kernel.grow_stack(context, address) {
                let protection = linux::PROT_READ | linux::PROT_WRITE;
                let fresh = linux::map_anonymous(grown.start, grown.end - grown.start, protection);
                tracee.inject(kernel::GADGET, linux::MMAP, fresh)?;
                return Ok(tracee.resume(None)?);
            }
            // `trap_pfault`: an access that the protection forbids is SIGBUS to a program without an ABI note.
            const SEGV_ACCERR: i32 = 2;
            if information.si_code == SEGV_ACCERR && !self.kernel.process(context).has_note {
                delivered = Signal::SIGBUS;
            }
            let told = calls::Told { signal: delivered, code: information.si_code, address };
            match calls::deliver(&mut self.kernel, context, &told, &registers) {
                Ok(true) => {
                    let thread = self.threads.get_mut(&tracee).expect("it is known");
                    if let Phase::Between(pending) = std::mem::replace(&mut thread.phase, Phase::Outside) {
                        self.record(context, pending.row, pending.arguments, Err(Errno::EINTR));
                    }
                    return Ok(tracee.resume(None)?);
                }
                Ok(false) => {}
                Err(_) => delivered = Signal::SIGILL,
            }
            self.crash = Some(format!("{delivered} at {:#x}, address {address:#x}", registers.rip));
        } else if signal != Signal::SIGCHLD {
            self.crash = Some(format!("{signal} at {:#x}", registers.rip));
        }
        Ok(tracee.resume(Some(delivered))?)
    }

    fn record(&mut self, context: Context, row: &Row, arguments: Vec<u64>, answer: Answer) {
        let answer = answer.map(|(value, _)| value).map_err(|errno| errno.0);
        let call = Call { pid: context.process, name: row.name.to_string(), arguments, answer };
        if self.kernel.options.trace {
            eprintln!("freebsd-runner: {}: {call}", context.process);
        }
        self.kernel.calls.push(call);
    }

    fn set_phase(&mut self, tracee: Tracee, phase: Phase) {
        if let Some(thread) = self.threads.get_mut(&tracee) {
            thread.phase = phase;
        }
    }
}

/// The row for a number that is not in the table.
const UNKNOWN: Row = Row { number: u64::MAX, name: "unknown", arguments: 0, play: None };

/// The strings of an execve, read while the old program is still there. Linux answers EFAULT for what cannot be read.
fn new_strings(context: Context, arguments: &Arguments) -> Strings {
    let Context { tracee, class, .. } = context;
    let list = |index| tracee.read_strings(class, arguments.word(index)).unwrap_or_default();
    Strings { arguments: list(1), environment: list(2) }
}

/// Treats a thread that has been killed meanwhile as no error.
fn gone_is_fine(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(LinuxErrno::ESRCH) => Ok(()),
        result => result,
    }
}
