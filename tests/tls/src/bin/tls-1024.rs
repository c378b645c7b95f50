//! Thread-local variables of which one is aligned to 1024.
#![no_std]
#![no_main]
#![feature(thread_local)]
include!("../program.rs");
