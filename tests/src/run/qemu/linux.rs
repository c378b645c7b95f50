//! Debian's kernels, and the machine on which QEMU boots each.

use super::boot::{self, Boot};
use super::plan::{self, Plan};
use super::{fetch, initramfs, tools};
use crate::run::job::{Job, Outcome};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One of Debian's Linux kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// 32-bit x86: 3 GiB of address space for programs.
    I386,
    /// 64-bit x86, which also runs 32-bit programs, with 4 GiB for them.
    Amd64,
    /// ARMv7 on QEMU's `virt` board.
    Armhf,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Kernel; 3] = [Kernel::I386, Kernel::Amd64, Kernel::Armhf];

    /// Debian's name of the architecture.
    pub fn architecture(self) -> &'static str {
        match self {
            Kernel::I386 => "i386",
            Kernel::Amd64 => "amd64",
            Kernel::Armhf => "armhf",
        }
    }

    /// The meta package that depends on the current kernel.
    pub(super) fn package(self) -> &'static str {
        match self {
            Kernel::I386 => "linux-image-686",
            Kernel::Amd64 => "linux-image-cloud-amd64",
            Kernel::Armhf => "linux-image-armmp",
        }
    }

    fn qemu(self) -> &'static str {
        match self {
            Kernel::I386 => "qemu-system-i386",
            Kernel::Amd64 => "qemu-system-x86_64",
            Kernel::Armhf => "qemu-system-arm",
        }
    }

    /// QEMU's command, without the kernel and its files.
    fn machine(self) -> Command {
        let mut qemu = tools::command(self.qemu());
        qemu.args(["-accel", "tcg", "-m", "1024", "-no-reboot"]);
        qemu.args(["-nodefaults", "-display", "none", "-monitor", "none", "-serial", "stdio"]);
        match self {
            Kernel::I386 | Kernel::Amd64 => qemu.args(["-machine", "pc", "-cpu", "max"]),
            // Two processors, so that a program's threads run at the same time.
            Kernel::Armhf => qemu.args(["-machine", "virt", "-cpu", "cortex-a15", "-smp", "2"]),
        };
        qemu
    }

    fn command_line(self) -> String {
        let console = if self == Kernel::Armhf { "ttyAMA0" } else { "ttyS0" };
        // panic=-1: reboot at once, which ends QEMU. Without huge pages a touched byte costs the zeroing of one page,
        // not of 4 MiB, which takes a second for each program under TCG; limits count addresses, not pages.
        format!("console={console} quiet panic=-1 transparent_hugepage=never")
    }
}

/// Boots `kernel` with the program `init` of its port as the first process and runs `jobs` in their order.
///
/// Each job may take `timeout` seconds. `ended` is called with each outcome.
///
/// # Errors
///
/// Tools or files are missing, the kernel cannot be downloaded, or the boot does not end as it should. A job that fails
/// is no error: its [`Outcome`] says so.
pub fn run(kernel: Kernel, init: &Path, jobs: &[Job], timeout: u64, ended: &mut dyn FnMut(&Outcome)) -> Result<Boot> {
    let plan = plan::plan(jobs, timeout)?;
    // A slow host takes most of a minute to boot under TCG. After that there is a line at least every `timeout`
    // seconds.
    run_plan(kernel, "", init, &plan, jobs, Duration::from_secs(timeout + 120), ended)
}

/// Runs a plan that is already written and has lines for `jobs`, in their order. `parameters` are added to the kernel's
/// command line.
///
/// # Errors
///
/// Those of [`run`].
pub fn run_plan(
    kernel: Kernel,
    parameters: &str,
    init: &Path,
    plan: &Plan,
    jobs: &[Job],
    patience: Duration,
    ended: &mut dyn FnMut(&Outcome),
) -> Result<Boot> {
    tools::need(&[kernel.qemu()], &[])?;
    let archive = pack(init, plan)?;
    let image = fetch::fetch(kernel)?;
    let work = tempfile::tempdir()?;
    let initrd = work.path().join("initrd");
    fs::write(&initrd, archive)?;
    let mut machine = kernel.machine();
    machine.arg("-kernel").arg(&image.file).arg("-initrd").arg(&initrd).arg("-append");
    machine.arg(format!("{} {parameters}", kernel.command_line()));
    boot::boot(machine, jobs, patience, &super::log(kernel.architecture())?, ended)
}

/// The first root file system: `/init`, `/plan`, and the plan's programs under `/t`.
fn pack(init: &Path, plan: &Plan) -> Result<Vec<u8>> {
    let read = |file: &Path| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    let mut archive = initramfs::Archive::default();
    archive.folder("/dev");
    archive.device("/dev/console", 5, 1);
    archive.file("/init", &read(init)?);
    archive.file("/plan", plan.text.as_bytes());
    archive.folder("/t");
    for (place, file) in &plan.programs {
        let folder = place.rsplit_once('/').map_or("/t", |(folder, _)| folder);
        archive.folder(folder);
        archive.file(place, &read(file)?);
    }
    Ok(archive.finish())
}
