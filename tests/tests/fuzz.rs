//! Runs the bodies of the fuzz targets on random bytes.

use proptest::prelude::*;
use rt0_tests::check::{fuzz, safe};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn rules(data in prop::collection::vec(any::<u8>(), 0..40)) {
        fuzz::rules(&data);
    }

    #[test]
    fn initial_stack(data in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::initial_stack(&data);
    }

    #[test]
    fn memory(data in prop::collection::vec(any::<u8>(), 0..160)) {
        fuzz::memory(&data);
    }
}

#[test]
fn an_empty_stack_has_nothing_on_it() {
    fuzz::initial_stack(&[]);
}

#[test]
fn the_safe_interface() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seed.map_or(0..3000, |seed| seed..seed + 1) {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..random.usize(..6000)).map(|_| random.u8(..)).collect();
        let result = std::panic::catch_unwind(|| safe::drive(&bytes));
        assert!(result.is_ok(), "SEED={seed}");
    }
}
