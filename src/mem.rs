//! Memory functions: `memcpy` and its kin, which compiled code calls by name.
//!
//! They are in `arch/`, a file for each CPU, as a macro: [`entry!`](crate::entry) defines them in the program that it makes,
//! so that a program which has a libc, and rt0 for its heap alone, keeps its libc's. What a program does not call the
//! linker leaves out. On the targets of `targets/` they stand before those of `compiler_builtins`, which are weak
//! symbols; a standard target's prebuilt `core` has none and leaves them to a libc.
//!
//! On a CPU without a file of its own, 386 without SSE2 among them, nothing is defined: `compiler_builtins`, built with its
//! feature `mem`, has the functions.

cfg_if::cfg_if! {
    if #[cfg(target_arch = "x86_64")] {
        #[path = "../arch/cpu/amd64/mem.rs"]
        mod functions;
    } else if #[cfg(all(target_arch = "x86", target_feature = "sse2"))] {
        #[path = "../arch/cpu/386/mem.rs"]
        mod functions;
    } else if #[cfg(target_arch = "arm")] {
        #[path = "../arch/cpu/arm/mem.rs"]
        mod functions;
    } else {
        /// Nothing.
        #[doc(hidden)]
        #[macro_export]
        macro_rules! __memory_functions {
            ($(#[$attribute:meta])*) => {};
        }
    }
}
