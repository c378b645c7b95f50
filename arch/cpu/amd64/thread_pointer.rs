//! The thread pointer on amd64: the base of %fs, which the kernel sets.
//!
//! | what                     | where                                                                             |
//! |--------------------------|-----------------------------------------------------------------------------------|
//! | the pointer itself       | also at %fs:0, since no instruction of every amd64 reads the base                 |
//! | thread-local variables   | below it (Drepper, "ELF Handling For Thread-Local Storage", 3, variant II)        |
//! | the stack protector's word | %fs:0x28 under Linux (GCC `gcc/config/i386/x86-64.h`, `TARGET_THREAD_SSP_OFFSET`) |

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
    // SAFETY: the caller says that %fs has a base, at which a word can be read.
    unsafe { asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}

/// Nothing: compiled code reads %fs by itself.
#[doc(hidden)]
#[macro_export]
macro_rules! __thread_pointer_function {
    () => {};
}
