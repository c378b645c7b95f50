//! The specification's arithmetic, written down a second time, to check the library's against.
//!
//! "The document" is the Go runtime's change of 2012, "size arena to fit in virtual address space limit".

use rt0::memlimit::{Headroom, Width};
use rt0::plan::Plan;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The document's rule, written again from its C code. The document describes one subtraction (`again` false); its code
/// makes two (`again` true). 0 means "no limit" there.
pub fn document(cur: u64, image: u64, again: bool) -> u64 {
    if cur >= 0x7fff_ffff {
        return 0;
    }
    let used = image + (64 << 20);
    if used >= cur {
        return 0;
    }
    let left = cur - used;
    if left < (16 << 20) {
        return 0;
    }
    if again { left.wrapping_sub(used) } else { left }
}

/// The sizes of bitmap and arena that the document's `mallocinit` derives from that.
pub fn document_sizes(limit: u64, width: Width, page: u64) -> (u64, u64) {
    let word = if width == Width::Bits64 { 8 } else { 4 };
    if word == 8 && (limit == 0 || limit > (1 << 30)) {
        let arena = 16 << 30;
        return (arena / (word * 8 / 4), arena);
    }
    let mut bitmap = (512 << 20) / (word * 8 / 4);
    let mut arena = 512 << 20;
    if limit > 0 && arena + bitmap > limit {
        bitmap = (limit / 9) & !(page - 1);
        arena = bitmap * 8;
    }
    (bitmap, arena)
}

/// The library's answer as the number that the document's code returns.
pub fn as_document(left: Headroom) -> u64 {
    match left {
        Headroom::Unlimited => 0,
        Headroom::Bytes(bytes) => bytes,
        Headroom::Exhausted => unreachable!("the document knows only two answers"),
    }
}

/// What must hold of every plan for `given` bytes.
pub fn check_plan(plan: Plan, given: u64, page: u64, width: Width) {
    let per_byte = if width == Width::Bits64 { 16 } else { 8 };
    assert!(
        plan.bitmap.is_multiple_of(page) && plan.arena.is_multiple_of(page) && plan.arena > 0,
        "{plan:?} of {given}"
    );
    assert!(plan.bitmap * per_byte >= plan.arena, "{plan:?}: the bitmap does not cover the arena");
    assert!(plan.bitmap.checked_add(plan.arena).is_some_and(|total| total <= given), "{plan:?} of {given}");
}

/// The specification's plan, for what is left: `None` where nothing fits.
pub fn specified_plan(left: u64, page: u64, width: Width) -> Option<Plan> {
    let (full, per_byte) = if width == Width::Bits64 { (16 * GIB, 16) } else { (512 * MIB, 8) };
    if left >= full + full / per_byte {
        return Some(Plan { bitmap: full / per_byte, arena: full });
    }
    let bitmap = (left / (per_byte + 1)) & !(page - 1);
    (bitmap > 0).then_some(Plan { bitmap, arena: bitmap * per_byte })
}
