//! The program of `vec`, and beside it a list of pairs on a heap that collects. The difference in size is what the collector
//! costs.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;

use rt0::gc::{Collector, Embedder, Kind, Marker, Policy};

rt0::entry!(main);

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

/// A number, and the rest of the list.
struct Pair {
    number: usize,
    rest: Option<NonNull<Pair>>,
}

/// The list that the program needs.
struct List(Option<NonNull<Pair>>);

// SAFETY: every pair that is used is in the list.
unsafe impl Embedder for List {
    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        if let Some(first) = self.0 {
            // SAFETY: the first pair is an object of this heap.
            unsafe { marker.mark(first.cast()) };
        }
    }
}

fn main(args: rt0::Args) -> i32 {
    let mut squares: Vec<Box<usize>> = Vec::new();
    for i in 0..args.len() + 9 {
        squares.push(Box::new(i * i));
    }
    let mut sum: usize = squares.iter().map(|square| **square).sum();

    let Ok(mut gc) = Collector::new(&Policy::bound(1 << 20), List(None)) else { return 2 };
    // Far more than a megabyte, of which the last ten are kept.
    for number in 0..200_000 {
        let Some(new) = gc.allocate(size_of::<Pair>(), Kind::Scan) else { return 1 };
        let new = new.cast::<Pair>();
        let rest = if number % 10 == 0 { None } else { gc.embedder().0 };
        // SAFETY: a new object of that size.
        unsafe { new.write(Pair { number, rest }) };
        gc.embedder_mut().0 = Some(new);
    }
    let mut rest = gc.embedder().0;
    while let Some(pair) = rest {
        // SAFETY: a pair of the list, which is reachable.
        let pair = unsafe { pair.as_ref() };
        (sum, rest) = (sum + pair.number, pair.rest);
    }
    rt0::println!("hello, collector");
    i32::from(sum == 0 || gc.stats().collections == 0)
}
