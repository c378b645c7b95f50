//! FreeBSD's numbers of errnos, signals and open flags, and Linux's numbers of the same things.

use nix::sys::signal::Signal;

/// One of FreeBSD's errnos (`sys/sys/errno.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno(pub i32);

/// FreeBSD's name and number of each errno, and Linux's number (`include/uapi/asm-generic/errno*.h`) for it.
const ERRNOS: &[(&str, i32, i32)] = &[
    ("EPERM", 1, 1),
    ("ENOENT", 2, 2),
    ("ESRCH", 3, 3),
    ("EINTR", 4, 4),
    ("EIO", 5, 5),
    ("ENXIO", 6, 6),
    ("E2BIG", 7, 7),
    ("ENOEXEC", 8, 8),
    ("EBADF", 9, 9),
    ("ECHILD", 10, 10),
    ("EDEADLK", 11, 35),
    ("ENOMEM", 12, 12),
    ("EACCES", 13, 13),
    ("EFAULT", 14, 14),
    ("EBUSY", 16, 16),
    ("EEXIST", 17, 17),
    ("EXDEV", 18, 18),
    ("ENODEV", 19, 19),
    ("ENOTDIR", 20, 20),
    ("EISDIR", 21, 21),
    ("EINVAL", 22, 22),
    ("ENFILE", 23, 23),
    ("EMFILE", 24, 24),
    ("ENOTTY", 25, 25),
    ("ETXTBSY", 26, 26),
    ("EFBIG", 27, 27),
    ("ENOSPC", 28, 28),
    ("ESPIPE", 29, 29),
    ("EROFS", 30, 30),
    ("EMLINK", 31, 31),
    ("EPIPE", 32, 32),
    ("EDOM", 33, 33),
    ("ERANGE", 34, 34),
    ("EAGAIN", 35, 11),
    ("EINPROGRESS", 36, 115),
    ("EALREADY", 37, 114),
    ("EOPNOTSUPP", 45, 95),
    ("ETIMEDOUT", 60, 110),
    ("ELOOP", 62, 40),
    ("ENAMETOOLONG", 63, 36),
    ("ENOTEMPTY", 66, 39),
    ("EDQUOT", 69, 122),
    ("ENOSYS", 78, 38),
    ("EOVERFLOW", 84, 75),
];

impl Errno {
    pub(super) const EPERM: Errno = Errno(1);
    pub(super) const ENOENT: Errno = Errno(2);
    pub(super) const ESRCH: Errno = Errno(3);
    pub(super) const EINTR: Errno = Errno(4);
    pub(super) const ENOEXEC: Errno = Errno(8);
    pub(super) const EBADF: Errno = Errno(9);
    pub(super) const ENOMEM: Errno = Errno(12);
    pub(super) const EFAULT: Errno = Errno(14);
    pub(super) const EINVAL: Errno = Errno(22);
    pub(super) const ENOTTY: Errno = Errno(25);
    pub(super) const EAGAIN: Errno = Errno(35);
    pub(super) const EOPNOTSUPP: Errno = Errno(45);
    pub(super) const ENOSYS: Errno = Errno(78);

    /// The errno of this name.
    #[must_use]
    pub(super) fn named(name: &str) -> Option<Errno> {
        ERRNOS.iter().find(|entry| entry.0 == name).map(|entry| Errno(entry.1))
    }

    /// FreeBSD's errno for one of Linux's. One without a counterpart becomes EIO; no program here should see it.
    #[must_use]
    pub(super) fn from_linux(number: i32) -> Errno {
        Errno(ERRNOS.iter().find(|entry| entry.2 == number).map_or(5, |entry| entry.1))
    }
}

/// FreeBSD's number (`sys/sys/signal.h`) of each signal that has another number on Linux, and that signal.
const SIGNALS: &[(i32, Signal)] = &[
    (10, Signal::SIGBUS),
    (12, Signal::SIGSYS),
    (16, Signal::SIGURG),
    (17, Signal::SIGSTOP),
    (18, Signal::SIGTSTP),
    (19, Signal::SIGCONT),
    (20, Signal::SIGCHLD),
    (23, Signal::SIGIO),
    (30, Signal::SIGUSR1),
    (31, Signal::SIGUSR2),
];

/// The signals that have the same number on both: HUP to ABRT, FPE, KILL, SEGV, PIPE to TERM, TTIN, TTOU, XCPU to
/// WINCH.
const SAME: &[i32] = &[1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 14, 15, 21, 22, 24, 25, 26, 27, 28];

/// Linux's signal for FreeBSD's number.
#[must_use]
pub(super) fn signal_to_linux(number: i32) -> Option<Signal> {
    let differing = SIGNALS.iter().find(|entry| entry.0 == number).map(|entry| entry.1);
    differing.or_else(|| SAME.contains(&number).then(|| Signal::try_from(number).ok())?)
}

/// FreeBSD's number for a signal of Linux's.
#[must_use]
pub(super) fn signal_from_linux(signal: Signal) -> i32 {
    SIGNALS.iter().find(|entry| entry.1 == signal).map_or(signal as i32, |entry| entry.0)
}

/// FreeBSD's flags of open(2) (`sys/sys/fcntl.h`) and Linux's for the same. The two lowest bits are the access mode.
const OPEN_FLAGS: &[(u32, u32)] = &[
    (0x0004, 0o4000),        // O_NONBLOCK
    (0x0008, 0o2000),        // O_APPEND
    (0x0100, 0o400_000),     // O_NOFOLLOW
    (0x0200, 0o100),         // O_CREAT
    (0x0400, 0o1000),        // O_TRUNC
    (0x0800, 0o200),         // O_EXCL
    (0x2_0000, 0o200_000),   // O_DIRECTORY
    (0x10_0000, 0o200_0000), // O_CLOEXEC
];

/// Linux's open flags for FreeBSD's.
///
/// # Errors
/// The bits that FreeBSD does not have, or that this runner does not know.
pub(super) fn open_flags_to_linux(flags: u32) -> Result<u32, u32> {
    let mut linux = flags & 3;
    let mut rest = flags & !3;
    for (freebsd_bit, linux_bit) in OPEN_FLAGS {
        if rest & freebsd_bit != 0 {
            rest &= !freebsd_bit;
            linux |= linux_bit;
        }
    }
    if rest == 0 { Ok(linux) } else { Err(rest) }
}

/// Auxiliary vector, `sys/sys/elf_common.h`.
pub(super) mod at {
    pub(crate) const PHDR: u64 = 3;
    pub(crate) const PHENT: u64 = 4;
    pub(crate) const PHNUM: u64 = 5;
    pub(crate) const PAGESZ: u64 = 6;
    pub(crate) const BASE: u64 = 7;
    pub(crate) const FLAGS: u64 = 8;
    pub(crate) const ENTRY: u64 = 9;
    pub(crate) const EXECPATH: u64 = 15;
    pub(crate) const CANARY: u64 = 16;
    pub(crate) const CANARYLEN: u64 = 17;
    pub(crate) const OSRELDATE: u64 = 18;
    pub(crate) const NCPUS: u64 = 19;
    pub(crate) const PAGESIZES: u64 = 20;
    pub(crate) const PAGESIZESLEN: u64 = 21;
    pub(crate) const TIMEKEEP: u64 = 22;
    pub(crate) const STACKPROT: u64 = 23;
}

/// mmap's flags, `sys/sys/mman.h`.
pub(super) mod map {
    pub(crate) const SHARED: u64 = 0x1;
    pub(crate) const PRIVATE: u64 = 0x2;
    pub(crate) const FIXED: u64 = 0x10;
    /// `MAP_RESERVED0020` and `MAP_RESERVED0040`: ignored.
    pub(crate) const IGNORED: u64 = 0x20 | 0x40;
    pub(crate) const HASSEMAPHORE: u64 = 0x200;
    pub(crate) const STACK: u64 = 0x400;
    pub(crate) const NOSYNC: u64 = 0x800;
    pub(crate) const ANON: u64 = 0x1000;
    pub(crate) const GUARD: u64 = 0x2000;
    pub(crate) const EXCL: u64 = 0x4000;
    pub(crate) const NOCORE: u64 = 0x2_0000;
    pub(crate) const PREFAULT_READ: u64 = 0x4_0000;
    /// On amd64 kernels only: below 2 GiB, also for 386 programs.
    pub(crate) const IN_32_BITS: u64 = 0x8_0000;
    pub(crate) const ALIGNMENT: u64 = 0xff00_0000;
    pub(crate) const ALIGNMENT_SHIFT: u64 = 24;
    /// `MAP_ALIGNED_SUPER`: aligned for a superpage.
    pub(crate) const ALIGNED_SUPER: u64 = 1 << 24;
}

/// Resources of getrlimit, `sys/sys/resource.h`.
pub(super) mod rlimit {
    pub(crate) const DATA: usize = 2;
    pub(crate) const STACK: usize = 3;
    pub(crate) const RSS: usize = 5;
    pub(crate) const MEMLOCK: usize = 6;
    pub(crate) const NPROC: usize = 7;
    pub(crate) const NOFILE: usize = 8;
    /// `RLIMIT_VMEM`, which is `RLIMIT_AS`.
    pub(crate) const AS: usize = 10;
    /// `RLIM_NLIMITS`.
    pub(crate) const COUNT: usize = 15;
    /// `RLIM_INFINITY`: 2^63-1, since the limits are signed.
    pub(crate) const INFINITY: i64 = i64::MAX;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_are_translated() {
        for (linux, freebsd) in [(11, 35), (38, 78), (110, 60), (35, 11), (12, 12)] {
            assert_eq!(Errno::from_linux(linux), Errno(freebsd));
        }
        assert_eq!(Errno::named("EAGAIN"), Some(Errno::EAGAIN));
    }

    #[test]
    fn signals_go_there_and_back() {
        for number in (1..=31).filter(|number| ![7, 19, 29].contains(number)) {
            let linux = signal_to_linux(number).unwrap();
            assert_eq!(signal_from_linux(linux), number);
        }
        assert_eq!(signal_to_linux(12), Some(Signal::SIGSYS));
    }

    #[test]
    fn open_flags_of_linux_are_not_freebsds() {
        assert_eq!(open_flags_to_linux(0x601), Ok(0o1101));
        assert_eq!(open_flags_to_linux(0o100), Err(0o100));
    }
}
