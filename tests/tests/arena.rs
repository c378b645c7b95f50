//! The arena's further regions, as a runtime on this machine reserves them. Nothing is committed, so sizes cost
//! nothing.

use rt0::arena::{self, Options};

const GIB: u64 = 1 << 30;

#[test]
fn a_cap_holds_for_all_regions_and_what_is_given_back_can_be_reserved_again() {
    // A full plan takes 16 GiB and 1 GiB of bitmap, so 1 GiB is left for further regions.
    let options = Options { cap: Some(18 * GIB), ..Options::DEFAULT };
    let mut arena = arena::mallocinit(&options).unwrap();
    assert_eq!((arena.arena.len as u64, arena.bitmap.len as u64), (16 * GIB, GIB));

    let half = (GIB / 2) as usize;
    let first = arena.grow(half, half).unwrap();
    assert_eq!((first.arena.len, first.bitmap.len), (half, half / 16));
    assert!(arena.grow(half, half).is_err(), "more than the cap");
    // If less is acceptable, the arena grows by what is left, and no more.
    let rest = arena.grow(4096, half).unwrap();
    let whole = [&first, &rest].iter().map(|grown| (grown.arena.len + grown.bitmap.len) as u64).sum::<u64>();
    assert!((GIB - (16 + 1) * 4096..=GIB).contains(&whole), "{whole} bytes");

    // SAFETY: nothing in the region has been used, and it is not used afterwards.
    unsafe { arena.shrink(first) };
    let again = arena.grow(half, half).unwrap();
    assert_eq!((again.arena.len, again.bitmap.len), (half, half / 16));
    assert!(arena.grow(half, half).is_err(), "more than the cap, again");
}
