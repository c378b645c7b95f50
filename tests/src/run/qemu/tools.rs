//! Finds and runs the host's programs, and names the package of one that is missing.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The Debian package that has a tool.
const PACKAGES: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("apt-cache", "apt"),
    ("dpkg-deb", "dpkg"),
    ("grub-mkrescue", "grub-common"),
    ("makefs", "makefs"),
    ("mformat", "mtools"),
    ("xorriso", "xorriso"),
    ("qemu-system-arm", "qemu-system-arm"),
    ("qemu-system-i386", "qemu-system-x86"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];

/// The file of `tool`, if it is installed. System folders are searched even if PATH lacks them (makefs is in sbin).
fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(tool))
        .find(|file| file.is_file())
}

/// Fails with one message that names every missing tool and the command that installs them all.
///
/// `files` are files that must exist too, each with its package.
pub fn need(tools: &[&str], files: &[(&Path, &str)]) -> Result<()> {
    let mut missing: Vec<(String, &str)> = Vec::new();
    for &tool in tools {
        if find(tool).is_none() {
            let package = PACKAGES.iter().find(|(name, _)| *name == tool).map_or(tool, |(_, package)| package);
            missing.push((tool.into(), package));
        }
    }
    for &(file, package) in files {
        if !file.exists() {
            missing.push((file.display().to_string(), package));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    bail!(
        "missing: {}\n  install with: sudo apt-get install --no-install-recommends {}",
        names.join(", "),
        packages.join(" ")
    );
}

/// A command for `tool`, wherever it is.
pub fn command(tool: &str) -> Command {
    Command::new(find(tool).unwrap_or_else(|| tool.into()))
}

/// Runs a command to its end. The error has the command line and what it printed.
pub fn run(command: &mut Command) -> Result<Output> {
    let line = format!("{command:?}");
    let output = command.output().with_context(|| format!("cannot start {line}"))?;
    if !output.status.success() {
        bail!(
            "{line}\n  failed ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_tools_are_named_with_their_packages() {
        let error =
            need(&["no-such-tool", "sh"], &[(Path::new("/no/such/file"), "some-package")]).unwrap_err().to_string();
        assert!(error.contains("missing: no-such-tool, /no/such/file\n"), "{error}");
        assert!(error.ends_with("apt-get install --no-install-recommends no-such-tool some-package"), "{error}");
        need(&["sh"], &[(Path::new("/"), "base-files")]).unwrap();
    }

    #[test]
    fn a_failure_carries_the_command_and_its_words() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("why") && error.contains("exit status: 3"), "{error}");
    }
}
