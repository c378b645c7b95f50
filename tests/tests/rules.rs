//! Compares the limit rules and the plan with the specification, for every 32-bit limit and around every boundary of
//! the 64-bit ones.

use proptest::prelude::*;
use rt0::memlimit::{self, Headroom, Width};
use rt0::plan::{self, Plan};
use rt0_tests::check::every_u32;
use rt0_tests::check::specification::{as_document, check_plan, document, document_sizes, specified_plan};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const PAGES: [u64; 4] = [4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB];

#[test]
fn every_32_bit_plan_fits_and_is_the_specified_one() {
    every_u32(|left| {
        let plan = plan::fit(Headroom::Bytes(left), 4096, Width::Bits32, true);
        assert_eq!(plan, specified_plan(left, 4096, Width::Bits32));
        if let Some(plan) = plan {
            check_plan(plan, left, 4096, Width::Bits32);
        }
        let bare = plan::fit(Headroom::Bytes(left), 4096, Width::Bits32, false);
        assert_eq!(bare.map_or(0, Plan::total), (left & !4095).min(576 * MIB));
        assert!(bare.is_none_or(|bare| bare.bitmap == 0));
    });
}

#[test]
fn every_32_bit_limit_leaves_what_is_specified() {
    for (footprint, allowance) in [(200 * KIB, None), (3 * MIB + 1, Some(0))] {
        every_u32(|limit| {
            let kept: u64 = allowance.unwrap_or((limit / 4).min(64 * MIB));
            let expected = limit as i64 - footprint as i64 - kept as i64;
            let left = memlimit::fit(Some(limit), footprint, allowance, Width::Bits32);
            match left {
                Headroom::Bytes(bytes) => assert_eq!(bytes as i64, expected),
                Headroom::Exhausted => assert!(expected <= 0),
                Headroom::Unlimited => panic!("{limit} is a limit"),
            }
        });
    }
}

#[test]
fn every_32_bit_limit_under_the_documents_rule() {
    let image = 5 * MIB + 12345;
    every_u32(|limit| {
        let left = memlimit::go(Some(limit), image);
        let expected = document(limit, image, false);
        assert_eq!(as_document(left), expected);
        let plan = plan::go(left, 4096, Width::Bits32);
        assert_eq!((plan.bitmap, plan.arena), document_sizes(expected, Width::Bits32, 4096));
    });
}

/// The code of Go's rule of 2012 subtracted twice, and the library does not. From 81 to 129 MiB the difference wraps
/// around to nearly 4 GiB, so that a full-size arena is requested, which such a limit cannot hold. Below 81 MiB "nearly
/// nothing left" is taken for "no limit", with the same result.
#[test]
fn the_documents_code_wrapped_around() {
    let image = MIB;
    for mib in 1..=2047 {
        let limit = mib * MIB;
        let left = u64::from(document(limit, image, true) as u32); // a uintptr of 32 bits
        let (bitmap, arena) = document_sizes(left, Width::Bits32, 4096);
        let starts = bitmap + arena <= limit;
        match mib {
            1..81 => assert!(left == 0 && !starts, "{mib} MiB"),
            81..130 => assert!(left > 3 * GIB && !starts, "{mib} MiB"),
            130 => assert!(left == 0 && !starts, "{mib} MiB"),
            _ => assert!(left == limit - 130 * MIB && starts, "{mib} MiB"),
        }
        // By the library's rule a plan fits under every limit from 2 MiB on.
        let ours = memlimit::fit(Some(limit), image, None, Width::Bits32);
        let fits = plan::fit(ours, 4096, Width::Bits32, true).is_some_and(|plan| plan.total() <= limit);
        assert_eq!(fits, mib > 1, "{mib} MiB");
    }
    assert_eq!(document_sizes(document(131 * MIB, image, true), Width::Bits32, 4096).1, 896 * KIB);
}

#[test]
fn no_limit_gives_a_full_size_arena() {
    let (small, large) = (Plan { bitmap: 64 * MIB, arena: 512 * MIB }, Plan { bitmap: GIB, arena: 16 * GIB });
    for (width, plan) in [(Width::Bits32, small), (Width::Bits64, large)] {
        assert_eq!(memlimit::fit(None, 0, None, width), Headroom::Unlimited);
        assert_eq!(plan::fit(Headroom::Unlimited, 4096, width, true), Some(plan));
        assert_eq!(plan::fit(Headroom::Unlimited, 4096, width, false).map(Plan::total), Some(plan.total()));
        assert_eq!(plan::fit(Headroom::Exhausted, 4096, width, true), None);
        assert_eq!(plan::go(Headroom::Unlimited, 4096, width), plan);
    }
    assert_eq!(memlimit::go(None, 0), Headroom::Unlimited);
    // A limit above the address space is no limit, and only 32-bit ports have such limits.
    let beyond = Some(4 * GIB);
    assert_eq!(memlimit::fit(beyond, 0, None, Width::Bits32), Headroom::Unlimited);
    assert_eq!(memlimit::fit(beyond, 0, None, Width::Bits64), Headroom::Bytes(4 * GIB - 64 * MIB));
}

/// Values around every boundary of a rule, and any others.
fn size() -> impl Strategy<Value = u64> {
    let boundaries = [
        0,
        4 * KIB,
        36 * KIB,
        68 * KIB,
        16 * MIB,
        64 * MIB,
        80 * MIB,
        81 * MIB,
        129 * MIB,
        256 * MIB,
        512 * MIB,
        544 * MIB,
        576 * MIB,
        GIB,
        1088 * MIB,
        0x7fff_ffff,
        2 * GIB,
        4 * GIB,
        16 * GIB,
        17 * GIB,
        17 * GIB + 64 * MIB,
        1 << 47,
        1 << 63,
        u64::MAX - 64 * MIB,
        u64::MAX,
    ];
    prop_oneof![
        (prop::sample::select(boundaries.to_vec()), -70_000i64..=70_000)
            .prop_map(|(at, by)| at.saturating_add_signed(by)),
        any::<u64>(),
        (0u32..64, any::<u64>()).prop_map(|(bits, random)| random >> bits),
    ]
}

fn width() -> impl Strategy<Value = Width> {
    prop::sample::select(vec![Width::Bits32, Width::Bits64])
}

fn page() -> impl Strategy<Value = u64> {
    prop::sample::select(PAGES.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50_000))]

    #[test]
    fn a_plan_fits_and_is_the_specified_one(left in size(), page in page(), width in width()) {
        let left = left.min(width.max());
        let plan = plan::fit(Headroom::Bytes(left), page, width, true);
        prop_assert_eq!(plan, specified_plan(left, page, width));
        if let Some(plan) = plan {
            check_plan(plan, left, page, width);
            let least = plan::least(page, width, true);
            prop_assert!(plan.bitmap >= least.bitmap && plan.arena >= least.arena);
        } else {
            prop_assert!(left < plan::least(page, width, true).total());
        }
    }

    #[test]
    fn what_is_left_never_grows_when_the_limit_shrinks(
        a in size(), b in size(), footprint in size(), allowance in prop::option::of(size()), width in width(), page in page(),
    ) {
        let (small, large) = (a.min(b), a.max(b));
        let arena = |limit| {
            let left = memlimit::fit(Some(limit), footprint, allowance, width);
            plan::fit(left, page, width, true).map_or(0, |plan| plan.arena)
        };
        prop_assert!(arena(small) <= arena(large));
        // What is mapped, what is kept free and what is left add up to the limit.
        if let Headroom::Bytes(left) = memlimit::fit(Some(small), footprint, allowance, width) {
            let kept = allowance.unwrap_or((small / 4).min(64 * MIB));
            let sum = u128::from(left) + u128::from(footprint) + u128::from(kept);
            prop_assert_eq!(sum, u128::from(small));
        }
    }

    #[test]
    fn the_documents_rule_is_the_documents(limit in size(), image in 0..1u64 << 40, page in page(), width in width()) {
        let left = memlimit::go(Some(limit), image);
        let expected = document(limit, image, false);
        prop_assert_eq!(as_document(left), expected);
        let plan = plan::go(left, page, width);
        prop_assert_eq!((plan.bitmap, plan.arena), document_sizes(expected, width, page));
    }

    #[test]
    fn what_is_kept_of_what_was_found_is_the_allowance_or_three_quarters(a in size(), b in size(), allowance in size()) {
        let (small, large) = (a.min(b), a.max(b));
        let taken = |found: u64| found - memlimit::kept(found, allowance);
        prop_assert!(taken(small) <= taken(large));
        prop_assert!(taken(small) >= small / 4 && (small == 0 || taken(small) > 0));
        let kept = memlimit::kept(small, allowance);
        prop_assert!(kept == allowance || (kept < allowance && taken(small) == small.div_ceil(4)));
    }

    #[test]
    fn the_least_limit_is_the_least(wanted in 1..1u64 << 40, footprint in 0..1u64 << 40, allowance in prop::option::of(0..1u64 << 40)) {
        let least = memlimit::least_limit(wanted, footprint, allowance);
        let enough = |limit| matches!(memlimit::fit(Some(limit), footprint, allowance, Width::Bits64),
            Headroom::Bytes(left) if left >= wanted);
        prop_assert!(enough(least), "{} is too little", least);
        prop_assert!(!enough(least - 1), "{} would do", least - 1);
    }
}

#[test]
fn the_least_limit_is_the_least_where_the_rule_changes() {
    // From 256 MiB on the allowance is 64 MiB.
    for base in 192 * MIB - 9..192 * MIB + 9 {
        let least = memlimit::least_limit(base, 0, None);
        let left = |limit| memlimit::fit(Some(limit), 0, None, Width::Bits64);
        assert!(matches!(left(least), Headroom::Bytes(left) if left >= base), "{least} is too little for {base}");
        assert!(matches!(left(least - 1), Headroom::Bytes(left) if left < base), "{} would do for {base}", least - 1);
    }
}
