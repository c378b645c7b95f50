//! The Linux calls that the runner makes in the program's name, and their arguments.

use crate::run::tracer::tracee::LinuxCall;

macro_rules! linux_calls {
    ($($name:ident = $amd64:literal, $i386:literal;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`, in lower case.")]
        pub(super) const $name: LinuxCall = LinuxCall { amd64: $amd64, i386: $i386 };)*
    };
}

// MMAP is mmap2 on i386, whose offset is in pages. The other calls take the same words on both.
linux_calls! {
    READ = 0, 3;
    WRITE = 1, 4;
    OPEN = 2, 5;
    CLOSE = 3, 6;
    MMAP = 9, 192;
    MPROTECT = 10, 125;
    MUNMAP = 11, 91;
    MREMAP = 25, 163;
    LSEEK = 8, 19;
    LLSEEK = 140, 140;
    PREAD = 17, 180;
    PWRITE = 18, 181;
    ACCESS = 21, 33;
    SCHED_YIELD = 24, 158;
    MINCORE = 27, 218;
    MADVISE = 28, 219;
    DUP = 32, 41;
    DUP2 = 33, 63;
    NANOSLEEP = 35, 162;
    GETPID = 39, 20;
    CLONE = 56, 120;
    FORK = 57, 2;
    EXECVE = 59, 11;
    EXIT = 60, 1;
    WAIT4 = 61, 114;
    KILL = 62, 37;
    FCNTL = 72, 221;
    FSYNC = 74, 118;
    FTRUNCATE = 77, 194;
    UNLINK = 87, 10;
    READLINK = 89, 85;
    GETUID = 102, 199;
    ARCH_PRCTL = 158, 384;
    GETPPID = 110, 64;
    SETSID = 112, 66;
    FUTEX = 202, 240;
    CLOCK_GETTIME = 228, 265;
    EXIT_GROUP = 231, 252;
    TGKILL = 234, 270;
    GETRANDOM = 318, 355;
}

pub(super) const PROT_READ: u64 = 1;
pub(super) const PROT_WRITE: u64 = 2;
pub(super) const PROT_EXEC: u64 = 4;

/// `MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE`: FreeBSD does not refuse a mapping for lack of memory.
const MAP_FRESH: u64 = 0x2 | 0x10 | 0x20 | 0x4000;

/// mmap's arguments for fresh pages at this address.
#[must_use]
pub(super) fn map_anonymous(address: u64, length: u64, protection: u64) -> [u64; 6] {
    [address, length, protection, MAP_FRESH, u64::MAX, 0]
}
