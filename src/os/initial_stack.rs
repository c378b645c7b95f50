//! The initial stack: what either kernel puts into the memory of a new process.
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
//! Each item is a word (System V ABI, "Process Initialization"; the same on every port).

use core::ffi::c_char;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::{AT_PROGRAM_PATH, PAGE_SIZE_MIN};

/// Program headers of the program (Linux `include/uapi/linux/auxvec.h`; FreeBSD `sys/sys/elf_common.h`).
pub const AT_PHDR: usize = 3;
/// Number of program headers (same files).
pub const AT_PHNUM: usize = 5;
/// Page size, bytes (same files).
pub const AT_PAGESZ: usize = 6;
/// Entry point of the program (same files).
pub const AT_ENTRY: usize = 9;

/// The initial stack of a process, as the kernel laid it out.
///
/// Whoever holds one may follow the pointers in it for as long as the process lives.
#[derive(Clone, Copy)]
pub(crate) struct InitialStack {
    argc: *const usize,
}

// SAFETY: nothing writes to the initial stack, and it lives as long as the process.
unsafe impl Send for InitialStack {}
// SAFETY: nothing writes to the initial stack, so any number of threads may read it.
unsafe impl Sync for InitialStack {}

/// An initial stack with nothing on it, which stands for that of a process that rt0 did not start.
static EMPTY: [usize; 5] = [0; 5];

/// That of this process; null until `_start` has run.
static THIS_PROCESS: AtomicPtr<usize> = AtomicPtr::new(ptr::null_mut());

/// The size of a page, bytes, a power of two: what the kernel said (`AT_PAGESZ`), or [`PAGE_SIZE_MIN`] if it said
/// nothing.
pub fn page_size() -> usize {
    InitialStack::current().auxv(AT_PAGESZ).filter(|size| size.is_power_of_two()).unwrap_or(PAGE_SIZE_MIN)
}

impl InitialStack {
    /// The initial stack that begins at `argc`.
    ///
    /// # Safety
    ///
    /// `argc` points to an initial stack as drawn at the head of this file, which nobody ever changes or frees.
    pub(crate) const unsafe fn new(argc: *const usize) -> Self {
        InitialStack { argc }
    }

    /// That of this process, if rt0 started it.
    pub(crate) fn of_this_process() -> Option<Self> {
        let argc = THIS_PROCESS.load(Ordering::Relaxed).cast_const();
        (!argc.is_null()).then_some(InitialStack { argc })
    }

    /// That of this process, or an empty one where rt0 did not start it.
    pub(crate) fn current() -> Self {
        Self::of_this_process().unwrap_or(InitialStack { argc: EMPTY.as_ptr() })
    }

    /// Makes this the one that [`current`](InitialStack::current) answers.
    pub(crate) fn publish(self) {
        THIS_PROCESS.store(self.argc.cast_mut(), Ordering::Relaxed);
    }

    /// The number of arguments.
    #[inline]
    pub(crate) fn argc(self) -> usize {
        // SAFETY: argc is the first word of the initial stack.
        unsafe { *self.argc }
    }

    /// The pointers to the arguments, which a null pointer ends.
    pub(crate) fn argv(self) -> *const *const c_char {
        // SAFETY: argv follows argc.
        unsafe { self.argc.add(1) }.cast()
    }

    /// The pointers to the environment, which a null pointer ends.
    pub(crate) fn envp(self) -> *const *const c_char {
        // SAFETY: envp follows the pointers to `argc` arguments and the null pointer that ends them.
        unsafe { self.argv().add(self.argc() + 1) }
    }

    /// The value of the entry `kind` (`AT_*`) of the auxiliary vector, if it has one.
    pub(crate) fn auxv(self, kind: usize) -> Option<usize> {
        let mut entry = self.auxv_start();
        loop {
            // SAFETY: each entry is two words, and the vector ends with AT_NULL, beyond which this does not go.
            let [found, value] = unsafe { *entry };
            if found == kind {
                return Some(value);
            }
            if found == 0 {
                return None;
            }
            // SAFETY: this was not AT_NULL, so another entry follows.
            entry = unsafe { entry.add(1) };
        }
    }

    /// The values of the auxiliary vector by their types.
    #[inline(always)]
    pub(crate) fn auxv_values(self, room: &mut MaybeUninit<Values>) -> &Values {
        // SAFETY: the vector ends with AT_NULL.
        unsafe { Values::read(room, self.auxv_start()) }
    }

    #[inline(always)]
    fn auxv_start(self) -> *const [usize; 2] {
        let mut word = self.envp();
        // SAFETY: a null pointer ends envp, beyond which this does not go.
        while !unsafe { *word }.is_null() {
            // SAFETY: this was not the null pointer, so another word follows.
            word = unsafe { word.add(1) };
        }
        // SAFETY: auxv follows that null pointer.
        unsafe { word.add(1) }.cast()
    }

    /// The addresses that the initial stack covers: of its first word, of the first string's first byte and behind the
    /// last string's last. Argument strings, environment strings and the path of the program lie together at the top;
    /// between them and the words below is a gap of random size.
    pub(crate) fn extent(self) -> Extent {
        let (mut word, end) = (self.argv(), self.auxv_start().cast());
        let (mut strings, mut last) = (usize::MAX, ptr::null());
        let mut string = ptr::with_exposed_provenance::<c_char>(self.auxv(AT_PROGRAM_PATH).unwrap_or(0));
        loop {
            if !string.is_null() {
                (strings, last) = (strings.min(string.addr()), string.max(last));
            }
            if word == end {
                break;
            }
            // SAFETY: up to the auxiliary vector there are pointers to strings, and two null pointers.
            (string, word) = unsafe { (*word, word.add(1)) };
        }
        // Strings do not overlap: the one that begins last ends last.
        let mut end = last;
        // SAFETY: the kernel's strings end in NUL and stay where they are. Volatile, so that this does not become a call of
        // strlen, which a small program would not have otherwise.
        while !end.is_null() && unsafe { end.read_volatile() } != 0 {
            // SAFETY: the string's end is not here.
            end = unsafe { end.add(1) };
        }
        let top = if end.is_null() { 0 } else { end.addr() + 1 };
        Extent { words: self.argc.addr(), strings: strings.min(top), top }
    }
}

/// The values of a vector of pairs, key and value, by those of its keys that are small: an auxiliary vector, a dynamic
/// section.
pub(crate) struct Values([usize; 37]); // more than the largest key that anybody looks for

impl Values {
    const fn len() -> usize {
        size_of::<Values>() / size_of::<usize>()
    }

    /// None at all, to be read.
    #[inline(always)]
    pub(crate) const fn room() -> MaybeUninit<Self> {
        MaybeUninit::uninit()
    }

    /// Reads a vector. Of two pairs with one key the last one counts; a key that is not there has the value 0.
    ///
    /// # Safety
    ///
    /// A pair whose key is 0 ends the vector.
    #[cold]
    #[inline] // Compiled with the crate that starts the program, for size.
    pub(crate) unsafe fn read(room: &mut MaybeUninit<Self>, mut next: *const [usize; 2]) -> &Self {
        let values = room.as_mut_ptr().cast::<usize>();
        for index in 0..Values::len() {
            // SAFETY: it is within the array. Volatile, so that this does not become a call of memset, which a small program
            // would not have otherwise.
            unsafe { values.add(index).write_volatile(0) };
        }
        loop {
            // SAFETY: a pair is here, since the one that ends the vector is not behind this.
            let [key, value] = unsafe { *next };
            if key == 0 {
                // SAFETY: all of it was written.
                return unsafe { room.assume_init_ref() };
            }
            if key < Values::len() {
                // SAFETY: it is within the array.
                unsafe { *values.add(key) = value };
            }
            next = next.wrapping_add(1);
        }
    }

    /// The value of a key, which is less than 37; 0 if there is none.
    #[inline(always)]
    pub(crate) fn of<const KEY: usize>(&self) -> usize {
        const { assert!(KEY < Values::len()) };
        self.0[KEY]
    }
}

/// Where an initial stack lies, as addresses.
pub(crate) struct Extent {
    /// Of argc.
    pub(crate) words: usize,
    /// Of the lowest string; `top` if there is none.
    pub(crate) strings: usize,
    /// Behind the highest string; 0 if there is none.
    pub(crate) top: usize,
}
