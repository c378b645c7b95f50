//! What stands in for a program's start where there is no port: one sentence.
//!
//! The printing macros are here only so that a program that uses them has that sentence as its one error.

/// Here it is an error: this target has no port. There are `linux_386`, `linux_amd64`, `linux_arm`, `freebsd_386` and
/// `freebsd_amd64`.
#[macro_export]
macro_rules! entry {
    ($($anything:tt)*) => {
        ::core::compile_error!(
            "rt0 has no port for this target, so no program can be built for it: there are linux_386, \
            linux_amd64, linux_arm, freebsd_386 and freebsd_amd64"
        );

        // Without it the compiler would miss one, and say so too.
        #[panic_handler]
        fn panic(_: &::core::panic::PanicInfo<'_>) -> ! {
            loop {}
        }
    };
}

/// Nothing: this target has no port.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { { let _ = ::core::format_args!($($arg)*); } };
}

/// Nothing: this target has no port.
#[macro_export]
macro_rules! println {
    () => { {} };
    ($($arg:tt)*) => { $crate::print!($($arg)*) };
}

/// Nothing: this target has no port.
#[macro_export]
macro_rules! eprint {
    ($($arg:tt)*) => { $crate::print!($($arg)*) };
}

/// Nothing: this target has no port.
#[macro_export]
macro_rules! eprintln {
    ($($arg:tt)*) => { $crate::println!($($arg)*) };
}
