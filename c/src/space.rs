//! Address space, for a program that lays out its memory itself: reserve, commit, reset, release.
//!
//! Addresses and sizes are multiples of the page; what is not is `-EINVAL` and nothing happens.

use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};

use rt0::sys::Errno;
use rt0::vm::{self, ReserveError};

use crate::error::{negated, status};

/// The size of a page, bytes, a power of two. A hosted program, whose start rt0 does not see, is told 4096.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_page_size() -> usize {
    rt0::page_size()
}

/// Whether it is a range of whole pages that can be one.
fn pages(base: *mut c_void, size: usize) -> Option<NonNull<u8>> {
    let page = rt0::page_size() - 1;
    let whole = (base.addr() | size) & page == 0 && size > 0 && base.addr().checked_add(size).is_some();
    NonNull::new(base.cast()).filter(|_| whole)
}

/// Reserves `size` bytes of address space, without access, and stores where they begin. They count against the limit in
/// full.
///
/// Answers 0; `-EINVAL` if `base` is null or `size` is 0 or no multiple of the page; `-ENOMEM`, or what the kernel says.
/// After an error `*base` is null.
///
/// # Safety
///
/// `base` is null or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_reserve(size: usize, base: *mut *mut c_void) -> c_int {
    if base.is_null() {
        return negated(Errno::EINVAL);
    }
    let reserved = if size == 0 || size & (rt0::page_size() - 1) != 0 {
        Err(Errno::EINVAL)
    } else {
        vm::reserve(size).map_err(|error| match error {
            ReserveError::Kernel(errno) => errno,
            _ => Errno::ENOMEM,
        })
    };
    // The caller has the address space from here on, by its address.
    let (first, answer) = match reserved {
        Ok(extent) => (extent.into_raw().0.as_ptr().cast(), 0),
        Err(errno) => (ptr::null_mut(), negated(errno)),
    };
    // SAFETY: the caller says that it points to a pointer.
    unsafe { base.write(first) };
    answer
}

/// Makes pages of a reservation readable and writable. They read as zeroes when they are committed for the first time.
///
/// Answers 0, `-EINVAL`, or `-ENOMEM`: the kernel has no more memory or mappings, and the pages are as they were.
///
/// # Safety
///
/// The range is one that the caller has reserved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_commit(base: *mut c_void, size: usize) -> c_int {
    let Some(first) = pages(base, size) else { return negated(Errno::EINVAL) };
    // SAFETY: the caller says whose range it is.
    status(unsafe { vm::commit(first, size) })
}

/// Gives the memory of committed pages back. They can still be used; what they hold afterwards is not specified (Linux:
/// zeroes; FreeBSD: zeroes or what was there).
///
/// Answers 0 or `-EINVAL`.
///
/// # Safety
///
/// The range is committed and the caller's, and nothing in it is needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_reset(base: *mut c_void, size: usize) -> c_int {
    let Some(first) = pages(base, size) else { return negated(Errno::EINVAL) };
    // SAFETY: the caller says whose range it is.
    unsafe { vm::reset(first, size) };
    0
}

/// Gives address space back, a whole reservation or pages of one, committed or not.
///
/// Answers 0; `-EINVAL`, or `-ENOMEM` if that would split a mapping and the kernel has too many: it stays reserved then.
///
/// # Safety
///
/// The range is one that the caller has reserved, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_release(base: *mut c_void, size: usize) -> c_int {
    let Some(first) = pages(base, size) else { return negated(Errno::EINVAL) };
    // SAFETY: the caller says whose range it is.
    status(unsafe { vm::release(first, size) })
}
