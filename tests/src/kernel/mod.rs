//! Real kernels in QEMU: one boot runs a whole plan of jobs, with the program `init` as the first process.

pub mod console;
pub mod fetch;
pub mod freebsd;
pub mod grub;
pub mod initramfs;
pub mod linux;
pub mod plan;
pub mod qemu;
pub mod tools;

pub use linux::Kernel;

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What downloads and builds leave for the next run: `.cache` in the project's root.
fn cache() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project");
    root.join(".cache")
}

/// The file that keeps the console of a boot, one for each process and kind of machine.
fn log(machine: &str) -> Result<PathBuf> {
    let folder = cache().join("consoles");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join(format!("{machine}-{}.log", std::process::id())))
}
