//! Error numbers as C has them: negated, where there is none the result.

use core::ffi::{c_char, c_int};

use rt0::sys::Errno;

/// The negated error number.
pub(crate) fn negated(errno: Errno) -> c_int {
    -c_int::from(errno.raw())
}

/// 0, or the negated error number.
pub(crate) fn status(result: Result<(), Errno>) -> c_int {
    result.map_or_else(negated, |()| 0)
}

/// The result of a system call, or the negated error number.
pub(crate) fn word(result: Result<usize, Errno>) -> isize {
    // No result that is a count exceeds isize::MAX, and an address is not among the callers' results.
    result.map_or_else(|errno| negated(errno) as isize, |word| word as isize)
}

/// A number that fits an `int`, or the negated error number.
pub(crate) fn number(result: Result<c_int, Errno>) -> c_int {
    result.unwrap_or_else(negated)
}

/// Writes `text` to the `size` bytes at `buffer` as `snprintf` does: cut where there is no room, always ended by a NUL
/// unless `size` is 0. Answers the length of the whole text, without the NUL.
///
/// # Safety
///
/// `buffer` is null or has `size` writable bytes.
pub(crate) unsafe fn copy_text(text: &str, buffer: *mut c_char, size: usize) -> usize {
    if !buffer.is_null() && size > 0 {
        let len = text.len().min(size - 1);
        // SAFETY: `len + 1` bytes are within the buffer.
        unsafe {
            buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), len);
            buffer.add(len).write(0);
        }
    }
    text.len()
}

/// Writes the kernel's name of an error number, such as `ENOMEM`, to the `size` bytes at `buffer`, as `snprintf` does:
/// cut where there is no room, ended by a NUL unless `size` is 0.
///
/// `error` is the number itself or its negation, as other functions answer it. Answers the length of the whole name,
/// without the NUL; 0 for a number without a name. `buffer` may be null if `size` is 0.
///
/// # Safety
///
/// `buffer` is null or has `size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_error_name(error: c_int, buffer: *mut c_char, size: usize) -> usize {
    let found = Errno::ALL.iter().find(|(errno, _)| c_int::from(errno.raw()).unsigned_abs() == error.unsigned_abs());
    // SAFETY: the buffer is the caller's.
    unsafe { copy_text(found.map_or("", |(_, name)| name), buffer, size) }
}
