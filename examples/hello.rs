//! The smallest program. It has no heap and contains none of the heap's code.

#![no_std]
#![no_main]

rt0::entry!(main);

fn main() {
    rt0::println!("hello, world");
}
