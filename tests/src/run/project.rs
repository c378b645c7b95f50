//! A project of one's own: what `make new` makes of `template/`, built by cargo as its user would build it.

use crate::run::make::{as_from_a_shell, root};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A project in a folder with a blank in its name, which vanishes.
pub struct Project {
    _scratch: tempfile::TempDir,
    /// Its folder.
    pub folder: PathBuf,
}

impl Project {
    /// What `rt0`, a copy of this repository or of the package, makes of its template: the package `name`. Projects that are
    /// built at the same time need names of their own, since all are built in one folder.
    ///
    /// # Errors
    ///
    /// `tools/new` fails.
    pub fn new(rt0: &Path, name: &str, linker: &str) -> Result<Project> {
        let scratch = tempfile::tempdir()?;
        let folder = scratch.path().join("a folder").join(name);
        let made = Command::new(rt0.join("tools/new")).arg(&folder).arg(linker).status()?;
        ensure!(made.success(), "tools/new: {made}");
        Ok(Project { _scratch: scratch, folder })
    }

    /// The same for the toolchain and the linker that `make dist` uses.
    ///
    /// # Errors
    ///
    /// `tools/new` fails, or there was no `make dist`.
    pub fn for_ports(name: &str) -> Result<Project> {
        let linker = toolchain("PORT_LINKER")?;
        Project::new(root(), name, if linker.is_empty() { "rust-lld" } else { &linker })
    }

    /// The program that cargo has built in `profile`, which is `debug`, `release` or the same behind a target: what is built
    /// stays for the next time in `target/template/` of this repository.
    pub fn built(&self, profile: &str) -> PathBuf {
        target().join(profile).join(self.folder.file_name().unwrap_or_default())
    }

    /// Runs `command` in `folder` of the project, as a shell would, with `variables` of its own, and answers what it printed
    /// on both streams. Nothing is fetched: `tools/new` has written the lock file of a repository that has been built.
    ///
    /// # Errors
    ///
    /// It fails; the error has what it printed.
    pub fn run_with(&self, folder: &str, variables: &[(&str, &str)], command: &[&str]) -> Result<String> {
        println!("{folder}: {}", command.join(" "));
        let mut process = Command::new(command[0]);
        let output = as_from_a_shell(&mut process)
            .env_remove("RUSTUP_TOOLCHAIN")
            .args(&command[1..])
            .current_dir(self.folder.join(folder))
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_NET_OFFLINE", "true")
            .envs(variables.iter().copied())
            .output()
            .with_context(|| command.join(" "))?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        ensure!(output.status.success(), "{}: {}\n{text}", command.join(" "), output.status);
        Ok(text)
    }

    /// [`run_with`](Project::run_with) without variables.
    ///
    /// # Errors
    ///
    /// It fails; the error has what it printed.
    pub fn run(&self, folder: &str, command: &[&str]) -> Result<String> {
        self.run_with(folder, &[], command)
    }
}

fn target() -> PathBuf {
    root().join("target/template")
}

/// A variable of `target/toolchain.mk`, which says what the ports are built with.
///
/// # Errors
///
/// There was no `make dist`.
pub fn toolchain(name: &str) -> Result<String> {
    let text = fs::read_to_string(root().join("target/toolchain.mk")).context("see `make dist`")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(":="));
    Ok(line.unwrap_or_default().trim().into())
}
