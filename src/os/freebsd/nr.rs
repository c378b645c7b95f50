//! System call numbers of FreeBSD, the same on every CPU: `sys/kern/syscalls.master`.
//!
//! Each constant has the name of the call and is the number that the kernel knows it by.
#![allow(missing_docs)]

pub const EXIT: usize = 1;
pub const FORK: usize = 2;
pub const READ: usize = 3;
pub const WRITE: usize = 4;
pub const OPEN: usize = 5;
pub const CLOSE: usize = 6;
pub const WAIT4: usize = 7;
pub const UNLINK: usize = 10;
pub const GETPID: usize = 20;
pub const ACCESS: usize = 33;
pub const KILL: usize = 37;
pub const SIGALTSTACK: usize = 53;
pub const IOCTL: usize = 54;
pub const REBOOT: usize = 55;
pub const READLINK: usize = 58;
pub const EXECVE: usize = 59;
pub const MUNMAP: usize = 73;
pub const MPROTECT: usize = 74;
pub const MADVISE: usize = 75;
pub const MINCORE: usize = 78;
pub const DUP2: usize = 90;
pub const FCNTL: usize = 92;
pub const FSYNC: usize = 95;
pub const SYSARCH: usize = 165;
/// `freebsd11_fstat`, which every kernel has; that of FreeBSD 12 has another structure, and is `SIGSYS` before.
pub const FSTAT: usize = 189;
pub const GETRLIMIT: usize = 194;
pub const SETRLIMIT: usize = 195;
pub const SYSCTL: usize = 202;
pub const CLOCK_GETTIME: usize = 232;
pub const NANOSLEEP: usize = 240;
pub const SCHED_YIELD: usize = 331;
pub const SIGPROCMASK: usize = 340;
pub const NMOUNT: usize = 378;
pub const SIGACTION: usize = 416;
pub const THR_EXIT: usize = 431;
pub const THR_SELF: usize = 432;
pub const THR_KILL: usize = 433;
pub const UMTX_OP: usize = 454;
pub const THR_NEW: usize = 455;
pub const PREAD: usize = 475;
pub const PWRITE: usize = 476;
pub const MMAP: usize = 477;
pub const LSEEK: usize = 478;
pub const FTRUNCATE: usize = 480;
pub const OPENAT: usize = 499;
pub const GETRANDOM: usize = 563;
