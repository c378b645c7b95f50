//! System call numbers of Linux on amd64: `arch/x86/entry/syscalls/syscall_64.tbl`.
//!
//! Each constant has the name of the call and is the number that the kernel knows it by.
#![allow(missing_docs)]

pub const READ: usize = 0;
pub const WRITE: usize = 1;
pub const OPEN: usize = 2;
pub const CLOSE: usize = 3;
pub const MMAP: usize = 9;
pub const MPROTECT: usize = 10;
pub const MUNMAP: usize = 11;
pub const RT_SIGACTION: usize = 13;
pub const RT_SIGPROCMASK: usize = 14;
pub const SCHED_YIELD: usize = 24;
pub const MINCORE: usize = 27;
pub const MADVISE: usize = 28;
pub const DUP2: usize = 33;
pub const NANOSLEEP: usize = 35;
pub const GETPID: usize = 39;
pub const CLONE: usize = 56;
pub const FORK: usize = 57;
pub const EXECVE: usize = 59;
pub const EXIT: usize = 60;
pub const WAIT4: usize = 61;
pub const KILL: usize = 62;
pub const GETRLIMIT: usize = 97;
pub const SETRLIMIT: usize = 160;
pub const MOUNT: usize = 165;
pub const REBOOT: usize = 169;
pub const GETTID: usize = 186;
pub const FUTEX: usize = 202;
pub const CLOCK_GETTIME: usize = 228;
pub const EXIT_GROUP: usize = 231;
pub const TGKILL: usize = 234;
pub const OPENAT: usize = 257;
pub const PRLIMIT64: usize = 302;
pub const GETRANDOM: usize = 318;
