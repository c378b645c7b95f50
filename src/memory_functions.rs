//! `memcpy` and its kin, which compiled code calls by name.
//!
//! The JSON targets have them from `compiler_builtins`, built with its feature `mem`. The prebuilt `core` of a
//! standard target leaves them to a libc; there a program gets these.

/// See [`entry!`](crate::entry).
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_functions {
    () => {};
}
