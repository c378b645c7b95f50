//! Files: how Linux is told an offset, and what it says of an open file.

use super::nr;
use crate::arch::{Arg, Errno, syscall};
use crate::os::{SEEK_SET, Stat, Timespec};

/// The size of a terminal's window (`include/uapi/asm-generic/ioctls.h`).
pub(crate) const TIOCGWINSZ: usize = 0x5413;

/// Files of 2 GiB and more can be opened too, and grow beyond; amd64's kernel sets it by itself
/// (`include/uapi/asm-generic/fcntl.h`; ARM `asm/fcntl.h`; `fs/open.c`, `force_o_largefile`).
const O_LARGEFILE: usize = nr::number(0o100_000, 0o100_000, 0o400_000);
/// What `open` always passes.
pub const O_ALWAYS: i32 = O_LARGEFILE as i32;

/// `struct stat` (`arch/x86/include/uapi/asm/stat.h`).
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawStat {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) nlink: u64,
    pub(crate) mode: u32,
    owners: [u32; 3],
    rdev: u64,
    pub(crate) size: i64,
    blocks: [i64; 2],
    accessed: [u64; 2],
    pub(crate) mtime: u64,
    pub(crate) mtime_nsec: u64,
    changed: [u64; 2],
    unused: [i64; 3],
}

/// `struct stat64` (`arch/{x86,arm}/include/uapi/asm/stat.h`), where ARM has a `u64` at every eighth byte.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawStat {
    pub(crate) dev: u64,
    old_ino: [u32; 2],
    pub(crate) mode: u32,
    pub(crate) nlink: u32,
    owners: [u32; 2],
    rdev: u64,
    padding: u32,
    pub(crate) size: i64,
    block: u32,
    blocks: u64,
    accessed: [u32; 2],
    pub(crate) mtime: u32,
    pub(crate) mtime_nsec: u32,
    changed: [u32; 2],
    pub(crate) ino: u64,
}

#[allow(clippy::useless_conversion, reason = "some fields have another width on another CPU")]
impl From<RawStat> for Stat {
    fn from(raw: RawStat) -> Self {
        let modified = Timespec { seconds: raw.mtime as i64, nanoseconds: raw.mtime_nsec as i64 };
        Stat {
            device: raw.dev,
            inode: raw.ino,
            mode: raw.mode,
            links: raw.nlink.into(),
            size: raw.size as u64,
            modified,
        }
    }
}

/// Finds out who holds a part of a file (`include/uapi/asm-generic/fcntl.h`); on 32-bit ports `F_GETLK64`, whose structure has
/// offsets of 64 bits.
pub(crate) const F_GETLK: i32 = nr::number(5, 12, 12) as i32;
/// Locks a part of a file, or answers at once that it cannot (same file); on 32-bit ports `F_SETLK64`.
pub(crate) const F_SETLK: i32 = nr::number(6, 13, 13) as i32;
/// A shared lock (same file).
pub(crate) const F_RDLCK: i16 = 0;
/// An exclusive lock (same file).
pub(crate) const F_WRLCK: i16 = 1;
/// No lock (same file).
pub(crate) const F_UNLCK: i16 = 2;

/// `struct flock` of amd64, `struct flock64` of the others (same file).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawFlock {
    pub(crate) kind: i16,
    pub(crate) whence: i16,
    pub(crate) start: i64,
    pub(crate) len: i64,
    pub(crate) pid: i32,
}

impl RawFlock {
    pub(crate) const fn new(kind: i16, start: i64, len: i64) -> RawFlock {
        RawFlock { kind, whence: SEEK_SET as i16, start, len, pid: 0 }
    }
}

/// Arguments of `ftruncate`.
pub(crate) fn of_length(fd: i32, len: u64) -> [Arg; 4] {
    let [first, second, third] = words(len);
    [fd.into(), first, second, third]
}

/// Arguments of `pread` and `pwrite`.
pub fn at_offset(fd: i32, bytes: Arg, len: usize, offset: u64) -> [Arg; 6] {
    let [first, second, third] = words(offset);
    [fd.into(), bytes, len.into(), first, second, third]
}

/// An offset behind an odd number of arguments: a word on amd64, and two words on 386; on ARM those lie in an even register
/// and the next (`arch/arm/kernel/sys_arm.c`; syscall(2), "Architecture-specific requirements").
fn words(offset: u64) -> [Arg; 3] {
    let [low, high] = [offset as u32, (offset >> 32) as u32].map(Arg::from);
    if size_of::<usize>() == 8 {
        [(offset as usize).into(), Arg::NONE, Arg::NONE]
    } else if cfg!(target_arch = "arm") {
        [Arg::NONE, low, high]
    } else {
        [low, high, Arg::NONE]
    }
}

/// `lseek`; on 32-bit ports `_llseek`, which stores its answer (`fs/read_write.c`).
pub(crate) fn seek(fd: i32, offset: i64, whence: i32) -> Result<u64, Errno> {
    if size_of::<usize>() == 8 {
        // SAFETY: no memory is involved.
        return unsafe { syscall(nr::LSEEK, [fd.into(), (offset as usize).into(), whence.into()]) }.map(|at| at as u64);
    }
    let mut at = 0u64;
    let [high, low] = [(offset >> 32) as u32, offset as u32].map(Arg::from);
    // SAFETY: the kernel writes one 64-bit number.
    unsafe { syscall(nr::LSEEK, [fd.into(), high, low, (&raw mut at).into(), whence.into()]) }.map(|_| at)
}

/// `getrandom` without flags.
pub(crate) fn random(buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `len` bytes, into memory that is ours alone.
    unsafe { syscall(nr::GETRANDOM, [buffer.as_mut_ptr().into(), buffer.len().into(), 0usize.into()]) }
}
