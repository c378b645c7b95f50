//! The memory functions compared with the standard library's.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rt0_tests::check::fuzz::memory(data));
