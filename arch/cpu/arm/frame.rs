//! The chain of frames on ARM: r11 points to two words, the caller's r11 and the address that the function returns to
//! (AAPCS, "The Frame Pointer"). In Thumb code LLVM has r7 in its place, and then there is no chain for rt0 to follow.

use core::arch::asm;

/// The frame pointer of the function that this is inlined into; any value if that was compiled without one.
#[inline(always)]
pub(crate) fn frame_pointer() -> usize {
    let frame;
    // SAFETY: it reads a register.
    unsafe { asm!("mov {}, r11", out(reg) frame, options(nostack, nomem, preserves_flags)) };
    frame
}
