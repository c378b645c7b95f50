//! Programs of other people's crates, without std: a parser, an interpreter, a compressor and a regular-expression engine.
//! Each is built several times from the same sources: freestanding on rt0, and with std on the C library's malloc and on
//! mimalloc. `bench-programs` builds, runs and compares them.
//!
//! The input is generated, and each program prints one number that depends on all its output: with another allocator, or
//! another start, it has to be the same.

#![no_std]

extern crate alloc;

pub mod deflate;
pub mod input;
pub mod json;
pub mod patterns;
pub mod script;

/// The program around a piece of work, a function that returns its number: the memory and the start that the features choose.
#[macro_export]
macro_rules! program {
    ($work:path) => {
        #[cfg(feature = "rt0")]
        rt0::entry!(main);

        #[cfg(feature = "rt0")]
        #[global_allocator]
        static HEAP: rt0::Heap = rt0::Heap::new();

        #[cfg(feature = "mimalloc")]
        #[global_allocator]
        static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

        #[cfg(feature = "rt0")]
        fn main(_: rt0::Args) {
            rt0::println!("{:016x}", $work());
        }

        #[cfg(not(feature = "rt0"))]
        fn main() {
            println!("{:016x}", $work());
        }
    };
}
