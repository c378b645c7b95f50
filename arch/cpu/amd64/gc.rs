//! What a collector needs of amd64: the callee-saved registers on the stack, and a prefetch.

use core::arch::{asm, naked_asm};

/// Calls `scan(context, stack)` with the registers that a function keeps for its caller (System V ABI, AMD64 supplement,
/// "Registers": rbx, rbp, r12 to r15) on the stack, from `stack` on. What a caller holds in other registers it has put
/// onto the stack itself before the call.
#[unsafe(naked)]
#[unsafe(export_name = "rt0_spill_registers")]
pub(crate) unsafe extern "C" fn spill(context: *mut (), scan: unsafe extern "C" fn(*mut (), *const usize)) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov rax, rsi",
        "mov rsi, rsp",
        "push rsi", // 7 words and the return address: the stack is aligned
        "call rax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Asks for the cache line of an address, any address, which will be read soon.
#[inline(always)]
pub(crate) fn prefetch(at: *const u8) {
    // SAFETY: a hint; it does not fault.
    unsafe { asm!("prefetcht0 [{}]", in(reg) at, options(nostack, preserves_flags, readonly)) };
}
