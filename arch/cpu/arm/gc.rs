//! What a collector needs of ARM: what is in the callee-saved registers, a prefetch, and the place of a bit.

use core::arch::asm;

/// What is in the registers that a function keeps for its caller (AAPCS, "Core registers"; no floating-point register
/// holds a reference). What a caller holds in other registers it has put onto the stack before it calls.
#[inline(always)]
pub(crate) fn kept_registers() -> [usize; 8] {
    let mut kept = [0; 8];
    // SAFETY: the registers are read, and the array has room for them.
    unsafe {
        asm!(
            "str r4, [{at}, #0]",
            "str r5, [{at}, #4]",
            "str r6, [{at}, #8]",
            "str r7, [{at}, #12]",
            "str r8, [{at}, #16]",
            "str r9, [{at}, #20]",
            "str r10, [{at}, #24]",
            "str r11, [{at}, #28]",
            at = in(reg) kept.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    kept
}

/// Asks for the cache line of an address, any address, which will be read soon.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    // SAFETY: a hint; it does not fault.
    unsafe { asm!("pld [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
}

/// The address that is as many bytes below `address` as the highest bit that is set in `word` is places below the top.
/// Where no bit is set, it is that of bit `none`.
#[inline(always)]
pub(crate) fn below_by_top_bit(address: usize, word: usize, none: usize) -> usize {
    address.wrapping_sub(31).wrapping_add(word.checked_ilog2().map_or(none, |place| place as usize))
}
