//! System calls on files and terminals, and random bytes.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use crate::arch::syscall;
use crate::os::file::{F_GETLK, F_RDLCK, F_SETLK, F_UNLCK, F_WRLCK, RawFlock, RawStat, TIOCGWINSZ};
use crate::os::file::{at_offset, of_length, random, seek};
use crate::os::{Errno, Flock, LockKind, Stat, Winsize, nr};

/// Sets where the next `read` or `write` of `fd` begins: `offset` bytes from what `whence` says, `SEEK_*`. Returns the new
/// place, bytes from the file's beginning.
///
/// # Errors
///
/// `EBADF`; `ESPIPE` (a pipe, a socket or a terminal); `EINVAL` (before the beginning, or no such `whence`); `EOVERFLOW`.
pub fn lseek(fd: i32, offset: i64, whence: i32) -> Result<u64, Errno> {
    seek(fd, offset, whence)
}

/// What the file behind `fd` is, and how large.
///
/// # Errors
///
/// `EBADF`, `EIO`. On FreeBSD `EOVERFLOW`: its number or that of its device needs more than 32 bits.
pub fn fstat(fd: i32) -> Result<Stat, Errno> {
    let mut raw = MaybeUninit::<RawStat>::uninit();
    // SAFETY: the kernel writes one structure of this layout.
    unsafe { syscall(nr::FSTAT, [fd.into(), raw.as_mut_ptr().into()]) }?;
    // SAFETY: it succeeded, so it has written it.
    Ok(unsafe { raw.assume_init() }.into())
}

/// Reads up to `buffer.len()` bytes from `offset` of the file on, and leaves where the descriptor is as it was; 0 is the end
/// of the file.
///
/// # Errors
///
/// Those of [`read`](super::read), `ESPIPE`, and `EINVAL` for an offset above `i64::MAX`.
pub fn pread(fd: i32, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `len` bytes, into memory that is ours alone.
    unsafe { syscall(nr::PREAD, at_offset(fd, buffer.as_mut_ptr().into(), buffer.len(), offset)) }
}

/// Writes up to `bytes.len()` bytes at `offset` of the file, leaves where the descriptor is as it was, and returns how many
/// the kernel took. With `O_APPEND` Linux writes at the end.
///
/// # Errors
///
/// Those of [`write`](super::write), `ESPIPE`, and `EINVAL` for an offset above `i64::MAX`.
pub fn pwrite(fd: i32, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
    // SAFETY: the kernel only reads the bytes.
    unsafe { syscall(nr::PWRITE, at_offset(fd, bytes.as_ptr().into(), bytes.len(), offset)) }
}

/// Returns when what was written to the file is on its device.
///
/// # Errors
///
/// `EBADF`; `EINVAL` (a pipe or a terminal); `EIO`, `ENOSPC`: some of it may be lost.
pub fn fsync(fd: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { syscall(nr::FSYNC, [fd.into()]) }.map(drop)
}

/// Makes a file `len` bytes long: what is behind goes, what is added is zero.
///
/// # Errors
///
/// `EBADF`; `EINVAL` (not open for writing, no regular file, or above `i64::MAX`); `EFBIG`, `EIO`.
pub fn ftruncate(fd: i32, len: u64) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { syscall(nr::FTRUNCATE, of_length(fd, len)) }.map(drop)
}

/// Locks `len` bytes of a file from `start` on for this process (0: to the end, however far that moves), or unlocks them
/// with `None`. It does not wait. The locks are advice: they hold for those who ask for them. A process has one lock of a
/// byte, whatever the descriptor, and loses all of a file's when it closes any descriptor of it; a fork has none.
///
/// # Errors
///
/// `EAGAIN` or `EACCES`: another process has a lock of it. `EBADF`: not open, for a shared lock for reading, for an exclusive one
/// for writing. `EINVAL`, `EOVERFLOW`: the part is none, or goes beyond `i64::MAX`. `ENOLCK`.
pub fn fcntl_setlk(fd: i32, kind: Option<LockKind>, start: u64, len: u64) -> Result<(), Errno> {
    lock(fd, F_SETLK, kind, start, len).map(drop)
}

/// A lock of another process that keeps this one from such a lock; `None` if nothing does.
///
/// # Errors
///
/// `EBADF`, `EINVAL`, `EOVERFLOW`.
pub fn fcntl_getlk(fd: i32, kind: LockKind, start: u64, len: u64) -> Result<Option<Flock>, Errno> {
    let found = lock(fd, F_GETLK, Some(kind), start, len)?;
    let kind = match found.kind {
        F_RDLCK => LockKind::Shared,
        F_WRLCK => LockKind::Exclusive,
        _ => return Ok(None),
    };
    Ok(Some(Flock { kind, start: found.start as u64, len: found.len as u64, pid: found.pid }))
}

fn lock(fd: i32, command: i32, kind: Option<LockKind>, start: u64, len: u64) -> Result<RawFlock, Errno> {
    let kind = match kind {
        Some(LockKind::Shared) => F_RDLCK,
        Some(LockKind::Exclusive) => F_WRLCK,
        None => F_UNLCK,
    };
    let (Ok(start), Ok(len)) = (start.try_into(), len.try_into()) else { return Err(Errno::EINVAL) };
    let mut raw = RawFlock::new(kind, start, len);
    // SAFETY: the kernel reads and writes one structure of this layout.
    unsafe { syscall(nr::FCNTL, [fd.into(), command.into(), (&raw mut raw).into()]) }.map(|_| raw)
}

/// Whether this process's real user may use the file that a path leads to: `mode` is `F_OK`, or any of `R_OK`, `W_OK` and
/// `X_OK`.
///
/// # Errors
///
/// `ENOENT`, `EACCES`, `EROFS`; `EINVAL`: there is no such mode.
pub fn access(path: &CStr, mode: i32) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path as far as its NUL.
    unsafe { syscall(nr::ACCESS, [path.as_ptr().into(), mode.into()]) }.map(drop)
}

/// Where a symbolic link leads: writes that to the beginning of `buffer`, cut where it does not fit, without a NUL, and
/// returns its length.
///
/// # Errors
///
/// `ENOENT`, `EACCES`; `EINVAL`: the path is no symbolic link.
pub fn readlink(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let args = [path.as_ptr().into(), buffer.as_mut_ptr().into(), buffer.len().into()];
    // SAFETY: the kernel reads the path as far as its NUL, and writes at most `len` bytes, into memory that is ours alone.
    unsafe { syscall(nr::READLINK, args) }
}

/// Removes a name of a file; the file goes with its last name and its last descriptor.
///
/// # Errors
///
/// `ENOENT`, `EACCES`; for a folder `EISDIR` on Linux and `EPERM` on FreeBSD.
pub fn unlink(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path as far as its NUL.
    unsafe { syscall(nr::UNLINK, [path.as_ptr().into()]) }.map(drop)
}

/// The size of the terminal's window.
///
/// # Errors
///
/// `EBADF`; `ENOTTY`: it is no terminal (other numbers for some files).
pub fn winsize(fd: i32) -> Result<Winsize, Errno> {
    let mut size = Winsize::default();
    // SAFETY: the kernel writes one `struct winsize`.
    unsafe { syscall(nr::IOCTL, [fd.into(), TIOCGWINSZ.into(), (&raw mut size).into()]) }.map(|_| size)
}

/// Whether `fd` is a terminal: whether it has a window's size, which every terminal has.
pub fn isatty(fd: i32) -> bool {
    winsize(fd).is_ok()
}

/// Random bytes that are good for keys. Returns how many it has written to the beginning of `buffer`: all of up to 256
/// bytes once the kernel has gathered enough to begin with, which Linux waits for; of more it may be fewer, and is at most
/// 256 on FreeBSD.
///
/// # Errors
///
/// `EINTR`; `ENOSYS` (Linux before 3.17).
pub fn getrandom(buffer: &mut [u8]) -> Result<usize, Errno> {
    random(buffer)
}
