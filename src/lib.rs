//! A runtime core without libc: starts a process, makes system calls, finds out how much address space it may have
//! and reserves a heap arena that fits.
//!
//! What is where, each layer using only those below it:
//!
//! | layer | modules |
//! |---|---|
//! | start | [`start`] ([`entry!`], `main`, exit), `relocate` |
//! | heap | [`heap`]: the allocator in the arena; [`lock`] |
//! | arena | [`arena`]: limit, plan, reservation |
//! | rules | [`memlimit`], [`plan`]: pure arithmetic |
//! | memory | [`vm`]: reserve, commit, decommit, release |
//! | threads | [`thread`]: a function on a stack of its own |
//! | kernel | [`sys`]: typed calls; the port under `arch/`, the OS's numbers |
//!
//! On an operating system without a port (Darwin, NetBSD, OpenBSD, Windows) only the rules are there: those do not
//! enforce a limit of the address space, so there is none to fit into.

#![no_std]

pub mod memlimit;
pub mod plan;

cfg_if::cfg_if! {
    if #[cfg(any(target_os = "linux", target_os = "freebsd"))] {
        mod arch;
        pub mod heap;
        pub mod io;
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

        /// The soft limit of this process's address space, bytes (`RLIMIT_AS`). `None`: there is none, or the kernel
        /// would not say; [`arena::source`] tells which.
        pub fn address_space_limit() -> Option<u64> {
            arena::source().limit()
        }
    } else {
        /// The soft limit of this process's address space: none. This operating system does not enforce one.
        pub fn address_space_limit() -> Option<u64> {
            None
        }
    }
}
