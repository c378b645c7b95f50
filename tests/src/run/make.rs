//! The repository's folder, and its `make`.

use crate::port::Port;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// The top of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository")
}

/// Runs `make what PORT=ports` in the repository.
///
/// # Errors
///
/// It fails; the error has all that it printed.
pub fn make(what: &str, ports: &[Port]) -> Result<()> {
    make_in(root(), what, ports)
}

/// Takes from a command the variables that cargo and make set around a test. Where cargo keeps what it has fetched stays: that
/// is the user's to say.
pub fn as_from_a_shell(command: &mut Command) -> &mut Command {
    let set = |name: &str| {
        name.starts_with("CARGO") && name != "CARGO_HOME"
            || ["LD_LIBRARY_PATH", "MAKEFLAGS", "MAKELEVEL"].contains(&name)
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(set)) {
        command.env_remove(name);
    }
    command
}

/// Runs `make what PORT=ports` in `tree` as from a shell, without the variables that cargo and make set around a test.
///
/// # Errors
///
/// It fails; the error has all that it printed.
pub fn make_in(tree: &Path, what: &str, ports: &[Port]) -> Result<()> {
    let ports: Vec<_> = ports.iter().map(Port::to_string).collect();
    let port = format!("PORT={}", ports.join(" "));
    println!("make {what} {port:?}");
    let mut command = Command::new("make");
    let output = as_from_a_shell(&mut command)
        .current_dir(tree)
        .args([what, &port])
        .output()
        .context("make (Debian: apt-get install make)")?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "make {what}: {}\n{stdout}{stderr}", output.status);
    Ok(())
}
