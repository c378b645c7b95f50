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

use std::path::{Path, PathBuf};

/// What downloads and builds leave for the next run: `.cache` in the project's root.
fn cache() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the project");
    root.join(".cache")
}
