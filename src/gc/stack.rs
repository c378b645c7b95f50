//! This thread's stack and registers as roots.
//!
//! The frames of a collection are not scanned: what functions of the program have left there may be any reference that was
//! once on the stack, and would keep what is dead. So a collection begins with a frame that has little beside the registers
//! of its caller, and all that the collector does lies below.

use core::mem::MaybeUninit;

use crate::arch::{KeptRegisters, keep_registers};

/// Calls `collect` with the place from where on the stack is scanned, which has the registers of the caller.
#[inline(always)]
pub(super) fn spilled<T>(collect: impl FnOnce(*const usize) -> T) -> T {
    let mut kept = MaybeUninit::<KeptRegisters>::uninit();
    keep_registers(&mut kept);
    collect(kept.as_ptr().cast())
}
