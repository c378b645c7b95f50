#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rt0_tests::check::fuzz::initial_stack(data));
