//! The allocators' programs: built, run, compared.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Builds the allocators' hosted programs, and says where those of the named ones are. The freestanding one is built by make,
/// which knows how.
pub fn build(root: &Path, names: &[&str]) -> Result<Vec<PathBuf>> {
    let build = |package: &str, dir: &str| -> Result<PathBuf> {
        let dir = root.join("target").join(dir);
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(root)
            .args(["build", "--quiet", "--profile=bench", "--package", package])
            .args(if package == "rt0-bench" { &["--bins"][..] } else { &[] })
            .arg("--target-dir")
            .arg(&dir)
            // Else snmalloc, built without its own build system, checks itself.
            .env("CXXFLAGS", "-DNDEBUG")
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "cargo could not build {package}");
        Ok(dir.join("release"))
    };
    let dir = build("rt0-bench", "bench")?;
    // Version 2 apart: one build has one mimalloc.
    let dir2 = build("rt0-bench-mimalloc2", "bench-mimalloc2")?;
    let program = |name: &&str| match *name {
        "rt0-freestanding" => root.join("target/whole/rt0/heap-rt0-freestanding"),
        "mimalloc2" => dir2.join("rt0-bench-mimalloc2"),
        name => dir.join(format!("heap-{name}")),
    };
    Ok(names.iter().map(program).collect())
}

/// What a program prints; `None` if it takes longer than `patience`, and it is ended.
pub fn output(command: &mut Command, patience: Duration) -> Result<Option<Output>> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(Some(child.wait_with_output()?))
}

/// The order in which `count` peers run item `item` of a round: each is first once, and follows another one each time, so
/// that what a run leaves to the next is nobody's.
pub fn order(round: usize, item: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.rotate_left((round * 5 + item) % count);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// The median of some values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
