//! The ports: their names, and what a test has to know of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// An operating system and a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(non_camel_case_types, reason = "these are the names of the folders under arch/")]
pub enum Port {
    /// Linux, 32-bit x86.
    linux_386,
    /// Linux, 64-bit x86.
    linux_amd64,
    /// Linux, ARMv7.
    linux_arm,
    /// FreeBSD, 32-bit x86.
    freebsd_386,
    /// FreeBSD, 64-bit x86.
    freebsd_amd64,
}

impl Port {
    /// All of them.
    pub const ALL: [Port; 5] =
        [Port::linux_386, Port::linux_amd64, Port::linux_arm, Port::freebsd_386, Port::freebsd_amd64];

    /// Bits of a machine word.
    pub fn bits(self) -> u32 {
        match self {
            Port::linux_amd64 | Port::freebsd_amd64 => 64,
            _ => 32,
        }
    }

    /// Whether the port is for FreeBSD.
    pub fn is_freebsd(self) -> bool {
        matches!(self, Port::freebsd_386 | Port::freebsd_amd64)
    }

    /// What clang is told, so that it compiles for the port.
    pub fn clang(self) -> &'static [&'static str] {
        match self {
            Port::linux_386 => &["--target=i686-unknown-linux-gnu", "-march=pentium4"],
            Port::linux_amd64 => &["--target=x86_64-unknown-linux-gnu"],
            Port::linux_arm => &["--target=armv7-unknown-linux-gnueabi", "-mfloat-abi=soft"],
            Port::freebsd_386 => &["--target=i686-unknown-freebsd", "-march=pentium4"],
            Port::freebsd_amd64 => &["--target=x86_64-unknown-freebsd"],
        }
    }

    /// The file of the program `name`, as `make dist` writes it.
    pub fn program(self, dist: &Path, name: &str) -> PathBuf {
        dist.join(self.to_string()).join("bin").join(name)
    }
}

/// Which of `ports` are tested: all, or those that the environment variable `RT0_PORTS` names, which
/// `make test PORT=...` sets.
///
/// # Panics
///
/// If `RT0_PORTS` has a word that is no port.
pub fn chosen(ports: &[Port]) -> Vec<Port> {
    let Ok(names) = std::env::var("RT0_PORTS") else { return ports.to_vec() };
    let named: Vec<Port> = names
        .split_whitespace()
        .map(|name| name.parse().unwrap_or_else(|wrong| panic!("RT0_PORTS: {wrong}")))
        .collect();
    ports.iter().copied().filter(|port| named.contains(port)).collect()
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Port::ALL.into_iter().find(|port| port.to_string() == name).ok_or_else(|| {
            let names = Port::ALL.map(|port| port.to_string()).join(", ");
            format!("no port is named {name:?}; there are {names}")
        })
    }
}
