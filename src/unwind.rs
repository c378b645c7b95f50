//! The names of an unwinder, which the prebuilt `core` of a standard target refers to. None is ever called: a panic ends
//! the process.
//!
//! The targets of `targets/` need neither: their `core` is built without unwinding.

/// The names themselves, in the program. See [`entry!`](crate::entry).
#[cfg(rt0_standard_target)]
#[doc(hidden)]
#[macro_export]
macro_rules! __unwinder {
    () => {
        #[unsafe(no_mangle)]
        extern "C" fn rust_eh_personality() {}

        #[unsafe(no_mangle)]
        extern "C" fn _Unwind_Resume() -> ! {
            $crate::exit(2)
        }
    };
}

/// Nothing.
#[cfg(not(rt0_standard_target))]
#[doc(hidden)]
#[macro_export]
macro_rules! __unwinder {
    () => {};
}
