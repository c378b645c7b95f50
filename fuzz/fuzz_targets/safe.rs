//! Calls the public safe functions in an order that libFuzzer chooses: nothing breaks memory.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rt0_tests::check::safe::drive(data));
