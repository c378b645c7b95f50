//! The thread pointer on ARM: a register of the system coprocessor that a program may read, TPIDRURO, and the kernel sets.
//!
//! | what                     | where                                                                             |
//! |--------------------------|-----------------------------------------------------------------------------------|
//! | the pointer              | coprocessor 15, c13, c0, 3 (ARM ARM, "TPIDRURO"); compiled code calls `__aeabi_read_tp` for it |
//! | thread-local variables   | from 8 bytes above it on (ARM IHI 0045, "ELF for the Arm Architecture": variant I) |
//! | the stack protector's word | a variable, `__stack_chk_guard`                                                 |

use core::arch::asm;

/// Whether thread-local variables lie below what the thread pointer points to.
pub(crate) const VARIABLES_BELOW: bool = false;

/// The calling thread's thread pointer.
///
/// # Safety
///
/// It has been set.
#[inline(always)]
pub(crate) unsafe fn read() -> *mut () {
    let pointer;
    // SAFETY: this reads a register, which every ARMv7 has.
    unsafe { asm!("mrc p15, 0, {}, c13, c0, 3", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Defines `__aeabi_read_tp`, which changes no register but r0 (ARM IHI 0043, "Run-time ABI", "Thread-local storage").
#[doc(hidden)]
#[macro_export]
macro_rules! __thread_pointer_function {
    () => {
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn __aeabi_read_tp() -> *mut () {
            ::core::arch::naked_asm!("mrc p15, 0, r0, c13, c0, 3", "bx lr")
        }
    };
}
