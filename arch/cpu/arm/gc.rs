//! What a collector needs of ARM: what is in the callee-saved registers, a prefetch, and the place of a bit.

use core::arch::asm;
use core::mem::MaybeUninit;

/// What is in the registers that a function keeps for its caller (AAPCS, "Core registers"; no floating-point register
/// holds a reference). What a caller holds in other registers it has put onto the stack before it calls.
pub(crate) type KeptRegisters = [usize; 8];

/// Writes them where a collection will look for references.
#[inline(always)]
pub(crate) fn keep_registers(kept: &mut MaybeUninit<KeptRegisters>) {
    // SAFETY: the registers are read, and the array has room for them.
    unsafe {
        asm!(
            "stm {at}, {{r4-r11}}",
            at = in(reg) kept.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
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
