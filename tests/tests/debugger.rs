//! What gdb and lldb show of a program: names, lines, and a backtrace that ends at `_start`, in dev and in release with debug
//! information. The program is the one that `template/` makes, with the configuration that comes with it.

use anyhow::{Context, Result, ensure};
use rt0_tests::run::make::root;
use rt0_tests::run::project::Project;
use std::path::PathBuf;
use std::process::Command;

/// A debugger under the names that it may have here, and what it is told: to stop where the program writes, two calls deep or
/// more whatever is inlined, and to show the calls.
struct Debugger {
    names: &'static [&'static str],
    arguments: &'static [&'static str],
    /// What the line of each call begins with, and how that of `_start` ends.
    frame: &'static str,
    start: &'static str,
}

const GDB: Debugger = Debugger {
    names: &["gdb"],
    arguments: &["-q", "-nx", "-batch", "-ex", "catch syscall write", "-ex", "run", "-ex", "backtrace", "--args"],
    frame: "#",
    start: " in _start ()",
};

const LLDB: Debugger = Debugger {
    names: &["lldb", "lldb-22"],
    arguments: &[
        "--batch",
        "--no-lldbinit",
        "--one-line",
        "breakpoint set --func-regex write_all",
        "--one-line",
        "run",
        "--one-line",
        "thread backtrace",
        "--one-line",
        "process kill",
        "--",
    ],
    frame: "frame #",
    start: "`_start + ",
};

/// The programs of both profiles, each with its profile's name.
fn programs(name: &str) -> Result<(Project, [(&'static str, PathBuf); 2])> {
    let project = Project::new(root(), name, "rust-lld")?;
    project.run(".", &["cargo", "build", "--quiet"])?;
    let options = ["--release", "--config", "profile.release.debug=true", "--config", "profile.release.strip=false"];
    project.run(".", &[&["cargo", "build", "--quiet"][..], &options].concat())?;
    let programs = ["debug", "release"].map(|profile| (profile, project.built(profile)));
    Ok((project, programs))
}

fn show_in(debugger: &Debugger) -> Result<()> {
    let Debugger { names, arguments, frame, start } = debugger;
    let found = names.iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    let Some(found) = found else {
        let wanted = names.last().copied().unwrap_or_default();
        ensure!(
            std::env::var_os("RT0_REQUIRE_ALL").is_none(),
            "{wanted} is missing (Debian: apt-get install {wanted})"
        );
        println!("not run: no {wanted} here");
        return Ok(());
    };
    let (_project, programs) = programs(&format!("in-{}", names[0]))?;
    for (profile, program) in programs {
        let output = Command::new(found).args(*arguments).arg(program).arg("word").output().context(*found)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let is_call = |line: &&str| line.trim_start_matches([' ', '*']).starts_with(frame);
        let calls: Vec<&str> = text.lines().filter(is_call).collect();
        let last = calls.last().with_context(|| format!("{profile}: no calls in {text}"))?;
        ensure!(last.contains(start), "{profile}: the backtrace ends at {last:?}: {calls:#?}");
        let main = calls.iter().find(|line| line.contains("::main"));
        ensure!(main.is_some_and(|main| main.contains("main.rs:")), "{profile}: no main with its line in {calls:#?}");
        println!("{found}, {profile}: {} calls, the last of them _start", calls.len());
    }
    Ok(())
}

#[test]
fn a_backtrace_in_gdb_ends_at_start() -> Result<()> {
    show_in(&GDB)
}

#[test]
fn a_backtrace_in_lldb_ends_at_start() -> Result<()> {
    show_in(&LLDB)
}
