//! What is asked for wrongly is refused by one sentence, before anything is built.

use anyhow::{Result, ensure};
use rt0_tests::run::make::{as_from_a_shell, root};
use rt0_tests::run::project::Project;
use std::fs;
use std::process::Command;

#[test]
fn make_refuses_what_it_does_not_know() -> Result<()> {
    for (words, sentence) in [
        (&["typo"][..], "there is no rule for typo; `make help` says what there is."),
        (&["dist", "PORT=linux_arm64"], "no port is named linux_arm64; there are: "),
        (&["run", "port=linux_386"], "nothing here reads port; there are: PORT, "),
        (&["dist", "TARGET=x", "PORT=linux_386 linux_arm"], "nothing here reads TARGET; there are: PORT, "),
        (&["test-freebsd", "KERNEL=/no/kernel"], "KERNEL=/no/kernel is no file."),
        (&["new"], "make: say where: make new NAME=FOLDER"),
        (&["new", "NAME=/tmp/a.b"], "new: a package cannot be named a.b: letters, digits, - and _"),
        (&["new", "NAME=/no/folder/rt0"], "new: a package that uses rt0 cannot be named rt0"),
        (&["new", "NAME=src"], "new: src is there already"),
    ] {
        let output = as_from_a_shell(&mut Command::new("make")).args(words).current_dir(root()).output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success() && output.stdout.is_empty(), "{words:?}: {output:?}");
        ensure!(errors.lines().next().is_some_and(|line| line.contains(sentence)), "{words:?}: {errors}");
    }
    Ok(())
}

#[test]
fn entry_says_what_it_takes() -> Result<()> {
    let project = Project::new(root(), "refused", "rust-lld")?;
    let file = project.folder.join("src/main.rs");
    let source = fs::read_to_string(&file)?;
    let (before, rest) = source.split_once("rt0::entry!(").expect("the template calls entry!");
    let (_, after) = rest.split_once(";\n").expect("and goes on");
    let takes = "rt0::entry! takes the function to begin with and, in this order, ";
    for (call, sentence) in [
        ("", takes),
        ("main, heap = 3", takes),
        ("main, panic_handler = none, heap = HEAP", takes),
        ("main, heap = HEAP, backtrace = on", takes),
        ("logic::sort", "a program of rt0 cannot begin with "),
    ] {
        fs::write(&file, format!("{before}rt0::entry!({call});\n{after}"))?;
        let said = match project.run(".", &["cargo", "check", "--quiet"]) {
            Ok(said) => said,
            Err(error) => error.to_string(),
        };
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error")).collect();
        ensure!(errors.len() == 2 && errors[1].contains("could not compile"), "{call:?}: {said}");
        ensure!(errors[0].contains(sentence), "{call:?}: {said}");
    }
    Ok(())
}
