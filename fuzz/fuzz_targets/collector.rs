//! Compares the collector with a graph that is kept beside it, on bytes that libFuzzer chooses.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rt0_tests::check::gc::drive(data));
