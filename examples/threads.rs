//! Several threads share one heap. Each allocates blocks of random sizes, fills, checks and frees them, and swaps some
//! for blocks that other threads have posted, so that many blocks are freed by a thread that did not allocate them.
//! Under `ulimit -v` the heap is full now and then; the threads count that and go on. At the end there is a `key=value`
//! line for each fact.

#![no_std]
#![no_main]

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicPtr, AtomicUsize};

use rt0::lock::{Lock, RawMutex};
use rt0::sys::Errno;
use rt0::thread::{self, Thread};
use rt0::vm::Extent;
use rt0::{Args, Heap, eprintln, page_size, println, vm};

rt0::entry!(main);

const USAGE: &str = "usage: threads [--threads=1..64] [--rounds=NUMBER]";
const MOST: usize = 64;

static HEAP: Heap = Heap::new();

/// Held until all threads are there, so that they begin at the same time.
static GATE: Lock = Lock::new();

/// Blocks on their way from one thread to another.
static POST: [AtomicPtr<Block>; 32] = [const { AtomicPtr::new(ptr::null_mut()) }; 32];

/// How many rounds each thread does; how many all have done; blocks taken from what others posted; requests that found
/// no room; blocks that no longer held what was written to them.
static ROUNDS: AtomicUsize = AtomicUsize::new(20_000);
static DONE: AtomicUsize = AtomicUsize::new(0);
static SWAPPED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static DAMAGED: AtomicUsize = AtomicUsize::new(0);

fn usage(arg: &str) -> ! {
    eprintln!("threads: what is {arg:?}? {USAGE}");
    rt0::exit(2)
}

fn main(args: Args) -> i32 {
    let mut number = 4;
    for arg in args.iter().skip(1) {
        let arg = arg.to_str().unwrap_or("?");
        match arg.split_once('=').and_then(|(key, value)| Some((key, value.parse().ok()?))) {
            Some(("--threads", threads @ 1..=MOST)) => number = threads,
            Some(("--rounds", rounds)) => ROUNDS.store(rounds, Relaxed),
            _ => usage(arg),
        }
    }
    GATE.lock();
    let mut threads = [const { None }; MOST];
    for (index, thread) in threads[..number].iter_mut().enumerate() {
        match start(index) {
            Ok(started) => *thread = Some(started),
            Err((why, errno)) => {
                eprintln!("threads: no thread {index}: {why}: {errno}");
                return 1;
            }
        }
    }
    // SAFETY: this thread locked the gate above.
    unsafe { GATE.unlock() };
    threads.into_iter().flatten().for_each(give_stack_back);
    POST.iter().filter_map(take).for_each(free);

    println!("threads={number}");
    for (key, count) in [("rounds", &DONE), ("swapped", &SWAPPED), ("refused", &REFUSED), ("damaged", &DAMAGED)] {
        println!("{key}={}", count.load(Relaxed));
    }
    let (stats, whole) = (HEAP.stats(), HEAP.check().is_ok());
    println!("peak={}", stats.peak);
    println!("live={}", stats.live);
    println!("check={}", if whole { "whole" } else { "broken" });
    i32::from(!whole || stats.live != 0 || DAMAGED.load(Relaxed) != 0)
}

/// Bytes of a thread's stack. Below it is a page without access.
const STACK: usize = 32 << 10;

fn start(index: usize) -> Result<Thread, (&'static str, Errno)> {
    let guard = page_size();
    let region = vm::reserve(guard + STACK)
        .map_err(|error| ("no address space for its stack", error.errno().unwrap_or(Errno::EINVAL)))?;
    region.commit(guard..guard + STACK).map_err(|errno| ("no memory for its stack", errno))?;
    // From here on the memory is the thread's. `give_stack_back` makes it an extent again.
    // SAFETY: the region is longer than the guard.
    let low = unsafe { region.into_raw().0.add(guard) };
    let stack = NonNull::slice_from_raw_parts(low, STACK);
    // SAFETY: the stack is the thread's until it is joined, below it is the guard, and `work` only uses what is shared
    // by a lock or atomically.
    let thread = unsafe { thread::start(stack, work, ptr::without_provenance_mut(index)) };
    thread.map_err(|errno| ("the kernel makes none", errno))
}

fn give_stack_back(thread: Thread) {
    let low = thread.join().cast::<u8>();
    let guard = page_size();
    // SAFETY: `start` made these from an extent of this base and length, and the thread has ended.
    let region = unsafe { Extent::from_raw(low.sub(guard), guard + STACK) };
    // The kernel refuses only if it would have to split a mapping and has too many; then the stack stays mapped.
    let _ = region.release();
}

/// What each thread runs.
fn work(index: *mut ()) {
    let mut random = Random(index.addr() as u32 + 1);
    let mut mine = [const { None }; 128];
    GATE.lock();
    // SAFETY: this thread has just locked the gate.
    unsafe { GATE.unlock() };
    for _ in 0..ROUNDS.load(Relaxed) {
        let slot = random.below(mine.len());
        match random.below(8) {
            0 => {
                let posted = mine[slot].map_or(ptr::null_mut(), NonNull::as_ptr);
                mine[slot] = NonNull::new(POST[random.below(POST.len())].swap(posted, AcqRel));
                SWAPPED.fetch_add(usize::from(mine[slot].is_some()), Relaxed);
            }
            1 => mine[slot] = mine[slot].map(|block| resize(block, random.len())),
            _ => {
                mine[slot].take().into_iter().for_each(free);
                mine[slot] = make(random.len(), random.below(256) as u8);
                if mine[slot].is_none() {
                    // Makes room for the other threads and for the next request.
                    mine.iter_mut().step_by(2).filter_map(Option::take).for_each(free);
                }
            }
        }
        DONE.fetch_add(1, Relaxed);
    }
    mine.into_iter().flatten().for_each(free);
}

fn take(post: &AtomicPtr<Block>) -> Option<NonNull<Block>> {
    NonNull::new(post.swap(ptr::null_mut(), Acquire))
}

/// How a block begins. Every byte after this is `mark`.
struct Block {
    len: usize,
    mark: u8,
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(len, align_of::<Block>()).expect("lengths are small")
}

/// The bytes of a block after its beginning.
fn rest(block: NonNull<Block>, len: usize) -> NonNull<[u8]> {
    // SAFETY: no block is shorter than its beginning.
    NonNull::slice_from_raw_parts(unsafe { block.add(1) }.cast(), len - size_of::<Block>())
}

fn make(len: usize, mark: u8) -> Option<NonNull<Block>> {
    let Some(block) = HEAP.allocate(layout(len)) else {
        REFUSED.fetch_add(1, Relaxed);
        return None;
    };
    let block = block.cast();
    // SAFETY: it is ours, aligned, and `len` bytes long.
    unsafe {
        block.write(Block { len, mark });
        rest(block, len).cast::<u8>().write_bytes(mark, len - size_of::<Block>());
    }
    Some(block)
}

/// Counts a block that no longer holds what was written to it.
fn check(block: NonNull<Block>) -> Block {
    // SAFETY: `make` or `resize` has written it, and it is ours alone since.
    let (start, bytes) = unsafe {
        let start = block.read();
        let bytes = rest(block, start.len).as_ref();
        (start, bytes)
    };
    DAMAGED.fetch_add(usize::from(bytes.iter().any(|byte| *byte != start.mark)), Relaxed);
    start
}

fn free(block: NonNull<Block>) {
    let Block { len, .. } = check(block);
    // SAFETY: it came from this heap, and its owner gives it up.
    unsafe { HEAP.deallocate(block.cast(), layout(len)) };
}

/// Resizes the block; if there is no room, it stays as it was.
fn resize(block: NonNull<Block>, len: usize) -> NonNull<Block> {
    let Block { len: old, mark } = check(block);
    // SAFETY: it came from this heap with this length; if it moves, the old pointer is not used again.
    let Some(resized) = (unsafe { HEAP.reallocate(block.cast(), layout(old), len) }) else {
        REFUSED.fetch_add(1, Relaxed);
        return block;
    };
    let resized = resized.cast::<Block>();
    let kept = old.min(len);
    // SAFETY: it is ours, and `len` bytes long.
    unsafe {
        resized.write(Block { len: kept, mark });
        check(resized);
        resized.write(Block { len, mark });
        resized.cast::<u8>().add(kept).write_bytes(mark, len - kept);
    }
    resized
}

/// Marsaglia's xorshift: the state is never 0.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % bound
    }

    /// The length of a block. Most are small, some large.
    fn len(&mut self) -> usize {
        let most = [32 << 10, 4 << 10, 512, 512, 512, 512, 512, 512][self.below(8)];
        size_of::<Block>() + self.below(most)
    }
}
