//! How a program is run: all options of the runner.

use super::kernel::Limit;
use crate::run::tracer::faults::Fault;
use crate::run::tracer::launch::Launch;

/// The kernel that is played, and the state in which it starts the program.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program's streams and the time it may take.
    pub launch: Launch,
    /// RLIMIT_AS.
    pub limit_as: Limit,
    /// RLIMIT_DATA; `None` means the kernel's own: 32 GiB for a 64-bit program, 512 MiB for a 32-bit one, of which an
    /// i386 kernel grants 128 MiB (soft).
    pub limit_data: Option<Limit>,
    /// RLIMIT_STACK; `None` means the kernel's own: 8 MiB (soft), and at most 64 MiB for a 32-bit program, for a 64-bit
    /// one 1 GiB on 11.1 and 512 MiB on 10.4 (hard).
    pub limit_stack: Option<Limit>,
    /// The address of the initial block mod 16: 0, 4, 8 or 12 for a 32-bit program. For a 64-bit one it is 0 or 8, to
    /// which others are rounded down; rsp is 8 mod 16, so it points 8 bytes below the block or to it.
    pub block_mod: u64,
    /// `argv[0]` instead of the program's path.
    pub argument_0: Option<Vec<u8>>,
    /// No arguments at all, not even `argv[0]`.
    pub no_arguments: bool,
    /// The environment, `NAME=value` each.
    pub environment: Vec<Vec<u8>>,
    /// Leave AT_PAGESZ out.
    pub no_page_size: bool,
    /// AT_PAGESZ, where it is there.
    pub page_size: u64,
    /// AT_OSRELDATE: the kernel's `__FreeBSD_version`. Below 1100000 the kernel answers as 10.4 does, from 1200000 on it
    /// has getrandom.
    pub osreldate: u32,
    /// Run a 32-bit program as an i386 kernel does, with 3 GiB of addresses, instead of as an amd64 one, with 4 GiB.
    pub i386_kernel: bool,
    /// The failures to inject.
    pub faults: Vec<Fault>,
    /// Leave only this many free ranges of this many bytes for mmap.
    pub holes: Option<Holes>,
    /// Print calls and violations to standard error as they happen.
    pub trace: bool,
}

/// Holes: the only free ranges of an address space that is full otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holes {
    /// How many there are.
    pub count: u64,
    /// Bytes of each.
    pub size: u64,
}

impl Options {
    /// `__FreeBSD_version` of 10.4-RELEASE.
    pub const RELEASE_10_4: u32 = 1_004_000;
    /// `__FreeBSD_version` of 11.1-RELEASE.
    pub const RELEASE_11_1: u32 = 1_101_001;

    /// Whether the kernel that is played is one of FreeBSD 10.
    #[must_use]
    pub fn is_10(&self) -> bool {
        self.osreldate < 1_100_000
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            launch: Launch::default(),
            limit_as: Limit::INFINITE,
            limit_data: None,
            limit_stack: None,
            block_mod: 0,
            argument_0: None,
            no_arguments: false,
            environment: Vec::new(),
            no_page_size: false,
            page_size: 4096,
            osreldate: Options::RELEASE_11_1,
            i386_kernel: false,
            faults: Vec::new(),
            holes: None,
            trace: false,
        }
    }
}
