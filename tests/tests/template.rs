//! A program of one's own: the project that `make new` makes of `template/` is built, run and checked elsewhere, as a user
//! would do it, for every port whose programs run here.

use anyhow::{Context, Result, ensure};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::machine::Machine;
use rt0_tests::run::make::root;
use rt0_tests::run::project::{Project, toolchain};
use rt0_tests::run::qemu::linux::Kernel;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The words of the program that the template is, and what it makes of them.
const WORDS: [&str; 3] = ["pear", "fig", "apple"];
const SORTED: &str = "fig\npear\napple\n";

#[test]
fn plain_cargo_works_for_this_machine() -> Result<()> {
    let project = Project::new(root(), "program", "rust-lld")?;
    for profile in [&[][..], &["--release"]] {
        let run = [&["cargo", "run", "--quiet"][..], profile, &["--"], &WORDS].concat();
        let said = project.run(".", &run)?;
        ensure!(said == SORTED, "{run:?}: {said:?}");
    }
    let tested = project.run(".", &["cargo", "test"])?;
    for tests in ["words_of_one_length_are_in_the_order_of_their_bytes ... ok", "src/lib.rs - sort (line 7) ... ok"] {
        ensure!(tested.contains(tests), "no test {tests:?} in\n{tested}");
    }
    project.run(".", &["cargo", "check", "--quiet", "--all-targets"])?;
    if project.run(".", &["cargo", "clippy", "--version"]).is_ok() {
        project.run(".", &["cargo", "clippy", "--quiet", "--all-targets", "--", "-D", "warnings"])?;
    } else {
        println!("not run: this toolchain has no clippy");
    }
    Ok(())
}

/// Once this repository is built, a new project needs no network, without a word to cargo that there is none.
#[test]
fn a_new_project_fetches_nothing() -> Result<()> {
    let without_network = ["unshare", "--map-root-user", "--net"];
    let project = Project::new(root(), "offline", "rust-lld")?;
    if project.run(".", &[&without_network[..], &["true"]].concat()).is_err() {
        println!("not run: this system lets nobody leave its network");
        return Ok(());
    }
    let run = [&without_network[..], &["cargo", "run", "--quiet", "--"], &WORDS].concat();
    let said = project.run_with(".", &[("CARGO_NET_OFFLINE", "false")], &run)?;
    ensure!(said == SORTED, "{said:?}");
    Ok(())
}

/// The oldest compiler that the manifest names builds the project, where rustup has it.
#[test]
fn the_oldest_compiler_builds_it() -> Result<()> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.split('"').next());
    let toolchain = format!("+{}.0", version.context("no rust-version")?);
    let project = Project::new(root(), "program", "rust-lld")?;
    if project.run(".", &["cargo", &toolchain, "--version"]).is_err() {
        println!("not run: rustup has no toolchain {toolchain}");
        return Ok(());
    }
    let said = project.run(".", &[&["cargo", &toolchain, "run", "--quiet", "--"][..], &WORDS].concat())?;
    ensure!(said == SORTED, "{said:?}");
    Ok(())
}

/// What the package has at its top: what a user needs, cargo's own files, and no tests.
const PACKAGED: [&str; 20] = [
    ".cargo_vcs_info.json",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "PORTING.md",
    "README.md",
    "REUSE.toml",
    "SECURITY.md",
    "arch",
    "build.rs",
    "docs",
    "linker",
    "src",
    "targets",
    "template",
    "tools",
];

/// The package, unpacked elsewhere, has all that a project needs: the template, its script, the linker scripts.
#[test]
fn the_packaged_crate_makes_a_project() -> Result<()> {
    let package = root().join("target/package-test");
    let packed = Command::new("cargo")
        .args(["package", "--quiet", "--offline", "--no-verify", "--allow-dirty", "-p", "rt0", "--target-dir"])
        .arg(&package)
        .current_dir(root())
        .output()?;
    ensure!(packed.status.success(), "cargo package: {}", String::from_utf8_lossy(&packed.stderr));
    let scratch = tempfile::tempdir()?;
    let version = env!("CARGO_PKG_VERSION"); // the workspace has one
    let file = package.join(format!("package/rt0-{version}.crate"));
    let unpacked = Command::new("tar").arg("-xzf").arg(&file).arg("-C").arg(scratch.path()).status()?;
    ensure!(unpacked.success(), "tar: {unpacked}");
    let package = scratch.path().join(format!("rt0-{version}"));
    let mut names = Vec::new();
    for entry in fs::read_dir(&package)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    ensure!(names == PACKAGED, "the package has {names:?}");
    let linker = toolchain("PORT_LINKER")?;
    let project = Project::new(&package, "program", if linker.is_empty() { "rust-lld" } else { &linker })?;
    let said = project.run(".", &[&["cargo", "run", "--quiet", "--"][..], &WORDS].concat())?;
    ensure!(said == SORTED, "{said:?}");
    if toolchain("STANDARD")? == "yes" || chosen(&[Port::linux_amd64]).is_empty() {
        println!("not run: a JSON target, which the toolchain found does not build core for");
        return Ok(());
    }
    let cargo = toolchain("PORT_CARGO")?;
    let cargo: Vec<&str> = cargo.split_whitespace().collect();
    project
        .run("targets", &[&cargo[..], &["build", "--quiet", "--release", "--target", "linux_amd64.json"]].concat())?;
    run_program(&Machine::Native, &project.built("linux_amd64/release"))
}

#[test]
fn the_targets_are_those_of_this_repository() -> Result<()> {
    for port in Port::ALL {
        let read = |folder: &str| fs::read_to_string(root().join(folder).join(format!("{port}.json")));
        ensure!(
            read("targets")? == read("template/targets")?,
            "{port}.json in template/targets is not that in targets"
        );
    }
    Ok(())
}

#[test]
fn plain_cargo_works_in_the_folder_of_targets() -> Result<()> {
    if toolchain("STANDARD")? == "yes" {
        println!("not run: the toolchain found does not build core");
        return Ok(());
    }
    let project = Project::for_ports("program")?;
    let cargo = toolchain("PORT_CARGO")?;
    let cargo: Vec<&str> = cargo.split_whitespace().collect();
    for port in chosen(&Port::ALL) {
        let file = format!("{port}.json");
        let build = [&cargo[..], &["build", "--quiet", "--release", "--target", &file]].concat();
        project.run("targets", &build)?;
        let program = project.built(&format!("{port}/release"));
        let machine = match port {
            Port::linux_386 | Port::linux_amd64 => Machine::Native,
            Port::linux_arm => Machine::Linux(Kernel::Armhf),
            Port::freebsd_386 | Port::freebsd_amd64 => Machine::Runner,
        };
        run_program(&machine, &program).with_context(|| port.to_string())?;
    }
    Ok(())
}

fn run_program(machine: &Machine, program: &Path) -> Result<()> {
    let job = Job::new("program", program, &WORDS).limited(64 << 20);
    let outcome = machine.run(&root().join("dist"), &[job], 60, &mut |_| ())?.remove(0);
    ensure!(outcome.end == End::Exit(0) && outcome.output == SORTED, "{outcome:?}");
    Ok(())
}
