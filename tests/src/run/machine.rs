//! The machines that jobs run on: this machine's own kernel, one of Debian's kernels in QEMU, a FreeBSD kernel that the
//! user has, in QEMU, or the runner, a test double of FreeBSD's kernel.

use crate::port::Port;
use crate::run::freebsd_runner::run_jobs;
use crate::run::job::{Job, Outcome};
use crate::run::make::root;
use crate::run::native;
use crate::run::qemu::{freebsd, linux};
use anyhow::Result;
use std::fmt;
use std::path::{Path, PathBuf};

/// Something that runs jobs and enforces their limits.
#[derive(Clone, Debug)]
pub enum Machine {
    /// This machine's own kernel, Linux on x86-64.
    Native,
    /// A Linux kernel in QEMU.
    Linux(linux::Kernel),
    /// A FreeBSD kernel in QEMU.
    FreeBsd(freebsd::Kernel),
    /// A test double of FreeBSD's kernel, under ptrace.
    Runner,
}

impl Machine {
    /// `native`, `runner`, a Debian architecture, or the file of a FreeBSD kernel.
    pub fn named(name: &str) -> Result<Machine> {
        Ok(match linux::Kernel::ALL.into_iter().find(|kernel| kernel.architecture() == name) {
            _ if name == "native" => Machine::Native,
            _ if name == "runner" => Machine::Runner,
            Some(kernel) => Machine::Linux(kernel),
            None => Machine::FreeBsd(freebsd::Kernel::read(Path::new(name))?),
        })
    }

    /// The ports whose programs it runs, the machine's own port first.
    pub fn ports(&self) -> &'static [Port] {
        match self {
            Machine::Native | Machine::Linux(linux::Kernel::Amd64) => &[Port::linux_amd64, Port::linux_386],
            Machine::Linux(linux::Kernel::I386) => &[Port::linux_386],
            Machine::Linux(linux::Kernel::Armhf) => &[Port::linux_arm],
            Machine::Runner => &[Port::freebsd_amd64, Port::freebsd_386],
            Machine::FreeBsd(kernel) => match kernel.cpu {
                freebsd::Cpu::Amd64 => &[Port::freebsd_amd64, Port::freebsd_386],
                freebsd::Cpu::I386 => &[Port::freebsd_386],
            },
        }
    }

    /// Runs `jobs` in their order, each for `timeout` seconds at most, and returns one outcome for each.
    ///
    /// A kernel in QEMU is booted once, with the program `init` of its own port, from the folder `dist`. `ended` is
    /// called with each outcome.
    ///
    /// # Errors
    ///
    /// Tools or files are missing, or the machine cannot be started. A job that fails is no error: its outcome says so.
    pub fn run(
        &self,
        dist: &Path,
        jobs: &[Job],
        timeout: u64,
        ended: &mut dyn FnMut(&Outcome),
    ) -> Result<Vec<Outcome>> {
        let init = self.ports()[0].program(dist, "init");
        let boot = match self {
            Machine::Native => return native::run(jobs, timeout, ended),
            Machine::Runner => return run_jobs(jobs, timeout, ended),
            Machine::Linux(kernel) => linux::run(*kernel, &init, jobs, timeout, ended)?,
            Machine::FreeBsd(kernel) => freebsd::run(kernel, &init, jobs, timeout, ended)?,
        };
        let to_init = boot.to_init.map_or("never".into(), |time| format!("{:.1} s", time.as_secs_f64()));
        eprintln!(
            "{self}: init after {to_init}, {} jobs and {} lines after {:.1} s",
            jobs.len(),
            boot.console.lines().count(),
            boot.total.as_secs_f64()
        );
        Ok(boot.outcomes)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Machine::Native => write!(f, "this machine"),
            Machine::Runner => write!(f, "runner (test double)"),
            Machine::Linux(kernel) => write!(f, "Linux {}", kernel.architecture()),
            Machine::FreeBsd(kernel) => write!(f, "{kernel}"),
        }
    }
}

/// The folder of the programs: where `make dist` writes them, or what the environment variable `RT0_DIST` says.
pub fn default_dist() -> PathBuf {
    std::env::var_os("RT0_DIST").map_or_else(|| root().join("dist"), PathBuf::from)
}

/// How many seconds each program may take: many, for slow machines, or what the environment variable `RT0_PATIENCE`
/// says.
///
/// # Panics
///
/// If that is no number.
pub fn patience() -> u64 {
    std::env::var("RT0_PATIENCE").map_or(60, |seconds| seconds.parse().expect("RT0_PATIENCE is a number of seconds"))
}
