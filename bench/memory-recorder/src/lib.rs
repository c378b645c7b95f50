//! Records a program's first calls of memcpy, memmove, memset and memcmp: built as a library for LD_PRELOAD, it writes them, when
//! the program ends, to the file named by `RT0_RECORD`, with the process id appended.
//!
//! A call is three little-endian words of 32 bits: the function and the length (`length << 2 | function`, cut at the most that
//! fits), the low bits of the first pointer and of the second. What it hands the calls to are rt0's functions.
#![allow(missing_docs, clippy::missing_safety_doc)]

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

mod ours {
    rt0::__memory_functions!();
}

const MEMCPY: u32 = 0;
const MEMMOVE: u32 = 1;
const MEMSET: u32 = 2;
const MEMCMP: u32 = 3;

const CALLS: usize = 1 << 20;

static LOG: [[AtomicU32; 3]; CALLS] = [const { [const { AtomicU32::new(0) }; 3] }; CALLS];
static LEN: AtomicU32 = AtomicU32::new(0);

fn record(function: u32, a: *const u8, b: *const u8, len: usize) {
    // It stops short of the end, so that it cannot overflow, whatever number of threads is here.
    if LEN.load(Relaxed) as usize >= CALLS {
        return;
    }
    if let Some([first, second, third]) = LOG.get(LEN.fetch_add(1, Relaxed) as usize) {
        first.store((len.min((1 << 30) - 1) as u32) << 2 | function, Relaxed);
        second.store(a.addr() as u32, Relaxed);
        third.store(b.addr() as u32, Relaxed);
    }
}

extern "C" fn at_exit() {
    let len = (LEN.load(Relaxed) as usize).min(CALLS);
    // SAFETY: plain calls of libc with buffers that live; the bytes are those of initialised words.
    unsafe {
        let base = libc::getenv(c"RT0_RECORD".as_ptr());
        if base.is_null() {
            return;
        }
        let mut path = [0u8; 512];
        libc::snprintf(path.as_mut_ptr().cast(), path.len(), c"%s.%d".as_ptr(), base, libc::getpid());
        let file = libc::open(path.as_ptr().cast(), libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, 0o644);
        libc::write(file, LOG.as_ptr().cast(), len * size_of::<[u32; 3]>());
        libc::close(file);
    }
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    record(MEMCPY, to, from, len);
    // SAFETY: as the caller's call of memcpy; so for all below.
    unsafe { ours::memcpy(to, from, len) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    record(MEMMOVE, to, from, len);
    // SAFETY: as in `memcpy`.
    unsafe { ours::memmove(to, from, len) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(to: *mut u8, byte: c_int, len: usize) -> *mut u8 {
    record(MEMSET, to, to, len);
    // SAFETY: as in `memcpy`.
    unsafe { ours::memset(to, byte, len) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    record(MEMCMP, a, b, len);
    // SAFETY: as in `memcpy`.
    unsafe { ours::memcmp(a, b, len) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> c_int {
    record(MEMCMP, a, b, len);
    // SAFETY: as in `memcpy`.
    unsafe { ours::bcmp(a, b, len) }
}
