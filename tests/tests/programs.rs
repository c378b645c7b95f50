//! Runs the programs of linux_386 and linux_amd64 on this machine's own kernel.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job, Outcome};
use rt0_tests::run::make::root;
use rt0_tests::run::native;

const PORTS: [Port; 2] = [Port::linux_386, Port::linux_amd64];
const KIB: u64 = 1 << 10;

fn program(port: Port, name: &str) -> PathBuf {
    let file = port.program(Path::new("../dist"), name);
    assert!(file.exists(), "{} is not there; `make dist PORT={port}` makes it", file.display());
    file
}

fn run(port: Port, name: &str, args: &[&str], limit: Option<u64>) -> Outcome {
    let job = Job::new(name, program(port, name), args).limited(limit);
    native::run(&[job], 60, &mut |_| ()).unwrap().remove(0)
}

#[test]
fn hello_says_hello() {
    for port in chosen(&PORTS) {
        let outcome = run(port, "hello", &[], None);
        assert_eq!((outcome.end, outcome.output.as_str()), (End::Exit(0), "hello, world\n"), "{port}");
    }
}

#[test]
fn limits_answers_what_it_does_not_know_with_its_usage() {
    let wrong = [
        "--bogus",
        "--policy",
        "--policy=",
        "--policy=best",
        "--allowance",
        "--allowance=",
        "--allowance=x",
        "--allowance=-1",
        "--allowance=99999999999999999999",
        "--fill=",
        "--fill=0",
        "--fill=x",
        "--no-bitmap=1",
        "",
        "-",
        "--help",
        "extra",
    ];
    for port in chosen(&PORTS) {
        for arg in wrong {
            let outcome = run(port, "limits", &[arg], None);
            assert_eq!(outcome.end, End::Exit(2), "{port} {arg:?}");
            assert!(
                outcome.output.contains("usage: limits") && outcome.output.lines().count() == 1,
                "{:?}",
                outcome.output
            );
            assert!(outcome.output.contains(&format!("{arg:?}")), "which argument? {:?}", outcome.output);
        }
    }
}

/// Page by page from the smallest limit under which exec succeeds: the program prints the one line or has an arena that
/// fits, and from some limit on it always has an arena.
#[test]
fn a_limit_that_nothing_fits_into_is_told_in_one_line() {
    for port in chosen(&PORTS) {
        for args in [&["--allowance=0", "--no-bitmap", "--fill"][..], &["--allowance=0"], &[]] {
            let mut fitted_before = false;
            let mut failures = 0;
            for pages in 44..140 {
                let limit = pages * 4 * KIB;
                let Outcome { end, output, .. } = run(port, "limits", args, Some(limit));
                let fits = end == End::Exit(0);
                assert!(fits >= fitted_before, "{port} {args:?}: {limit} bytes are too little, fewer were not");
                fitted_before = fits;
                if !fits {
                    failures += 1;
                    assert_eq!(end, End::Exit(2), "{port} {args:?} {limit}: {output:?}");
                    assert!(output.starts_with("rt0: cannot reserve arena virtual address space: "), "{output:?}");
                    assert!(
                        output.contains(&format!("limit {limit} (RLIMIT_AS)")) && output.contains("footprint "),
                        "{output:?}"
                    );
                    assert_eq!(output.lines().count(), 1, "{output:?}");
                    // The limit that the line says would do does, and it is at most a few pages above the least.
                    let would_do: u64 =
                        output.split("a limit of ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
                    assert!(would_do > limit, "{output:?}");
                    // A shell takes it in KiB.
                    assert!(output.ends_with(&format!("(ulimit -v {})\n", would_do.div_ceil(KIB))), "{output:?}");
                    assert_eq!(run(port, "limits", args, Some(would_do)).end, End::Exit(0), "{output:?}");
                }
            }
            assert!(failures > 0 && fitted_before, "{port} {args:?}: {failures} failures");
        }
    }
}

#[test]
fn a_heap_is_reserved_before_main_or_the_one_line_says_why_not() {
    for port in chosen(&PORTS) {
        let sorted = run(port, "sort", &["b", "c", "", "a"], Some(4 << 20));
        assert_eq!((sorted.end, sorted.output.as_str()), (End::Exit(0), "\na\nb\nc\n"), "{port}");
        let Outcome { end, output, .. } = run(port, "sort", &["b"], Some(200 * KIB));
        assert_eq!(end, End::Exit(2), "{port}: {output}");
        assert!(output.starts_with("rt0: cannot reserve arena virtual address space: "), "{output:?}");
        assert_eq!(output.lines().count(), 1, "{output:?}");
    }
}

/// The system calls of a program, as strace prints them, from `execve` on.
fn strace(port: Port, name: &str) -> Vec<String> {
    strace_file(&program(port, name))
}

/// The same, of a program in this file.
fn strace_file(program: &Path) -> Vec<String> {
    let Output { stderr, status, .. } = Command::new("strace")
        .args(["-f", "-e", "signal=none"])
        .arg(program)
        .output()
        .expect("strace runs (Debian: apt-get install strace)");
    assert!(status.success(), "{status}");
    let text = String::from_utf8(stderr).unwrap();
    let calls = text.lines().filter(|line| line.contains('(') && !line.starts_with("execve("));
    calls.map(|line| line.split('(').next().unwrap().to_string()).collect()
}

#[test]
fn hello_makes_two_system_calls() {
    for port in chosen(&PORTS) {
        assert_eq!(strace(port, "hello"), ["write", "exit_group"], "{port}");
    }
}

/// A program with thread-local variables makes one call more before `main`, and none for their memory.
#[test]
fn thread_local_variables_cost_one_system_call() {
    for (port, set) in [(Port::linux_386, "set_thread_area"), (Port::linux_amd64, "arch_prctl")] {
        if chosen(&[port]).is_empty() {
            continue;
        }
        let program = root().join("dist").join(port.to_string()).join("tls/tls-64");
        let calls = strace_file(&program);
        // The first that its `main` makes is to start a thread.
        assert_eq!(calls[..2], [set, "clone"], "{port}: {calls:?}");
    }
}

#[test]
fn before_main_there_are_getrlimit_and_mmap_and_nothing_else() {
    for (port, [getrlimit, mmap]) in
        [(Port::linux_386, ["ugetrlimit", "mmap2"]), (Port::linux_amd64, ["getrlimit", "mmap"])]
    {
        let calls = strace(port, "limits");
        assert_eq!(calls[..3], [getrlimit, mmap, "write"], "{port}");
        assert!(calls[2..calls.len() - 1].iter().all(|call| call == "write"), "{port}: {calls:?}");
        assert_eq!(calls.last().unwrap(), "exit_group");
    }
}
