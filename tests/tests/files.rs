//! The typed calls on files, terminals and clocks, and lines of input, on every port: `examples/probe.rs`.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::linux_runner::{self, Options};
use rt0_tests::run::machine::{Machine, default_dist, patience};
use rt0_tests::run::qemu::linux::Kernel;
use rt0_tests::run::tracer::faults::Fault;
use rt0_tests::run::tracer::report;

const NATIVE: [Port; 2] = [Port::linux_386, Port::linux_amd64];

/// Every line of `probe files` but that of its input.
const RIGHT: [&str; 25] = [
    "empty", "seek", "write", "where", "end", "read", "pwrite", "pread", "hole", "kept", "behind", "before", "near",
    "sync", "truncate", "lock", "access", "link", "stat", "folder", "terminal", "unlink", "nameless", "closed",
    "input",
];

fn check_files(port: Port, output: &str) {
    let lines: Vec<_> = output.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), RIGHT, "{port}: {output}");
    assert!(lines[..RIGHT.len() - 1].iter().all(|line| line.1 == "ok"), "{port}: {output}");
}

fn calls_on(machine: &Machine, folder: &str) {
    // The runner plays the handlers of faults alone, which `tests/tests/stacks.rs` shows.
    let questions =
        if matches!(machine, Machine::Runner) { &["calls", "files"][..] } else { &["calls", "files", "handler"] };
    let jobs = |port: Port| {
        let program = port.program(&default_dist(), "probe");
        let path = format!("{folder}/rt0-probe-{port}-{}", std::process::id());
        let of = move |question: &&str| {
            let args = [*question, &path];
            let args = if *question == "files" { &args[..] } else { &args[..1] };
            Job::new(format!("{port}/{question}"), &program, args)
        };
        questions.iter().map(of)
    };
    let ports = chosen(machine.ports());
    let jobs: Vec<Job> = ports.iter().copied().flat_map(jobs).collect();
    if jobs.is_empty() {
        return;
    }
    let outcomes = machine.run(&default_dist(), &jobs, patience(), &mut |_| ()).unwrap();
    for (port, answers) in ports.iter().zip(outcomes.chunks(questions.len())) {
        assert!(answers.iter().all(|it| it.end == End::Exit(0)), "{port}: {answers:?}");
        assert!(
            answers[0].output.lines().count() == 11 && !answers[0].output.contains("WRONG"),
            "{port}: {}",
            answers[0].output
        );
        check_files(*port, &answers[1].output);
        assert!(answers[2..].iter().all(|it| it.output == "handler=ok\n"), "{port}: {answers:?}");
    }
}

#[test]
fn calls_on_linux_386_and_linux_amd64() {
    calls_on(&Machine::Native, std::env::temp_dir().to_str().unwrap());
}

#[test]
fn calls_on_freebsd_under_the_runner() {
    calls_on(&Machine::Runner, std::env::temp_dir().to_str().unwrap());
}

#[test]
fn calls_on_linux_arm() {
    calls_on(&Machine::Linux(Kernel::Armhf), "");
}

/// A terminal is one, with the size of its window.
#[test]
fn a_terminal_is_told_from_a_file() {
    for port in chosen(&NATIVE) {
        let size = Winsize { ws_row: 25, ws_col: 81, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).unwrap();
        let path = std::env::temp_dir().join(format!("rt0-terminal-{port}-{}", std::process::id()));
        let mut probe = Command::new(port.program(&default_dist(), "probe"));
        let output = probe.arg("files").arg(path).stdin(terminal.slave).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        check_files(port, &output);
        assert!(output.ends_with("input=25x81\n"), "{port}: {output}");
    }
}

/// A kernel before 5.1 has no calls with 64-bit seconds: the older ones answer then.
#[test]
fn an_older_kernel_tells_the_time_too() {
    if chosen(&[Port::linux_386]).is_empty() {
        return;
    }
    let program = Port::linux_386.program(&default_dist(), "probe");
    let fault = |text: &str| Fault::parse(text, linux_runner::errno_named).unwrap();
    for (faults, made) in [
        (vec![], ["clock_gettime64", "clock_nanosleep64"]),
        (
            (1..9)
                .flat_map(|n| ["clock_gettime64", "clock_nanosleep64"].map(|call| fault(&format!("{call}:{n}:ENOSYS"))))
                .collect(),
            ["clock_gettime", "nanosleep"],
        ),
    ] {
        let outcome = linux_runner::run(&program, &["calls"], &Options { faults, ..Default::default() }).unwrap();
        assert_eq!(outcome.end, report::End::Exit(0), "{}", outcome.output());
        assert!(outcome.output().contains("time=ok"), "{}", outcome.output());
        for call in made {
            assert!(outcome.calls.iter().any(|it| it.name == call), "{call}: {:?}", outcome.calls);
        }
    }
}

/// Lines through a buffer of five bytes, as the input brings them: at once, and byte by byte.
#[test]
fn lines_of_input() {
    for port in chosen(&NATIVE) {
        for (input, lines) in [
            ("", ""),
            ("\n", "0\n"),
            ("abc\n\nde", "3\n0\n2\n"),
            ("abcd\n", "4\n"),
            ("abcde\n", "5+\n0\n"),
            ("abcdefg\nhi\n", "5+\n2\n2\n"),
            ("abcde", "5+\n"),
        ] {
            for at_once in [true, false] {
                let mut probe = Command::new(port.program(&default_dist(), "probe"));
                let mut probe =
                    probe.args(["lines", "5"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
                let mut pipe = probe.stdin.take().unwrap();
                if at_once {
                    pipe.write_all(input.as_bytes()).unwrap();
                } else {
                    for byte in input.as_bytes() {
                        pipe.write_all(&[*byte]).unwrap();
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                }
                drop(pipe);
                let mut output = String::new();
                probe.stdout.take().unwrap().read_to_string(&mut output).unwrap();
                assert_eq!(output, lines, "{port} {input:?} {at_once}");
                assert!(probe.wait().unwrap().success());
            }
        }
    }
}
