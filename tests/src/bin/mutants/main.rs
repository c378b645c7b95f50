//! Breaks the sources on purpose, one way at a time, and checks that a test turns red for each.
//!
//! Each mutant is a replacement of text in a copy of the tree. Programs of a port are built as `make programs` builds them,
//! and the suite runs that has the test which must see the mutant; for the others a suite of the host runs on the changed
//! sources. If it stays green the tests have a hole, and this fails.

mod library;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use rt0_tests::port::Port;
use rt0_tests::run::make::{make_in, root};

/// One way to be wrong.
struct Mutant {
    /// What is wrong with it.
    name: &'static str,
    /// The port whose programs are built; none if a suite of the host sees it.
    port: Option<Port>,
    /// The file that is changed, from the top of the tree.
    file: &'static str,
    /// Text that the file has exactly once, and what replaces it.
    edits: &'static [(&'static str, &'static str)],
    /// The test that must turn red; without a port the suite.
    seen_by: &'static str,
}

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    match try_all(&chosen) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// All of them.
fn mutants() -> impl Iterator<Item = &'static Mutant> {
    programs::MUTANTS.iter().chain(library::MUTANTS)
}

impl Mutant {
    /// Where it is seen.
    fn place(&self) -> String {
        self.port.map_or_else(|| "host".to_string(), |port| port.to_string())
    }
}

/// Tries the mutants whose port is, or whose name contains, one of `chosen` (or all if there are none), and returns
/// whether each was seen by its test.
fn try_all(chosen: &[String]) -> Result<bool> {
    let root = root();
    let copy = root.join("target/mutants");
    update(root, &copy, &["target", "dist", ".git", ".cache"])?;
    // Copies what the programs are built on, so that it is not built again. The tests also run the ports that are
    // whole.
    for port in Port::ALL {
        let built = Path::new("target").join(port.to_string());
        if root.join(&built).is_dir() && !copy.join(&built).is_dir() {
            update(&root.join(&built), &copy.join(&built), &[])?;
        }
    }
    update(&root.join("dist"), &copy.join("dist"), &[])?;
    let chosen = |mutant: &&Mutant| {
        chosen.is_empty() || chosen.iter().any(|word| mutant.place() == *word || mutant.name.contains(word.as_str()))
    };
    let mut seen = true;
    let mut count = 0;
    for mutant in mutants().filter(chosen) {
        let red = try_one(root, &copy, mutant).with_context(|| format!("{}: {}", mutant.place(), mutant.name))?;
        let verdict = match red.iter().any(|test| test == mutant.seen_by) {
            true => "seen",
            false => "NOT SEEN",
        };
        println!("{verdict:8}  {:14} {:48} {} red, {}", mutant.place(), mutant.name, red.len(), mutant.seen_by);
        if verdict != "seen" && !red.is_empty() {
            println!("          seen by others: {}", red.join(", "));
        }
        seen &= verdict == "seen";
        count += 1;
    }
    ensure!(count > 0, "no mutant has such a port or name");
    println!(
        "{count} mutants, {}",
        if seen { "each seen by its test" } else { "and some that their test does not see" }
    );
    Ok(seen)
}

/// The tests that fail with the mutant's programs.
fn try_one(root: &Path, copy: &Path, mutant: &Mutant) -> Result<Vec<String>> {
    let path = copy.join(mutant.file);
    let original = fs::read_to_string(root.join(mutant.file))?;
    let mut broken = original.clone();
    for (old, new) in mutant.edits {
        ensure!(
            broken.matches(old).count() == 1,
            "{} has {old:?} {} times, not once",
            mutant.file,
            broken.matches(old).count()
        );
        broken = broken.replace(old, new);
    }
    fs::write(&path, broken)?;
    let red = match mutant.port {
        _ if library::SUITES.contains(&mutant.seen_by) => red_suite(copy, mutant.seen_by),
        None => bail!("there is no suite {}", mutant.seen_by),
        Some(port) => {
            let variables = mutant.seen_by.starts_with("variables_on");
            make_in(copy, if variables { "tls" } else { "programs" }, &[port])
                .and_then(|()| failing_tests(root, &copy.join("dist"), mutant, port))
        }
    };
    fs::write(&path, original)?;
    update(&root.join("dist"), &copy.join("dist"), &[])?;
    red
}

/// How long a suite may take that a mutant has made endless, seconds.
const PATIENCE: &str = "120";

/// The suite of the host, if it fails with the sources in `copy`. It may abort in the middle, so its tests have no names.
fn red_suite(copy: &Path, suite: &str) -> Result<Vec<String>> {
    let which: &[&str] = if suite == library::LIB { &["rt0", suite] } else { &["rt0-tests", "--test", suite] };
    let cargo_test = ["cargo", "test", "--quiet", "--target-dir", "target/host", "-p"];
    let built =
        Command::new(cargo_test[0]).args(&cargo_test[1..]).args(which).arg("--no-run").current_dir(copy).output();
    ensure!(built.context("cargo test")?.status.success(), "the suite {suite} cannot be built");
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).args(cargo_test).args(which);
    let output = command.current_dir(copy).output().context("cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("running ") {
        bail!("the suite {suite} did not run: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok((!output.status.success()).then(|| suite.to_string()).into_iter().collect())
}

/// The names of the tests that fail with the programs in `dist`, in the suite that has the mutant's test.
fn failing_tests(root: &Path, dist: &Path, mutant: &Mutant, port: Port) -> Result<Vec<String>> {
    use programs::*;
    let suite = match mutant.seen_by {
        UNALIGNED | WAKES => "injected_failures",
        HEAP_ON_X86 | HEAP_ON_ARM | HEAP_ON_FREEBSD => "heap_programs",
        VARIABLES_ON_X86 | VARIABLES_ON_ARM | VARIABLES_ON_FREEBSD => "thread_local",
        STACKS_ON_X86 | STACKS_ON_ARM | STACKS_ON_FREEBSD | NO_ROOM_ON_STACK => "stacks",
        _ => "freebsd_runner",
    };
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "-p", "rt0-tests", "--test", suite, "--", "--format=pretty"]);
    if ["heap_programs", "thread_local", "stacks"].contains(&suite) {
        // Only the mutant's port is run, and not for long: some mutants hang.
        command.env("RT0_PORTS", port.to_string()).env("RT0_PATIENCE", "8");
    }
    let output = command.current_dir(root).env("RT0_DIST", dist).output().context("cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("test result: ") {
        bail!("the suite {suite} did not run: {}", String::from_utf8_lossy(&output.stderr));
    }
    let red = text.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    Ok(red.map(str::to_string).collect())
}

/// Copies the folder `from` to `to`, but for the entries `except`. Files that are the same stay untouched, so that
/// cargo does not build them again.
fn update(from: &Path, to: &Path, except: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let (name, source): (_, PathBuf) = (entry.file_name(), entry.path());
        let target = to.join(&name);
        if except.iter().any(|excepted| name == *excepted) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            update(&source, &target, &[])?;
        } else {
            let content = fs::read(&source)?;
            if fs::read(&target).ok().as_ref() != Some(&content) {
                fs::copy(&source, &target)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_changes_text_that_is_there_once() {
        for mutant in mutants() {
            let mut text = fs::read_to_string(root().join(mutant.file)).unwrap();
            for (old, new) in mutant.edits {
                assert_eq!(
                    text.matches(old).count(),
                    1,
                    "{}: {}: {old:?} in {}",
                    mutant.place(),
                    mutant.name,
                    mutant.file
                );
                text = text.replace(old, new);
            }
        }
    }
}
