//! Prints its arguments in sorted order. Its heap is reserved before `main`, so that the process ends with a message if
//! nothing fits under the limit.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::ffi::CStr;

use rt0::{Args, Heap, println};

rt0::entry!(main, heap = HEAP);

#[global_allocator]
static HEAP: Heap = Heap::new();

fn main(args: Args) {
    let mut sorted: Vec<&CStr> = args.iter().skip(1).collect();
    sorted.sort();
    for arg in sorted {
        println!("{}", arg.to_string_lossy());
    }
}
