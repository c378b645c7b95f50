//! Memory functions: `memcpy` and its kin, which compiled code calls by name, for the prebuilt `core` of a standard
//! target, which leaves them to a libc.
//!
//! The targets of `targets/` need none of it: `compiler_builtins`, built with its feature `mem`, has the functions.
//! These are plain loops, a word at a time where both sides allow it. Volatile accesses keep the compiler from
//! making a loop into a call of the function that it is in.

/// The functions themselves, in the program. See [`entry!`](crate::entry).
#[cfg(rt0_standard_target)]
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_functions {
    () => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            // SAFETY: C's contract of memcpy.
            unsafe { $crate::mem::copy_up(to, from, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            // SAFETY: C's contract of memmove.
            unsafe { $crate::mem::copy(to, from, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
            // SAFETY: C's contract of memset.
            unsafe { $crate::mem::fill(to, byte as u8, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            // SAFETY: C's contract of memcmp.
            unsafe { $crate::mem::compare(a, b, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            // SAFETY: C's contract of memcmp.
            unsafe { $crate::mem::compare(a, b, len) }
        }

        #[unsafe(no_mangle)]
        unsafe extern "C" fn strlen(string: *const u8) -> usize {
            // SAFETY: C's contract of strlen.
            unsafe { $crate::mem::length(string) }
        }
    };
}

/// Nothing.
#[cfg(not(rt0_standard_target))]
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_functions {
    () => {};
}

const WORD: usize = size_of::<usize>();

/// Copies `len` bytes, the lowest first.
///
/// # Safety
///
/// Both ranges are the caller's, and `to` does not lie within `from`'s range above its start.
pub unsafe fn copy_up(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let mut done = 0;
    if to.addr() % WORD == from.addr() % WORD {
        // SAFETY: the ranges are the caller's; words are read and written where both are aligned.
        unsafe {
            while done < len && to.add(done).addr() % WORD != 0 {
                to.add(done).write_volatile(from.add(done).read_volatile());
                done += 1;
            }
            while len - done >= WORD {
                to.add(done).cast::<usize>().write_volatile(from.add(done).cast::<usize>().read_volatile());
                done += WORD;
            }
        }
    }
    while done < len {
        // SAFETY: the ranges are the caller's.
        unsafe { to.add(done).write_volatile(from.add(done).read_volatile()) };
        done += 1;
    }
    to
}

/// Copies `len` bytes of ranges that may overlap.
///
/// # Safety
///
/// Both ranges are the caller's.
pub unsafe fn copy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= len {
        // SAFETY: `to` is below `from`, or behind its range.
        return unsafe { copy_up(to, from, len) };
    }
    for at in (0..len).rev() {
        // SAFETY: the ranges are the caller's; the highest first, so nothing is overwritten that is still to be read.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
    to
}

/// Sets `len` bytes.
///
/// # Safety
///
/// The range is the caller's.
pub unsafe fn fill(to: *mut u8, byte: u8, len: usize) -> *mut u8 {
    let word = usize::MAX / 0xff * usize::from(byte); // in each of its bytes; an array would be made with memset
    let mut done = 0;
    // SAFETY: the range is the caller's; words are written where it is aligned.
    unsafe {
        while done < len && to.add(done).addr() % WORD != 0 {
            to.add(done).write_volatile(byte);
            done += 1;
        }
        while len - done >= WORD {
            to.add(done).cast::<usize>().write_volatile(word);
            done += WORD;
        }
        while done < len {
            to.add(done).write_volatile(byte);
            done += 1;
        }
    }
    to
}

/// The difference of the first bytes that differ, or 0.
///
/// # Safety
///
/// Both ranges are the caller's.
pub unsafe fn compare(a: *const u8, b: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: the ranges are the caller's.
        let (a, b) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// How many bytes come before the first NUL.
///
/// # Safety
///
/// `string` is a C string of the caller's.
pub unsafe fn length(string: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: a NUL ends the string, where this stops.
    while unsafe { string.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every small length, offset of either side and overlap, against `core`'s own.
    #[test]
    fn the_plain_loops_do_what_core_does() {
        let fresh: [u8; 96] = core::array::from_fn(|at| at as u8);
        for len in 0..40 {
            for from in 0..20 {
                for to in 0..20 {
                    let (mut ours, mut theirs) = (fresh, fresh);
                    theirs.copy_within(from..from + len, to);
                    let base = ours.as_mut_ptr();
                    // SAFETY: offsets and lengths are within the array.
                    unsafe { copy(base.add(to), base.add(from), len) };
                    assert_eq!(ours, theirs, "{len} bytes from {from} to {to}");
                    theirs[to..to + len].fill(0xa5);
                    // SAFETY: offsets and lengths are within the arrays.
                    unsafe { fill(ours.as_mut_ptr().add(to), 0xa5, len) };
                    assert_eq!(ours, theirs, "{len} bytes at {to}");
                    let (a, b) = (&fresh[from..from + len], &ours[to..to + len]);
                    // SAFETY: offsets and lengths are within the arrays.
                    let order = unsafe { compare(a.as_ptr(), b.as_ptr(), len) };
                    assert_eq!(order.cmp(&0), a.cmp(b));
                }
            }
        }
        // SAFETY: C strings.
        assert_eq!(unsafe { [length(c"".as_ptr().cast()), length(c"four".as_ptr().cast())] }, [0, 4]);
    }
}
