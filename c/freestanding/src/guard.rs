//! The stack protector: the word that a function looks at before it returns, and what it calls when that has changed.
//!
//! The word is a variable where the ABI has one (ARM, FreeBSD). On Linux/x86 it is at a fixed place of the thread's control
//! block, which a segment register points to; a program that has no thread-local storage gets a block for this alone,
//! and the threads that it starts share it.

use core::ffi::c_int;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::{rt0_auxv, rt0_exit};

/// Sixteen random bytes (Linux `include/uapi/linux/auxvec.h`, `AT_RANDOM`).
#[cfg(target_os = "linux")]
const RANDOM: usize = 25;
/// At least eight random bytes, and a word at the least (FreeBSD `sys/sys/elf_common.h`, `AT_CANARY`).
#[cfg(target_os = "freebsd")]
const RANDOM: usize = 16;

/// The word of ARM and FreeBSD, and of programs compiled with `-mstack-protector-guard=global`.
#[unsafe(no_mangle)]
static __stack_chk_guard: AtomicUsize = AtomicUsize::new(0);

/// Seeds the word with the kernel's random bytes. A function that is protected must not have this one as its callee.
#[inline(always)]
pub(crate) fn set_up() {
    let mut random = 0usize;
    // SAFETY: it stores one word.
    let found = unsafe { rt0_auxv(RANDOM, &raw mut random) };
    let mut word = 0;
    if found != 0 {
        // SAFETY: the kernel says that there are at least eight bytes.
        word = unsafe { core::ptr::with_exposed_provenance::<usize>(random).read_unaligned() };
    }
    // A string cannot contain its lowest byte, so it cannot be written over by one.
    word &= !0xff;
    __stack_chk_guard.store(word, Ordering::Relaxed);
    segment::set_up(word);
}

/// What a function calls that finds the word changed: says so and ends the process with status 127.
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    const LINE: &[u8] = b"rt0: stack smashing detected\n";
    unsafe extern "C" {
        fn rt0_write(fd: c_int, bytes: *const u8, size: usize) -> isize;
    }
    // SAFETY: the kernel only reads the line.
    unsafe { rt0_write(2, LINE.as_ptr(), LINE.len()) };
    // SAFETY: it ends the process.
    unsafe { rt0_exit(127) }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod segment {
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// `arch_prctl` and its command (`arch/x86/entry/syscalls/syscall_64.tbl`; `arch/x86/include/uapi/asm/prctl.h`).
    const ARCH_PRCTL: usize = 158;
    const ARCH_SET_FS: usize = 0x1002;

    /// Words of the block before the guard: %fs:0x28 (System V ABI; glibc `sysdeps/x86_64/nptl/tls.h`, `stack_guard`).
    const GUARD: usize = 5;

    static BLOCK: [AtomicUsize; GUARD + 1] = [const { AtomicUsize::new(0) }; GUARD + 1];

    #[inline(always)]
    pub(super) fn set_up(word: usize) {
        unsafe extern "C" {
            fn rt0_syscall(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> isize;
        }
        let block = BLOCK.as_ptr().expose_provenance();
        BLOCK[0].store(block, Ordering::Relaxed); // a control block points to itself
        BLOCK[GUARD].store(word, Ordering::Relaxed);
        // SAFETY: nobody uses %fs before this.
        unsafe { rt0_syscall(ARCH_PRCTL, ARCH_SET_FS, block, 0, 0, 0, 0) };
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod segment {
    #[inline(always)]
    pub(super) fn set_up(_: usize) {}
}
