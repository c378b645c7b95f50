//! Values that no program may rely on, for registers of which the kernel promises nothing.

use nix::libc;

use super::tracee::{Class, Registers, Tracee};

/// The flags that an arithmetic instruction sets: CF, PF, AF, ZF, SF and OF.
pub const ARITHMETIC_FLAGS: u64 = 0x8d5;

/// The direction flag, for string instructions.
pub const DIRECTION: u64 = 0x400;

/// The carry flag.
pub const CARRY: u64 = 1;

/// A value that is neither a plausible size nor a valid address of a 64-bit program, and differs for each `salt`.
#[must_use]
pub fn value(class: Class, salt: u64) -> u64 {
    class.truncate(0xdead_5a5a_f0e1_0f01 ^ (salt * 0x0101_0000_0110_1010))
}

/// Poisons every general register, the arithmetic flags and, though kernels clear it, the direction flag. The caller
/// then sets what the entry contract promises.
pub fn general(registers: &mut Registers, class: Class) {
    let Registers { rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, .. } = registers;
    for (salt, register) in [rax, rbx, rcx, rdx, rsi, rdi, rbp].into_iter().enumerate() {
        *register = value(class, salt as u64 + 1);
    }
    if class == Class::Bits64 {
        for (salt, register) in [r8, r9, r10, r11, r12, r13, r14, r15].into_iter().enumerate() {
            *register = value(class, salt as u64 + 8);
        }
    }
    registers.eflags |= ARITHMETIC_FLAGS | DIRECTION;
}

/// Fills the vector registers with signalling NaNs of single precision; the control words stay.
///
/// # Errors
/// ESRCH when the thread has been killed meanwhile.
pub fn vectors(tracee: Tracee) -> nix::Result<()> {
    // SAFETY: all-zero bits are a valid value of this plain C structure.
    let mut state: libc::user_fpregs_struct = unsafe { std::mem::zeroed() };
    let state_address = &raw mut state;
    let pid = tracee.0.as_raw();
    // SAFETY: PTRACE_GETFPREGS writes one `user_fpregs_struct` (the tracer's view, 512 bytes) to the address given.
    let answer = unsafe { libc::ptrace(libc::PTRACE_GETFPREGS, pid, 0, state_address) };
    nix::errno::Errno::result(answer)?;
    state.xmm_space = [0x7fa0_0bad; 64];
    // SAFETY: PTRACE_SETFPREGS reads one `user_fpregs_struct` from the address given.
    let answer = unsafe { libc::ptrace(libc::PTRACE_SETFPREGS, pid, 0, &raw mut state) };
    nix::errno::Errno::result(answer)?;
    Ok(())
}
