//! The thread pointer on 386: the base of the segment that %gs selects, which the kernel sets.
//!
//! | what                     | where                                                                             |
//! |--------------------------|-----------------------------------------------------------------------------------|
//! | the pointer itself       | also at %gs:0, since no instruction reads the base                                |
//! | thread-local variables   | below it (Drepper, "ELF Handling For Thread-Local Storage", 3, variant II)        |
//! | the stack protector's word | %gs:0x14 under Linux (GCC `gcc/config/i386/i386.h`, `TARGET_THREAD_SSP_OFFSET`) |
//! | a selector               | the segment's number * 8 + 3: global table, user's privilege (Intel SDM 3A, "Segment Selectors") |

use core::arch::asm;

/// Whether thread-local variables lie below what the thread pointer points to.
pub(crate) const VARIABLES_BELOW: bool = true;

/// The calling thread's thread pointer.
///
/// # Safety
///
/// It has been set, and points to a word that contains the pointer itself.
#[inline(always)]
pub(crate) unsafe fn read() -> *mut () {
    let pointer;
    // SAFETY: the caller says that %gs selects a segment, at whose base a word can be read.
    unsafe { asm!("mov {}, gs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}

/// The number of the segment that %gs selects.
#[cfg(target_os = "linux")]
pub(crate) fn segment() -> u32 {
    let selector: u32;
    // SAFETY: this reads a register.
    unsafe { asm!("mov {:e}, gs", out(reg) selector, options(nomem, nostack, preserves_flags)) };
    (selector & 0xffff) >> 3
}

/// Makes %gs select a segment.
///
/// # Safety
///
/// There is a segment of this number, and nobody uses what %gs selects now.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn select(segment: u32) {
    // SAFETY: the caller says that there is this segment and that nobody uses the one before.
    unsafe { asm!("mov gs, {:x}", in(reg) segment * 8 + 3, options(nostack, preserves_flags)) };
}

/// Nothing: compiled code reads %gs by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __thread_pointer_function {
    () => {};
}
