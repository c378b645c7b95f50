//! Runs the bodies of the fuzz targets on random bytes.

use proptest::prelude::*;
use rt0_tests::check::fuzz;

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
