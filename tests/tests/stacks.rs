//! How far stacks reach, and what happens at their end, on every port: `examples/stacks.rs` under several limits of the first
//! thread's stack, on stacks of several sizes, and with what the kernel can refuse on the way.

use rt0_tests::port::{Port, chosen};
use rt0_tests::run::freebsd_runner;
use rt0_tests::run::job::{End, Job, Outcome, Stack};
use rt0_tests::run::linux_runner;
use rt0_tests::run::machine::{Machine, default_dist, patience};
use rt0_tests::run::qemu::linux::Kernel;
use rt0_tests::run::tracer::faults::Fault;
use rt0_tests::run::tracer::report;

const KIB: u64 = 1 << 10;

/// Where the task runs.
#[derive(Clone, Copy, Debug)]
enum On {
    /// In the first thread, under this limit of its stack.
    First(u64),
    /// In a thread with a stack of this many bytes.
    Thread(u64),
}

const PLACES: [On; 7] = [
    On::First(256 * KIB),
    On::First(1000 * KIB),
    On::First(8192 * KIB),
    On::Thread(32 * KIB),
    On::Thread(64 * KIB + 1),
    On::Thread(100_000),
    On::Thread(4096 * KIB),
];

fn jobs(port: Port) -> Vec<(Job, &'static str, On)> {
    let program = port.program(&default_dist(), "stacks");
    assert!(program.exists(), "{} is not there; `make dist PORT={port}` makes it", program.display());
    let mut jobs = Vec::new();
    for task in ["use", "overflow", "fault", "raise", "again"] {
        for on in PLACES {
            let thread = match on {
                On::First(_) => String::new(),
                On::Thread(bytes) => format!("--thread={bytes}"),
            };
            let args = [task, &thread];
            let args = if thread.is_empty() { &args[..1] } else { &args[..] };
            let mut job = Job::new(format!("{port}/stacks/{task}/{on:?}"), &program, args);
            if let On::First(bytes) = on {
                job.stack = Stack::Bytes(bytes);
            }
            jobs.push((job, task, on));
        }
    }
    jobs
}

/// The facts of the line that `use` prints.
fn facts(line: &str) -> [u64; 4] {
    let values = line.split(' ').filter_map(|fact| fact.split_once('=')?.1.parse().ok());
    values.collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("four facts: {line:?}"))
}

fn check(outcome: &Outcome, task: &str, on: On) {
    let (number, size) = match on {
        On::First(bytes) => (0, bytes..=bytes),
        // What rt0 keeps, and two pages at most by rounding.
        On::Thread(bytes) => (2, bytes..=bytes + 16 * KIB),
    };
    let mut lines: Vec<&str> = outcome.output.lines().collect();
    let case = format!("{outcome:?}");
    let task = if task == "again" {
        // It is an overflow, told on the alternate stack of the thread itself.
        let own = format!("own={}", matches!(on, On::Thread(_)));
        assert_eq!(lines.iter().rev().nth(1), Some(&&*own), "{case}");
        lines.remove(lines.len() - 2);
        "overflow"
    } else {
        task
    };
    let (last, before) = lines.split_last().expect(&case);
    // A thread has used its stack before, which is another's now.
    let first = if let On::Thread(_) = on { before } else { &lines[..0] };
    assert_eq!(first.len() + 1, lines.len(), "{case}");
    let used = |line: &str, thread| {
        let [found, whole, before, after] = facts(line);
        assert!(found == thread && size.contains(&whole), "{case}");
        assert!(before <= whole && before + 16 * KIB > whole, "{case}");
        assert!(after < 16 * KIB && after + 6 * KIB > 16 * KIB, "{case}");
    };
    first.iter().for_each(|line| used(line, 1));
    match task {
        "use" => {
            assert_eq!(outcome.end, End::Exit(0), "{case}");
            used(last, number);
        }
        "overflow" => {
            assert_eq!(outcome.end, End::Exit(2), "{case}");
            let rest = match on {
                On::First(_) => last.strip_prefix("rt0: stack overflow in the first thread, at 0x"),
                On::Thread(_) => last.strip_prefix("rt0: stack overflow in thread 2, at 0x"),
            };
            let (_, rest) = rest.and_then(|rest| rest.split_once(": all ")).expect(&case);
            let (bytes, help) = rest.split_once(" bytes are used; ").expect(&case);
            let bytes: u64 = bytes.parse().expect(&case);
            assert!(size.contains(&bytes), "{case}");
            let wanted = match on {
                On::First(_) => {
                    format!(
                        "`ulimit -s` with more than {} (KiB) would help, or a thread with a larger stack",
                        bytes >> 10
                    )
                }
                On::Thread(_) => "a larger stack for it would help".into(),
            };
            assert_eq!(help, wanted, "{case}");
        }
        "fault" => {
            assert_eq!(outcome.end, End::Signal(11), "{case}");
            assert_eq!(*last, format!("rt0: SIGSEGV in thread {number}, at address 0x10"), "{case}");
        }
        _ => {
            assert_eq!(outcome.end, End::Signal(11), "{case}");
            // The signal is for the process, so the kernel chooses the thread.
            assert!(last.starts_with("rt0: SIGSEGV was sent to thread "), "{case}");
        }
    }
}

fn show_on(machine: &Machine) {
    let cases: Vec<_> = chosen(machine.ports()).into_iter().flat_map(jobs).collect();
    if cases.is_empty() {
        return;
    }
    let jobs: Vec<Job> = cases.iter().map(|(job, ..)| job.clone()).collect();
    let outcomes = machine.run(&default_dist(), &jobs, patience(), &mut |_| ()).unwrap();
    assert_eq!(outcomes.len(), cases.len());
    for (outcome, (_, task, on)) in outcomes.iter().zip(cases) {
        check(outcome, task, on);
    }
}

#[test]
fn stacks_on_linux_386_and_linux_amd64() {
    show_on(&Machine::Native);
}

/// An amd64 raises another fault there than for a page that is not mapped, and tells no address.
#[test]
fn an_address_that_the_processor_does_not_say_is_not_made_up() {
    for port in chosen(&[Port::linux_amd64]) {
        for thread in [0, 2] {
            let args = ["nowhere", "--thread"];
            without_an_address(port, if thread == 0 { &args[..1] } else { &args }, thread);
        }
    }
}

/// Nothing faults again when the handler has returned.
#[test]
fn a_signal_for_which_the_stack_has_no_room_ends_the_process() {
    for port in chosen(&[Port::linux_386, Port::linux_amd64]) {
        without_an_address(port, &["signal"], 0);
    }
}

fn without_an_address(port: Port, args: &[&str], thread: usize) {
    let mut job = Job::new(format!("{port}/{}", args[0]), port.program(&default_dist(), "stacks"), args);
    job.stack = Stack::Bytes(256 * KIB);
    let outcomes = Machine::Native.run(&default_dist(), &[job], patience(), &mut |_| ()).unwrap();
    let start = format!("rt0: SIGSEGV in thread {thread}, at an address that the processor does not say, or ");
    let Outcome { end, output, .. } = &outcomes[0];
    let last = output.lines().last().unwrap_or_default();
    assert!(*end == End::Signal(11) && last.starts_with(&start), "{:?}", outcomes[0]);
}

/// What is in the way of the first thread's stack is then the limit of the address space and not that of the stack.
#[test]
fn a_stack_that_the_kernel_lets_grow_no_further_is_not_said_to_be_used_up() {
    for port in chosen(&[Port::linux_386, Port::linux_amd64]) {
        let limit = 1024 * KIB;
        let mut job = Job::new(format!("{port}/refused"), port.program(&default_dist(), "stacks"), &["overflow"]);
        (job.limit, job.stack) = (Some(limit), Stack::Bytes(8192 * KIB));
        let outcomes = Machine::Native.run(&default_dist(), &[job], patience(), &mut |_| ()).unwrap();
        let case = format!("{:?}", outcomes[0]);
        assert_eq!(outcomes[0].end, End::Exit(2), "{case}");
        let line = outcomes[0].output.strip_prefix("rt0: stack overflow in the first thread, at 0x").expect(&case);
        let (used, help) =
            line.split_once(": ").and_then(|(_, rest)| rest.split_once(" bytes of 8388608 are used, ")).expect(&case);
        let used: u64 = used.parse().expect(&case);
        assert!((limit / 2..limit).contains(&used), "{case}");
        assert!(
            help.starts_with("and the kernel gives no more; the limit of the address space (`ulimit -v`)"),
            "{case}"
        );
    }
}

#[test]
fn stacks_on_freebsd_under_the_runner() {
    show_on(&Machine::Runner);
}

#[test]
fn stacks_on_linux_arm() {
    show_on(&Machine::Linux(Kernel::Armhf));
}

/// How the program ends if a call fails, and what it says.
fn with(port: Port, fault: &str, arguments: &[&str]) -> (report::End, String) {
    let program = port.program(&default_dist(), "stacks");
    let outcome = if port.is_freebsd() {
        let faults = vec![Fault::parse(fault, freebsd_runner::errno_named).unwrap()];
        freebsd_runner::run(&program, arguments, &freebsd_runner::Options { faults, ..Default::default() })
    } else {
        let faults = vec![Fault::parse(fault, linux_runner::errno_named).unwrap()];
        linux_runner::run(&program, arguments, &linux_runner::Options { faults, ..Default::default() })
    };
    let outcome = outcome.unwrap();
    assert!(outcome.violations.is_empty(), "{port} {fault}: {:?}", outcome.violations);
    (outcome.end.clone(), outcome.errors())
}

#[test]
fn what_the_kernel_refuses_is_told() {
    for port in chosen(&[Port::linux_386, Port::linux_amd64, Port::freebsd_386, Port::freebsd_amd64]) {
        let make = if port.is_freebsd() { "thr_new" } else { "clone" };
        for (fault, line) in [
            ("sigaltstack:1:ENOMEM", "rt0: faults cannot be caught: ENOMEM "),
            ("sigaction:1:EINVAL", "rt0: faults cannot be caught: EINVAL "),
            ("sigaction:2:EINVAL", "rt0: faults cannot be caught: EINVAL "),
        ] {
            let (end, errors) = with(port, fault, &["use"]);
            assert!(end == report::End::Exit(2) && errors.starts_with(line), "{port} {fault}: {end:?} {errors}");
        }
        for (fault, line) in [
            ("mmap:1:ENOMEM", "stacks: no stack of 65536 bytes: ENOMEM "),
            ("mprotect:2:ENOMEM", "stacks: no stack of 65536 bytes: ENOMEM "),
            (&*format!("{make}:2:EAGAIN"), "stacks: no thread: EAGAIN "),
        ] {
            let (end, errors) = with(port, fault, &["use", "--thread"]);
            assert!(end == report::End::Exit(1) && errors.starts_with(line), "{port} {fault}: {end:?} {errors}");
        }
        // Without an alternate stack an overflow is the kernel's to report; everything else is as it was.
        let (end, errors) = with(port, "sigaltstack:3:ENOMEM", &["overflow", "--thread"]);
        assert!(matches!(&end, report::End::Signal(_)) && errors.is_empty(), "{port}: {end:?} {errors}");
        let (end, _) = with(port, "sigaltstack:3:ENOMEM", &["use", "--thread"]);
        assert_eq!(end, report::End::Exit(0), "{port}");
        // A limit that the kernel does not tell.
        let (end, errors) = with(port, "getrlimit:1:EINVAL", &["overflow"]);
        assert!(end == report::End::Exit(2) && errors.contains(" stack overflow in "), "{port}: {end:?} {errors}");
        // The thread pointer, where the first thread has to have one before its stack is looked at.
        let set = match port {
            Port::linux_386 => "set_thread_area:1:EINVAL",
            Port::linux_amd64 => "arch_prctl:1:EPERM",
            _ => "sysarch:1:EINVAL",
        };
        let (end, errors) = with(port, set, &["use"]);
        let told = errors.starts_with("rt0: faults cannot be caught: ENOSYS ");
        assert!(end == report::End::Exit(2) && told, "{port}: {end:?} {errors}");
    }
}
