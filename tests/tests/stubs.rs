//! The same calls through the stubs of the crate `sc` and through rt0's: the kernel has to give the same answers, whether
//! it serves the call or refuses it. `sc` compiles for amd64 Linux alone; on the others its numbers are compared, which
//! `tests/tests/tables/` does.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::ffi::CStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::ptr;

use rt0::sys::{self, Errno, Rlimit, Timespec};
use sc::syscall;

/// What `sc` answers: a number, or an error that is turned into a negative one.
fn answer(value: usize) -> Result<usize, u16> {
    let errno = value.wrapping_neg();
    if (1..4096).contains(&errno) { Err(errno as u16) } else { Ok(value) }
}

fn of<T>(result: Result<T, Errno>, number: impl FnOnce(T) -> usize) -> Result<usize, u16> {
    result.map(number).map_err(Errno::raw)
}

fn none((): ()) -> usize {
    0
}

/// Both answers to a call, `sc`'s first: alike, and as the manual page says.
#[track_caller]
fn same(theirs: usize, ours: Result<usize, u16>, expected: Result<usize, u16>) {
    assert_eq!(answer(theirs), ours);
    assert_eq!(ours, expected);
}

const EBADF: u16 = 9;
const EINVAL: u16 = 22;
/// A descriptor that there is not, as `sc` takes it.
const NO_FD: usize = usize::MAX;

#[test]
fn what_the_kernel_refuses() {
    let mut byte = [0];
    let at = byte.as_mut_ptr();
    let nowhere = c"/nonexistent/file";
    // SAFETY: none of these calls is served, or it is told to write to `byte`.
    unsafe {
        same(syscall!(READ, NO_FD, at, 1), of(sys::read(-1, &mut byte), |n| n), Err(EBADF));
        same(syscall!(WRITE, NO_FD, at, 1), of(sys::write(-1, &byte), |n| n), Err(EBADF));
        same(syscall!(OPEN, nowhere.as_ptr(), 0, 0), of(sys::open(nowhere, 0, 0), |fd| fd as usize), Err(2));
        same(syscall!(OPEN, c"/".as_ptr(), 1, 0), of(sys::open(c"/", 1, 0), |fd| fd as usize), Err(21));
        same(syscall!(CLOSE, NO_FD), of(sys::close(-1), none), Err(EBADF));
        same(syscall!(DUP2, NO_FD, 0), of(sys::dup2(-1, 0), |fd| fd as usize), Err(EBADF));
        same(syscall!(LSEEK, NO_FD, 0, 0), of(sys::lseek(-1, 0, 0), |n| n as usize), Err(EBADF));
        same(syscall!(FSYNC, NO_FD), of(sys::fsync(-1), none), Err(EBADF));
        same(syscall!(UNLINK, nowhere.as_ptr()), of(sys::unlink(nowhere), none), Err(2));
        same(syscall!(KILL, sys::getpid(), 999), of(sys::kill(sys::getpid(), 999), none), Err(EINVAL));
        let nothing = || ptr::without_provenance_mut(0);
        same(
            syscall!(MMAP, 0, 0, 3, 0x22, NO_FD, 0),
            of(sys::mmap(nothing(), 0, 3, 0x22, -1, 0), |at| at.addr()),
            Err(EINVAL),
        );
        // A mapping of no file: the fifth argument.
        same(
            syscall!(MMAP, 0, 4096, 3, 2, NO_FD, 0),
            of(sys::mmap(nothing(), 4096, 3, 2, -1, 0), |at| at.addr()),
            Err(EBADF),
        );
        let crooked = || ptr::without_provenance_mut(4097);
        same(syscall!(MUNMAP, 4097, 4096), of(sys::munmap(crooked(), 4096), none), Err(EINVAL));
        same(syscall!(MPROTECT, 4097, 4096, 1), of(sys::mprotect(crooked(), 4096, 1), none), Err(EINVAL));
        same(syscall!(MADVISE, 4096, 4096, 999), of(sys::madvise(crooked(), 4096, 999), none), Err(EINVAL));
        let mut time = [0_usize; 2];
        same(syscall!(CLOCK_GETTIME, 999, time.as_mut_ptr()), of(sys::clock_gettime(999), |_| 0), Err(EINVAL));
        let wrong = Timespec { seconds: 0, nanoseconds: 1_000_000_000 };
        time = [0, 1_000_000_000];
        same(syscall!(NANOSLEEP, time.as_ptr(), 0), of(sys::nanosleep(wrong), none), Err(EINVAL));
    }
}

#[test]
fn what_the_kernel_serves() {
    // SAFETY: no memory is given to this call.
    let pid = unsafe { syscall!(GETPID) };
    assert_eq!(sys::getpid() as usize, pid);
    assert_eq!(pid, std::process::id() as usize);
    for resource in 0..17 {
        let mut limit = [0_u64; 2];
        // SAFETY: the kernel writes two numbers.
        let theirs = unsafe { syscall!(GETRLIMIT, resource, limit.as_mut_ptr()) };
        let ours = sys::getrlimit(resource);
        assert_eq!(answer(theirs).err(), ours.err().map(Errno::raw), "limit {resource}");
        if let Ok(Rlimit { soft, hard, .. }) = ours {
            let ours = [soft, hard].map(|value| value.unwrap_or(u64::MAX));
            assert_eq!(ours, limit, "limit {resource}");
        }
    }
    let [mut x, mut y] = [[0; 32]; 2];
    // SAFETY: the kernel writes 32 bytes.
    let theirs = unsafe { syscall!(GETRANDOM, x.as_mut_ptr(), x.len(), 0) };
    same(theirs, of(sys::getrandom(&mut y), |n| n), Ok(32));
    assert!(x != y && x != [0; 32] && y != [0; 32]);
    // Ours lies between two of theirs.
    let clock = || {
        let mut time = [0_u64; 2];
        // SAFETY: the kernel writes two numbers.
        let answered = unsafe { syscall!(CLOCK_GETTIME, 1, time.as_mut_ptr()) };
        assert_eq!(answered, 0);
        time
    };
    let before = clock();
    let Timespec { seconds, nanoseconds, .. } = sys::clock_gettime(sys::CLOCK_MONOTONIC).expect("there is a clock");
    let between = [seconds as u64, nanoseconds as u64];
    assert!(before <= between && between <= clock());
}

#[test]
fn a_file_by_six_arguments() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    let pages: Vec<u8> = (0..3 * 4096_usize).map(|at| (at / 4096 * 91 + at % 251) as u8).collect();
    file.write_all(&pages).expect("it is written");
    let file: &File = file.as_file();
    let fd = file.as_raw_fd();
    let read = |at: *const u8| {
        // SAFETY: a page that was mapped just now.
        unsafe { std::slice::from_raw_parts(at, 4096) }.to_vec()
    };
    // SAFETY: new private mappings of the file's second page, for reading.
    let (theirs, ours) = unsafe {
        let theirs = answer(syscall!(MMAP, 0, 4096, 1, 2, fd, 4096)).expect("it is mapped");
        (ptr::with_exposed_provenance(theirs), sys::mmap(ptr::null_mut(), 4096, 1, 2, fd, 4096).expect("it is mapped"))
    };
    assert_eq!(read(theirs), pages[4096..8192]);
    assert_eq!(read(ours), pages[4096..8192]);
    // SAFETY: both mappings are this test's own, and not used any more.
    unsafe {
        assert_eq!(syscall!(MUNMAP, ours.addr(), 4096), 0);
        assert_eq!(sys::munmap(theirs.cast_mut(), 4096).map_err(Errno::raw), Ok(()));
    }
    // Each reads where the other one has stopped, and at a place of its own.
    let mut buffer = [0; 100];
    // SAFETY: the kernel writes 100 bytes.
    unsafe {
        same(syscall!(LSEEK, fd, 4000, 0), of(sys::lseek(fd, 4000, 0), |n| n as usize), Ok(4000));
        assert_eq!(answer(syscall!(READ, fd, buffer.as_mut_ptr(), 100)), Ok(100));
        assert_eq!(buffer, pages[4000..4100]);
        assert_eq!(of(sys::read(fd, &mut buffer), |n| n), Ok(100));
        assert_eq!(buffer, pages[4100..4200]);
        same(
            syscall!(PREAD64, fd, buffer.as_mut_ptr(), 100, 9000),
            of(sys::pread(fd, &mut buffer, 9000), |n| n),
            Ok(100),
        );
        assert_eq!(buffer, pages[9000..9100]);
        same(syscall!(PWRITE64, fd, b"here".as_ptr(), 4, 5), of(sys::pwrite(fd, b"there", 9), |_| 4), Ok(4));
    }
    let mut start = [0; 16];
    assert_eq!(of(sys::pread(fd, &mut start, 0), |n| n), Ok(16));
    assert_eq!(&start[5..14], b"herethere");
}

#[test]
fn a_path_is_read_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path =
        |name: &str| std::ffi::CString::new(folder.path().join(name).to_str().expect("plain text")).expect("no NUL");
    let make = |path: &CStr, theirs: bool| {
        let made = if theirs {
            // SAFETY: a path that ends.
            answer(unsafe { syscall!(OPEN, path.as_ptr(), 0x42, 0o600) })
        } else {
            of(sys::open(path, 0x42, 0o600), |fd| fd as usize)
        };
        let fd = made.expect("a new file") as i32;
        assert_eq!(of(sys::close(fd), none), Ok(0));
    };
    for (name, theirs) in [("one", true), ("other", false)] {
        make(&path(name), theirs);
        // Who has not made it takes it away.
        let gone = if theirs {
            of(sys::unlink(&path(name)), none)
        } else {
            // SAFETY: the same.
            answer(unsafe { syscall!(UNLINK, path(name).as_ptr()) })
        };
        assert_eq!(gone, Ok(0));
        assert!(!folder.path().join(name).exists());
    }
}
