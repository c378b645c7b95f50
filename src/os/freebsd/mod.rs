//! FreeBSD: constants, layouts and errors, which are the same on every CPU.

use super::{Rlimit, errno};
use crate::arch::{Arg, Errno};

pub(crate) mod file;
pub(crate) mod futex;
pub(crate) mod membarrier;
pub mod nr;
pub(crate) mod signal;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod tls;

pub use signal::*;

errno! {
    "`sys/sys/errno.h`",
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
    EDEADLK = 11,
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
    EAGAIN = 35,
    EINPROGRESS = 36,
    EALREADY = 37,
    ENOTSOCK = 38,
    EDESTADDRREQ = 39,
    EMSGSIZE = 40,
    EPROTOTYPE = 41,
    ENOPROTOOPT = 42,
    EPROTONOSUPPORT = 43,
    ESOCKTNOSUPPORT = 44,
    EOPNOTSUPP = 45,
    EPFNOSUPPORT = 46,
    EAFNOSUPPORT = 47,
    EADDRINUSE = 48,
    EADDRNOTAVAIL = 49,
    ENETDOWN = 50,
    ENETUNREACH = 51,
    ENETRESET = 52,
    ECONNABORTED = 53,
    ECONNRESET = 54,
    ENOBUFS = 55,
    EISCONN = 56,
    ENOTCONN = 57,
    ESHUTDOWN = 58,
    ETOOMANYREFS = 59,
    ETIMEDOUT = 60,
    ECONNREFUSED = 61,
    ELOOP = 62,
    ENAMETOOLONG = 63,
    EHOSTDOWN = 64,
    EHOSTUNREACH = 65,
    ENOTEMPTY = 66,
    EPROCLIM = 67,
    EUSERS = 68,
    EDQUOT = 69,
    ESTALE = 70,
    EREMOTE = 71,
    EBADRPC = 72,
    ERPCMISMATCH = 73,
    EPROGUNAVAIL = 74,
    EPROGMISMATCH = 75,
    EPROCUNAVAIL = 76,
    ENOLCK = 77,
    ENOSYS = 78,
    EFTYPE = 79,
    EAUTH = 80,
    ENEEDAUTH = 81,
    EIDRM = 82,
    ENOMSG = 83,
    EOVERFLOW = 84,
    ECANCELED = 85,
    EILSEQ = 86,
    ENOATTR = 87,
    EDOOFUS = 88,
    EBADMSG = 89,
    EMULTIHOP = 90,
    ENOLINK = 91,
    EPROTO = 92,
    ENOTCAPABLE = 93,
    ECAPMODE = 94,
    ENOTRECOVERABLE = 95,
    EOWNERDEAD = 96,
    EINTEGRITY = 97,
}

/// The call that ends the process.
pub(crate) const EXIT: usize = nr::EXIT;

/// Limit on the address space, bytes (`sys/sys/resource.h`).
pub const RLIMIT_AS: i32 = 10;
/// Limit on the data segment, bytes (same file). It does not bound anonymous mappings.
pub const RLIMIT_DATA: i32 = 2;
/// Limit on the main thread's stack, bytes (same file).
pub const RLIMIT_STACK: i32 = 3;

/// `struct rlimit` (`sys/sys/resource.h`): two **signed** 64-bit `rlim_t`, in 32-bit processes too.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawRlimit {
    pub(crate) soft: i64,
    pub(crate) hard: i64,
}

/// `RLIM_INFINITY` (`sys/sys/resource.h`). The kernel takes a negative limit for infinity as well
/// (`sys/kern/kern_resource.c`, `kern_proc_setrlimit`).
const RLIM_INFINITY: i64 = i64::MAX;

impl From<RawRlimit> for Rlimit {
    fn from(raw: RawRlimit) -> Self {
        let read = |word| (word != RLIM_INFINITY).then_some(word).and_then(|word| u64::try_from(word).ok());
        Rlimit { soft: read(raw.soft), hard: read(raw.hard) }
    }
}

impl From<Rlimit> for RawRlimit {
    /// A limit that a word cannot hold becomes infinity.
    fn from(limit: Rlimit) -> Self {
        let word = |bytes: Option<u64>| bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(RLIM_INFINITY);
        RawRlimit { soft: word(limit.soft), hard: word(limit.hard) }
    }
}

/// No access (`sys/sys/mman.h`).
pub const PROT_NONE: i32 = 0;
/// Read (same file).
pub const PROT_READ: i32 = 1;
/// Write (same file).
pub const PROT_WRITE: i32 = 2;
/// Execute (same file).
pub const PROT_EXEC: i32 = 4;
/// Changes are not shared (same file).
pub const MAP_PRIVATE: i32 = 0x2;
/// Exactly at the given address, replacing what is mapped there (same file). The kernel charges it against the limit even
/// where it replaces a mapping that is charged already.
pub const MAP_FIXED: i32 = 0x10;
/// Zero pages, no file; the file descriptor must be -1 and the offset 0 (same file).
pub const MAP_ANON: i32 = 0x1000;
/// A range that no other mapping is placed in (same file). `mprotect` on it returns 0 and does nothing.
pub const MAP_GUARD: i32 = 0x2000;
/// With `MAP_FIXED`: only where nothing is (same file).
pub const MAP_EXCL: i32 = 0x4000;
/// Flags of a reservation.
pub(crate) const MAP_RESERVE: i32 = MAP_PRIVATE | MAP_ANON;
/// The pages may be paged out; their content stays (same file).
pub const MADV_DONTNEED: i32 = 4;
/// The pages may be given back until next written (same file).
pub const MADV_FREE: i32 = 5;
/// The advice that gives pages back: `MADV_DONTNEED` does not on this kernel.
pub(crate) const MADV_RESET: i32 = MADV_FREE;

/// How `mmap` takes a file offset: in bytes, as a word on amd64, as two on 386, the low one first.
pub(crate) fn mmap_offset(bytes: u64) -> Result<[Arg; 2], Errno> {
    if size_of::<usize>() == 8 {
        Ok([(bytes as usize).into(), Arg::NONE])
    } else {
        Ok([(bytes as u32).into(), ((bytes >> 32) as u32).into()])
    }
}

/// Open for reading (`sys/sys/fcntl.h`).
pub const O_RDONLY: i32 = 0;
/// Open for writing (same file).
pub const O_WRONLY: i32 = 1;
/// Open for both (same file).
pub const O_RDWR: i32 = 2;
/// Create the file if there is none (same file).
pub const O_CREAT: i32 = 0x200;
/// Empty the file (same file).
pub const O_TRUNC: i32 = 0x400;
/// Write at the end (same file).
pub const O_APPEND: i32 = 0x8;
/// Closed by `execve` (same file).
pub const O_CLOEXEC: i32 = 0x10_0000;

/// The clock of the day (`sys/sys/_clock_id.h`).
pub const CLOCK_REALTIME: i32 = 0;
/// A clock that is never set (same file).
pub const CLOCK_MONOTONIC: i32 = 4;

/// Arguments of `reboot` before the command: none here.
pub(crate) const REBOOT_MAGIC: &[u32] = &[];
/// Power off without writing the disks out (`sys/sys/reboot.h`, `RB_POWEROFF | RB_NOSYNC`).
pub const REBOOT_POWER_OFF: u32 = 0x4000 | 0x4;
/// Restart without writing the disks out (`RB_AUTOBOOT | RB_NOSYNC`).
pub const REBOOT_RESTART: u32 = 0x4;

/// The path that was executed (`sys/sys/elf_common.h`).
pub const AT_EXECPATH: usize = 15;
/// The entry with the path that was executed.
pub(crate) const AT_PROGRAM_PATH: usize = AT_EXECPATH;
/// Random bytes, 64 of them, or 32 (same file; `sys/kern/kern_exec.c`, `exec_copyout_strings`).
pub const AT_CANARY: usize = 16;
/// The entry with random bytes.
pub(crate) const AT_RANDOM_BYTES: usize = AT_CANARY;
/// The kernel's `__FreeBSD_version` (same file).
pub const AT_OSRELDATE: usize = 18;

/// What the kernel maps beside image and stack before a process begins: the shared page
/// (`sys/kern/kern_exec.c`, `exec_new_vmspace`).
pub(crate) const MAPPED_AT_EXEC: u64 = 4 << 10;
/// How much stack a new process has mapped (`sys/vm/vm_map.c`, `sgrowsiz`, default of `kern.sgrowsiz`).
pub(crate) const STACK_AT_EXEC: u64 = 128 << 10;

/// Puts the FreeBSD ABI note into the program: name "FreeBSD", type 1 (`NT_FREEBSD_ABI_TAG`, `sys/sys/elf_common.h`),
/// and the oldest release that the program is for, 10.0 (`__FreeBSD_version` 1000000). By this note the kernel recognises
/// the file as its own (`sys/kern/imgact_elf.c`, `__elfN(check_note)`).
#[doc(hidden)]
#[macro_export]
macro_rules! __abi_note {
    () => {
        #[used]
        #[unsafe(link_section = ".note.tag")]
        static FREEBSD_ABI_NOTE: [u32; 6] =
            [8, 4, 1, u32::from_ne_bytes(*b"Free"), u32::from_ne_bytes(*b"BSD\0"), 1_000_000];
    };
}
