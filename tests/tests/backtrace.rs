//! The calls that a panic prints (`examples/backtrace.rs`): with frame pointers they are those that led to it, on every port,
//! and without them a beginning of those, or none.
//!
//! The program is built as a project of `make new` is, whose configuration asks for frame pointers. What the addresses mean is
//! what binutils' `addr2line` says of them, or the symbol table.

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol, SymbolKind};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job, Outcome};
use rt0_tests::run::machine::{Machine, default_dist, patience};
use rt0_tests::run::make::root;
use rt0_tests::run::project::{Project, toolchain};
use rt0_tests::run::qemu::linux::Kernel;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the program says of a panic, in lines: place, message and backtrace, of which this returns the addresses and what is
/// said after them.
fn backtrace(outcome: &Outcome) -> Result<(Vec<u64>, String)> {
    ensure!(outcome.end == End::Exit(2), "{outcome:?}");
    let lines: Vec<&str> = outcome.output.lines().collect();
    ensure!(lines.len() == 3 && lines[0].starts_with("panicked at "), "{outcome:?}");
    let mut words = lines[2].strip_prefix("backtrace:").context("no backtrace")?.split(' ').skip(1).peekable();
    let mut addresses = Vec::new();
    while let Some(hex) = words.peek().and_then(|word| word.strip_prefix("0x")) {
        addresses.push(u64::from_str_radix(hex, 16)?);
        words.next();
    }
    Ok((addresses, words.collect::<Vec<_>>().join(" ")))
}

/// The names of the functions that the addresses are in, by the symbol table of `program`, which may be mangled.
fn functions(program: &Path, addresses: &[u64]) -> Result<Vec<String>> {
    let data = fs::read(program)?;
    let file = object::File::parse(&*data)?;
    // Functions in assembly have no size.
    let mut starts: Vec<(u64, &str)> = Vec::new();
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
        starts.push((symbol.address() & !u64::from(file.architecture() == object::Architecture::Arm), symbol.name()?));
    }
    starts.sort_unstable();
    let of = |address: &u64| Some(starts.iter().rev().find(|(start, _)| start <= address)?.1.to_string());
    addresses.iter().map(|address| of(address).with_context(|| format!("no function at {address:#x}"))).collect()
}

/// Whether a mangled name is that of a function: it has the name with its length.
fn is(mangled: &str, name: &str) -> bool {
    mangled == name || mangled.contains(&format!("{}{name}", name.len()))
}

/// Checks that the functions begin with the panic's own and go on with `calls`; what comes behind those.
fn after<'a>(functions: &'a [String], calls: &[&str]) -> Result<&'a [String]> {
    let first = functions.iter().position(|name| is(name, calls[0])).with_context(|| format!("{functions:#?}"))?;
    ensure!(first <= 4, "the panic itself is {first} calls: {functions:#?}");
    for (name, call) in functions[first..].iter().zip(calls) {
        ensure!(is(name, call), "{name} is not {call}: {functions:#?}");
    }
    ensure!(functions.len() >= first + calls.len(), "{functions:#?}");
    Ok(&functions[first + calls.len()..])
}

fn project(ports: bool) -> Result<Project> {
    let project = if ports { Project::for_ports("backtrace") } else { Project::new(root(), "backtrace", "rust-lld") }?;
    fs::copy(root().join("examples/backtrace.rs"), project.folder.join("src/main.rs"))?;
    Ok(project)
}

const CASES: [&str; 3] = ["first", "thread", "deep"];

fn show_on(machine: &Machine) -> Result<()> {
    if toolchain("STANDARD")? == "yes" {
        println!("not run: the toolchain found does not build core");
        return Ok(());
    }
    let project = project(true)?;
    let cargo = toolchain("PORT_CARGO")?;
    let cargo: Vec<&str> = cargo.split_whitespace().collect();
    let (mut programs, mut jobs) = (Vec::new(), Vec::new());
    for port in chosen(machine.ports()) {
        let target = format!("{port}.json");
        let build = ["build", "--quiet", "--release", "--config", "profile.release.strip=false", "--target", &target];
        project.run("targets", &[&cargo[..], &build].concat())?;
        for (kind, program) in [
            ("with", project.built(&format!("{port}/release"))),
            ("without", port.program(&default_dist(), "backtrace")),
        ] {
            for case in CASES {
                jobs.push(Job::new(format!("{port}/{kind}/{case}"), &program, &[case]));
                programs.push((port, kind, program.clone(), case));
            }
        }
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let outcomes = machine.run(&default_dist(), &jobs, patience(), &mut |_| ())?;
    ensure!(outcomes.len() == jobs.len(), "{} outcomes", outcomes.len());
    for (outcome, (port, kind, program, case)) in outcomes.iter().zip(&programs) {
        let check = || {
            let (addresses, rest) = backtrace(outcome)?;
            let functions = functions(program, &addresses)?;
            println!("{}: {} calls {rest}", outcome.name, addresses.len());
            // Without frame pointers it is for the compiler to say how far the chain goes, and for rt0 to say that it ends.
            if *kind == "without" && !rest.is_empty() {
                ensure!(*case == "deep" || rest == "and no further frame pointer", "{outcome:?}");
                return Ok(());
            }
            let behind = after(&functions, &["inner", "middle", "outer"])?;
            match *case {
                "first" => {
                    ensure!(rest.is_empty(), "{outcome:?}");
                    ensure!(behind.last().is_some_and(|name| name == "_start"), "{functions:#?}");
                }
                "thread" => {
                    ensure!(rest.is_empty(), "{outcome:?}");
                    // On Linux the thread begins in the call of `clone`, wherever that is inlined.
                    let begins =
                        behind.iter().position(|name| is(name, "run")).with_context(|| format!("{functions:#?}"))?;
                    ensure!(behind.len() - begins == if port.is_freebsd() { 1 } else { 2 }, "{functions:#?}");
                }
                _ => {
                    ensure!(addresses.len() == 64 && rest == "and more", "{outcome:?}");
                    ensure!(behind.iter().all(|name| is(name, "descend")), "{functions:#?}");
                }
            }
            Ok(())
        };
        check().with_context(|| outcome.name.clone())?;
    }
    Ok(())
}

#[test]
fn calls_on_linux_386_and_linux_amd64() -> Result<()> {
    show_on(&Machine::Native)
}

#[test]
fn calls_on_freebsd_under_the_runner() -> Result<()> {
    show_on(&Machine::Runner)
}

#[test]
fn calls_on_linux_arm() -> Result<()> {
    show_on(&Machine::Linux(Kernel::Armhf))
}

/// The line of `examples/backtrace.rs` that has `text` in it first.
fn line_of(text: &str) -> Result<usize> {
    let source = fs::read_to_string(root().join("examples/backtrace.rs"))?;
    Ok(source.lines().position(|line| line.contains(text)).with_context(|| text.to_string())? + 1)
}

/// As `docs/debugging.md` says it, with cargo's plain commands, as a static-PIE too.
#[test]
fn addr2line_says_functions_and_lines() -> Result<()> {
    if Command::new("addr2line").arg("--version").output().is_err() {
        ensure!(
            std::env::var_os("RT0_REQUIRE_ALL").is_none(),
            "addr2line is missing (Debian: apt-get install binutils)"
        );
        println!("not run: no addr2line here");
        return Ok(());
    }
    if chosen(&[Port::linux_amd64]).is_empty() {
        return Ok(());
    }
    let project = project(false)?;
    let pie = "-Crelocation-model=pie -Ctarget-feature=+crt-static -Cforce-frame-pointers=yes";
    let release = &["--release", "--config", "profile.release.debug=true", "--config", "profile.release.strip=false"];
    let target = "x86_64-unknown-linux-gnu";
    for (built, flags, options) in [
        ("debug".into(), None, &[][..]),
        ("release".into(), None, release),
        (format!("{target}/release"), Some(pie), &[release, &["--target", target][..]].concat()),
    ] {
        let variables: Vec<_> = flags.iter().map(|flags| ("RUSTFLAGS", *flags)).collect();
        project.run_with(".", &variables, &[&["cargo", "build", "--quiet"][..], options].concat())?;
        let program = project.built(&built);
        let outcome =
            Machine::Native.run(&default_dist(), &[Job::new("first", &program, &["first"])], 60, &mut |_| ())?;
        let (addresses, rest) = backtrace(&outcome[0])?;
        ensure!(rest.is_empty(), "{outcome:?}");
        let output = Command::new("addr2line")
            .args(["-Cfpe".as_ref(), program.as_os_str()])
            .args(addresses.iter().map(|address| format!("{address:#x}")))
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let lines: Vec<&str> = text.lines().collect();
        ensure!(lines.len() == addresses.len(), "{built}: {text}");
        let mut last = 0;
        for (function, call) in
            [("inner", "assert!("), ("middle", "inner(black_box"), ("outer", "middle(black_box"), ("main", "outer(1)")]
        {
            let wanted =
                format!("backtrace::{function} at {}/src/main.rs:{}", project.folder.display(), line_of(call)?);
            let at = lines.iter().position(|line| {
                line.strip_prefix(&wanted).is_some_and(|rest| !rest.starts_with(|it: char| it.is_ascii_digit()))
            });
            let at = at.with_context(|| format!("{built}: no {wanted:?} in\n{text}"))?;
            ensure!(at > last, "{built}: {wanted:?} is out of order in\n{text}");
            last = at;
        }
        ensure!(lines.last().is_some_and(|line| line.contains("_start")), "{built}: {text}");
        println!("{built}: {} calls", lines.len());
    }
    Ok(())
}
