//! A program without libc: `cargo run -- WORD...`.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

// A panic prints which calls led to it; `addr2line -Cfipe PROGRAM ADDRESS...` says where they are.
rt0::entry!(main, heap = HEAP, panic_handler = rt0::backtrace::panic);

fn main(args: rt0::Args) -> i32 {
    let mut words: Vec<&[u8]> = args.iter().skip(1).map(|word| word.to_bytes()).collect();
    logic::sort(&mut words);
    for word in words {
        rt0::println!("{}", word.escape_ascii());
    }
    0
}
