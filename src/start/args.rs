//! Arguments and environment of the process, as a program reads them.

use core::ffi::{CStr, c_char};

use crate::os::initial_stack::InitialStack;

/// The arguments of a process, with its environment and auxiliary vector, where the kernel put them.
///
/// ```no_run
/// # fn in_a_program_that_rt0_started() {
/// use rt0::{Args, Strings, start};
///
/// let args: Args = rt0::args();
/// assert!(args.len() >= 1 && args.get(args.len()).is_none());
/// let words: Strings = args.iter();
/// assert_eq!(words.count(), args.len());
/// assert_eq!(rt0::env("PATH").is_some(), args.env().any(|line| line.to_bytes().starts_with(b"PATH=")));
/// assert_eq!(args.auxv(rt0::AT_PAGESZ), Some(rt0::page_size()));
/// // As the kernel laid them out, for C: `argv` ends with a null pointer, and `envp` begins behind it.
/// // SAFETY: the arrays lie on the initial stack, `argv` with `argc` below it.
/// unsafe {
///     assert_eq!(args.envp(), args.argv().add(args.len() + 1));
///     assert_eq!(Args::from_initial_stack(args.argv().cast::<usize>().sub(1)).len(), start::args().len());
/// }
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Args(InitialStack);

/// The arguments of this process. None where the program was not started by rt0.
pub fn args() -> Args {
    Args(InitialStack::current())
}

/// The value of the environment variable `name`.
pub fn env(name: &str) -> Option<&'static CStr> {
    args().env().find_map(|variable| {
        let value = variable.to_bytes_with_nul().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        CStr::from_bytes_with_nul(value).ok()
    })
}

impl Args {
    /// The arguments on the initial stack that begins at `argc`.
    ///
    /// # Safety
    ///
    /// `argc` points to an initial stack as the kernel makes it (System V ABI, "Process Initialization"), which nobody
    /// ever changes or frees.
    pub const unsafe fn from_initial_stack(argc: *const usize) -> Self {
        // SAFETY: this function's contract is the same.
        Args(unsafe { InitialStack::new(argc) })
    }

    /// The initial stack that they are on.
    #[inline]
    pub(crate) fn initial_stack(self) -> InitialStack {
        self.0
    }

    /// The number of arguments, the program's name included; 0 is possible.
    #[allow(clippy::len_without_is_empty, reason = "a program has its name")]
    #[inline]
    pub fn len(self) -> usize {
        self.0.argc()
    }

    /// The argument `index`; 0 is the program's name.
    pub fn get(self, index: usize) -> Option<&'static CStr> {
        self.iter().nth(index)
    }

    /// The arguments, the program's name first.
    pub fn iter(self) -> Strings {
        Strings { next: self.0.argv() }
    }

    /// The environment, `NAME=value` each.
    pub fn env(self) -> Strings {
        Strings { next: self.0.envp() }
    }

    /// The array of pointers to the arguments, ended by a null pointer, as `execve` takes it.
    pub fn argv(self) -> *const *const u8 {
        self.0.argv().cast()
    }

    /// The array of pointers to the environment, ended by a null pointer, as `execve` takes it.
    pub fn envp(self) -> *const *const u8 {
        self.0.envp().cast()
    }

    /// The value of the entry `kind` (`AT_*`) of the auxiliary vector, if it has one.
    pub fn auxv(self, kind: usize) -> Option<usize> {
        self.0.auxv(kind)
    }
}

impl core::fmt::Debug for Args {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl IntoIterator for Args {
    type Item = &'static CStr;
    type IntoIter = Strings;

    fn into_iter(self) -> Strings {
        self.iter()
    }
}

/// The arguments or the environment, one string after the other.
#[derive(Clone, Debug)]
pub struct Strings {
    next: *const *const c_char,
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
        // SAFETY: this was not the null pointer, so another one follows.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: the kernel's strings end in NUL and stay where they are.
        Some(unsafe { CStr::from_ptr(string) })
    }
}
