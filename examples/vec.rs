//! The smallest program with a heap: a `Box` and a `Vec`. The difference in size to `hello` is what a heap costs.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;

rt0::entry!(main);

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

fn main(args: rt0::Args) -> i32 {
    let mut squares: Vec<Box<usize>> = Vec::new();
    for i in 0..args.len() + 9 {
        squares.push(Box::new(i * i));
    }
    let sum: usize = squares.iter().map(|square| **square).sum();
    rt0::println!("hello, heap");
    i32::from(sum == 0)
}
