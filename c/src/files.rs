//! System calls on files and terminals, and random bytes, as `sys.rs` has the others.

use core::ffi::{c_char, c_int, c_void};

use rt0::sys::{self, Errno, LockKind, nr};

use crate::error::{negated, status, word};
use crate::sys::rt0_timespec;

/// An offset counts from the file's beginning.
pub const RT0_SEEK_SET: c_int = 0;
/// An offset counts from where the descriptor is.
pub const RT0_SEEK_CUR: c_int = 1;
/// An offset counts from the file's end.
pub const RT0_SEEK_END: c_int = 2;

/// The path leads somewhere.
pub const RT0_F_OK: c_int = 0;
/// It may be executed, or the folder passed through.
pub const RT0_X_OK: c_int = 1;
/// It may be written to.
pub const RT0_W_OK: c_int = 2;
/// It may be read.
pub const RT0_R_OK: c_int = 4;

/// The part of a mode that says what a file is.
pub const RT0_S_IFMT: u32 = 0xf000;
/// A folder.
pub const RT0_S_IFDIR: u32 = 0x4000;
/// A regular file.
pub const RT0_S_IFREG: u32 = 0x8000;

/// Not locked.
pub const RT0_LOCK_NONE: c_int = 0;
/// Others may have shared locks.
pub const RT0_LOCK_SHARED: c_int = 1;
/// Nobody else has a lock.
pub const RT0_LOCK_EXCLUSIVE: c_int = 2;

// The header has numbers, which it can show; that they are rt0's own is checked here.
const _: () = assert!(
    RT0_SEEK_SET == sys::SEEK_SET
        && RT0_SEEK_CUR == sys::SEEK_CUR
        && RT0_SEEK_END == sys::SEEK_END
        && RT0_F_OK == sys::F_OK
        && RT0_X_OK == sys::X_OK
        && RT0_W_OK == sys::W_OK
        && RT0_R_OK == sys::R_OK
        && RT0_S_IFMT == sys::S_IFMT
        && RT0_S_IFDIR == sys::S_IFDIR
        && RT0_S_IFREG == sys::S_IFREG
);

/// What a file is, the same on every port.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_stat {
    /// The device that the file is on. With `inode` it names the file.
    pub device: u64,
    /// The file's number on its device.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
    /// Its size, bytes; of a device or a pipe it means nothing.
    pub size: u64,
    /// When it was last written to, since 1970.
    pub modified: rt0_timespec,
    /// What it is, `RT0_S_IF*`, and its permissions.
    pub mode: u32,
    /// Zero.
    pub reserved: u32,
}

/// A lock of a part of a file, the same on every port.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_flock {
    /// `RT0_LOCK_*`.
    pub kind: c_int,
    /// The process that holds it, where `rt0_fcntl_getlk` has found one.
    pub pid: c_int,
    /// Where the part begins, bytes from the file's beginning.
    pub start: i64,
    /// How long it is, bytes; 0: to the end, however far that moves.
    pub length: i64,
}

/// Sets where the next `rt0_read` or `rt0_write` of `fd` begins: `offset` bytes from what `whence` says, `RT0_SEEK_*`. Answers
/// the new place, bytes from the file's beginning.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_lseek(fd: c_int, offset: i64, whence: c_int) -> i64 {
    // The kernel's offsets are signed.
    sys::lseek(fd, offset, whence).map_or_else(|errno| negated(errno).into(), |place| place as i64)
}

/// Reads up to `size` bytes from `offset` of the file on, and leaves where the descriptor is as it was. Answers how many, 0 at
/// the end of the file.
///
/// # Safety
///
/// `buffer` has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_pread(fd: c_int, buffer: *mut c_void, size: usize, offset: i64) -> isize {
    // SAFETY: the kernel writes at most `size` bytes there.
    word(unsafe { sys::syscall(nr::PREAD, sys::at_offset(fd, buffer.into(), size, offset as u64)) })
}

/// Writes up to `size` bytes at `offset` of the file, and leaves where the descriptor is as it was. Answers how many.
///
/// # Safety
///
/// `bytes` has `size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_pwrite(fd: c_int, bytes: *const c_void, size: usize, offset: i64) -> isize {
    // SAFETY: the kernel reads at most `size` bytes there.
    word(unsafe { sys::syscall(nr::PWRITE, sys::at_offset(fd, bytes.into(), size, offset as u64)) })
}

/// Makes a file `length` bytes long: what is behind goes, what is added is zero. Answers 0.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_ftruncate(fd: c_int, length: i64) -> c_int {
    // The kernel says what is wrong with a length below zero.
    status(sys::ftruncate(fd, length as u64))
}

/// Answers 0 when what was written to the file is on its device.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_fsync(fd: c_int) -> c_int {
    status(sys::fsync(fd))
}

/// Stores what the file behind `fd` is. Answers 0; `-EINVAL` if `stat` is null.
///
/// # Safety
///
/// `stat` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_fstat(fd: c_int, stat: *mut rt0_stat) -> c_int {
    if stat.is_null() {
        return negated(Errno::EINVAL);
    }
    match sys::fstat(fd) {
        Ok(sys::Stat { device, inode, links, size, modified, mode, .. }) => {
            let found = rt0_stat { device, inode, links, size, modified: modified.into(), mode, reserved: 0 };
            // SAFETY: the caller says that it points to a structure.
            unsafe { stat.write(found) };
            0
        }
        Err(errno) => negated(errno),
    }
}

/// Locks a part of a file for this process, or unlocks it (`RT0_LOCK_NONE`). It does not wait.
///
/// The locks are advice: they hold for those who ask for them. A process has one lock of a byte, whatever the descriptor, and
/// loses all of a file's when it closes any descriptor of it; a fork has none.
///
/// Answers 0; `-EAGAIN` or `-EACCES` if another process has a lock of it, `-EINVAL` also if `lock` is null or says what is none.
///
/// # Safety
///
/// `lock` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_fcntl_setlk(fd: c_int, lock: *const rt0_flock) -> c_int {
    // SAFETY: the caller says that it is null or points to a structure.
    match unsafe { lock.as_ref() }.map(|lock| (kind_of(lock.kind), lock)) {
        // The kernel says what is wrong with a part that begins or is below zero.
        Some((Ok(kind), lock)) => status(sys::fcntl_setlk(fd, kind, lock.start as u64, lock.length as u64)),
        _ => negated(Errno::EINVAL),
    }
}

/// Looks for a lock of another process that keeps this one from `*lock`, and stores that one there; where there is none, its
/// `kind` becomes `RT0_LOCK_NONE`.
///
/// Answers 0; `-EINVAL` also if `lock` is null or says what is none.
///
/// # Safety
///
/// `lock` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_fcntl_getlk(fd: c_int, lock: *mut rt0_flock) -> c_int {
    // SAFETY: the caller says that it is null or points to a structure.
    let Some(lock) = (unsafe { lock.as_mut() }) else { return negated(Errno::EINVAL) };
    let Ok(Some(kind)) = kind_of(lock.kind) else { return negated(Errno::EINVAL) };
    match sys::fcntl_getlk(fd, kind, lock.start as u64, lock.length as u64) {
        Ok(None) => lock.kind = RT0_LOCK_NONE,
        Ok(Some(held)) => {
            lock.kind = match held.kind {
                LockKind::Shared => RT0_LOCK_SHARED,
                LockKind::Exclusive => RT0_LOCK_EXCLUSIVE,
            };
            (lock.pid, lock.start, lock.length) = (held.pid, held.start as i64, held.len as i64);
        }
        Err(errno) => return negated(errno),
    }
    0
}

fn kind_of(kind: c_int) -> Result<Option<LockKind>, ()> {
    match kind {
        RT0_LOCK_NONE => Ok(None),
        RT0_LOCK_SHARED => Ok(Some(LockKind::Shared)),
        RT0_LOCK_EXCLUSIVE => Ok(Some(LockKind::Exclusive)),
        _ => Err(()),
    }
}

/// Answers 0 if this process's real user may use the file that a path leads to: `mode` is `RT0_F_OK`, or any of `RT0_R_OK`,
/// `RT0_W_OK` and `RT0_X_OK`.
///
/// # Safety
///
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_access(path: *const c_char, mode: c_int) -> c_int {
    // SAFETY: the kernel reads the path as far as its NUL.
    status(unsafe { sys::syscall(nr::ACCESS, [path.into(), mode.into()]) }.map(drop))
}

/// Writes where a symbolic link leads to `buffer`, cut where it does not fit, without a NUL. Answers its length.
///
/// # Safety
///
/// `path` is a C string; `buffer` has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_readlink(path: *const c_char, buffer: *mut c_char, size: usize) -> isize {
    // SAFETY: the kernel reads the path as far as its NUL, and writes at most `size` bytes.
    word(unsafe { sys::syscall(nr::READLINK, [path.into(), buffer.into(), size.into()]) })
}

/// Removes a name of a file; the file goes with its last name and its last descriptor. Answers 0.
///
/// # Safety
///
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_unlink(path: *const c_char) -> c_int {
    // SAFETY: the kernel reads the path as far as its NUL.
    status(unsafe { sys::syscall(nr::UNLINK, [path.into()]) }.map(drop))
}

/// Answers 1 if `fd` is a terminal, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_isatty(fd: c_int) -> c_int {
    sys::isatty(fd).into()
}

/// Writes random bytes that are good for keys to `buffer`. Answers how many: all of up to 256 bytes; of more it may be fewer.
///
/// # Safety
///
/// `buffer` has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_getrandom(buffer: *mut c_void, size: usize) -> isize {
    if buffer.is_null() {
        return negated(Errno::EFAULT) as isize;
    }
    // SAFETY: the caller says that there are as many bytes; the kernel only writes to them.
    word(sys::getrandom(unsafe { core::slice::from_raw_parts_mut(buffer.cast(), size) }))
}
