//! Files: how FreeBSD is told an offset, and what it says of an open file.

use super::nr;
use crate::arch::{Arg, Errno, syscall};
use crate::os::{SEEK_SET, Stat, WordTimespec};

/// The size of a terminal's window (`sys/sys/ttycom.h`).
pub(crate) const TIOCGWINSZ: usize = 0x4008_7468;
/// What `open` always passes.
pub const O_ALWAYS: i32 = 0;
/// The part of `sysctl`'s names that belongs to the kernel (`sys/sys/sysctl.h`).
const CTL_KERN: u32 = 1;
/// Random bytes, 256 at most (same file; `sys/kern/kern_mib.c`, `sysctl_kern_arnd`).
const KERN_ARND: u32 = 37;

/// `struct freebsd11_stat` (`sys/sys/stat.h`), called `struct stat` before FreeBSD 12.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawStat {
    pub(crate) dev: u32,
    pub(crate) ino: u32,
    pub(crate) mode: u16,
    pub(crate) nlink: u16,
    owners: [u32; 2],
    rdev: u32,
    accessed: WordTimespec,
    pub(crate) modified: WordTimespec,
    changed: WordTimespec,
    pub(crate) size: i64,
    blocks: i64,
    rest: [u32; 4],
    born: WordTimespec,
    /// `sizeof (struct timespec)` and this make 16.
    padding: [u8; 16 - size_of::<WordTimespec>()],
}

impl From<RawStat> for Stat {
    fn from(raw: RawStat) -> Self {
        Stat {
            device: raw.dev.into(),
            inode: raw.ino.into(),
            mode: raw.mode.into(),
            links: raw.nlink.into(),
            size: raw.size as u64,
            modified: raw.modified.into(),
        }
    }
}

/// Finds out who holds a part of a file (`sys/sys/fcntl.h`).
pub(crate) const F_GETLK: i32 = 11;
/// Locks a part of a file, or answers at once that it cannot (same file).
pub(crate) const F_SETLK: i32 = 12;
/// A shared lock (same file).
pub(crate) const F_RDLCK: i16 = 1;
/// No lock (same file).
pub(crate) const F_UNLCK: i16 = 2;
/// An exclusive lock (same file).
pub(crate) const F_WRLCK: i16 = 3;

/// `struct flock` (same file).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct RawFlock {
    pub(crate) start: i64,
    pub(crate) len: i64,
    pub(crate) pid: i32,
    pub(crate) kind: i16,
    pub(crate) whence: i16,
    system: i32,
}

impl RawFlock {
    pub(crate) const fn new(kind: i16, start: i64, len: i64) -> RawFlock {
        RawFlock { start, len, pid: 0, kind, whence: SEEK_SET as i16, system: 0 }
    }
}

/// Arguments of `ftruncate`.
pub(crate) fn of_length(fd: i32, len: u64) -> [Arg; 4] {
    let [low, high] = words(len);
    [fd.into(), low, high, Arg::NONE]
}

/// Arguments of `pread` and `pwrite`: the offset is a word on amd64, and two on 386, the low one first.
pub fn at_offset(fd: i32, bytes: Arg, len: usize, offset: u64) -> [Arg; 6] {
    let [low, high] = words(offset);
    [fd.into(), bytes, len.into(), low, high, Arg::NONE]
}

fn words(offset: u64) -> [Arg; 2] {
    if size_of::<usize>() == 8 {
        [(offset as usize).into(), Arg::NONE]
    } else {
        [(offset as u32).into(), ((offset >> 32) as u32).into()]
    }
}

/// `lseek`, whose answer is one word on amd64 and two on 386.
pub(crate) fn seek(fd: i32, offset: i64, whence: i32) -> Result<u64, Errno> {
    let [low, high] = words(offset as u64);
    #[cfg(target_pointer_width = "64")]
    // SAFETY: no memory is involved.
    let at = unsafe { syscall(nr::LSEEK, [fd.into(), low, whence.into(), high]) }.map(|at| at as u64);
    #[cfg(target_pointer_width = "32")]
    // SAFETY: no memory is involved.
    let at = unsafe { crate::arch::syscall_wide(nr::LSEEK, [fd.into(), low, high, whence.into()]) };
    at
}

/// `kern.arandom`: `getrandom` came with FreeBSD 12 and is `SIGSYS` before.
pub(crate) fn random(buffer: &mut [u8]) -> Result<usize, Errno> {
    let name = [CTL_KERN, KERN_ARND];
    let mut len = buffer.len().min(256);
    let old = [buffer.as_mut_ptr().into(), (&raw mut len).into()];
    let new = [Arg::from(0usize), Arg::from(0usize)];
    let args = [name.as_ptr().into(), name.len().into(), old[0], old[1], new[0], new[1]];
    // SAFETY: the kernel reads the name, and writes at most `len` bytes, into memory that is ours alone, and their number.
    unsafe { syscall(nr::SYSCTL, args) }.map(|_| len)
}
