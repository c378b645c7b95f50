//! Compares the structures that rt0 shares with a kernel, as the compiler lays them out for a port, with those of
//! `libc` (FreeBSD) and `linux-raw-sys` (Linux). Nothing runs: the test is that this compiles.

#![no_std]
#![allow(dead_code, unused_imports, unused_macros, missing_docs, reason = "two files of rt0, for their structures")]

#[path = "../../src/arch.rs"]
mod arch;
#[path = "../../src/os/mod.rs"]
mod os;

use core::mem::{align_of, offset_of, size_of};
use os::file::{RawFlock, RawStat};
use os::{AltStack, RawRlimit, SigAction, SigInfo, Timespec, Winsize, WordTimespec};

#[cfg(all(target_os = "freebsd", target_pointer_width = "32"))]
use libc::Elf32_Auxinfo as AuxiliaryEntry;
#[cfg(all(target_os = "freebsd", target_pointer_width = "64"))]
use libc::Elf64_Auxinfo as AuxiliaryEntry;
#[cfg(target_os = "freebsd")]
use libc::{c_long, rlimit, sigaction, siginfo_t, stack_t, timespec, winsize};
#[cfg(target_os = "linux")]
use linux_raw_sys::{
    ctypes::c_long,
    elf::Elf_auxv_t as AuxiliaryEntry,
    general::{
        __kernel_old_timespec as timespec, __kernel_timespec, kernel_sigaction, rlimit, sigaltstack as stack_t, winsize,
    },
};

/// Checks that both structures have the same size and alignment, and the fields, in this order, the same offsets and
/// sizes.
macro_rules! same_layout {
    ($ours:ident { $($our_field:ident),* }, $theirs:ident { $($their_field:ident),* }) => {
        const _: () = {
            assert!(size_of::<$ours>() == size_of::<$theirs>(), "another size");
            assert!(align_of::<$ours>() == align_of::<$theirs>(), "another alignment");
            $(assert!(offset_of!($ours, $our_field) == offset_of!($theirs, $their_field), "a field elsewhere");)*
            $(let ours = field_size(|it: &$ours| &raw const it.$our_field);
            let theirs = field_size(|it: &$theirs| &raw const it.$their_field);
            assert!(ours == theirs, "a field of another size");)*
        };
    };
}

/// The size of what the function's result points to; the function is never called.
const fn field_size<S, F>(_: fn(&S) -> *const F) -> usize {
    size_of::<F>()
}

same_layout!(RawRlimit { soft, hard }, rlimit { rlim_cur, rlim_max });
same_layout!(WordTimespec { seconds, nanoseconds }, timespec { tv_sec, tv_nsec });
#[cfg(target_os = "linux")]
same_layout!(Timespec { seconds, nanoseconds }, __kernel_timespec { tv_sec, tv_nsec });
same_layout!(Winsize { rows, columns, width, height }, winsize { ws_row, ws_col, ws_xpixel, ws_ypixel });

#[cfg(target_arch = "x86_64")]
#[cfg(target_os = "linux")]
use linux_raw_sys::general::stat as stat_t;
#[cfg(not(target_arch = "x86_64"))]
#[cfg(target_os = "linux")]
use linux_raw_sys::general::stat64 as stat_t;
#[cfg(target_os = "linux")]
same_layout!(
    RawStat { dev, ino, mode, nlink, size, mtime, mtime_nsec },
    stat_t { st_dev, st_ino, st_mode, st_nlink, st_size, st_mtime, st_mtime_nsec }
);
// That of FreeBSD 11: the Makefile tells `libc` so.
#[cfg(target_os = "freebsd")]
use libc::stat as stat_t;
#[cfg(target_os = "freebsd")]
same_layout!(RawStat { dev, ino, mode, nlink, size }, stat_t { st_dev, st_ino, st_mode, st_nlink, st_size });
#[cfg(target_os = "freebsd")]
const _: () = assert!(offset_of!(RawStat, modified) == offset_of!(stat_t, st_mtime));

#[cfg(target_os = "freebsd")]
use libc::flock as flock_t;
#[cfg(target_arch = "x86_64")]
#[cfg(target_os = "linux")]
use linux_raw_sys::general::flock as flock_t;
#[cfg(not(target_arch = "x86_64"))]
#[cfg(target_os = "linux")]
use linux_raw_sys::general::flock64 as flock_t;
same_layout!(RawFlock { kind, whence, start, len, pid }, flock_t { l_type, l_whence, l_start, l_len, l_pid });

#[cfg(target_os = "linux")]
same_layout!(
    SigAction { handler, flags, restorer, mask },
    kernel_sigaction { sa_handler_kernel, sa_flags, sa_restorer, sa_mask }
);
#[cfg(target_os = "linux")]
same_layout!(AltStack { sp, flags, size }, stack_t { ss_sp, ss_flags, ss_size });
#[cfg(all(target_os = "linux", target_arch = "x86"))]
const _: () = {
    use linux_raw_sys::general::user_desc;
    assert!(size_of::<os::tls::UserDesc>() == size_of::<user_desc>());
    assert!(offset_of!(os::tls::UserDesc, base_addr) == offset_of!(user_desc, base_addr));
    assert!(offset_of!(os::tls::UserDesc, limit) == offset_of!(user_desc, limit));
};

#[cfg(target_os = "freebsd")]
same_layout!(SigAction { handler, flags, mask }, sigaction { sa_sigaction, sa_flags, sa_mask });
#[cfg(target_os = "freebsd")]
same_layout!(AltStack { sp, size, flags }, stack_t { ss_sp, ss_size, ss_flags });
// Of what a handler is told only the beginning is here.
#[cfg(target_os = "freebsd")]
const _: () = {
    assert!(offset_of!(SigInfo, code) == offset_of!(siginfo_t, si_code));
    assert!(offset_of!(SigInfo, address) == offset_of!(siginfo_t, si_addr));
};

// An argument of a system call, a `long` and a pointer have the size of a word on every port.
const _: () = assert!(size_of::<arch::Arg>() == size_of::<c_long>());
const _: () = assert!(size_of::<usize>() == size_of::<*const ()>());
const _: () = assert!(size_of::<arch::Arg>() == size_of::<usize>());

// FreeBSD's limits are signed, and its file offsets are two words on 386.
#[cfg(target_os = "freebsd")]
const _: () = {
    assert!(libc::rlim_t::MIN < 0);
    assert!(size_of::<libc::off_t>() == 8);
    let _signed: fn(RawRlimit) -> libc::rlim_t = |raw| raw.soft;
};

// The pairs of the auxiliary vector are two words each.
const _: () = assert!(size_of::<AuxiliaryEntry>() == 2 * size_of::<usize>());
