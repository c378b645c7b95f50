//! The stack protector: what compiled code refers to that was compiled with it (C's `-fstack-protector`).
//!
//! Such a function compares a word on its stack with one that nobody can guess, and calls `__stack_chk_fail` if they differ:
//! that says so and ends the process with status 127.
//! The word is at the thread pointer on Linux/x86, and in the variable `__stack_chk_guard` elsewhere (FreeBSD
//! `lib/libc/secure/stack_protector.c`; GCC on ARM). Both have sections of their own, by which the linker script knows
//! whether the program has such a function.

/// Defines what protected functions refer to.
#[doc(hidden)]
#[macro_export]
macro_rules! __stack_protector {
    () => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".bss.__stack_chk_guard")]
        static __stack_chk_guard: ::core::sync::atomic::AtomicUsize = ::core::sync::atomic::AtomicUsize::new(0);

        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text.__stack_chk_fail")]
        extern "C" fn __stack_chk_fail() -> ! {
            // What cannot be written is lost: there is nobody to tell.
            let _ = $crate::sys::write(2, b"rt0: stack smashing detected\n");
            $crate::sys::exit(127)
        }

        $crate::__stack_chk_fail_local!();
    };
}

/// Position-independent code on 386 calls the function under a second name, so as not to need a register for it
/// (GCC `libssp/ssp-local.c`).
#[cfg(target_arch = "x86")]
#[doc(hidden)]
#[macro_export]
macro_rules! __stack_chk_fail_local {
    () => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = ".text.__stack_chk_fail")]
        extern "C" fn __stack_chk_fail_local() -> ! {
            __stack_chk_fail()
        }
    };
}

/// Nothing.
#[cfg(not(target_arch = "x86"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __stack_chk_fail_local {
    () => {};
}
