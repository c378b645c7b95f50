//! A runtime core without libc: it starts a process, makes system calls, finds out how much address space the process may
//! have, and reserves a heap arena that fits.
//!
//! # The way in
//!
//! From the kernel's hand-over to `main` a program passes through these places, in this order:
//!
//! 1. [`entry!`] in the program, which defines `_start`;
//! 2. `arch/cpu/<cpu>/entry.rs`, the first instructions: they end the frame chain, align the stack and call Rust;
//! 3. [`start`] (`src/start/mod.rs`): `run` relocates a static-PIE (`relocate.rs`), keeps the initial stack
//!    (`src/os/initial_stack.rs`), and, if the program asks for it, makes the arena ([`arena::mallocinit`]);
//! 4. `main`, and then [`exit`] with what it returns.
//!
//! # The layers
//!
//! Each uses only those below it. `docs/architecture.md` has the drawing, and a test reads the imports.
//!
//! | layer | modules |
//! |---|---|
//! | other limits | [`limits`]: control groups and others, for programs that heed them |
//! | backtrace | [`backtrace`]: which calls led here, for programs that ask for it |
//! | start | [`start`]: `_start` to `main`; [`io`]: printing |
//! | heap | [`heap`]: an allocator in the arena; [`lock`]: its lock |
//! | arena | [`arena`]: limit, plan, reservation |
//! | rules | [`memlimit`], [`plan`]: pure arithmetic |
//! | memory | [`vm`]: reserve, commit, reset, release |
//! | threads | [`thread`]: a function on a stack of its own |
//! | kernel | [`sys`]: typed system calls; `os`: what each kernel has of its own; `arch`: the stubs |
//!
//! On an operating system without a port (Darwin, NetBSD, OpenBSD, Windows) only the rules are there: those systems do
//! not enforce a limit of the address space, so there is none to fit into.

#![no_std]

pub mod memlimit;
pub mod plan;

cfg_if::cfg_if! {
    if #[cfg(rt0_port)] {
        mod arch;
        pub mod backtrace;
        pub mod gc;
        pub mod fault;
        pub mod heap;
        pub mod io;
        pub mod limits;
        pub mod lock;
        pub mod arena;
        pub mod vm;
        mod mem;
        mod os;
        pub mod start;
        pub mod sys;
        pub mod thread;
        #[doc(hidden)]
        pub mod unwind;

        pub use os::initial_stack::{AT_ENTRY, AT_PAGESZ, AT_PHDR, AT_PHNUM, page_size};
        pub use start::{Args, Strings, args, env};
        pub use heap::Heap;
        pub use sys::exit;

        /// The soft limit of this process's address space in bytes (`RLIMIT_AS`). `None` means that there is none or that
        /// the kernel did not tell; [`arena::source`] tells which.
        pub fn address_space_limit() -> Option<u64> {
            arena::source().limit()
        }
    } else if #[cfg(any(target_os = "linux", target_os = "freebsd"))] {
        // The rules alone would be wrong here: this kernel enforces a limit that nothing would read.
        compile_error!("rt0 has no port for this CPU under this kernel: there are linux_386, linux_amd64, linux_arm, \
            freebsd_386 and freebsd_amd64, and PORTING.md says what a new one takes");
    } else {
        mod no_port;

        /// The soft limit of this process's address space: none. This operating system does not enforce one.
        pub fn address_space_limit() -> Option<u64> {
            None
        }
    }
}
