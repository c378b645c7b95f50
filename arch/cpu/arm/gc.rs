//! What a collector needs of ARM: the callee-saved registers on the stack, and a prefetch.

use core::arch::{asm, naked_asm};

/// Calls `scan(context, stack)` with the registers that a function keeps for its caller (AAPCS, "Core registers": r4 to
/// r11; no floating-point register holds a reference) on the stack, from `stack` on. What a caller holds in other
/// registers it has put onto the stack itself before the call.
#[unsafe(naked)]
#[unsafe(export_name = "rt0_spill_registers")]
pub(crate) unsafe extern "C" fn spill(context: *mut (), scan: unsafe extern "C" fn(*mut (), *const usize)) {
    naked_asm!(
        "push {{r3-r11, lr}}", // ten words: the stack stays aligned to 8
        "mov r2, r1",
        "mov r1, sp",
        "blx r2",
        "pop {{r3-r11, pc}}",
    )
}

/// Asks for the cache line of an address, any address, which will be read soon.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    // SAFETY: a hint; it does not fault.
    unsafe { asm!("pld [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
}
