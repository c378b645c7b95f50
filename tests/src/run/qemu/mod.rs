//! Real kernels in QEMU: one boot runs a whole plan of jobs, with the program `init` as the first process.

pub mod boot;
pub mod console;
pub mod fetch;
pub mod freebsd;
pub mod grub;
pub mod initramfs;
pub mod linux;
pub mod plan;
pub mod tools;

pub use linux::Kernel;

use crate::run::make::root;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// The folder `.cache` in the project's root, where downloads and images are kept for the next run.
fn cache() -> PathBuf {
    root().join(".cache")
}

/// The file that keeps the console of a failed boot, one for each process and kind of machine.
fn log(machine: &str) -> Result<PathBuf> {
    let folder = cache().join("consoles");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder.join(format!("{machine}-{}.log", std::process::id())))
}
