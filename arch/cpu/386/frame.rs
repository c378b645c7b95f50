//! The chain of frames on x86-32: ebp points to two words, the caller's ebp and the address that the function returns to
//! (System V ABI, Intel386 supplement, "The Stack Frame").

use core::arch::asm;

/// The frame pointer of the function that this is inlined into; any value if that was compiled without one.
#[inline(always)]
pub(crate) fn frame_pointer() -> usize {
    let frame;
    // SAFETY: it reads a register.
    unsafe { asm!("mov {}, ebp", out(reg) frame, options(nostack, nomem, preserves_flags)) };
    frame
}
