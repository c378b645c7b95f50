//! What a collector needs of x86-32: the callee-saved registers on the stack.

use core::arch::naked_asm;

/// Calls `scan(context, stack)` with the registers that a function keeps for its caller (System V ABI, Intel386
/// supplement, "Registers": ebx, ebp, esi, edi) on the stack, from `stack` on. What a caller holds in other registers it
/// has put onto the stack itself before the call.
#[unsafe(naked)]
#[unsafe(export_name = "rt0_spill_registers")]
pub(crate) unsafe extern "C" fn spill(context: *mut (), scan: unsafe extern "C" fn(*mut (), *const usize)) {
    naked_asm!(
        "push ebp",
        "push ebx",
        "push esi",
        "push edi",
        "mov eax, esp",
        "mov ecx, [esp + 20]", // context, behind four registers and the return address
        "mov edx, [esp + 24]", // scan
        "push eax",            // five words and the return address; eight with two arguments: the stack is aligned
        "push eax",
        "push ecx",
        "call edx",
        "add esp, 12",
        "pop edi",
        "pop esi",
        "pop ebx",
        "pop ebp",
        "ret",
    )
}

/// Nothing: the first processors of this kind have no prefetch, and asking which this is costs more than it saves.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    let _ = at;
}
