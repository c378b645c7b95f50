//! The segment register of a thread's control block, %gs, for the stack protector of C programs without a libc.
//!
//! | what               | where                                                                                  |
//! |--------------------|----------------------------------------------------------------------------------------|
//! | the protector's word | %gs:0x14 (GCC `gcc/config/i386/i386.h`, `TARGET_THREAD_SSP_OFFSET`)                   |
//! | a segment          | `set_thread_area` (`arch/x86/entry/syscalls/syscall_32.tbl`, 243) of a `struct user_desc` |
//! | its selector       | entry number * 8 + 3: global table, user's privilege (Intel SDM 3A, "Segment Selectors")  |

use core::arch::asm;

const SET_THREAD_AREA: usize = 243;
const OFFSET: usize = 0x14;

/// `struct user_desc` (`arch/x86/include/uapi/asm/ldt.h`).
#[repr(C)]
struct UserDesc {
    /// -1: a free one, which the kernel writes here.
    entry_number: u32,
    base_addr: usize,
    /// In pages: all of the address space.
    limit: u32,
    /// `seg_32bit` (bit 0), `limit_in_pages` (bit 4), `useable` (bit 6).
    flags: u32,
}

/// Lets %gs:0x14 be the word at this address.
#[inline(always)]
pub(super) fn point_at(word: usize) {
    unsafe extern "C" {
        fn rt0_syscall(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> isize;
    }
    let mut segment =
        UserDesc { entry_number: u32::MAX, base_addr: word.wrapping_sub(OFFSET), limit: 0xf_ffff, flags: 0x51 };
    let area = (&raw mut segment).expose_provenance();
    // SAFETY: the kernel reads the structure and writes its first word.
    if unsafe { rt0_syscall(SET_THREAD_AREA, area, 0, 0, 0, 0, 0) } == 0 {
        let selector = segment.entry_number * 8 + 3;
        // SAFETY: nobody uses %gs before this, and the segment is there.
        unsafe { asm!("mov gs, {0:x}", in(reg) selector, options(nostack, preserves_flags)) };
    }
}
