//! System call numbers of Linux, a column for each CPU.
//!
//! Each constant has the name of the call and is the number that the kernel knows it by
//! (`arch/x86/entry/syscalls/syscall_64.tbl`, `syscall_32.tbl`; `arch/arm/tools/syscall.tbl`).
#![allow(missing_docs)]

/// Picks the number of the CPU that this is compiled for.
pub(super) const fn number(amd64: usize, i386: usize, arm: usize) -> usize {
    if cfg!(target_arch = "x86_64") {
        amd64
    } else if cfg!(target_arch = "x86") {
        i386
    } else {
        arm
    }
}

//                                        amd64   386   arm
pub const EXIT:           usize = number(  60,    1,    1);
pub const FORK:           usize = number(  57,    2,    2);
pub const READ:           usize = number(   0,    3,    3);
pub const WRITE:          usize = number(   1,    4,    4);
pub const OPEN:           usize = number(   2,    5,    5);
pub const CLOSE:          usize = number(   3,    6,    6);
pub const UNLINK:         usize = number(  87,   10,   10);
/// `lseek`, or `_llseek` where a word does not hold an offset.
pub const LSEEK:          usize = number(   8,  140,  140);
/// `fstat`, or `fstat64` where its structure has offsets of 32 bits.
pub const FSTAT:          usize = number(   5,  197,  197);
pub const ACCESS:         usize = number(  21,   33,   33);
pub const IOCTL:          usize = number(  16,   54,   54);
pub const READLINK:       usize = number(  89,   85,   85);
/// `pread64`.
pub const PREAD:          usize = number(  17,  180,  180);
/// `pwrite64`.
pub const PWRITE:         usize = number(  18,  181,  181);
pub const FSYNC:          usize = number(  74,  118,  118);
/// `ftruncate`, or `ftruncate64` where a word does not hold a length.
pub const FTRUNCATE:      usize = number(  77,  194,  194);
/// `fcntl`, or `fcntl64` where the structure of a lock has offsets of 32 bits.
pub const FCNTL:          usize = number(  72,  221,  221);
pub const EXECVE:         usize = number(  59,   11,   11);
pub const GETPID:         usize = number(  39,   20,   20);
pub const MOUNT:          usize = number( 165,   21,   21);
pub const KILL:           usize = number(  62,   37,   37);
pub const DUP2:           usize = number(  33,   63,   63);
pub const SETRLIMIT:      usize = number( 160,   75,   75);
pub const REBOOT:         usize = number( 169,   88,   88);
pub const MUNMAP:         usize = number(  11,   91,   91);
pub const WAIT4:          usize = number(  61,  114,  114);
pub const CLONE:          usize = number(  56,  120,  120);
pub const MPROTECT:       usize = number(  10,  125,  125);
pub const SCHED_YIELD:    usize = number(  24,  158,  158);
pub const NANOSLEEP:      usize = number(  35,  162,  162);
pub const RT_SIGACTION:   usize = number(  13,  174,  174);
pub const RT_SIGRETURN:   usize = number(  15,  173,  173);
pub const RT_SIGPROCMASK: usize = number(  14,  175,  175);
pub const SIGALTSTACK:    usize = number( 131,  186,  186);
pub const GETRLIMIT:      usize = number(  97,  191,  191);
pub const MMAP:           usize = number(   9,  192,  192);
pub const MINCORE:        usize = number(  27,  218,  219);
pub const MADVISE:        usize = number(  28,  219,  220);
pub const GETTID:         usize = number( 186,  224,  224);
pub const FUTEX:          usize = number( 202,  240,  240);
pub const EXIT_GROUP:     usize = number( 231,  252,  248);
pub const CLOCK_GETTIME:  usize = number( 228,  265,  263);
pub const TGKILL:         usize = number( 234,  270,  268);
pub const OPENAT:         usize = number( 257,  295,  322);
pub const PRLIMIT64:      usize = number( 302,  340,  369);
pub const GETRANDOM:      usize = number( 318,  355,  384);
pub const MEMBARRIER:     usize = number( 324,  375,  389);

/// `clock_gettime` with seconds of 64 bits (Linux 5.1), which amd64's has always had.
#[cfg(target_pointer_width = "32")]
pub const CLOCK_GETTIME64: usize = 403;
/// `clock_nanosleep` with seconds of 64 bits (Linux 5.1).
#[cfg(target_pointer_width = "32")]
pub const CLOCK_NANOSLEEP_TIME64: usize = 407;

/// The call that sets the calling thread's thread pointer: `arch_prctl`, `set_thread_area`, and a call of ARM's own,
/// `set_tls` (`arch/arm/include/uapi/asm/unistd.h`, `__ARM_NR_set_tls`).
pub const SET_TLS:        usize = number( 158,  243, 0xf0005);
