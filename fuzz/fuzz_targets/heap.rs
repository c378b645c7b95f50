//! Compares the heap with its model on bytes that libFuzzer chooses.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rt0_tests::check::heap_model::drive(data));
