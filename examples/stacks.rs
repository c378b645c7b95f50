//! Stacks: how far they reach, and what happens at their end. What is to happen is the argument.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::ptr::{self, without_provenance, without_provenance_mut};

use rt0::fault::{self, Fault};
use rt0::sys::{self, SIGUSR1, SigAction, SigInfo};
use rt0::thread::{self, ALTERNATE_SIZE, Stack, current};
use rt0::{Args, eprintln, println};

rt0::entry!(main, faults = rt0::fault::report);

const USAGE: &str = "usage: stacks use|overflow|fault|nowhere|signal|raise|again [--thread[=BYTES]]";

/// What is done on the stack.
static TASKS: [(&str, fn()); 7] = [
    ("use", use_all),
    ("overflow", overflow),
    ("fault", || read(16)),
    // Between the halves of the address space, where an amd64 has no addresses; on another CPU one like any other.
    ("nowhere", || read(1 << (usize::BITS - 2))),
    ("signal", signal),
    ("raise", raise),
    ("again", again),
];

fn usage(arg: &str) -> ! {
    eprintln!("stacks: what is {arg:?}? {USAGE}");
    rt0::exit(2)
}

fn main(args: Args) -> i32 {
    let (mut task, mut stack) = (None, None);
    for arg in args.iter().skip(1) {
        let arg = arg.to_str().unwrap_or("?");
        match (TASKS.iter().position(|(name, _)| *name == arg), arg.strip_prefix("--thread")) {
            (Some(found), _) => task = Some(found),
            (None, Some("")) => stack = Some(64 << 10),
            (None, Some(bytes)) => match bytes.strip_prefix('=').and_then(|bytes| bytes.parse().ok()) {
                Some(bytes) => stack = Some(bytes),
                None => usage(arg),
            },
            _ => usage(arg),
        }
    }
    let Some(task) = task else { usage("") };
    let Some(bytes) = stack else {
        TASKS[task].1();
        return 0;
    };
    let run = |index: *mut ()| TASKS[index.addr()].1();
    // A thread that ends, on a stack that another one has then.
    for task in [0, task] {
        let stack = match Stack::new(bytes) {
            Ok(stack) => stack,
            Err(errno) => {
                eprintln!("stacks: no stack of {bytes} bytes: {errno}");
                return 1;
            }
        };
        // SAFETY: the stack is the thread's until it is joined; what is run shares nothing.
        match unsafe { thread::start(stack.into_raw(), run, without_provenance_mut(task)) } {
            // SAFETY: it came from `into_raw`, and the thread has left it.
            Ok(thread) => drop(unsafe { Stack::from_raw(thread.join()) }),
            Err(errno) => {
                eprintln!("stacks: no thread: {errno}");
                return 1;
            }
        }
    }
    0
}

/// Uses the stack, in steps of about a page, until little of it is left: all that was said to be left is there.
fn use_all() {
    let Some(this) = current() else { return eprintln!("stacks: no thread of rt0's") };
    let stack = this.stack();
    let before = this.stack_left();
    let deepest = descend(this, &[1; 1000]);
    println!("thread={} size={} before={before} after={deepest}", this.id(), stack.len());
}

#[inline(never)]
fn descend(this: thread::Current, above: &[u32; 1000]) -> usize {
    let mut here = [above[0]; 1000];
    black_box(&mut here);
    let left = this.stack_left();
    // What is printed needs some too.
    if left < 16 << 10 { left } else { descend(this, black_box(&here)) }
}

/// Uses more than there is.
fn overflow() {
    println!("{}", recurse(1));
}

#[inline(never)]
fn recurse(depth: u32) -> u32 {
    let frame = black_box([depth; 64]);
    if depth == 0 { 0 } else { recurse(depth + 1) + frame[3] }
}

/// Reads where nothing is.
fn read(address: usize) {
    // SAFETY: there is no such memory, and the program ends here, which is what it is for.
    println!("{}", unsafe { ptr::read_volatile(without_provenance::<u32>(address)) });
}

/// Gets a signal whose handler is to run on this stack when there is no room for it.
fn signal() {
    unsafe extern "C" fn handle(_: i32, _: *const SigInfo, _: *mut ()) {}
    // SAFETY: the handler does nothing.
    if let Err(errno) = unsafe { sys::sigaction(SIGUSR1, &SigAction::handler(handle, 0)) } {
        return eprintln!("stacks: no handler: {errno}");
    }
    let Some(this) = current() else { return eprintln!("stacks: no thread of rt0's") };
    println!("{} bytes were left", send_at_the_end(this, &[1; 16]));
}

#[inline(never)]
fn send_at_the_end(this: thread::Current, above: &[u32; 16]) -> usize {
    let mut here = *above;
    black_box(&mut here);
    let left = this.stack_left();
    if left >= 512 {
        return send_at_the_end(this, black_box(&here));
    }
    let _ = sys::kill(sys::getpid(), SIGUSR1);
    left
}

/// Gets the signal from itself, without an access.
fn raise() {
    let _ = sys::kill(sys::getpid(), sys::SIGSEGV);
    // On another processor it may take a moment.
    loop {
        sys::sched_yield();
    }
}

/// Has faults told by a function of its own, and overflows.
fn again() {
    // SAFETY: `told` uses its argument and fd 2, and nothing else.
    if let Err(errno) = unsafe { fault::catch(told) } {
        return eprintln!("stacks: faults cannot be caught: {errno}");
    }
    overflow();
}

/// Says too whether this runs on the thread's own memory, right behind its stack, as is so for all threads but the first.
fn told(fault: &Fault) {
    let here = 0u8;
    let above = (&raw const here).addr().wrapping_sub(fault.stack.end);
    eprintln!("own={}", above < ALTERNATE_SIZE);
    fault::report(fault);
}
