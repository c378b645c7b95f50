//! System calls, typed and raw. Names and meanings are those of section 2 of the manual.
//!
//! Each answers what the kernel answers, and its error number negated; none retries and none sets an `errno`. A pointer that
//! the kernel cannot follow is `-EFAULT`.

use core::ffi::{c_char, c_int, c_void};

use rt0::sys::{self, Arg, Errno, Rlimit, Timespec, nr};

use crate::error::{negated, number, status, word};
use crate::limit::RT0_NONE;

/// Open for reading.
pub const RT0_O_RDONLY: c_int = 0;
/// Open for writing.
pub const RT0_O_WRONLY: c_int = 1;
/// Open for both.
pub const RT0_O_RDWR: c_int = 2;

/// No access.
pub const RT0_PROT_NONE: c_int = 0;
/// Read.
pub const RT0_PROT_READ: c_int = 1;
/// Write.
pub const RT0_PROT_WRITE: c_int = 2;
/// Execute.
pub const RT0_PROT_EXEC: c_int = 4;
/// Changes are not shared.
pub const RT0_MAP_PRIVATE: c_int = 0x2;
/// Exactly here, whatever is there.
pub const RT0_MAP_FIXED: c_int = 0x10;

/// Create the file if there is none.
#[cfg(target_os = "linux")]
pub const RT0_O_CREAT: c_int = 0x40;
/// Empty the file.
#[cfg(target_os = "linux")]
pub const RT0_O_TRUNC: c_int = 0x200;
/// Write at the end.
#[cfg(target_os = "linux")]
pub const RT0_O_APPEND: c_int = 0x400;
/// Closed by `execve`.
#[cfg(target_os = "linux")]
pub const RT0_O_CLOEXEC: c_int = 0x8_0000;
/// Zeroes, no file.
#[cfg(target_os = "linux")]
pub const RT0_MAP_ANON: c_int = 0x20;
/// Limit on the address space, bytes.
#[cfg(target_os = "linux")]
pub const RT0_RLIMIT_AS: c_int = 9;
/// A clock that is never set.
#[cfg(target_os = "linux")]
pub const RT0_CLOCK_MONOTONIC: c_int = 1;

/// Create the file if there is none.
#[cfg(target_os = "freebsd")]
pub const RT0_O_CREAT: c_int = 0x200;
/// Empty the file.
#[cfg(target_os = "freebsd")]
pub const RT0_O_TRUNC: c_int = 0x400;
/// Write at the end.
#[cfg(target_os = "freebsd")]
pub const RT0_O_APPEND: c_int = 0x8;
/// Closed by `execve`.
#[cfg(target_os = "freebsd")]
pub const RT0_O_CLOEXEC: c_int = 0x10_0000;
/// Zeroes, no file.
#[cfg(target_os = "freebsd")]
pub const RT0_MAP_ANON: c_int = 0x1000;
/// Limit on the address space, bytes.
#[cfg(target_os = "freebsd")]
pub const RT0_RLIMIT_AS: c_int = 10;
/// A clock that is never set.
#[cfg(target_os = "freebsd")]
pub const RT0_CLOCK_MONOTONIC: c_int = 4;

/// Limit on data, bytes.
pub const RT0_RLIMIT_DATA: c_int = 2;
/// Limit on the main thread's stack, bytes.
pub const RT0_RLIMIT_STACK: c_int = 3;
/// The clock of the day.
pub const RT0_CLOCK_REALTIME: c_int = 0;
/// Do not wait for a child that goes on.
pub const RT0_WNOHANG: c_int = 1;

// The header has numbers, which it can show; that they are rt0's own is checked here.
const _: () = assert!(
    RT0_O_RDONLY == sys::O_RDONLY
        && RT0_O_WRONLY == sys::O_WRONLY
        && RT0_O_RDWR == sys::O_RDWR
        && RT0_O_CREAT == sys::O_CREAT
        && RT0_O_TRUNC == sys::O_TRUNC
        && RT0_O_APPEND == sys::O_APPEND
        && RT0_O_CLOEXEC == sys::O_CLOEXEC
        && RT0_PROT_NONE == sys::PROT_NONE
        && RT0_PROT_READ == sys::PROT_READ
        && RT0_PROT_WRITE == sys::PROT_WRITE
        && RT0_PROT_EXEC == sys::PROT_EXEC
        && RT0_MAP_PRIVATE == sys::MAP_PRIVATE
        && RT0_MAP_FIXED == sys::MAP_FIXED
        && RT0_MAP_ANON == sys::MAP_ANON
        && RT0_RLIMIT_AS == sys::RLIMIT_AS
        && RT0_RLIMIT_DATA == sys::RLIMIT_DATA
        && RT0_RLIMIT_STACK == sys::RLIMIT_STACK
        && RT0_CLOCK_REALTIME == sys::CLOCK_REALTIME
        && RT0_CLOCK_MONOTONIC == sys::CLOCK_MONOTONIC
        && RT0_WNOHANG == sys::WNOHANG
);

/// A soft and a hard resource limit, bytes; `RT0_NONE` is the kernel's infinity.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_rlimit {
    /// What the kernel enforces.
    pub soft: u64,
    /// As far as the soft limit may be raised.
    pub hard: u64,
}

/// A time or a span of time, the same on every port.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_timespec {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanoseconds: i64,
}

impl From<Timespec> for rt0_timespec {
    fn from(time: Timespec) -> Self {
        rt0_timespec { seconds: time.seconds, nanoseconds: time.nanoseconds }
    }
}

/// Makes the system call `number` of this kernel with up to six words of arguments; those that it does not take are
/// ignored. A 64-bit argument of a 32-bit port is two words, which on ARM begin at an even argument.
///
/// Answers what the kernel answers, or the negated error number.
///
/// # Safety
///
/// What the call does to memory is the caller's to know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_syscall(
    number: usize,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> isize {
    let args = [a, b, c, d, e, f].map(|word| Arg::from(core::ptr::with_exposed_provenance_mut::<u8>(word)));
    // SAFETY: the caller knows what the call does.
    word(unsafe { sys::syscall(number, args) })
}

/// Ends the process, all its threads, with `status & 0xff`. Nothing is flushed and no function is called before.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_exit(status: c_int) -> ! {
    rt0::exit(status)
}

/// Reads up to `size` bytes; answers how many, 0 at the end of the file.
///
/// # Safety
///
/// `buffer` has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_read(fd: c_int, buffer: *mut c_void, size: usize) -> isize {
    // SAFETY: the kernel writes at most `size` bytes there.
    word(unsafe { sys::syscall(nr::READ, [fd.into(), buffer.into(), size.into()]) })
}

/// Writes up to `size` bytes; answers how many.
///
/// # Safety
///
/// `bytes` has `size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_write(fd: c_int, bytes: *const c_void, size: usize) -> isize {
    // SAFETY: the kernel reads at most `size` bytes there.
    word(unsafe { sys::syscall(nr::WRITE, [fd.into(), bytes.into(), size.into()]) })
}

/// Writes all `size` bytes, however often the kernel takes only a part or a signal comes between.
///
/// Answers 0, or what the kernel says other than `-EINTR`; `-EIO` where it takes nothing at all.
///
/// # Safety
///
/// `bytes` has `size` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_write_all(fd: c_int, bytes: *const c_void, size: usize) -> c_int {
    let (mut next, mut left) = (bytes, size);
    while left > 0 {
        // SAFETY: the kernel reads at most what is left of the bytes.
        match unsafe { sys::syscall(nr::WRITE, [fd.into(), next.into(), left.into()]) } {
            Ok(0) => return negated(Errno::EIO),
            Ok(taken) => (next, left) = (next.wrapping_byte_add(taken), left - taken),
            Err(Errno::EINTR) => {}
            Err(errno) => return negated(errno),
        }
    }
    0
}

/// Opens a file, of any size on every port: `flags` are `RT0_O_*`, `mode` the permissions of one that is created. Answers its descriptor.
///
/// # Safety
///
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_open(path: *const c_char, flags: c_int, mode: u32) -> c_int {
    // SAFETY: the kernel reads the path as far as its NUL.
    let fd = unsafe { sys::syscall(nr::OPEN, [path.into(), (flags | sys::O_ALWAYS).into(), mode.into()]) };
    number(fd.map(|fd| fd as c_int))
}

/// Closes a file descriptor.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_close(fd: c_int) -> c_int {
    status(sys::close(fd))
}

/// Makes `to` another name for the open file `from`, closing what `to` was. Answers `to`.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_dup2(from: c_int, to: c_int) -> c_int {
    number(sys::dup2(from, to))
}

/// Maps `size` bytes of the file `fd` from `offset`, or zeroes with `RT0_MAP_ANON` (`fd` -1, `offset` 0), and stores where
/// they are.
///
/// Answers 0; `-EINVAL` if `result` is null, or what the kernel says. After an error `*result` is null.
///
/// # Safety
///
/// `result` is null or points to a pointer. With `RT0_MAP_FIXED` nobody uses what is at `address` now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_mmap(
    address: *mut c_void,
    size: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: u64,
    result: *mut *mut c_void,
) -> c_int {
    if result.is_null() {
        return negated(Errno::EINVAL);
    }
    // SAFETY: the caller knows what is at the address.
    let mapped = unsafe { sys::mmap(address.cast(), size, protection, flags, fd, offset) };
    // SAFETY: the caller says that it points to a pointer.
    unsafe { result.write(mapped.map_or(core::ptr::null_mut(), <*mut u8>::cast)) };
    mapped.map_or_else(negated, |_| 0)
}

/// Unmaps the pages of a range.
///
/// # Safety
///
/// The range is the caller's and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_munmap(address: *mut c_void, size: usize) -> c_int {
    // SAFETY: the caller says whose range it is.
    status(unsafe { sys::munmap(address.cast(), size) })
}

/// Sets the access to the pages of a range, `RT0_PROT_*`.
///
/// # Safety
///
/// The range is the caller's, and nobody needs the access that is taken away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_mprotect(address: *mut c_void, size: usize, protection: c_int) -> c_int {
    // SAFETY: the caller says whose range it is.
    status(unsafe { sys::mprotect(address.cast(), size, protection) })
}

/// Advises the kernel about the pages of a range; the advice is a number of this kernel's (`MADV_*`).
///
/// # Safety
///
/// The range is the caller's, and nobody needs the content that the advice gives up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_madvise(address: *mut c_void, size: usize, advice: c_int) -> c_int {
    // SAFETY: the caller says whose range it is.
    status(unsafe { sys::madvise(address.cast(), size, advice) })
}

/// Stores the limits of a resource, `RT0_RLIMIT_*`.
///
/// Answers 0; `-EINVAL` for a resource that the kernel does not know, and if `limit` is null.
///
/// # Safety
///
/// `limit` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_getrlimit(resource: c_int, limit: *mut rt0_rlimit) -> c_int {
    match sys::getrlimit(resource) {
        _ if limit.is_null() => negated(Errno::EINVAL),
        Ok(Rlimit { soft, hard }) => {
            // SAFETY: the caller says that it points to a structure.
            unsafe { limit.write(rt0_rlimit { soft: soft.unwrap_or(RT0_NONE), hard: hard.unwrap_or(RT0_NONE) }) };
            0
        }
        Err(errno) => negated(errno),
    }
}

/// Sets the limits of a resource, `RT0_RLIMIT_*`. What the kernel's word cannot hold is set to infinity.
///
/// Answers 0; `-EPERM` (raising the hard limit), `-EINVAL` (soft above hard, or `limit` is null).
///
/// # Safety
///
/// `limit` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_setrlimit(resource: c_int, limit: *const rt0_rlimit) -> c_int {
    // SAFETY: the caller says that it is null or points to a structure.
    let Some(rt0_rlimit { soft, hard }) = (unsafe { limit.as_ref() }) else { return negated(Errno::EINVAL) };
    let some = |bytes: u64| (bytes != RT0_NONE).then_some(bytes);
    status(sys::setrlimit(resource, Rlimit { soft: some(*soft), hard: some(*hard) }))
}

/// This process's number.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_getpid() -> c_int {
    sys::getpid()
}

/// Sends a signal to a process or, negative, to a group; signal 0 only asks whether one could.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_kill(pid: c_int, signal: c_int) -> c_int {
    status(sys::kill(pid, signal))
}

/// Makes a copy of this process: 0 in the copy, the copy's number in the original.
///
/// # Safety
///
/// Only the calling thread is in the copy: a lock that another thread holds stays locked there for ever, and one that the
/// calling thread holds is made free there by zeroes, not by `rt0_lock_release`, since those who waited for it are not there. In
/// a hosted program the libc does not learn of it. For a heap see `rt0_heap_before_fork`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_fork() -> c_int {
    // SAFETY: the caller knows what other threads hold.
    number(unsafe { sys::fork() })
}

/// Becomes the program at `path`. It returns only if that fails, with the negated error number.
///
/// # Safety
///
/// `path` is a C string; `argv` and `envp` point to arrays of pointers to C strings, each ended by a null pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_execve(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    // SAFETY: the kernel only reads them.
    number(unsafe { sys::syscall(nr::EXECVE, [path.into(), argv.into(), envp.into()]) }.map(|_| 0))
}

/// Waits for the child `pid`, or any with -1. Answers its number, 0 with `RT0_WNOHANG` where none has ended, and stores the
/// kernel's word of how it ended where `wait_status` points, unless that is null.
///
/// # Safety
///
/// `wait_status` is null or points to an `int`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_wait4(pid: c_int, wait_status: *mut c_int, options: c_int) -> c_int {
    match sys::wait4(pid, options) {
        Ok((child, ended)) => {
            if !wait_status.is_null() {
                // SAFETY: the caller says that it points to an int.
                unsafe { wait_status.write(ended.raw()) };
            }
            child
        }
        Err(errno) => negated(errno),
    }
}

/// Sleeps. Answers 0; `-EINTR`, or `-EINVAL`, also if `time` is null.
///
/// # Safety
///
/// `time` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_nanosleep(time: *const rt0_timespec) -> c_int {
    // SAFETY: the caller says that it is null or points to a structure.
    let Some(rt0_timespec { seconds, nanoseconds }) = (unsafe { time.as_ref() }) else { return negated(Errno::EINVAL) };
    status(sys::nanosleep(Timespec { seconds: *seconds, nanoseconds: *nanoseconds }))
}

/// Stores the time of a clock, `RT0_CLOCK_*`. Answers 0, or `-EINVAL`, also if `time` is null.
///
/// # Safety
///
/// `time` is null or points to a structure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_clock_gettime(clock: c_int, time: *mut rt0_timespec) -> c_int {
    match sys::clock_gettime(clock) {
        _ if time.is_null() => negated(Errno::EINVAL),
        Ok(now) => {
            // SAFETY: the caller says that it points to a structure.
            unsafe { time.write(now.into()) };
            0
        }
        Err(errno) => negated(errno),
    }
}
