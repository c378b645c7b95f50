//! Shows the heap at work. Without arguments it uses collections of `alloc`, on the program's own heap. With `--fill`
//! it makes a heap that is a plain value, fills it until it refuses, empties it and fills it again, and prints a
//! `key=value` line for each fact, sizes in bytes. Run it under `ulimit -v`.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::ptr::NonNull;

use rt0::heap::{Heap, SystemMemory};
use rt0::lock::Unlocked;
use rt0::{Args, println};

rt0::entry!(main);

#[global_allocator]
static HEAP: Heap = Heap::new();

const USAGE: &str = "usage: alloc [--fill=BLOCK [--cap=BYTES] [--allowance=BYTES]]";

/// The most address space that `--fill` takes if no limit is lower.
const CAP: u64 = 256 << 20;

fn usage(arg: &str) -> ! {
    rt0::eprintln!("alloc: what is {arg:?}? {USAGE}");
    rt0::exit(2)
}

fn main(args: Args) -> i32 {
    let mut memory = SystemMemory::new().cap(CAP);
    let mut block = None;
    for arg in args.iter().skip(1) {
        let arg = arg.to_str().unwrap_or_default();
        let number = || arg.split_once('=').and_then(|(_, n)| n.parse().ok()).unwrap_or_else(|| usage(arg));
        match arg.split('=').next() {
            Some("--fill") if number() > 0 => block = Some(number() as usize),
            Some("--cap") => memory = memory.cap(number()),
            Some("--allowance") => memory = memory.allowance(number()),
            _ => usage(arg),
        }
    }
    match block.map(|block| Layout::from_size_align(block, 8)) {
        Some(Ok(layout)) => fill(layout, memory),
        Some(Err(_)) => usage("a block of that size"),
        None => collections(),
    }
}

fn collections() -> i32 {
    let mut words: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, word) in "a heap is a heap is a heap".split(' ').enumerate() {
        words.entry(String::from(word)).or_default().push(i);
    }
    for (word, places) in &words {
        println!("{word}: {places:?}");
    }
    let mut long = Vec::new();
    (0..100_000u32).for_each(|i| long.push(Box::new(i)));
    let sum: u64 = long.iter().map(|n| u64::from(**n)).sum();
    let live = HEAP.stats().live;
    drop((words, long));
    let stats = HEAP.stats();
    println!("sum={sum} live={live} then={} peak={} committed={}", stats.live, stats.peak, stats.committed);
    let whole = HEAP.check();
    println!("check={}", if whole.is_ok() { "whole" } else { "broken" });
    i32::from(whole.is_err() || stats.live != 0)
}

/// Each allocated block links to the one that was allocated before it.
type Link = Option<NonNull<u8>>;

fn fill(layout: Layout, memory: SystemMemory) -> i32 {
    // SAFETY: this program has one thread.
    let heap: Heap<Unlocked> = unsafe { Heap::unlocked_on(memory) };
    let links = layout.size() >= size_of::<Link>();
    if !links {
        usage("a block shorter than a pointer");
    }
    let (mut filled, mut damaged, mut arena) = ([0; 2], 0, 0);
    for filled in &mut filled {
        let mut last: Link = None;
        while let Some(block) = heap.allocate(layout) {
            // SAFETY: the heap has just allocated the block, and its length is at least that of a link.
            unsafe {
                block.add(layout.size() - 1).write(0xff);
                block.cast::<Link>().write_unaligned(last);
            }
            last = Some(block);
            *filled += layout.size();
        }
        arena = heap.stats().reserved.max(arena);
        while let Some(block) = last {
            // SAFETY: the chain holds allocated blocks of this layout, each once, and each begins with its link.
            unsafe {
                last = block.cast::<Link>().read_unaligned();
                damaged +=
                    usize::from(block.add(layout.size() - 1).read() != 0xff && layout.size() > size_of::<Link>());
                heap.deallocate(block, layout);
            }
        }
    }
    let stats = heap.stats();
    println!("block={}", layout.size());
    println!("arena={arena}");
    println!("segments={}", stats.segments);
    println!("filled={}", filled[0]);
    println!("again={}", filled[1]);
    println!("damaged={damaged}");
    println!("percent={}", (filled[0] as u64 * 100) / (arena as u64).max(1));
    let whole = heap.check();
    println!("check={}", if whole.is_ok() { "whole" } else { "broken" });
    i32::from(whole.is_err() || filled[0] != filled[1] || damaged != 0 || stats.live != 0)
}
