//! What a collector needs of x86-32: what is in the callee-saved registers.

use core::arch::asm;

/// What is in the registers that a function keeps for its caller (System V ABI, Intel386 supplement, "Registers"). What
/// a caller holds in other registers it has put onto the stack before it calls.
#[inline(always)]
pub(crate) fn kept_registers() -> [usize; 4] {
    let mut kept = [0; 4];
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
    kept
}

/// Nothing: the first processors of this kind have no prefetch, and asking which this is costs more than it saves.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    let _ = at;
}

/// The place of a word's highest bit that is set; `none` if there is none, since `bsr` leaves its destination as it was then.
/// Manuals of AMD say so, those of Intel too by now, and no processor does otherwise. In Rust the place is 31 less what `bsr`
/// says, less that from 31, and the compiler does not see that nothing is left of it once an address is computed of it.
#[inline(always)]
pub(crate) fn top_bit_or(word: usize, none: usize) -> usize {
    let place;
    // SAFETY: it reads and writes registers alone.
    unsafe { asm!("bsr {}, {}", inout(reg) none => place, in(reg) word, options(nostack, nomem, pure)) };
    place
}
