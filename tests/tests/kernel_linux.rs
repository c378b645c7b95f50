//! Tests that whatever goes wrong on Debian's kernels in QEMU is noticed. `prove` runs what every port has to show on
//! them.
//!
//! The programs are those that `make dist` builds.

use rt0_tests::check::sweep::Report;
use rt0_tests::port::Port;
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::machine::default_dist;
use rt0_tests::run::qemu::linux::{self, Kernel};
use rt0_tests::run::qemu::plan::{self, Plan};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn program(name: &str) -> PathBuf {
    let file = Port::linux_amd64.program(&default_dist(), name);
    assert!(file.exists(), "{} is missing; `make dist` builds it", file.display());
    file
}

/// An ELF file for amd64 whose one segment is `code`.
fn elf(file: &Path, code: &[u8]) -> PathBuf {
    const BASE: u64 = 0x40_0000;
    let headers: u64 = 64 + 56;
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([2, 0, 62, 0, 1, 0, 0, 0]); // ET_EXEC, EM_X86_64, version
    for word in [BASE + headers, 64, 0] {
        bytes.extend(u64::to_le_bytes(word)); // entry, program headers, section headers
    }
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]); // flags, sizes and counts
    bytes.extend([1, 0, 0, 0, 5, 0, 0, 0]); // PT_LOAD, readable and executable
    let size = headers + code.len() as u64;
    for word in [0, BASE, BASE, size, size, 4096] {
        bytes.extend(u64::to_le_bytes(word));
    }
    bytes.extend(code);
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    file.into()
}

#[test]
fn what_goes_wrong_in_a_program_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let for_ever = elf(&folder.path().join("for-ever"), &[0xeb, 0xfe]); // jmp .
    let illegal = elf(&folder.path().join("illegal"), &[0x0f, 0x0b]); // ud2
    let no_program = folder.path().join("no-program");
    fs::write(&no_program, "not a program").unwrap();
    let jobs = [
        Job::new("right", program("hello"), &[]),
        Job::new("for-ever", &for_ever, &[]),
        Job::new("illegal", &illegal, &[]),
        Job::new("no-program", &no_program, &[]),
        // `init` that is not process 1 and has no plan.
        Job::new("status", program("init"), &[]),
        // The kernel has already dropped the old program when it finds no room for the new program's stack.
        Job::new("no-room", program("hello"), &[]).limited(4096),
        Job::new("right-again", program("hello"), &["two words", ""]),
    ];
    let boot = linux::run(Kernel::Amd64, &program("init"), &jobs, 2, &mut |_| ()).unwrap();
    let ends: Vec<&End> = boot.outcomes.iter().map(|outcome| &outcome.end).collect();
    assert_eq!(ends[..5], [&End::Exit(0), &End::Timeout, &End::Signal(4), &End::Exit(127), &End::Exit(2)]);
    assert!(matches!(ends[5], End::Signal(9 | 11)), "{:?}", boot.outcomes[5]);
    assert_eq!(ends[6], &End::Exit(0));
    assert_eq!(boot.outcomes[0].output, "hello, world\n");
    assert!(boot.outcomes[3].output.contains("execve /t/3/no-program: ENOEXEC (8)"), "{}", boot.outcomes[3].output);
}

#[test]
fn a_kernel_that_panics_is_the_reason_for_every_missing_line() {
    // The first process must not end.
    let jobs = ["a", "b"].map(|name| Job::new(name, program("hello"), &[]));
    let boot = linux::run(Kernel::Amd64, &program("hello"), &jobs, 2, &mut |_| ()).unwrap();
    for outcome in &boot.outcomes {
        let End::Missing(why) = &outcome.end else { panic!("{outcome:?}") };
        assert!(why.contains("Kernel panic - not syncing: Attempted to kill init!"), "{why}");
    }
}

#[test]
fn a_program_that_is_not_there_is_an_error_before_the_boot() {
    let jobs = [Job::new("a", "/no/such/file", &[])];
    let error = linux::run(Kernel::Amd64, &program("init"), &jobs, 2, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("/no/such/file"), "{error}");
}

#[test]
fn init_reads_what_its_head_says_and_names_what_it_does_not_understand() {
    let mut text = "# a comment, and an empty line\n\n\
         !timeout 20\n\
         decimal 67108864 /t/limits\n\
         hex\t0x4000000  /t/limits \n\
         unit 64m /t/limits\n\
         none - /t/limits\n\
         quoted - /t/limits 'two words'\n\
         \t double - /t/limits \"it's\"\n\
         hash - /t/limits #\n\
         !stack 64k\n\
         !what 1\n\
         !timeout\n\
         two words\n\
         open - /t/limits 'open\n\
         number 1kk /t/limits\n"
        .to_string();
    text.push_str(&format!("words - /t/limits{}\n", " x".repeat(62)));
    text.push_str(&format!("most - /t/limits{}\n", " x".repeat(61)));
    text.push_str(&format!("long - /t/limits {}\nafter - /t/limits\n", "x".repeat(5000)));
    let plan = Plan { text, programs: vec![("/t/limits".into(), program("limits"))] };
    let names = ["decimal", "hex", "unit", "none", "quoted", "double", "hash", "most", "after"];
    let jobs = names.map(|name| Job::new(name, program("limits"), &[]));
    let boot =
        linux::run_plan(Kernel::Amd64, "", &program("init"), &plan, &jobs, Duration::from_secs(120), &mut |_| ())
            .unwrap();

    for outcome in &boot.outcomes[..3] {
        assert!(outcome.output.contains("\nlimit=67108864\n"), "{outcome:?}");
    }
    assert!(boot.outcomes[3].output.contains("\nlimit=none\n"));
    for (outcome, argument) in boot.outcomes[4..8].iter().zip(["two words", "it's", "#", "x"]) {
        assert!(outcome.output.starts_with(&format!("limits: what is {argument:?}?")), "{outcome:?}");
    }
    // Lines that make no sense are reported; one that is too long ends the plan.
    for (line, what) in [
        (12, "no such setting"),
        (13, "no such setting"),
        (14, "a line needs at least NAME LIMIT PROGRAM"),
        (15, "a quote that is not closed"),
        (16, "not a number"),
        (17, "too many words"),
        (19, "longer than 4096 bytes"),
    ] {
        assert!(boot.console.contains(&format!("init: plan, line {line}: {what}")), "line {line}: {}", boot.console);
    }
    assert!(
        matches!(&boot.outcomes[8].end, End::Missing(why) if why.contains("init left jobs out")),
        "{:?}",
        boot.outcomes[8]
    );
}

/// Strict overcommit charges what is committed, not what is only reserved. So the arena is as large as without it, and
/// filling it ends when memory does, without a signal and with everything filled still there.
#[test]
fn strict_overcommit_ends_the_filling_and_nothing_else() {
    let limits = program("limits");
    let fill = ["--allowance=0", "--no-bitmap", "--fill"];
    let jobs = [
        Job::new("small", &limits, &fill).limited(64 << 20),
        Job::new("large", &limits, &fill).limited(64 << 30),
        Job::new("none", &limits, &["--fill"]),
        Job::new("heap", program("alloc"), &["--fill=65536", "--cap=68719476736"]),
    ];
    let plan = plan::plan(&jobs, 60).unwrap();
    let strict = "sysctl.vm.overcommit_memory=2";
    let patience = Duration::from_secs(180);
    let boot = linux::run_plan(Kernel::Amd64, strict, &program("init"), &plan, &jobs, patience, &mut |_| ()).unwrap();
    for outcome in &boot.outcomes {
        assert_eq!(outcome.end, End::Exit(0), "{outcome:?}");
        let report = Report::parse(&outcome.output).unwrap();
        let (arena, filled) = (report.number("arena").unwrap(), report.number("filled").unwrap());
        assert!(filled > 32 << 20, "{outcome:?}");
        match outcome.name.as_str() {
            "small" => assert_eq!(filled, arena),
            // A heap takes as much again as it has, and bits for what it may grow to.
            "heap" => assert!(filled < 1 << 30 && arena >= filled && arena <= filled / 4 * 9, "{outcome:?}"),
            // The machine has 1 GiB.
            _ => assert!(filled < 1 << 30 && arena >= 16 << 30, "{outcome:?}"),
        }
    }
}
