//! What gdb shows of a program: names, lines, and a backtrace that ends at `_start`, in dev and in release with debug
//! information. The program is the one that `template/` makes, with the configuration that comes with it.

use anyhow::{Context, Result, ensure};
use rt0_tests::run::make::root;
use std::process::Command;

#[test]
fn a_backtrace_ends_at_start() -> Result<()> {
    if Command::new("gdb").arg("--version").output().is_err() {
        ensure!(std::env::var_os("RT0_REQUIRE_ALL").is_none(), "gdb is missing (Debian: apt-get install gdb)");
        println!("not run: no gdb here");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("program");
    let made = Command::new(root().join("tools/new")).arg(&folder).status()?;
    ensure!(made.success(), "tools/new: {made}");
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    for (profile, flags) in [("debug", &[][..]), ("release", &["--release"])] {
        let target = root().join("target/debugger");
        let output = Command::new("cargo")
            .args([
                "build",
                "--quiet",
                "--config",
                "profile.release.debug=true",
                "--config",
                "profile.release.strip=false",
            ])
            .args(flags)
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .output()?;
        ensure!(output.status.success(), "{profile}: {}", String::from_utf8_lossy(&output.stderr));
        // Where it writes, two calls deep or more, whatever is inlined.
        let output = Command::new("gdb")
            .args(["-q", "-nx", "-batch", "-ex", "catch syscall write", "-ex", "run", "-ex", "backtrace", "--args"])
            .arg(target.join(profile).join("program"))
            .arg("word")
            .output()
            .context("gdb")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let frames: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        let last = frames.last().with_context(|| format!("{profile}: no frames in {text}"))?;
        ensure!(last.ends_with("in _start ()"), "{profile}: the backtrace ends at {last:?}: {frames:#?}");
        let main = frames.iter().find(|frame| frame.contains("program::main ("));
        ensure!(
            main.is_some_and(|main| main.contains("src/main.rs:")),
            "{profile}: no main with its line in {frames:#?}"
        );
        println!("{profile}: {} frames, the last of them _start", frames.len());
    }
    Ok(())
}
