//! Injects failures into system calls at start-up and in the arena, on the four x86 ports: FreeBSD's under the runner,
//! Linux's on this machine's kernel under ptrace. Each run must end with an arena that fits or with the one line and
//! status 2, never with a signal, and must never replace a mapping that is not the program's own.

use std::path::PathBuf;

use rt0_tests::port::{Port, chosen};
use rt0_tests::run::freebsd_runner::{self, Holes, Limit};
use rt0_tests::run::linux_runner;
use rt0_tests::run::machine::default_dist;
use rt0_tests::run::tracer::faults::Fault;
use rt0_tests::run::tracer::launch::{Launch, Stream};
use rt0_tests::run::tracer::report::{End, Outcome};

const PORTS: [Port; 4] = [Port::linux_386, Port::linux_amd64, Port::freebsd_386, Port::freebsd_amd64];
const MIB: u64 = 1 << 20;

/// What is done to a program in one run.
#[derive(Clone, Debug, Default)]
struct Setup {
    limit: Option<u64>,
    faults: Vec<String>,
    holes: Option<(u64, u64)>,
    launch: Launch,
    no_arguments: bool,
    no_page_size: bool,
}

impl Setup {
    fn failing(faults: &[&str]) -> Setup {
        Setup { faults: faults.iter().map(|text| (*text).to_string()).collect(), ..Setup::default() }
    }
}

fn program(port: Port, name: &str) -> PathBuf {
    let file = port.program(&default_dist(), name);
    assert!(file.exists(), "{} is not there; `make dist PORT={port}` makes it", file.display());
    file
}

fn run(port: Port, name: &str, arguments: &[&str], setup: &Setup) -> Outcome {
    let program = program(port, name);
    let Setup { limit, holes, no_arguments, no_page_size, .. } = *setup;
    let mut launch = setup.launch.clone();
    if port.is_freebsd() {
        let faults = setup.faults.iter().map(|text| Fault::parse(text, freebsd_runner::errno_named).unwrap()).collect();
        let limit =
            limit.map_or(Limit::INFINITE, |bytes| Limit { soft: bytes.cast_signed(), hard: bytes.cast_signed() });
        let holes = holes.map(|(count, size)| Holes { count, size });
        let options = freebsd_runner::Options {
            launch,
            limit_as: limit,
            faults,
            holes,
            no_arguments,
            no_page_size,
            ..Default::default()
        };
        freebsd_runner::run(&program, arguments, &options).unwrap()
    } else {
        let faults = setup.faults.iter().map(|text| Fault::parse(text, linux_runner::errno_named).unwrap()).collect();
        launch.limits.extend(limit.map(|bytes| (nix::sys::resource::Resource::RLIMIT_AS, bytes)));
        let options = linux_runner::Options {
            launch,
            faults,
            holes,
            no_arguments,
            no_page_size,
            ..linux_runner::Options::default()
        };
        linux_runner::run(&program, arguments, &options).unwrap()
    }
}

/// The bytes of arena and bitmap, or `None` if the program has printed the one line that says there is no room.
fn arena_or_line(port: Port, setup: &Setup, outcome: &Outcome) -> Option<u64> {
    let case = format!("{port} {setup:?}: {:?} {:?} {:?}", outcome.end, outcome.crash, outcome.errors());
    assert!(outcome.violations.is_empty(), "{case}: {:#?}", outcome.violations);
    match outcome.end {
        End::Exit(0) => {
            assert_eq!(outcome.errors(), "", "{case}");
            let number = |key: &str| -> u64 {
                let text = outcome.value(key).unwrap_or_else(|| panic!("{case}: no {key} in {:?}", outcome.output()));
                text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16)).unwrap()
            };
            let total = number("arena") + number("bitmap");
            assert!(total > 0 && total % 4096 == 0 && number("base") % 4096 == 0, "{case}: {}", outcome.output());
            if let Some(limit) = setup.limit {
                assert!(total <= limit, "{case}: {total} bytes");
            }
            Some(total)
        }
        End::Exit(2) => {
            let line = outcome.errors();
            assert!(line.starts_with("rt0: cannot reserve arena virtual address space: "), "{case}");
            assert!(line.lines().count() == 1 && line.ends_with('\n') && outcome.stdout.is_empty(), "{case}");
            None
        }
        _ => panic!("{case}"),
    }
}

/// Every error in the kernels' manuals for these calls, and one that no kernel has.
const ERRORS: [&str; 8] = ["ENOMEM", "EINVAL", "EAGAIN", "EPERM", "EACCES", "ENOSYS", "EINTR", "4000"];

/// Runs `limits` with the n-th `call` failing, for each n and each error, with and without a limit.
fn every_nth(call: &str, arguments: &[&str], check: impl Fn(Port, &Setup, &Outcome, Option<u64>)) {
    let mut runs = 0;
    for port in chosen(&PORTS) {
        // Without a limit it takes a thousand calls to fill an arena; a few are enough here.
        let limits = if call == "mprotect" { &[Some(64 * MIB)][..] } else { &[None, Some(64 * MIB)] };
        for limit in limits.iter().copied() {
            for error in ERRORS {
                for more in ["", "+"] {
                    for nth in 1.. {
                        let setup = Setup { limit, ..Setup::failing(&[&format!("{call}:{nth}{more}:{error}")]) };
                        let outcome = run(port, "limits", arguments, &setup);
                        let arena = arena_or_line(port, &setup, &outcome);
                        check(port, &setup, &outcome, arena);
                        runs += 1;
                        let count = outcome.call_names().iter().filter(|name| **name == call).count();
                        if count < nth {
                            break;
                        }
                    }
                }
            }
        }
    }
    println!("{call}: {runs} runs");
}

#[test]
fn the_nth_mmap_fails() {
    every_nth("mmap", &["--allowance=0"], |port, setup, _, arena| {
        // After a refusal a smaller size is searched for, so the arena is at most a few pages smaller than without it.
        if !setup.faults[0].contains('+') {
            let whole = if port.bits() == 64 { 17 << 30 } else { 576 * MIB };
            let whole = setup.limit.map_or(whole, |limit| limit - MIB);
            let arena = arena.expect("an arena");
            assert!(arena >= whole - whole / 32, "{port} {setup:?}: {arena} of {whole}");
        }
    });
}

/// The first mmap is refused, so the largest size that works is searched for, and a call of that search fails.
#[test]
fn the_search_for_what_fits_fails_at_each_step() {
    for port in chosen(&PORTS) {
        let mut runs = 0;
        for limit in [None, Some(64 * MIB)] {
            for call in ["mmap", "munmap"] {
                for error in ["ENOMEM", "EINVAL", "EAGAIN"] {
                    for more in ["", "+"] {
                        for nth in 1.. {
                            let faults = ["mmap:1:ENOMEM", &format!("{call}:{nth}{more}:{error}")];
                            let setup = Setup { limit, ..Setup::failing(&faults) };
                            let outcome = run(port, "limits", &["--allowance=0"], &setup);
                            arena_or_line(port, &setup, &outcome);
                            runs += 1;
                            if outcome.call_names().iter().filter(|name| **name == call).count() < nth {
                                break;
                            }
                        }
                    }
                }
            }
        }
        println!("{port}: {runs} runs");
        assert!(runs > 400, "{port}: {runs} runs: the search has more steps than that");
    }
}

#[test]
fn getrlimit_fails() {
    every_nth("getrlimit", &[], |port, setup, outcome, arena| {
        let arena = arena.expect("a failing getrlimit is no limit, and an arena is found by asking");
        if setup.limit.is_none() && outcome.calls[0].answer.is_err() {
            assert!(arena >= 512 * MIB, "{port} {setup:?}: {arena}");
        }
    });
}

#[test]
fn the_nth_mprotect_fails() {
    let arguments = ["--allowance=0", "--no-bitmap", "--fill=16777216"];
    every_nth("mprotect", &arguments, |port, setup, outcome, arena| {
        let filled: u64 = outcome.value("filled").expect("filled").parse().unwrap();
        if setup.faults[0].starts_with("mprotect:1+") {
            assert_eq!(filled, 0, "{port} {setup:?}");
        }
        assert!(arena.is_some());
    });
}

/// A kernel that does not know getrlimit. Linux returns ENOSYS, and so does FreeBSD if SIGSYS is ignored.
#[test]
fn getrlimit_is_not_known() {
    for port in chosen(&PORTS) {
        let effect = if port.is_freebsd() { "getrlimit:1+:ENOSYS" } else { "getrlimit:1+:unknown" };
        let setup = Setup { limit: Some(64 * MIB), ..Setup::failing(&[effect]) };
        let arena = arena_or_line(port, &setup, &run(port, "limits", &["--no-bitmap"], &setup)).expect("an arena");
        assert!(arena >= 63 * MIB, "{port}: {arena}");
    }
}

#[test]
fn mmap_answers_an_unaligned_address() {
    for port in chosen(&PORTS) {
        for offset in [1, 8, 2048, 4095, -1, -8] {
            for limit in [None, Some(16 * MIB)] {
                let setup = Setup { limit, ..Setup::failing(&[&format!("mmap:1+:off={offset}")]) };
                let outcome = run(port, "limits", &[], &setup);
                assert_eq!(arena_or_line(port, &setup, &outcome), None);
                assert!(outcome.errors().contains("unaligned"), "{port} {setup:?}: {}", outcome.errors());
            }
        }
    }
}

#[test]
fn mmap_answers_an_unexpected_address() {
    for port in chosen(&PORTS) {
        for address in ["0x20000", "0x1000000", "0x20000000", "0x50000000"] {
            let setup = Setup { limit: Some(4 * MIB), ..Setup::failing(&[&format!("mmap:1+:at={address}")]) };
            let arguments = ["--allowance=0", "--no-bitmap", "--fill"];
            let outcome = run(port, "limits", &arguments, &setup);
            if arena_or_line(port, &setup, &outcome).is_some() {
                assert_eq!(outcome.value("base").as_deref(), Some(address), "{port}");
            }
        }
        // If something is mapped there already, the kernel returns an error, and nothing is replaced.
        let image = if port.bits() == 64 { "0x200000" } else { "0x8048000" };
        let setup = Setup::failing(&[&format!("mmap:1+:at={image}")]);
        arena_or_line(port, &setup, &run(port, "limits", &[], &setup));
    }
}

/// In an address space that is full but for some holes the largest hole is found, to the page.
#[test]
fn only_holes_are_free() {
    for port in chosen(&PORTS) {
        for (count, pages) in [(1, 1), (1, 2), (3, 17), (5, 244), (2, 4096), (3, 40_000)] {
            let size = pages * 4096;
            let setup = Setup { holes: Some((count, size)), ..Setup::default() };
            let outcome = run(port, "limits", &["--no-bitmap"], &setup);
            assert_eq!(arena_or_line(port, &setup, &outcome), Some(size), "{port}: {}", outcome.errors());
            let with_bitmap = arena_or_line(port, &setup, &run(port, "limits", &[], &setup));
            let step = if port.bits() == 64 { 17 } else { 9 };
            let least = (pages / step * step).max(if pages > 1 { 2 } else { 0 }) * 4096;
            let total = with_bitmap.unwrap_or(0);
            assert!(total <= size && total + step * 4096 > least, "{port}: {total} of {size}");
        }
        let setup = Setup { holes: Some((0, 0)), ..Setup::default() };
        assert_eq!(arena_or_line(port, &setup, &run(port, "limits", &[], &setup)), None, "{port}");
    }
}

#[test]
fn without_arguments_or_a_page_size() {
    for port in chosen(&PORTS) {
        for (no_arguments, no_page_size) in [(true, false), (false, true), (true, true)] {
            let setup = Setup { no_arguments, no_page_size, limit: Some(64 * MIB), ..Setup::default() };
            let outcome = run(port, "limits", &[], &setup);
            assert!(arena_or_line(port, &setup, &outcome).is_some());
            assert_eq!(outcome.value("page").as_deref(), Some("4096"), "{port}");
        }
    }
}

/// With closed descriptors or a full pipe, output that cannot be written is lost, and the program ends as it would
/// otherwise.
#[test]
fn nobody_takes_the_output() {
    for port in chosen(&PORTS) {
        for stream in [Stream::Closed, Stream::FullPipe] {
            for streams in
                [[Stream::Capture, stream, Stream::Capture], [Stream::Capture, Stream::Capture, stream], [stream; 3]]
            {
                let mut setup = Setup { limit: Some(64 * MIB), ..Setup::default() };
                setup.launch.streams = streams;
                if stream == Stream::FullPipe {
                    setup.launch.streams[0] = Stream::Capture;
                }
                for (name, arguments, status) in
                    [("hello", &[][..], 0), ("limits", &["--fill"], 0), ("limits", &["--bogus"], 2)]
                {
                    let outcome = run(port, name, arguments, &setup);
                    assert_eq!(outcome.end, End::Exit(status), "{port} {name} {arguments:?} {streams:?}");
                    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
                }
                let failing = Setup { limit: None, faults: vec!["mmap:1+:ENOMEM".into()], ..setup };
                assert_eq!(run(port, "limits", &[], &failing).end, End::Exit(2), "{port} {streams:?}");
            }
        }
    }
}

/// The whole output arrives if the kernel takes a byte at a time, or if a write is interrupted.
#[test]
fn short_and_interrupted_writes_lose_nothing() {
    for port in chosen(&PORTS) {
        for fault in ["write:1+:short=1", "write:1+:short=7", "write:1:EINTR", "write:3:EINTR"] {
            let outcome = run(port, "hello", &[], &Setup::failing(&[fault]));
            assert_eq!(
                (outcome.end.clone(), outcome.output()),
                (End::Exit(0), "hello, world\n".into()),
                "{port} {fault}"
            );
            let whole = run(port, "limits", &[], &Setup::default()).output();
            assert_eq!(run(port, "limits", &[], &Setup::failing(&[fault])).output(), whole, "{port} {fault}");
        }
    }
}

/// If the kernel does not make a thread, the program reports it. Sleeps that are cut short, and memory that the heap is
/// refused once or from then on, cost no thread its rounds.
#[test]
fn threads_live_with_what_the_kernel_refuses() {
    for port in chosen(&PORTS) {
        let (make, sleep) = if port.is_freebsd() { ("thr_new", "_umtx_op") } else { ("clone", "futex") };
        for nth in [1, 3] {
            let outcome = run(port, "threads", &[], &Setup::failing(&[&format!("{make}:{nth}:EAGAIN")]));
            let line = format!("threads: no thread {}: the kernel makes none: EAGAIN ", nth - 1);
            assert!(outcome.end == End::Exit(1) && outcome.errors().starts_with(&line), "{port}: {outcome:?}");
        }
        // Four stacks are committed first.
        let once = (5..12).map(|nth| format!("mprotect:{nth}:ENOMEM"));
        let for_ever = [5, 8].map(|nth| format!("mprotect:{nth}+:ENOMEM"));
        // Without it threads are not told apart; a child of `fork` has to register anew.
        let order = ["membarrier:1+:ENOSYS", "membarrier:2:EPERM"].iter().filter(|_| !port.is_freebsd());
        let others = order.map(|fault| fault.to_string()).chain([format!("{sleep}:1+:EINTR")]);
        for fault in once.chain(for_ever).chain(others) {
            let outcome = run(port, "threads", &["--rounds=1000"], &Setup::failing(&[&fault]));
            let output = outcome.output();
            let case = format!("{port} {fault}: {:?} {output} {:#?}", outcome.end, outcome.violations);
            assert!(outcome.end == End::Exit(0) && outcome.violations.is_empty(), "{case}");
            assert!(output.contains("\nrounds=4000\n") && output.contains("\ndamaged=0\n"), "{case}");
            assert!(output.ends_with("\nlive=0\ncheck=whole\n"), "{case}");
            assert!(!fault.contains("+:ENOMEM") || !output.contains("\nrefused=0\n"), "{case}");
        }
    }
}

/// What the kernel has promised and then refuses ends the process with a line, and not by going on or waiting for ever.
#[test]
fn a_membarrier_that_is_taken_back_ends_the_process() {
    for port in chosen(&PORTS).into_iter().filter(|port| !port.is_freebsd()) {
        // One thread owns the heap's front, and the first one wants it at the end.
        let setup = Setup::failing(&["membarrier:2+:EACCES"]);
        let outcome = run(port, "threads", &["--threads=1", "--rounds=1000"], &setup);
        let errors = outcome.errors();
        assert!(errors.contains("the kernel refuses membarrier, which it had promised\n"), "{port}: {outcome:?}");
        assert_ne!(outcome.end, End::Exit(0), "{port}: {errors}");
    }
}

/// A heap that collects, grows and gives memory back, and each of its calls failing, once and from then on: it may have no
/// room, but it is whole, and it has nothing but its objects. Without its first pages there is no heap, and one line.
#[test]
fn a_collector_lives_with_what_the_kernel_refuses() {
    let mut runs = 0;
    for port in chosen(&PORTS) {
        for call in ["getrlimit", "mmap", "mprotect", "madvise", "clock_gettime"] {
            for error in ["ENOMEM", "EINVAL"] {
                for more in ["", "+"] {
                    for nth in 1.. {
                        let setup = Setup::failing(&[&format!("{call}:{nth}{more}:{error}")]);
                        let outcome = run(port, "collect", &["breathe"], &setup);
                        let (output, errors) = (outcome.output(), outcome.errors());
                        let case =
                            format!("{port} {setup:?}: {:?} {output} {errors} {:#?}", outcome.end, outcome.violations);
                        assert!(outcome.violations.is_empty(), "{case}");
                        match outcome.end {
                            End::Exit(0) => {
                                assert!(output.starts_with("refused=") && output.ends_with("\nwhole\n"), "{case}");
                                // Whatever fails once leaves other ways.
                                assert!(more == "+" || output.starts_with("refused=0\n"), "{case}");
                            }
                            End::Exit(2) => {
                                assert!(errors.starts_with("rt0: ") && errors.lines().count() == 1, "{case}");
                                assert!(["mmap", "mprotect"].contains(&call) && nth < 3, "{case}");
                            }
                            _ => panic!("{case}"),
                        }
                        runs += 1;
                        if outcome.call_names().iter().filter(|name| **name == call).count() < nth {
                            break;
                        }
                    }
                }
            }
        }
    }
    println!("collector: {runs} runs");
}

/// Eight threads that contend for the heap's lock: nobody is woken who does not sleep, or nearly nobody. A sleeper that was
/// woken and one that the kernel did not put to sleep, since its wake-up had come already, count alike; one that finds its
/// wake-up before it calls the kernel does not count, and few may be so.
#[test]
fn wake_ups_are_no_more_than_sleeps() {
    for port in chosen(&PORTS) {
        let (call, [sleep, wake]) = if port.is_freebsd() { ("_umtx_op", [15, 16]) } else { ("futex", [128, 129]) };
        let outcome = run(port, "threads", &["--threads=8", "--rounds=200000"], &Setup::default());
        let (end, output) = (&outcome.end, outcome.output());
        assert!(*end == End::Exit(0) && output.ends_with("\nlive=0\ncheck=whole\n"), "{port}: {end:?} {output}");
        let count = |operation| {
            let calls = outcome.calls.iter().filter(|made| made.name == call && made.arguments[1] == operation);
            calls.count()
        };
        let (sleeps, wakes) = (count(sleep), count(wake));
        println!("{port}: {sleeps} sleeps, {wakes} wake-ups");
        assert!(sleeps > 0 && wakes * 10 <= sleeps * 11 + 200, "{port}: {sleeps} sleeps, {wakes} wake-ups");
    }
}

/// Every register and flag holds poison at entry, and every register that a call destroys holds poison after it.
#[test]
fn probe_calls_work_on_every_port_from_poisoned_registers() {
    for port in chosen(&PORTS) {
        let outcome = run(port, "probe", &["calls"], &Setup::default());
        assert_eq!(outcome.end, End::Exit(0), "{port}: {outcome:?}");
        assert!(
            outcome.output().lines().count() == 11 && !outcome.output().contains("WRONG"),
            "{port}: {}",
            outcome.output()
        );
    }
}
