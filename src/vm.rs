//! Address space and memory: reserve, commit, reset, release.
//!
//! Reserved address space counts against `RLIMIT_AS` in full but holds no memory and gives no access. Committed
//! pages can be read and written. All addresses and sizes are multiples of the page.
//!
//! Committing is `mprotect`, on either kernel: it is not charged against the limit a second time, where `mmap` with
//! `MAP_FIXED` over one's own reservation is on FreeBSD (`sys/vm/vm_mmap.c`, `vm_mmap_object`), and it cannot
//! replace somebody else's mapping.

use core::fmt;
use core::ptr::{self, NonNull};

use crate::os::initial_stack::page_size;
use crate::sys::{self, Errno, MADV_RESET, MAP_RESERVE, PROT_NONE, PROT_READ, PROT_WRITE};

/// A range of address space: a non-null, page-aligned base and a length in bytes, a multiple of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its first byte.
    pub base: NonNull<u8>,
    /// Its size, bytes.
    pub len: usize,
}

/// Why a reservation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveError {
    /// The kernel refused.
    Kernel(Errno),
    /// The kernel answered an address that is not a multiple of the page. What is there stays mapped.
    Unaligned(usize),
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReserveError::Kernel(errno) => write!(f, "mmap: {errno}"),
            ReserveError::Unaligned(address) => write!(f, "mmap returned the unaligned address {address:#x}"),
        }
    }
}

impl core::error::Error for ReserveError {}

/// `bytes` down to whole pages. A page is a power of two: a mask does it, where a division could fail.
#[inline]
pub(crate) const fn round_down(bytes: usize, page: usize) -> usize {
    bytes & !(page - 1)
}

/// `bytes` up to whole pages; there is room for that.
#[inline]
pub(crate) const fn round_up(bytes: usize, page: usize) -> usize {
    round_down(bytes + (page - 1), page)
}

/// Reserves `len` bytes of address space, wherever the kernel has them, without access.
///
/// # Errors
///
/// [`ReserveError`]. Nothing is reserved then.
pub fn reserve(len: usize) -> Result<Extent, ReserveError> {
    // SAFETY: without MAP_FIXED the kernel takes address space that nobody has.
    let base =
        unsafe { sys::mmap(ptr::null_mut(), len, PROT_NONE, MAP_RESERVE, -1, 0) }.map_err(ReserveError::Kernel)?;
    match NonNull::new(base) {
        Some(base) if round_down(base.addr().get(), page_size()) == base.addr().get() => Ok(Extent { base, len }),
        _ => {
            // It is not given back: FreeBSD rounds what munmap is told outward to whole pages (`sys/vm/vm_mmap.c`,
            // `kern_munmap`), and the last of those would be somebody else's.
            Err(ReserveError::Unaligned(base.addr()))
        }
    }
}

/// What a attempts for the largest reservation took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// How often the kernel was asked for a reservation.
    pub tries: u32,
    /// System calls, those that gave a reservation back with them.
    pub calls: u32,
}

impl Attempts {
    fn reserve(&mut self, len: usize) -> Result<Extent, ReserveError> {
        self.tries += 1;
        self.calls += 1;
        reserve(len)
    }
}

/// The largest reservation that the kernel grants, at most `max` bytes and at least `min`, to the page. Both are
/// multiples of the page; nothing less than a page is tried.
///
/// In the common case it is asked once. Only when it refuses is the size searched for, by halving the interval.
///
/// # Errors
///
/// What the kernel said to the smallest size that was tried. Nothing is reserved then.
pub fn reserve_largest(min: usize, max: usize) -> (Result<Extent, ReserveError>, Attempts) {
    let mut attempts = Attempts { tries: 0, calls: 0 };
    (largest(min, max, &mut attempts), attempts)
}

fn largest(min: usize, max: usize, attempts: &mut Attempts) -> Result<Extent, ReserveError> {
    let page = page_size();
    let min = min.max(page);
    let mut error = match attempts.reserve(max) {
        Err(ReserveError::Kernel(errno)) => ReserveError::Kernel(errno),
        answer => return answer,
    };
    // `granted` is the largest size that succeeded. It has been given back, since it would count against a larger
    // one. `refused` is the smallest that did not.
    let (mut granted, mut refused) = (min - page, max);
    while refused - granted > page {
        let middle = granted + round_down((refused - granted) / 2, page);
        match attempts.reserve(middle) {
            Ok(extent) => {
                attempts.calls += 1;
                // SAFETY: it was made just now, for the answer alone.
                unsafe { release(extent.base, extent.len) };
                granted = middle;
            }
            Err(refusal) => {
                error = refusal;
                refused = middle;
            }
        }
    }
    // Another thread may have taken some of it meanwhile: less, by ever larger steps, until it is granted or even the
    // least is not.
    let mut step = page;
    while granted >= min {
        match attempts.reserve(granted) {
            Ok(extent) => return Ok(extent),
            Err(refusal) => error = refusal,
        }
        let next = granted.saturating_sub(step).max(min);
        granted = if granted > min { next } else { 0 };
        step = step.saturating_mul(2);
    }
    Err(error)
}

/// Makes pages of a reservation readable and writable. Pages committed for the first time read as zeroes.
///
/// # Errors
///
/// `ENOMEM`: overcommit, or the kernel has no more mappings. The pages stay as they were.
///
/// # Safety
///
/// The range belongs to one reservation of the caller's.
pub unsafe fn commit(base: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { sys::mprotect(base.as_ptr(), len, PROT_READ | PROT_WRITE) }
}

/// Gives the memory of committed pages back; the pages can still be used, and what they hold is lost: it may or may
/// not read as zeroes.
///
/// # Safety
///
/// The range is committed, and nobody needs what is in it.
pub unsafe fn reset(base: NonNull<u8>, len: usize) {
    // A refusal leaves the memory where it is, and nothing is lost.
    // SAFETY: the caller's promise.
    let _ = unsafe { sys::madvise(base.as_ptr(), len, MADV_RESET) };
}

/// Gives address space back, a whole reservation or pages of one, committed or not.
///
/// # Safety
///
/// The range is the caller's and nobody uses it any more.
pub unsafe fn release(base: NonNull<u8>, len: usize) {
    // The kernel refuses only to split a mapping when it has too many; the range then stays reserved.
    // SAFETY: the caller's promise.
    let _ = unsafe { sys::munmap(base.as_ptr(), len) };
}
