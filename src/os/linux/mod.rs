//! Linux: constants, layouts and errors, which are the same on every CPU here but for the width of a word.

use super::{Rlimit, errno};
use crate::arch::{Arg, Errno};

pub(crate) mod file;
pub(crate) mod futex;
pub(crate) mod membarrier;
#[rustfmt::skip]
pub mod nr;
pub(crate) mod signal;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod tls;

pub use signal::*;

errno! {
    "`include/uapi/asm-generic/errno-base.h` and `errno.h`",
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    ENOTBLK = 15,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    ENOTTY = 25,
    ETXTBSY = 26,
    EFBIG = 27,
    ENOSPC = 28,
    ESPIPE = 29,
    EROFS = 30,
    EMLINK = 31,
    EPIPE = 32,
    EDOM = 33,
    ERANGE = 34,
    EDEADLK = 35,
    ENAMETOOLONG = 36,
    ENOLCK = 37,
    ENOSYS = 38,
    ENOTEMPTY = 39,
    ELOOP = 40,
    ENOMSG = 42,
    EIDRM = 43,
    ECHRNG = 44,
    EL2NSYNC = 45,
    EL3HLT = 46,
    EL3RST = 47,
    ELNRNG = 48,
    EUNATCH = 49,
    ENOCSI = 50,
    EL2HLT = 51,
    EBADE = 52,
    EBADR = 53,
    EXFULL = 54,
    ENOANO = 55,
    EBADRQC = 56,
    EBADSLT = 57,
    EBFONT = 59,
    ENOSTR = 60,
    ENODATA = 61,
    ETIME = 62,
    ENOSR = 63,
    ENONET = 64,
    ENOPKG = 65,
    EREMOTE = 66,
    ENOLINK = 67,
    EADV = 68,
    ESRMNT = 69,
    ECOMM = 70,
    EPROTO = 71,
    EMULTIHOP = 72,
    EDOTDOT = 73,
    EBADMSG = 74,
    EOVERFLOW = 75,
    ENOTUNIQ = 76,
    EBADFD = 77,
    EREMCHG = 78,
    ELIBACC = 79,
    ELIBBAD = 80,
    ELIBSCN = 81,
    ELIBMAX = 82,
    ELIBEXEC = 83,
    EILSEQ = 84,
    ERESTART = 85,
    ESTRPIPE = 86,
    EUSERS = 87,
    ENOTSOCK = 88,
    EDESTADDRREQ = 89,
    EMSGSIZE = 90,
    EPROTOTYPE = 91,
    ENOPROTOOPT = 92,
    EPROTONOSUPPORT = 93,
    ESOCKTNOSUPPORT = 94,
    EOPNOTSUPP = 95,
    EPFNOSUPPORT = 96,
    EAFNOSUPPORT = 97,
    EADDRINUSE = 98,
    EADDRNOTAVAIL = 99,
    ENETDOWN = 100,
    ENETUNREACH = 101,
    ENETRESET = 102,
    ECONNABORTED = 103,
    ECONNRESET = 104,
    ENOBUFS = 105,
    EISCONN = 106,
    ENOTCONN = 107,
    ESHUTDOWN = 108,
    ETOOMANYREFS = 109,
    ETIMEDOUT = 110,
    ECONNREFUSED = 111,
    EHOSTDOWN = 112,
    EHOSTUNREACH = 113,
    EALREADY = 114,
    EINPROGRESS = 115,
    ESTALE = 116,
    EUCLEAN = 117,
    ENOTNAM = 118,
    ENAVAIL = 119,
    EISNAM = 120,
    EREMOTEIO = 121,
    EDQUOT = 122,
    ENOMEDIUM = 123,
    EMEDIUMTYPE = 124,
    ECANCELED = 125,
    ENOKEY = 126,
    EKEYEXPIRED = 127,
    EKEYREVOKED = 128,
    EKEYREJECTED = 129,
    EOWNERDEAD = 130,
    ENOTRECOVERABLE = 131,
    ERFKILL = 132,
    EHWPOISON = 133,
}

/// The call that ends every thread of the process.
pub(crate) const EXIT: usize = nr::EXIT_GROUP;

/// Limit on the address space, bytes (`include/uapi/asm-generic/resource.h`).
pub const RLIMIT_AS: i32 = 9;
/// Limit on data and private writable mappings, bytes (same file).
pub const RLIMIT_DATA: i32 = 2;
/// Limit on the main thread's stack, bytes (same file).
pub const RLIMIT_STACK: i32 = 3;

/// `struct rlimit` (`include/uapi/linux/resource.h`): two unsigned words.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawRlimit {
    pub(crate) soft: usize,
    pub(crate) hard: usize,
}

/// `RLIM_INFINITY` (`include/uapi/asm-generic/resource.h`). The kernel tells it to a 32-bit process for every limit of
/// 4 GiB and more.
const RLIM_INFINITY: usize = usize::MAX;

impl From<RawRlimit> for Rlimit {
    fn from(raw: RawRlimit) -> Self {
        let read = |word| (word != RLIM_INFINITY).then_some(word as u64);
        Rlimit { soft: read(raw.soft), hard: read(raw.hard) }
    }
}

impl From<Rlimit> for RawRlimit {
    /// A limit that a word cannot hold becomes infinity.
    fn from(limit: Rlimit) -> Self {
        let word = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(RLIM_INFINITY);
        RawRlimit { soft: word(limit.soft), hard: word(limit.hard) }
    }
}

/// No access (`include/uapi/asm-generic/mman-common.h`).
pub const PROT_NONE: i32 = 0;
/// Read (same file).
pub const PROT_READ: i32 = 1;
/// Write (same file).
pub const PROT_WRITE: i32 = 2;
/// Execute (same file).
pub const PROT_EXEC: i32 = 4;
/// Changes are not shared (`include/uapi/linux/mman.h`).
pub const MAP_PRIVATE: i32 = 0x2;
/// Exactly at the given address, replacing what is mapped there (`include/uapi/asm-generic/mman-common.h`).
pub const MAP_FIXED: i32 = 0x10;
/// Zero pages, no file (same file).
pub const MAP_ANON: i32 = 0x20;
/// Not charged to overcommit in the kernel's heuristic mode (`include/uapi/asm-generic/mman.h`).
pub const MAP_NORESERVE: i32 = 0x4000;
/// Exactly at the given address, or `EEXIST`; a mere hint before Linux 4.17 (`include/uapi/asm-generic/mman-common.h`).
pub const MAP_FIXED_NOREPLACE: i32 = 0x10_0000;
/// Flags of a reservation.
pub(crate) const MAP_RESERVE: i32 = MAP_PRIVATE | MAP_ANON | MAP_NORESERVE;
/// The pages are given back and read as zeroes when next touched (`include/uapi/asm-generic/mman-common.h`).
pub const MADV_DONTNEED: i32 = 4;
/// The pages may be given back until next written (same file; Linux 4.5).
pub const MADV_FREE: i32 = 8;
/// Back the range with huge pages where possible (same file).
pub const MADV_HUGEPAGE: i32 = 14;
/// The pages become resident and writable at once (same file; Linux 5.14, older kernels answer `EINVAL`).
pub const MADV_POPULATE_WRITE: i32 = 23;
/// The advice that gives pages back at once.
pub(crate) const MADV_RESET: i32 = MADV_DONTNEED;

/// How `mmap` takes a file offset: in bytes on amd64, in units of 4096 bytes (`mmap2`) on 32-bit ports.
pub(crate) fn mmap_offset(bytes: u64) -> Result<[Arg; 2], Errno> {
    let unit = if size_of::<usize>() == 8 { 1 } else { 4096 };
    match usize::try_from(bytes / unit) {
        Ok(units) if bytes.is_multiple_of(unit) => Ok([units.into(), Arg::NONE]),
        _ => Err(Errno::EINVAL),
    }
}

/// Open for reading (`include/uapi/asm-generic/fcntl.h`).
pub const O_RDONLY: i32 = 0;
/// Open for writing (same file).
pub const O_WRONLY: i32 = 1;
/// Open for both (same file).
pub const O_RDWR: i32 = 2;
/// Create the file if there is none (same file).
pub const O_CREAT: i32 = 0o100;
/// Empty the file (same file).
pub const O_TRUNC: i32 = 0o1000;
/// Write at the end (same file).
pub const O_APPEND: i32 = 0o2000;
/// Closed by `execve` (same file).
pub const O_CLOEXEC: i32 = 0o200_0000;

/// The clock of the day (`include/uapi/linux/time.h`).
pub const CLOCK_REALTIME: i32 = 0;
/// A clock that is never set (same file).
pub const CLOCK_MONOTONIC: i32 = 1;

/// Arguments of `reboot` before the command (`include/uapi/linux/reboot.h`, `LINUX_REBOOT_MAGIC1` and `2`).
pub(crate) const REBOOT_MAGIC: &[u32] = &[0xfee1_dead, 672_274_793];
/// Power off (same file).
pub const REBOOT_POWER_OFF: u32 = 0x4321_fedc;
/// Restart (same file).
pub const REBOOT_RESTART: u32 = 0x0123_4567;

/// Where the kernel mapped the vDSO (`include/uapi/linux/auxvec.h`, per CPU `asm/auxvec.h`).
pub const AT_SYSINFO_EHDR: usize = 33;
/// The path that was executed; its string is the highest on the stack (`include/uapi/linux/auxvec.h`).
pub const AT_EXECFN: usize = 31;
/// The entry with the path that was executed.
pub(crate) const AT_PROGRAM_PATH: usize = AT_EXECFN;
/// Sixteen random bytes (same file).
pub const AT_RANDOM: usize = 25;
/// The entry with random bytes.
pub(crate) const AT_RANDOM_BYTES: usize = AT_RANDOM;

/// What the kernel maps beside image and stack before a process begins: the vDSO and its data. Seen on Linux 6.x:
/// 32 KiB on 386 and amd64 (`arch/x86/entry/vdso`), 16 KiB on ARM with its signal page.
pub(crate) const MAPPED_AT_EXEC: u64 = 32 << 10;
/// How far below the strings the kernel extends the stack of a new process (`fs/exec.c`, `setup_arg_pages`,
/// `stack_expand`).
pub(crate) const STACK_AT_EXEC: u64 = 128 << 10;

/// Nothing: Linux needs no note to take a file for its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __abi_note {
    () => {};
}
