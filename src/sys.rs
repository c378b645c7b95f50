//! System calls, typed.
//!
//! There are two levels. [`syscall`] takes any number and any words; each function below it knows what one call takes and
//! answers. No function retries, allocates or keeps state. Errors are the kernel's ([`Errno`]). Names and meanings are
//! those of section 2 of the manual. Paths are C strings, file descriptors plain numbers.
//!
//! ```
//! use rt0::sys;
//!
//! let fd = sys::open(c"/proc/self/status", sys::O_RDONLY | sys::O_CLOEXEC, 0)?;
//! let mut beginning = [0; 16];
//! let count = sys::read(fd, &mut beginning)?;
//! assert!(count == 16 && sys::fstat(fd)?.is_file() && !sys::isatty(fd));
//! assert_eq!(sys::lseek(fd, 0, sys::SEEK_CUR), Ok(16));
//! sys::close(fd)?;
//! # Ok::<(), sys::Errno>(())
//! ```
//!
//! Files, beside those:
//!
//! ```
//! use core::mem::MaybeUninit;
//! use rt0::sys::{self, Flock, LockKind, Stat, Winsize};
//!
//! let path = c"/tmp/rt0-sys-example";
//! let fd = sys::open(path, sys::O_RDWR | sys::O_CREAT | sys::O_TRUNC, 0o600)?;
//! assert_eq!(sys::write(fd, b"hello")?, 5);
//! assert_eq!(sys::pwrite(fd, b"J", 0)?, 1);
//! sys::fsync(fd)?;
//! sys::fcntl_setlk(fd, Some(LockKind::Exclusive), 0, 1)?; // other processes keep off the first byte
//! let other: Option<Flock> = sys::fcntl_getlk(fd, LockKind::Shared, 0, 0)?;
//! assert_eq!((other, sys::access(path, sys::R_OK)), (None, Ok(())));
//! let mut text = [0; 5];
//! assert_eq!((sys::pread(fd, &mut text, 0)?, &text), (5, b"Jello"));
//! let copy = sys::dup2(fd, fd + 100)?;
//! assert_eq!(sys::read_uninit(copy, &mut [MaybeUninit::uninit(); 8])?, 0); // its place is the end
//! let stat: Stat = sys::fstat(copy)?;
//! assert!(stat.size == 5 && !stat.is_dir());
//! let size: Result<Winsize, sys::Errno> = sys::winsize(fd);
//! assert_eq!(size.err().and_then(|errno| errno.name()), Some("ENOTTY"));
//! sys::ftruncate(copy, 2)?;
//! assert_eq!(sys::fstat(copy)?.size, 2);
//! sys::close(copy)?;
//! sys::close(fd)?;
//! sys::unlink(path)?;
//! assert_eq!(sys::readlink(path, &mut text), Err(sys::Errno::ENOENT));
//! let mut random = [0; 16];
//! assert_eq!(sys::getrandom(&mut random)?, 16);
//! # Ok::<(), sys::Errno>(())
//! ```
//!
//! Memory, limits and time:
//!
//! ```
//! use core::ptr::null_mut;
//! use rt0::sys::{self, Rlimit, Timespec};
//!
//! let page = rt0::page_size();
//! // SAFETY: a new mapping replaces nothing.
//! let memory = unsafe { sys::mmap(null_mut(), page, sys::PROT_NONE, sys::MAP_PRIVATE | sys::MAP_ANON, -1, 0) }?;
//! // SAFETY: the page is this program's alone, and nobody uses it behind `munmap`.
//! unsafe {
//!     sys::mprotect(memory, page, sys::PROT_READ | sys::PROT_WRITE)?;
//!     memory.write(1);
//!     sys::madvise(memory, page, sys::MADV_DONTNEED)?;
//!     sys::munmap(memory, page)?;
//! }
//! let limit: Rlimit = sys::getrlimit(sys::RLIMIT_STACK)?;
//! sys::setrlimit(sys::RLIMIT_STACK, Rlimit { soft: Some(4 << 20), ..limit })?;
//! let now = || sys::clock_gettime(sys::CLOCK_MONOTONIC).map(|time| (time.seconds, time.nanoseconds));
//! let before = now()?;
//! sys::nanosleep(Timespec { seconds: 0, nanoseconds: 1_000_000 })?;
//! sys::sched_yield();
//! assert!(now()? > before);
//! # Ok::<(), sys::Errno>(())
//! ```
//!
//! Processes and signals:
//!
//! ```
//! use core::ptr::null;
//! use core::sync::atomic::{AtomicI32, Ordering};
//! use rt0::sys::{self, SigAction, SigInfo, WaitStatus};
//!
//! // SAFETY: the copy takes no lock: it makes system calls alone.
//! let child = match unsafe { sys::fork() }? {
//!     0 => {
//!         let arguments = [c"true".as_ptr().cast(), null()];
//!         // SAFETY: a null pointer ends each array.
//!         unsafe { sys::execve(c"/bin/true", arguments.as_ptr(), &null()) };
//!         sys::exit(127) // there is none
//!     }
//!     child => child,
//! };
//! let (ended, status): (i32, WaitStatus) = sys::wait4(child, 0)?;
//! assert!(ended == child && status.exited() == Some(status.raw() >> 8) && status.signaled() == None);
//!
//! static CAUGHT: AtomicI32 = AtomicI32::new(0);
//! unsafe extern "C" fn handler(signal: i32, info: *const SigInfo, _context: *mut ()) {
//!     // SAFETY: the kernel has written it.
//!     CAUGHT.store(signal + unsafe { (*info).code }, Ordering::Relaxed);
//! }
//! // SAFETY: the handler reads what the kernel has written, and stores to an atomic.
//! unsafe { sys::sigaction(sys::SIGUSR1, &SigAction::handler(handler, 0)) }?;
//! sys::kill(sys::getpid(), sys::SIGUSR1)?;
//! assert_eq!(CAUGHT.load(Ordering::Relaxed), sys::SIGUSR1); // its code is SI_USER, 0
//! for action in [SigAction::ignore(), SigAction::default_action()] {
//!     // SAFETY: nothing is called.
//!     unsafe { sys::sigaction(sys::SIGUSR1, &action) }?;
//! }
//! // A call that has no function here; its arguments are words or pointers:
//! use rt0::sys::{Arg, Errno, nr};
//! // SAFETY: the number is that of `getpid`, which takes nothing.
//! assert_eq!(unsafe { sys::syscall(nr::GETPID, [Arg::from(0usize); 0]) }, Ok(sys::getpid() as usize));
//! assert_eq!(sys::close(-1).map_err(Errno::raw), Err(9));
//! # Ok::<(), sys::Errno>(())
//! ```

use core::ffi::CStr;
use core::mem::MaybeUninit;

mod files;

use crate::arch::{ARGS, Current, Port};
pub use crate::arch::{Arg, syscall};
pub use crate::os::*;
// For the C library, whose pointers may be any.
#[doc(hidden)]
pub use crate::os::file::{O_ALWAYS, at_offset};
pub use files::*;

/// The name of this port, such as `linux_amd64`.
pub const PORT: &str = Current::NAME;

/// Ends the process, all its threads, with `status & 0xff`.
///
/// ```no_run
/// rt0::sys::exit(3)
/// ```
#[cold]
#[inline(never)] // once in a small program, and no slower
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: exit touches no memory of a process that goes on. It does not return; the loop tells the compiler.
        let _ = unsafe { syscall(EXIT, [status.into()]) };
    }
}

/// Reads up to `buffer.len()` bytes; 0 is the end of the file.
///
/// # Errors
///
/// `EBADF`, `EINTR`, `EAGAIN`, `EIO`, ...
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: bytes that are initialized may be taken for ones that need not be; the kernel only writes to them.
    read_uninit(fd, unsafe { &mut *(core::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) })
}

/// [`read`] into memory that need not be initialized; as many of its first bytes as this returns are initialized then.
///
/// # Errors
///
/// As [`read`].
pub fn read_uninit(fd: i32, buffer: &mut [MaybeUninit<u8>]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes at most `len` bytes, into memory that is ours alone.
    unsafe { syscall(nr::READ, [fd.into(), buffer.as_mut_ptr().into(), buffer.len().into()]) }
}

/// Writes up to `bytes.len()` bytes and returns how many the kernel took.
///
/// # Errors
///
/// `EBADF`, `EINTR`, `EAGAIN`, `EPIPE`, `ENOSPC`, ...
#[inline]
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel only reads the bytes.
    unsafe { syscall(nr::WRITE, [fd.into(), bytes.as_ptr().into(), bytes.len().into()]) }
}

/// Opens a file, of any size on every port: `flags` are `O_*`, `mode` the permissions of one that is created.
///
/// # Errors
///
/// `ENOENT`, `EACCES`, `EMFILE`, ...
pub fn open(path: &CStr, flags: i32, mode: u32) -> Result<i32, Errno> {
    let flags = flags | O_ALWAYS;
    // SAFETY: the kernel reads the path as far as its NUL.
    unsafe { syscall(nr::OPEN, [path.as_ptr().into(), flags.into(), mode.into()]) }.map(|fd| fd as i32)
}

/// Closes a file descriptor.
///
/// # Errors
///
/// `EBADF`, `EIO`. On Linux it is closed even after `EINTR`.
pub fn close(fd: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved; a descriptor is a number, and using a closed one is an error, not unsound.
    unsafe { syscall(nr::CLOSE, [fd.into()]) }.map(drop)
}

/// Makes `to` another name for the open file `from`, closing what `to` was.
///
/// # Errors
///
/// `EBADF`, `EBUSY`, `EINTR`.
pub fn dup2(from: i32, to: i32) -> Result<i32, Errno> {
    // SAFETY: no memory is involved.
    unsafe { syscall(nr::DUP2, [from.into(), to.into()]) }.map(|fd| fd as i32)
}

/// Maps `length` bytes: of the file `fd` from `offset` (bytes, a multiple of the page), or zeroes with `MAP_ANON`
/// (`fd` -1, `offset` 0). The kernel's answer is returned as it is, whether or not it is aligned.
///
/// # Errors
///
/// `ENOMEM` (limit, overcommit, no hole that is large enough), `EINVAL`, `EACCES`, `EBADF`, ...
///
/// # Safety
///
/// With `MAP_FIXED`, nobody uses what is at `address` now. A writable shared mapping of a file is as unsound as any.
#[inline]
pub unsafe fn mmap(
    address: *mut u8,
    length: usize,
    protection: i32,
    flags: i32,
    fd: i32,
    offset: u64,
) -> Result<*mut u8, Errno> {
    let [low, high] = mmap_offset(offset)?;
    let args = [address.into(), length.into(), protection.into(), flags.into(), fd.into(), low, high];
    // SAFETY: this function's contract says that nothing that is in use is mapped over.
    let answer = unsafe { syscall(nr::MMAP, args) }?;
    Ok(core::ptr::with_exposed_provenance_mut(answer))
}

/// Unmaps the pages of `[address, address + length)`; `address` is a multiple of the page.
///
/// # Errors
///
/// `EINVAL`; `ENOMEM` if a mapping would have to be split and there are too many.
///
/// # Safety
///
/// The range is the caller's and nobody uses it any more.
pub unsafe fn munmap(address: *mut u8, length: usize) -> Result<(), Errno> {
    // SAFETY: this function's contract says that nobody uses the range any more.
    unsafe { syscall(nr::MUNMAP, [address.into(), length.into()]) }.map(drop)
}

/// Sets the access to the pages of `[address, address + length)`, `PROT_*`.
///
/// # Errors
///
/// `ENOMEM` (overcommit, an unmapped page, too many mappings), `EACCES`, `EINVAL`.
///
/// # Safety
///
/// The range is the caller's, and nobody needs the access that is taken away.
pub unsafe fn mprotect(address: *mut u8, length: usize, protection: i32) -> Result<(), Errno> {
    // SAFETY: this function's contract says that nobody needs the access that is taken away.
    unsafe { syscall(nr::MPROTECT, [address.into(), length.into(), protection.into()]) }.map(drop)
}

/// Advises the kernel about `[address, address + length)`, `MADV_*`.
///
/// # Errors
///
/// `EINVAL`, `ENOMEM`.
///
/// # Safety
///
/// The range is the caller's, and nobody needs the content that the advice gives up.
pub unsafe fn madvise(address: *mut u8, length: usize, advice: i32) -> Result<(), Errno> {
    // SAFETY: this function's contract says that nobody needs the content that the advice gives up.
    unsafe { syscall(nr::MADVISE, [address.into(), length.into(), advice.into()]) }.map(drop)
}

/// The limits of `resource`, `RLIMIT_*`.
///
/// # Errors
///
/// `EINVAL` for a resource the kernel does not know.
#[inline]
pub fn getrlimit(resource: i32) -> Result<Rlimit, Errno> {
    let mut raw = MaybeUninit::<RawRlimit>::uninit();
    // SAFETY: the kernel writes one `struct rlimit`.
    unsafe { syscall(nr::GETRLIMIT, [resource.into(), raw.as_mut_ptr().into()]) }?;
    // SAFETY: it succeeded, so it has written it.
    Ok(unsafe { raw.assume_init() }.into())
}

/// Sets the limits of `resource`, `RLIMIT_*`. A limit that the kernel's word cannot hold is set to infinity.
///
/// # Errors
///
/// `EPERM` (raising the hard limit), `EINVAL` (soft above hard).
pub fn setrlimit(resource: i32, limit: Rlimit) -> Result<(), Errno> {
    let raw = RawRlimit::from(limit);
    // SAFETY: the kernel only reads `raw`.
    unsafe { syscall(nr::SETRLIMIT, [resource.into(), (&raw const raw).into()]) }.map(drop)
}

/// This process's number.
pub fn getpid() -> i32 {
    // SAFETY: no memory is involved. It cannot fail.
    unsafe { syscall(nr::GETPID, []) }.map_or(0, |pid| pid as i32)
}

/// Sends `signal` to the process (or, negative, the group) `pid`; signal 0 sends nothing and only checks whether a signal could be sent.
///
/// # Errors
///
/// `ESRCH`, `EPERM`, `EINVAL`.
pub fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    // SAFETY: no memory is involved.
    unsafe { syscall(nr::KILL, [pid.into(), signal.into()]) }.map(drop)
}

/// Makes a copy of this process. Returns 0 in the copy and the copy's number in the original.
///
/// # Errors
///
/// `EAGAIN`, `ENOMEM`.
///
/// # Safety
///
/// Only the calling thread is in the copy: a lock that another thread holds stays locked there for ever. Of one that the
/// calling thread holds, the waiters are forgotten there ([`Lock::forget_waiters`](crate::lock::Lock::forget_waiters)).
pub unsafe fn fork() -> Result<i32, Errno> {
    // SAFETY: the copy has a copy of all memory, the stack included, and this function's contract excludes locks that another
    // thread holds.
    unsafe { syscall(nr::FORK, []) }.map(|pid| pid as i32)
}

/// Becomes the program at `path`. It returns only if that fails.
///
/// # Errors
///
/// `ENOENT`, `EACCES`, `ENOEXEC`, `E2BIG`, `ENOMEM`, ...
///
/// # Safety
///
/// `argv` and `envp` point to arrays of pointers to C strings, each array ended by a null pointer.
pub unsafe fn execve(path: &CStr, argv: *const *const u8, envp: *const *const u8) -> Errno {
    // SAFETY: this function's contract says that a null pointer ends each array; a NUL ends the path.
    match unsafe { syscall(nr::EXECVE, [path.as_ptr().into(), argv.into(), envp.into()]) } {
        Err(errno) => errno,
        Ok(_) => unreachable!("execve returned without an error"),
    }
}

/// How a child ended, as `wait4` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitStatus(i32);

impl WaitStatus {
    /// The kernel's word.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The exit status, 0 to 255, of a child that ended by itself.
    pub const fn exited(self) -> Option<i32> {
        if self.0 & 0x7f == 0 { Some(self.0 >> 8 & 0xff) } else { None }
    }

    /// The signal that ended the child.
    pub const fn signaled(self) -> Option<i32> {
        if self.0 & 0x7f == 0 || self.0 & 0x7f == 0x7f { None } else { Some(self.0 & 0x7f) }
    }
}

/// Do not wait for a child that goes on (Linux `include/uapi/linux/wait.h`; FreeBSD `sys/sys/wait.h`).
pub const WNOHANG: i32 = 1;

/// Waits for the child `pid`, or for any child if `pid` is -1. Returns its number and how it ended; with [`WNOHANG`] the
/// number is 0 if none has ended yet.
///
/// # Errors
///
/// `ECHILD`, `EINTR`.
pub fn wait4(pid: i32, options: i32) -> Result<(i32, WaitStatus), Errno> {
    let mut status = 0i32;
    // SAFETY: the kernel writes one int; no `struct rusage` is asked for.
    unsafe { syscall(nr::WAIT4, [pid.into(), (&raw mut status).into(), options.into(), Arg::from(0usize)]) }
        .map(|pid| (pid as i32, WaitStatus(status)))
}

/// Lets another thread have the processor, if one wants it.
pub fn sched_yield() {
    // SAFETY: no memory is involved. It cannot fail.
    let _ = unsafe { syscall(nr::SCHED_YIELD, []) };
}

/// Sleeps for `time`. Where the kernel takes seconds as a word of 32 bits (FreeBSD/386, Linux before 5.1), more of them
/// than that holds are the most that it holds, 68 years.
///
/// # Errors
///
/// `EINTR`, `EINVAL` (nanoseconds that are no part of a second).
pub fn nanosleep(time: Timespec) -> Result<(), Errno> {
    time::sleep(time)
}

/// The time of `clock`, `CLOCK_*`: the time of day is that of [`CLOCK_REALTIME`], since 1970.
///
/// # Errors
///
/// `EINVAL` for a clock that the kernel does not know.
pub fn clock_gettime(clock: i32) -> Result<Timespec, Errno> {
    time::get(clock)
}

/// Restarts the machine or turns it off (`REBOOT_*`) without writing caches to disk. It returns only if that fails.
///
/// ```no_run
/// use rt0::sys;
///
/// let errno = sys::reboot(sys::REBOOT_POWER_OFF);
/// rt0::eprintln!("the machine stays on: {errno}");
/// ```
///
/// # Errors
///
/// `EPERM`, `EINVAL`.
pub fn reboot(command: u32) -> Errno {
    let mut args = [Arg::from(0usize); ARGS];
    for (arg, word) in args.iter_mut().zip(REBOOT_MAGIC.iter().chain([&command])) {
        *arg = Arg::from(*word);
    }
    // SAFETY: no memory is involved.
    match unsafe { syscall(nr::REBOOT, args) } {
        Err(errno) => errno,
        Ok(_) => exit(0),
    }
}
