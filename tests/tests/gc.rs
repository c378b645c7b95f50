//! The collector against a graph that is kept beside it.

use rt0::gc::Growth;
use rt0_tests::check::gc::Mutator;

#[test]
fn a_random_mutator_never_loses_what_is_reachable_and_a_collection_frees_all_else() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let growth = if seed % 2 == 0 { Growth::Whole } else { Growth::Live { percent: 150, least: 128 << 10 } };
        let mut mutator = Mutator::<0, false>::new(256 << 10 << (seed % 5), growth);
        for _ in 0..20_000 {
            mutator.step(&mut random);
        }
        mutator.collect();
    }
}
