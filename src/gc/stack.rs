//! This thread's stack and registers as roots.

use super::mark::{Embedder, Marker};
use crate::arch::kept_registers;

/// Marks what the registers and the stack of this thread refer to, up to `base`.
///
/// # Safety
///
/// `base` is an address on this thread's stack, above every frame that may hold references.
pub(super) unsafe fn roots<E: Embedder>(marker: &mut Marker<'_, E>, base: *const usize) {
    let kept = kept_registers();
    // SAFETY: `base` is above every frame that may hold references, and so above this one, which holds the registers.
    unsafe { below(marker, &kept, base) };
}

/// Marks what the stack refers to, from this function's frame, which lies below its caller's, up to `base`.
///
/// # Safety
///
/// As for [`roots`]; `kept`, which holds registers, lies on the stack.
#[inline(never)]
unsafe fn below<E: Embedder>(marker: &mut Marker<'_, E>, kept: &[usize], base: *const usize) {
    let here = core::hint::black_box(kept).len();
    // SAFETY: from a word of this frame up to `base` all of it is this thread's stack.
    unsafe { marker.roots(&raw const here, base) };
}
