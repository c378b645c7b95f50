//! System call numbers of Linux on ARM, EABI: `arch/arm/tools/syscall.tbl`.
//!
//! Each constant has the name of the call and is the number that the kernel knows it by.
#![allow(missing_docs)]

pub const EXIT: usize = 1;
pub const FORK: usize = 2;
pub const READ: usize = 3;
pub const WRITE: usize = 4;
pub const OPEN: usize = 5;
pub const CLOSE: usize = 6;
pub const EXECVE: usize = 11;
pub const GETPID: usize = 20;
pub const MOUNT: usize = 21;
pub const KILL: usize = 37;
pub const DUP2: usize = 63;
pub const SETRLIMIT: usize = 75;
pub const REBOOT: usize = 88;
pub const MUNMAP: usize = 91;
pub const WAIT4: usize = 114;
pub const CLONE: usize = 120;
pub const MPROTECT: usize = 125;
pub const SCHED_YIELD: usize = 158;
pub const NANOSLEEP: usize = 162;
pub const RT_SIGACTION: usize = 174;
pub const RT_SIGPROCMASK: usize = 175;
pub const GETRLIMIT: usize = 191; // `ugetrlimit` in the table; 76 is the old call, which clamps to 0x7fff_ffff
pub const MMAP: usize = 192; // `mmap2` in the table: the offset is in units of 4096 bytes
pub const MINCORE: usize = 219;
pub const MADVISE: usize = 220;
pub const GETTID: usize = 224;
pub const FUTEX: usize = 240;
pub const EXIT_GROUP: usize = 248;
pub const CLOCK_GETTIME: usize = 263;
pub const TGKILL: usize = 268;
pub const OPENAT: usize = 322;
pub const PRLIMIT64: usize = 369;
pub const GETRANDOM: usize = 384;
