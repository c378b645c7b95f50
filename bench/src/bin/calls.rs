//! What a system call costs through rt0's stub, through the crate `sc`'s and through the C library's `syscall`: nanoseconds,
//! in turns, the median of many rounds. The call is the cheapest one, getpid, so that the way there is as large a part of it
//! as it can be.

use std::hint::black_box;
use std::time::Instant;

use rt0_bench::peers::{median, order};

const CALLS: usize = 20_000;
const ROUNDS: usize = 101;

const WAYS: [(&str, fn() -> usize); 3] = [
    ("rt0", || rt0::sys::getpid() as usize),
    // SAFETY: no memory is given to the kernel.
    ("sc", || unsafe { sc::syscall!(GETPID) }),
    // SAFETY: the same.
    ("C library", || unsafe { libc::syscall(libc::SYS_getpid) as usize }),
];

fn main() {
    let mut times = WAYS.map(|_| Vec::new());
    for round in 0..ROUNDS {
        for way in order(round, 0, WAYS.len()) {
            let begin = Instant::now();
            for _ in 0..CALLS {
                black_box(WAYS[way].1());
            }
            times[way].push(begin.elapsed().as_nanos() as f64 / CALLS as f64);
        }
    }
    println!("| ns a call | {} |", WAYS.map(|way| way.0).join(" | "));
    println!("|---|{}", "---|".repeat(WAYS.len()));
    println!("| getpid | {} |", times.map(|times| format!("{:.1}", median(times))).join(" | "));
}
