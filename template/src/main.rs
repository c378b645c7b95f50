//! A program without libc: `cargo run -- WORD...`.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

rt0::entry!(main, heap = HEAP);

fn main(args: rt0::Args) -> i32 {
    let mut words: Vec<&[u8]> = args.iter().skip(1).map(|word| word.to_bytes()).collect();
    logic::sort(&mut words);
    for word in words {
        rt0::println!("{}", word.escape_ascii());
    }
    0
}
