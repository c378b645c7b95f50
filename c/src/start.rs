//! What a program is given beside its arguments: environment and auxiliary vector.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;

/// The value of the environment variable `name`; null if there is none, if `name` is null, and in a hosted program, whose
/// libc has it.
///
/// # Safety
///
/// `name` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_env(name: *const c_char) -> *const c_char {
    if name.is_null() {
        return ptr::null();
    }
    // SAFETY: the caller says that it is a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let value = rt0::args().env().find_map(|variable| {
        let value = variable.to_bytes_with_nul().strip_prefix(name)?.strip_prefix(b"=")?;
        Some(value.as_ptr().cast::<c_char>())
    });
    value.unwrap_or(ptr::null())
}

/// The entry `kind` (`AT_*`, the kernel's numbers) of the auxiliary vector. Answers 1 and stores it where `value` points
/// unless that is null; 0 if there is none, and in a hosted program.
///
/// # Safety
///
/// `value` is null or points to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_auxv(kind: usize, value: *mut usize) -> c_int {
    match rt0::args().auxv(kind) {
        Some(found) => {
            if !value.is_null() {
                // SAFETY: the caller says that it points to a word.
                unsafe { value.write(found) };
            }
            1
        }
        None => 0,
    }
}
