//! The FreeBSD ports under the runner, and the runner itself compared with what is known of FreeBSD's kernels.
//!
//! What a line marked `[run]` checks was observed on real FreeBSD kernels.

use std::path::{Path, PathBuf};

use rt0_tests::check::freebsd_answers::{Column, differences};
use rt0_tests::check::sweep::{self, Extent};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::freebsd_runner::{Limit, Options, run, run_jobs};
use rt0_tests::run::job::Job;
use rt0_tests::run::machine::default_dist;
use rt0_tests::run::tracer::faults::Fault;
use rt0_tests::run::tracer::report::{End, Outcome};

const PORTS: [Port; 2] = [Port::freebsd_386, Port::freebsd_amd64];
const MIB: u64 = 1 << 20;

fn program(port: Port, name: &str) -> PathBuf {
    let file = port.program(&default_dist(), name);
    assert!(file.exists(), "{} is not there; `make dist PORT={port}` makes it", file.display());
    file
}

fn limited(bytes: u64) -> Options {
    let bytes = bytes.cast_signed();
    Options { limit_as: Limit { soft: bytes, hard: bytes }, ..Options::default() }
}

/// Runs a program that must not break FreeBSD's rules.
fn lawful(port: Port, name: &str, arguments: &[&str], options: &Options) -> Outcome {
    let outcome = run(&program(port, name), arguments, options).unwrap();
    assert!(outcome.violations.is_empty(), "{port} {name} {arguments:?}: {:#?}", outcome.violations);
    outcome
}

fn probe(port: Port, arguments: &[&str], options: &Options) -> Outcome {
    run(&program(port, "probe"), arguments, options).unwrap()
}

/// The addresses that the initial block can have, mod 16.
fn block_mods(port: Port) -> &'static [u64] {
    if port.bits() == 64 { &[0, 8] } else { &[0, 4, 8, 12] }
}

fn fault(text: &str) -> Fault {
    Fault::parse(text, rt0_tests::run::freebsd_runner::errno_named).unwrap()
}

#[test]
fn hello_and_limits_run_from_every_entry_state() {
    for port in chosen(&PORTS) {
        for block_mod in block_mods(port) {
            for (no_arguments, no_page_size) in [(false, false), (true, false), (false, true), (true, true)] {
                for environment in [vec![], vec![b"A=1".to_vec(), b"B=".to_vec(), b"C".to_vec()]] {
                    let block_mod = *block_mod;
                    let options = Options { block_mod, no_arguments, no_page_size, environment, ..Options::default() };
                    let hello = lawful(port, "hello", &[], &options);
                    assert_eq!(
                        (hello.end.clone(), hello.output()),
                        (End::Exit(0), "hello, world\n".into()),
                        "{hello:?}"
                    );
                    let limits = lawful(port, "limits", &[], &options);
                    assert_eq!(limits.end, End::Exit(0), "{limits:?}");
                    assert_eq!(limits.value("port"), Some(port.to_string()));
                    assert_eq!(limits.value("page").as_deref(), Some("4096"));
                }
            }
        }
    }
}

#[test]
fn the_calls_before_main_are_getrlimit_and_mmap() {
    for port in chosen(&PORTS) {
        assert_eq!(lawful(port, "hello", &[], &Options::default()).call_names(), ["write", "exit"], "{port}");
        for options in [Options::default(), limited(64 * MIB)] {
            let limits = lawful(port, "limits", &[], &options);
            assert_eq!(limits.call_names()[..3], ["getrlimit", "mmap", "write"], "{port}");
        }
    }
}

#[test]
fn every_typed_call_keeps_its_registers_and_tells_errors_from_results() {
    let keys =
        ["kept", "carry", "offset", "protect", "children", "descriptors", "signals", "time", "random", "limits", "pid"];
    let expected = keys.map(|key| format!("{key}=ok\n")).concat();
    for port in chosen(&PORTS) {
        let outcome = lawful(port, "probe", &["calls"], &Options::default());
        assert_eq!((outcome.end.clone(), outcome.output()), (End::Exit(0), expected.clone()), "{port}: {outcome:?}");
    }
}

/// What the suite checks, under every limit of the thinned sweep and with each stack.
#[test]
fn the_arena_fits_every_limit() {
    for port in chosen(&PORTS) {
        let runs = sweep::runs(port, &program(port, "limits"), Extent::Thin, 1);
        let jobs: Vec<Job> = runs.iter().map(|run| run.job.clone()).collect();
        let outcomes = run_jobs(&jobs, 60, &mut |_| ()).unwrap();
        let broken = sweep::check_all(&runs, &outcomes);
        assert!(broken.is_empty(), "{port}: {} of {} jobs: {broken:#?}", broken.len(), jobs.len());
    }
}

/// What the kernel counts never exceeds the limit, and `limits` reports the arena that the kernel gave.
#[test]
fn the_kernel_counts_what_limits_says() {
    for port in chosen(&PORTS) {
        for limit in [MIB, 4 * MIB, 64 * MIB, 300 * MIB] {
            let outcome = lawful(port, "limits", &["--allowance=0", "--no-bitmap", "--fill"], &limited(limit));
            assert_eq!(outcome.end, End::Exit(0), "{outcome:?}");
            assert!(outcome.peak <= limit, "{port}: {} bytes of {limit}", outcome.peak);
            let mapped: u64 = outcome
                .calls
                .iter()
                .filter(|call| call.name == "mmap" && call.answer.is_ok())
                .map(|call| call.arguments[1])
                .sum();
            let unmapped: u64 =
                outcome.calls.iter().filter(|call| call.name == "munmap").map(|call| call.arguments[1]).sum();
            let filled: u64 = outcome.value("filled").unwrap().parse().unwrap();
            assert_eq!(filled, mapped - unmapped, "{port} {limit}");
        }
    }
}

/// Page by page from the smallest limit under which FreeBSD executes the program: at first the program prints the one
/// line, and from some limit on it has an arena.
#[test]
fn a_limit_that_nothing_fits_into_is_told_in_one_line() {
    for port in chosen(&PORTS) {
        let mut seen = [0; 3];
        for pages in 30..60 {
            let outcome = lawful(port, "limits", &["--allowance=0", "--fill"], &limited(pages * 4096));
            match &outcome.end {
                // Stack and shared page take 33 pages, and the program less; what they take together is not checked. [run]
                End::Signal(signal) if signal == "SIGABRT" => {
                    let reason = outcome.crash.unwrap_or_default();
                    assert!(reason.contains("ENOMEM") && pages < 33, "{pages} pages: {reason}");
                    seen[0] += 1;
                }
                _ if pages < 33 => panic!("{port}, {pages} pages: {:?}", outcome.end),
                End::Exit(2) => {
                    let line = outcome.errors();
                    assert!(line.starts_with("rt0: cannot reserve arena virtual address space: "), "{line:?}");
                    assert!(line.lines().count() == 1 && line.ends_with('\n') && outcome.stdout.is_empty(), "{line:?}");
                    assert_eq!(seen[2], 0);
                    seen[1] += 1;
                }
                End::Exit(0) => seen[2] += 1,
                other => panic!("{port}, {pages} pages: {other:?}"),
            }
        }
        assert!(seen.iter().all(|count| *count > 0), "{port}: refused, told, fitted: {seen:?}");
    }
}

/// FreeBSD's accounting. [run]
#[test]
fn mapping_over_a_reservation_is_counted_twice_and_mprotect_not_at_all() {
    for port in chosen(&PORTS) {
        let tight = probe(port, &["fixed", "6000000"], &limited(10_000_000));
        assert_eq!(tight.output(), "reserve=ok\nfixed=ENOMEM (12)\nprotect=ok\nagain=ENOMEM (12)\n", "{port}");
        let roomy = probe(port, &["fixed", "6000000"], &limited(13_000_000));
        assert_eq!(roomy.output(), "reserve=ok\nfixed=ok\nprotect=ok\nagain=ok\n", "{port}");
    }
}

/// A guard is checked against the limit but then not counted, and mprotect on it does nothing. [run]
#[test]
fn a_guard_is_checked_but_not_counted_and_never_memory() {
    for port in chosen(&PORTS) {
        let too_large = probe(port, &["guard", "12000000"], &limited(10_000_000));
        assert_eq!(too_large.output(), "guard=ENOMEM (12)\n", "{port}");
        let fits = probe(port, &["guard", "6000000"], &limited(10_000_000));
        assert_eq!(fits.output(), "guard=ok\nbeside=ok\nprotect=ok\n", "{port}");
        assert_eq!(fits.end, End::Signal("SIGSEGV".into()), "{port}");
    }
}

#[test]
fn dontneed_keeps_and_a_page_without_access_faults() {
    for port in chosen(&PORTS) {
        assert_eq!(probe(port, &["dontneed"], &Options::default()).output(), "dontneed=kept\n"); // [run]
        let touch = probe(port, &["touch"], &Options::default());
        assert_eq!((touch.output(), touch.end), ("touch=now\n".into(), End::Signal("SIGSEGV".into()))); // [run]
    }
}

/// In a program with the OS/ABI byte but without the ABI note the same access is SIGBUS. A program with neither is not
/// executed. [run]
#[test]
fn the_note_and_the_osabi_byte_count() {
    const OSABI: usize = 7;
    let folder = tempfile::tempdir().unwrap();
    for port in chosen(&PORTS) {
        let file = std::fs::read(program(port, "probe")).unwrap();
        let without_note = {
            let mut file = file.clone();
            let name = file.windows(8).position(|bytes| bytes == b"FreeBSD\0").expect("an ABI note");
            file[name] = b'f';
            file
        };
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(format!("{port}-{name}"));
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            path
        };
        assert_eq!(file[OSABI], 9, "{port}");
        let path = write("no-note", &without_note);
        let touch = run(&path, &["touch"], &Options::default()).unwrap();
        assert_eq!(touch.end, End::Signal("SIGBUS".into()), "{port}");
        let mut neither = without_note;
        neither[OSABI] = 0;
        let path = write("neither", &neither);
        let refused = run(&path, &["touch"], &Options::default()).unwrap();
        assert!(matches!(&refused.end, End::Refused(reason) if reason.contains("ENOEXEC")), "{port}: {refused:?}");
    }
    let linux = program(Port::linux_amd64, "probe");
    assert!(matches!(run(&linux, &[], &Options::default()).unwrap().end, End::Refused(_)));
}

/// A program that uses a number, a flag or a resource of Linux's is found out.
#[test]
fn what_is_linuxs_fails_loudly() {
    for port in chosen(&PORTS) {
        for number in ["11", "231", "252", "1000"] {
            let outcome = probe(port, &["number", number], &Options::default());
            assert_eq!(outcome.end, End::Signal("SIGSYS".into()), "{port} {number}"); // [run]
            assert!(outcome.violations[0].contains(&format!("no system call {number}")), "{:?}", outcome.violations);
        }
        // Linux's brk, munmap and mmap2, which are other calls of FreeBSD's.
        for (number, name) in [("12", "chdir"), ("28", "sendmsg"), ("192", "fpathconf")] {
            let outcome = probe(port, &["number", number], &Options::default());
            assert!(outcome.violations[0].contains(&format!("FreeBSD has {name}")), "{:?}", outcome.violations);
        }
        let errors = ["EBADF (9)", "EINVAL (22)", "EINVAL (22)", "EINVAL (22)", "EINVAL (22)"];
        for (flags, error) in ["0x22", "0x4022", "0x100022", "0x5002", "0x101002"].iter().zip(errors) {
            let outcome = probe(port, &["flags", flags], &Options::default());
            assert_eq!(outcome.output(), format!("flags={error}\n"), "{port} {flags}");
            assert!(outcome.violations[0].contains("Linux"), "{port} {flags}");
        }
        assert_eq!(probe(port, &["flags", "0x1002"], &Options::default()).violations.len(), 0);
        assert!(probe(port, &["rlimit", "9"], &Options::default()).violations[0].contains("RLIMIT_AS"));
        let limit = probe(port, &["rlimit", "10"], &limited(12345));
        assert_eq!(
            limit.end,
            End::Signal("SIGABRT".into()),
            "12345 bytes are too little to execute anything: {limit:?}"
        );
        let limit = probe(port, &["rlimit", "10"], &limited(5_000_000_001));
        assert_eq!(
            limit.output(),
            "soft=Some(5000000001) hard=Some(5000000001)\n",
            "{port}: a limit has 63 bits, on 386 too"
        );
    }
}

/// Every question that real kernels answered, on every kernel that the runner plays.
#[test]
fn the_runner_answers_what_real_kernels_answered() {
    for port in chosen(&PORTS) {
        for column in Column::ALL {
            let (release, i386_kernel, of_port) = match column {
                Column::Amd64Of10 => (Options::RELEASE_10_4, false, Port::freebsd_amd64),
                Column::I386Of10 => (Options::RELEASE_10_4, true, Port::freebsd_386),
                Column::Amd64Of11 => (Options::RELEASE_11_1, false, Port::freebsd_amd64),
                Column::Compat32Of11 => (Options::RELEASE_11_1, false, Port::freebsd_386),
                Column::I386Of11 => (Options::RELEASE_11_1, true, Port::freebsd_386),
            };
            if of_port == port {
                let options = Options { osreldate: release, i386_kernel, ..Options::default() };
                let outcome = probe(port, &["table"], &options);
                assert_eq!(differences(column, &outcome.output()), Vec::<String>::new(), "{port}: {outcome:?}");
            }
        }
    }
}

/// `env` wants the whole name and the `=` behind it, and the value is all that follows.
#[test]
fn a_variable_is_found_by_its_whole_name() {
    let environment = [&b"PATHS=no"[..], b"PATH", b"PATH=/bin=x", b"PATH=second", b"EMPTY="].map(<[u8]>::to_vec);
    for port in chosen(&PORTS) {
        let options = Options { environment: environment.to_vec(), ..Options::default() };
        let value = |name: &str| lawful(port, "probe", &["env", name], &options).output();
        for (name, value_of_it) in [
            ("PATH", "env=\"/bin=x\"\n"),
            ("PATHS", "env=\"no\"\n"),
            ("EMPTY", "env=\"\"\n"),
            ("PAT", "env=none\n"),
            ("EMPTY2", "env=none\n"),
        ] {
            assert_eq!(value(name), value_of_it, "{port} {name}");
        }
    }
}

/// 600 bytes are three writes. After one that fails, or takes nothing, no further one is made, and the program hears of
/// it.
#[test]
fn after_an_error_nothing_more_is_written() {
    for port in chosen(&PORTS) {
        for (faults, status, writes) in [
            (&[][..], 0, 3),
            (&["write:1:EAGAIN"], 35, 1),
            (&["write:2:EAGAIN"], 35, 2),
            (&["write:1:EINTR"], 0, 4),
            (&["write:1+:short=0"], 5, 1),
        ] {
            let mut options = Options { faults: faults.iter().map(|text| fault(text)).collect(), ..Options::default() };
            options.launch.time_limit = Some(std::time::Duration::from_secs(20));
            let outcome = lawful(port, "probe", &["print", "1"], &options);
            let count = outcome.call_names().iter().filter(|name| **name == "write").count();
            assert_eq!((outcome.end.clone(), count), (End::Exit(status), writes), "{port} {faults:?}");
        }
    }
}

/// No kernel says that its pages have such a size, and who divides by it must not believe it.
#[test]
fn a_page_size_that_is_none_is_not_believed() {
    for port in chosen(&PORTS) {
        for page_size in [0, 1000, 4097, 12288] {
            let limits = lawful(port, "limits", &[], &Options { page_size, ..limited(64 * MIB) });
            assert_eq!((limits.end.clone(), limits.value("page")), (End::Exit(0), Some("4096".into())), "{limits:?}");
        }
    }
}

/// The kernel puts the program's path above all other strings: one that fills a page costs a page.
#[test]
fn the_program_path_counts_in_the_footprint() {
    const LENGTH: usize = 4090; // PATH_MAX is 4096, and the page also has `struct ps_strings`
    for port in chosen(&PORTS) {
        let folder = tempfile::tempdir().unwrap();
        let mut path = folder.path().canonicalize().unwrap();
        while path.as_os_str().len() < LENGTH - 450 {
            path.push("d".repeat(200));
        }
        path.push("d".repeat((LENGTH - path.as_os_str().len()) / 2 - 1));
        std::fs::create_dir_all(&path).unwrap();
        path.push("p".repeat(LENGTH - path.as_os_str().len() - 1));
        std::fs::copy(program(port, "limits"), &path).unwrap();
        let footprint = |file: &Path| {
            let options = Options { argument_0: Some(b"limits".to_vec()), ..limited(64 * MIB) };
            let outcome = run(file, &[], &options).unwrap();
            outcome.value("footprint").unwrap_or_else(|| panic!("{outcome:?}")).parse::<u64>().unwrap()
        };
        assert_eq!(footprint(&path), footprint(&program(port, "limits")) + 4096, "{port}");
    }
}

#[test]
fn an_unknown_call_is_sigsys() {
    for port in chosen(&PORTS) {
        let options = Options { faults: vec![fault("getrlimit:1:unknown")], ..Options::default() };
        let outcome = lawful(port, "limits", &[], &options);
        assert_eq!(outcome.end, End::Signal("SIGSYS".into()), "{port}");
    }
}

/// The stack is a mapping like others, and grows until its own limit or that of the address space.
#[test]
fn the_stack_grows_within_both_limits() {
    for port in chosen(&PORTS) {
        let use_of = |bytes: &str, options: &Options| probe(port, &["stack", bytes], options).end;
        let stack = |bytes| Options { limit_stack: Some(Limit { soft: bytes, hard: bytes }), ..Options::default() };
        assert_eq!(use_of("4000000", &limited(10_000_000)), End::Exit(0), "{port}");
        assert_eq!(use_of("10000000", &limited(10_000_000)), End::Signal("SIGSEGV".into()), "{port}");
        assert_eq!(use_of("2000000", &stack(6_000_000)), End::Exit(0), "{port}");
        assert_eq!(use_of("2000000", &stack(1_000_000)), End::Signal("SIGSEGV".into()), "{port}");
    }
}

/// mmap(0) searches upwards from the data segment plus the hard RLIMIT_DATA.
#[test]
fn mappings_begin_above_the_room_for_data() {
    for port in chosen(&PORTS) {
        let base = |hard: i64| {
            let limit_data = Some(Limit { soft: hard, hard });
            let outcome = lawful(port, "limits", &[], &Options { limit_data, ..Options::default() });
            u64::from_str_radix(outcome.value("base").unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
        };
        assert_eq!(base(400 << 20) - base(100 << 20), 300 * MIB, "{port}");
    }
}

/// About 3.4 GiB fit under an amd64 kernel, 2.4 GiB under an i386 one. [run]
#[test]
fn a_386_program_gets_what_the_address_space_holds() {
    let filled = |i386_kernel| {
        let options = Options { i386_kernel, ..Options::default() };
        let outcome =
            lawful(Port::freebsd_386, "limits", &["--no-bitmap", "--allowance=0", "--fill=16777216"], &options);
        assert_eq!(outcome.end, End::Exit(0), "{outcome:?}");
        outcome.value("filled").unwrap().parse::<u64>().unwrap() / MIB
    };
    let (amd64, i386) = (filled(false), filled(true));
    assert!((3300..3500).contains(&amd64) && (2300..2500).contains(&i386), "{amd64} and {i386} MiB");
}

#[test]
fn the_tool_tells_ends_apart_by_its_status() {
    let tool = Path::new(env!("CARGO_BIN_EXE_freebsd-runner"));
    let status = |arguments: &[&str]| {
        let output = std::process::Command::new(tool).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for port in chosen(&PORTS) {
        let (hello, probe) = (program(port, "hello"), program(port, "probe"));
        let (hello, probe) = (hello.to_str().unwrap(), probe.to_str().unwrap());
        let long_sleep = ["--time-limit=1", "--fail=write:1+:short=0", hello];
        let cases: [(&[&str], i32, &str); 9] = [
            (&[hello], 0, ""),
            (&["--trace", hello], 0, "write("),
            (&[probe, "nonsense"], 2, "usage: probe"),
            (&[probe, "touch"], 128 + 11, "SIGSEGV"),
            (&[probe, "number", "11"], 125, "no system call 11"),
            (&["--limit-as=50000", hello], 128 + 6, "ENOMEM"),
            (&["/bin/true"], 126, "ENOEXEC"),
            (&["--nonsense=1", hello], 2, "no such option"),
            (&["--block-mod=3", hello], 2, "mod 16"),
        ];
        for (arguments, expected, text) in cases {
            let (code, errors) = status(arguments);
            assert!(code == expected && errors.contains(text), "{arguments:?}: {code} {errors:?}");
        }
        // After a write that takes nothing the program may try again or give up; the runner survives both.
        assert!([0, 1, 124].contains(&status(&long_sleep).0));
    }
}
