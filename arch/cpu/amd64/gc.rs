//! What a collector needs of amd64: what is in the callee-saved registers, a prefetch, and the place of a bit.

use core::arch::asm;
use core::mem::MaybeUninit;

/// What is in the registers that a function keeps for its caller (System V ABI, AMD64 supplement, "Registers"). What a
/// caller holds in other registers it has put onto the stack before it calls.
pub(crate) type KeptRegisters = [usize; 6];

/// Writes them where a collection will look for references.
#[inline(always)]
pub(crate) fn keep_registers(kept: &mut MaybeUninit<KeptRegisters>) {
    // SAFETY: the registers are read, and the array has room for them.
    unsafe {
        asm!(
            "mov [{at} + 0], rbx",
            "mov [{at} + 8], rbp",
            "mov [{at} + 16], r12",
            "mov [{at} + 24], r13",
            "mov [{at} + 32], r14",
            "mov [{at} + 40], r15",
            at = in(reg) kept.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
}

/// Asks for the cache line of an address, any address, which will be read soon.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    // SAFETY: a hint; it does not fault.
    unsafe { asm!("prefetcht0 [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
}

/// The address that is twice as many bytes below `address` as the highest bit that is set in `word` is places below the top.
///
/// Where no bit is set, it is that of bit `none`, since `bsr` leaves its destination as it was then: manuals of AMD say so,
/// those of Intel too by now, and no processor does otherwise. In Rust the place is 63 less what `bsr` says, less that
/// from 63, and the compiler does not see that nothing is left of it.
#[inline(always)]
pub(crate) fn below_by_top_bit(address: usize, word: usize, none: usize) -> usize {
    let below;
    // SAFETY: it reads and writes registers alone.
    unsafe {
        asm!(
            "bsr {place}, {word}",
            "lea {place}, [{address} + 2 * {place} - 126]",
            place = inout(reg) none => below,
            word = in(reg) word,
            address = in(reg) address,
            options(nostack, nomem, pure),
        );
    }
    below
}
