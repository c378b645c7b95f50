//! The smallest program: no heap, and not an instruction of one.

#![no_std]
#![no_main]

rt0::entry!(main);

fn main() {
    rt0::println!("hello, world");
}
