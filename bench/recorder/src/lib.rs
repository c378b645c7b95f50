//! Records a program's calls to malloc and its kin: built as a library for
//! LD_PRELOAD, it writes one raw event a call to the file named by
//! `RT0_RECORD`, with the process id appended.
//!
//! An event is three little-endian words: the kind and size (`size << 3 | kind`),
//! the block that is freed or resized, the block that is returned.
#![allow(missing_docs, clippy::missing_safety_doc)]

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

const ALLOC: usize = 0;
const ZEROED: usize = 1;
const RESIZE: usize = 2;
const FREE: usize = 3;

const EVENTS: usize = 1 << 12;

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(align: usize, size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
}

struct Log {
    events: [[usize; 3]; EVENTS],
    len: usize,
    pid: i32,
}

static LOCKED: AtomicBool = AtomicBool::new(false);
static FILE: AtomicI32 = AtomicI32::new(-1);
static mut LOG: Log = Log { events: [[0; 3]; EVENTS], len: 0, pid: 0 };

fn record(kind: usize, size: usize, old: *mut c_void, new: *mut c_void) {
    with_log(|log| {
        log.events[log.len] = [size << 3 | kind, old.addr(), new.addr()];
        log.len += 1;
        if log.len == EVENTS {
            flush(log);
        }
    });
}

fn with_log(f: impl FnOnce(&mut Log)) {
    while LOCKED.swap(true, Ordering::Acquire) {
        core::hint::spin_loop();
    }
    let log = &raw mut LOG;
    // SAFETY: the flag above keeps everyone else out.
    f(unsafe { &mut *log });
    LOCKED.store(false, Ordering::Release);
}

fn flush(log: &mut Log) {
    // SAFETY: plain calls of libc with buffers that live; none of them allocates.
    unsafe {
        let pid = libc::getpid();
        if FILE.load(Ordering::Relaxed) < 0 || log.pid != pid {
            // A child of fork has its parent's events still in the buffer.
            if log.pid != 0 && log.pid != pid {
                log.len = 0;
            }
            let base = libc::getenv(c"RT0_RECORD".as_ptr());
            if base.is_null() {
                log.len = 0;
                return;
            }
            let mut path = [0u8; 512];
            libc::snprintf(path.as_mut_ptr().cast(), path.len(), c"%s.%d".as_ptr(), base, pid);
            let file = libc::open(
                path.as_ptr().cast(),
                libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC,
                0o644,
            );
            FILE.store(file, Ordering::Relaxed);
            log.pid = pid;
        }
        let bytes = log.len * size_of::<[usize; 3]>();
        libc::write(FILE.load(Ordering::Relaxed), log.events.as_ptr().cast(), bytes);
        log.len = 0;
    }
}

extern "C" fn at_exit() {
    with_log(flush);
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: as the caller's call of malloc; so for all below.
    let new = unsafe { __libc_malloc(size) };
    record(ALLOC, size, core::ptr::null_mut(), new);
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    let new = unsafe { __libc_calloc(count, size) };
    record(ZEROED, count.saturating_mul(size), core::ptr::null_mut(), new);
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    let new = unsafe { __libc_realloc(block, size) };
    if block.is_null() {
        record(ALLOC, size, block, new);
    } else if size == 0 {
        record(FREE, 0, block, new);
    } else {
        record(RESIZE, size, block, new);
    }
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut c_void) {
    if !block.is_null() {
        // Before the block can be another's.
        record(FREE, 0, block, core::ptr::null_mut());
        // SAFETY: as in `malloc`.
        unsafe { __libc_free(block) };
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    let new = unsafe { __libc_memalign(align, size) };
    record(ALLOC, size, core::ptr::null_mut(), new);
    new
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    // SAFETY: as in `malloc`.
    unsafe { memalign(align, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    // SAFETY: as in `malloc`; `out` is the caller's.
    unsafe {
        let new = memalign(align, size);
        if new.is_null() {
            return libc::ENOMEM;
        }
        *out = new;
    }
    0
}
