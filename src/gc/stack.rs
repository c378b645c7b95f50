//! This thread's stack and registers as roots.
//!
//! The frames of a collection are not scanned: what functions of the program have left there may be any reference that was
//! once on the stack, and would keep what is dead. So a collection begins with a frame that has little beside the registers
//! of its caller, and all that the collector does lies below.

use super::mark::{Embedder, Marker};
use crate::arch::kept_registers;

/// Calls `collect` with the place from where on the stack is scanned, which has the registers of the caller.
#[inline(always)]
pub(super) fn spilled<T>(collect: impl FnOnce(*const usize) -> T) -> T {
    let kept = kept_registers();
    collect(core::hint::black_box(&kept).as_ptr())
}

/// Marks what the stack refers to, from `from` up to `base`.
///
/// # Safety
///
/// Both are addresses on this thread's stack, `from` one of [`spilled`], and `base` above every frame that may hold
/// references.
pub(super) unsafe fn roots<E: Embedder>(marker: &mut Marker<'_, E>, from: *const usize, base: *const usize) {
    // SAFETY: from the one up to the other all of it is this thread's stack.
    unsafe { marker.roots(from, base) };
}
