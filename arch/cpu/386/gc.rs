//! What a collector needs of x86-32: what is in the callee-saved registers.

use core::arch::asm;
use core::mem::MaybeUninit;

/// What is in the registers that a function keeps for its caller (System V ABI, Intel386 supplement, "Registers"). What
/// a caller holds in other registers it has put onto the stack before it calls.
pub(crate) type KeptRegisters = [usize; 4];

/// Writes them where a collection will look for references.
#[inline(always)]
pub(crate) fn keep_registers(kept: &mut MaybeUninit<KeptRegisters>) {
    // SAFETY: the registers are read, and the array has room for them.
    unsafe {
        asm!(
            "mov [{at} + 0], ebx",
            "mov [{at} + 4], ebp",
            "mov [{at} + 8], esi",
            "mov [{at} + 12], edi",
            at = in(reg) kept.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
}

/// Nothing: the first processors of this kind have no prefetch, and asking which this is costs more than it saves.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    let _ = at;
}

/// The address that is as many bytes below `address` as the highest bit that is set in `word` is places below the top.
///
/// Where no bit is set, it is that of bit `none`, since `bsr` leaves its destination as it was then: manuals of AMD say so,
/// those of Intel too by now, and no processor does otherwise. In Rust the place is 31 less what `bsr` says, less that
/// from 31, and the compiler does not see that nothing is left of it.
#[inline(always)]
pub(crate) fn below_by_top_bit(address: usize, word: usize, none: usize) -> usize {
    let below;
    // SAFETY: it reads and writes registers alone.
    unsafe {
        asm!(
            "bsr {place}, {word}",
            "lea {place}, [{address} + {place} - 31]",
            place = inout(reg) none => below,
            word = in(reg) word,
            address = in(reg) address,
            options(nostack, nomem, pure),
        );
    }
    below
}
