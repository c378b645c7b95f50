//! Shows the collector at work, and shows that it keeps its promises.
//!
//! `collect PROGRAM [BOUND]` runs one of the programs of `programs.rs` on a heap of at most `BOUND` bytes, or of what the
//! limit leaves, and prints what it took. `collect exhaust [BOUND]` lets memory run out at every step, `collect breathe` lets
//! a heap grow and shrink, `collect words` looks any word up, `collect segments` keeps objects by static variables
//! alone, and `collect keys` has many ephemerons in one table. Run it under `ulimit -v`.

#![no_std]
#![no_main]

mod checks;
mod programs;

use rt0::gc::{Collector, Embedder, Event, Growth, HeapError, Marker, Policy};
use rt0::{Args, eprintln, println};

rt0::entry!(main);

/// What is kept for the stack, whose frames here are few and small.
const ALLOWANCE: u64 = 128 << 10;

/// All references are on the stack; what was live at most is noted.
#[derive(Default)]
struct OnStack {
    live: usize,
}

// SAFETY: the programs keep each reference on the stack, or in an object that is reachable from there.
unsafe impl Embedder for OnStack {
    fn roots(&mut self, _: &mut Marker<'_, Self>) {}

    fn event(&mut self, event: &Event) {
        if let Event::End { live, .. } = *event {
            self.live = self.live.max(live);
        }
    }
}

/// A heap of `bound` bytes, all of which is used before it is collected; or one that grows as little as it can.
fn policy(bound: Option<u64>) -> Policy {
    let policy = bound
        .map_or(Policy { growth: Growth::Live { percent: 110, least: 128 << 10 }, ..Policy::DEFAULT }, Policy::bound);
    Policy { arena: policy.arena.allowance(ALLOWANCE), ..policy }
}

fn full() -> ! {
    eprintln!("collect: the heap is full");
    rt0::exit(3)
}

fn main(args: Args) -> i32 {
    let base = 0;
    start(args, &raw const base)
}

/// Everything that uses a heap is called from here, below `base` on the stack.
#[inline(never)]
fn start(args: Args, base: *const usize) -> i32 {
    let name = args.get(1).and_then(|name| name.to_str().ok()).unwrap_or("");
    let bound = args.get(2).map(|bytes| bytes.to_str().ok().and_then(|bytes| bytes.parse().ok()));
    if bound == Some(None) {
        return usage();
    }
    let bound = bound.flatten();
    match name {
        "exhaust" => checks::exhaust(bound.unwrap_or(1 << 20)),
        "breathe" => checks::breathe(),
        "words" => checks::words(),
        "segments" => checks::segments(),
        "keys" => checks::keys(),
        _ if programs::PROGRAMS.contains(&name) => run(name, bound, base),
        _ => return usage(),
    }
    0
}

/// There is no heap.
fn refused(error: &HeapError) -> ! {
    eprintln!("{error}");
    rt0::exit(2)
}

fn usage() -> i32 {
    eprintln!(
        "usage: collect PROGRAM|exhaust|breathe|words|segments|keys [BOUND], the programs being {:?}",
        programs::PROGRAMS
    );
    2
}

fn run(name: &str, bound: Option<u64>, base: *const usize) {
    let mut heap = Collector::new(&policy(bound), OnStack::default()).unwrap_or_else(|error| refused(&error));
    // SAFETY: what uses the heap is called from here, and `base` is in the frame of a caller.
    unsafe { heap.scan_stack(base) };
    let sum = programs::run(name, &mut heap);
    let (stats, live) = (heap.stats(), heap.embedder().live);
    println!("sum={sum}\ncollections={}\nlive={live}\nfootprint={}", stats.collections, stats.footprint);
    println!("longest={}", stats.longest_pause);
    checks::whole(&heap);
}
