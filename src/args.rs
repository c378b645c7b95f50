//! What the kernel gives a process: arguments, environment, auxiliary vector.
//!
//! ```text
//!     sp -> argc
//!           argv[0] ... argv[argc - 1]   pointers to C strings
//!           0
//!           envp[0] ... envp[n - 1]      pointers to C strings, "NAME=value"
//!           0
//!           auxv[0] ... auxv[m - 1]      pairs: type, value
//!           AT_NULL (0), 0
//!           ...                          the strings themselves, up to the top of the stack
//! ```
//!
//! Each item is a word. (System V ABI, "Process Initialization"; the same on every port.)

use core::ffi::CStr;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::sys::{AT_PROGRAM_PATH, PAGE_SIZE_MIN};

/// Program headers of the program (Linux `include/uapi/linux/auxvec.h`; FreeBSD `sys/sys/elf_common.h`).
pub const AT_PHDR: usize = 3;
/// Number of them (same files).
pub const AT_PHNUM: usize = 5;
/// Page size, bytes (same files).
pub const AT_PAGESZ: usize = 6;
/// Entry point of the program (same files).
pub const AT_ENTRY: usize = 9;

/// The initial stack of a process, still as the kernel laid it out.
///
/// Holding one means that the pointers in it are good for as long as the process lives.
#[derive(Clone, Copy)]
pub struct Args {
    argc: *const usize,
}

// SAFETY: nothing writes to the initial stack, and it lives as long as the process.
unsafe impl Send for Args {}
// SAFETY: as above.
unsafe impl Sync for Args {}

/// An initial stack without anything on it: what there is before `_start` has run, or without it.
static EMPTY: [usize; 5] = [0; 5];

static INITIAL_STACK: AtomicPtr<usize> = AtomicPtr::new(ptr::null_mut());

/// The arguments of this process. None where the program was not started by rt0.
pub fn args() -> Args {
    let argc = INITIAL_STACK.load(Ordering::Relaxed).cast_const();
    Args { argc: if argc.is_null() { EMPTY.as_ptr() } else { argc } }
}

/// The value of the environment variable `name`.
pub fn env(name: &str) -> Option<&'static CStr> {
    args().env().find_map(|variable| {
        let value = variable.to_bytes_with_nul().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        CStr::from_bytes_with_nul(value).ok()
    })
}

/// The size of a page, bytes, a power of two: what the kernel said (`AT_PAGESZ`), or [`PAGE_SIZE_MIN`] if it said none.
pub fn page_size() -> usize {
    args().auxv(AT_PAGESZ).filter(|size| size.is_power_of_two()).unwrap_or(PAGE_SIZE_MIN)
}

impl Args {
    /// The arguments on the initial stack that begins at `argc`.
    ///
    /// # Safety
    ///
    /// `argc` points to an initial stack as drawn at the head of this file, which nobody ever changes or frees.
    pub unsafe fn from_initial_stack(argc: *const usize) -> Self {
        Args { argc }
    }

    /// Makes these the arguments that [`args`] answers.
    pub(crate) fn publish(self) {
        INITIAL_STACK.store(self.argc.cast_mut(), Ordering::Relaxed);
    }

    /// How many arguments there are, the program's name with them; 0 is possible.
    #[allow(clippy::len_without_is_empty, reason = "a program has its name")]
    #[inline]
    pub fn len(self) -> usize {
        // SAFETY: `argc` is the first word.
        unsafe { *self.argc }
    }

    /// The argument `index`; 0 is the program's name.
    pub fn get(self, index: usize) -> Option<&'static CStr> {
        self.iter().nth(index)
    }

    /// The arguments, the program's name first.
    pub fn iter(self) -> Strings {
        // SAFETY: argv follows argc.
        Strings { next: unsafe { self.argc.add(1) }.cast() }
    }

    /// The environment, `NAME=value` each.
    pub fn env(self) -> Strings {
        Strings { next: self.envp().cast() }
    }

    /// The array of pointers to the arguments, ended by a null pointer, as `execve` takes it.
    pub fn argv(self) -> *const *const u8 {
        self.iter().next.cast()
    }

    /// The array of pointers to the environment, ended by a null pointer, as `execve` takes it.
    pub fn envp(self) -> *const *const u8 {
        // SAFETY: envp follows argv and the null pointer that ends it.
        unsafe { self.argc.add(1 + self.len() + 1) }.cast()
    }

    /// The value of the entry `kind` (`AT_*`) of the auxiliary vector, if it has one.
    pub fn auxv(self, kind: usize) -> Option<usize> {
        let mut entry = self.auxv_start();
        loop {
            // SAFETY: the vector ends with AT_NULL, where this stops, and each entry is two words.
            let [found, value] = unsafe { *entry };
            if found == kind {
                return Some(value);
            }
            if found == 0 {
                return None;
            }
            // SAFETY: as above.
            entry = unsafe { entry.add(1) };
        }
    }

    fn auxv_start(self) -> *const [usize; 2] {
        let mut word = self.envp();
        // SAFETY: a null pointer ends envp, where this stops.
        while !unsafe { *word }.is_null() {
            // SAFETY: as above.
            word = unsafe { word.add(1) };
        }
        // SAFETY: auxv follows that null pointer.
        unsafe { word.add(1) }.cast()
    }

    /// The addresses of the first string's first byte and behind the last string's last: argument strings, environment
    /// strings and the path of the program lie together at the top of the stack. The words below them do not count
    /// here: the kernel puts them at a random distance, into stack that is mapped anyway.
    pub(crate) fn strings_extent(self) -> (usize, usize) {
        let path = self.auxv(AT_PROGRAM_PATH).map(|address| {
            // SAFETY: the kernel put a C string there.
            unsafe { CStr::from_ptr(ptr::with_exposed_provenance(address)) }
        });
        let (mut bottom, mut top) = (usize::MAX, 0);
        for string in self.iter().chain(self.env()).chain(path) {
            let bytes = string.to_bytes_with_nul().as_ptr_range();
            (bottom, top) = (bottom.min(bytes.start.addr()), top.max(bytes.end.addr()));
        }
        (bottom.min(top), top)
    }
}

impl IntoIterator for Args {
    type Item = &'static CStr;
    type IntoIter = Strings;

    fn into_iter(self) -> Strings {
        self.iter()
    }
}

/// Arguments, or the environment, one after the other.
#[derive(Clone)]
pub struct Strings {
    next: *const *const core::ffi::c_char,
}

impl Iterator for Strings {
    type Item = &'static CStr;

    #[inline]
    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: a null pointer ends the array, and `next` never goes beyond it.
        let string = unsafe { *self.next };
        if string.is_null() {
            return None;
        }
        // SAFETY: as above: there is one more.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: the kernel's strings end in NUL and stay where they are.
        Some(unsafe { CStr::from_ptr(string) })
    }
}
