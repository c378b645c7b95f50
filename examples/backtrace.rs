//! A panic that says which calls led to it, if this is compiled with frame pointers, as a project of `make new` is. What
//! `make dist` builds has none, and says so.
//!
//! The argument says where the panic is: `first` in the first thread, `thread` in another, `deep` below more calls than are
//! kept.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::ptr::null_mut;

use rt0::Args;
use rt0::thread::{self, Stack};

rt0::entry!(main, panic_handler = rt0::backtrace::panic);

fn main(args: Args) -> i32 {
    match args.get(1).and_then(|word| word.to_str().ok()) {
        Some("first") => outer(1),
        Some("thread") => in_thread(),
        Some("deep") => descend(200),
        _ => {
            rt0::eprintln!("usage: backtrace first|thread|deep");
            return 1;
        }
    }
    0
}

/// Calls `inner` by way of `middle`. What comes after a call keeps the compiler from a jump in its place.
#[inline(never)]
fn outer(number: u32) {
    middle(black_box(number));
    black_box(number);
}

#[inline(never)]
fn middle(number: u32) {
    inner(black_box(number));
    black_box(number);
}

#[inline(never)]
fn inner(number: u32) {
    assert!(black_box(number) == 0, "the number is {number}");
}

#[inline(never)]
fn descend(depth: u32) {
    if depth == 0 {
        outer(1);
    } else {
        descend(black_box(depth - 1));
    }
    black_box(depth);
}

#[inline(never)]
fn in_thread() {
    let Ok(stack) = Stack::new(64 << 10) else { return };
    // SAFETY: the stack is the thread's, which ends the process.
    if let Ok(thread) = unsafe { thread::start(stack.into_raw(), |_| outer(2), null_mut()) } {
        thread.join();
    }
}
