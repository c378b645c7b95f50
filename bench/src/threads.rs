//! Workloads of several threads. The work of all together is the same however many there are.

use std::hint::black_box;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicPtr, AtomicUsize};
use std::sync::{Barrier, Mutex};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::measure;
use crate::work::{Block, Random};

/// A workload: its name, what it does, and the function, which is told how many threads there are.
pub type Workload = (&'static str, &'static str, fn(usize));

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    ("pairs", "each thread takes a block of 16 to 528 bytes and frees it", pairs),
    ("lists", "each thread takes 100 blocks of up to 1 KiB and frees them, last first", lists),
    (
        "larson",
        "random blocks are replaced; threads end and hand all of theirs to the next (Larson, Krishnan 1998)",
        larson,
    ),
    ("xmalloc", "batches of 120 blocks are freed by another thread than took them (Lever, Boreham 2000)", xmalloc),
    ("mstress", "blocks of up to 64 KiB, some kept, some swapped with other threads (Leijen 2019)", mstress),
    (
        "scratch",
        "blocks that one thread took are freed by others, which then write to their own (Berger et al. 2000)",
        scratch,
    ),
    ("strings", "each thread parses numbers and words into a tree of vectors and drops it", strings),
];

/// What a run cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Nanoseconds from the first thread's start to the last one's end.
    pub wall: u64,
    /// CPU time, user and system, in nanoseconds.
    pub cpu: u64,
    /// By how much the resident set grew at most, in bytes.
    pub peak_rss: u64,
    /// How often a thread slept.
    pub sleeps: u64,
}

impl Cost {
    /// Reads what a program printed.
    pub fn parse(line: &str) -> Result<Cost> {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [wall, cpu, peak_rss, sleeps] = numbers[..] else { bail!("four numbers expected, not {line:?}") };
        Ok(Cost { wall, cpu, peak_rss, sleeps })
    }
}

/// `PROGRAM threads WORKLOAD NUMBER`: runs it and prints what it cost.
pub(crate) fn measured(mut args: impl Iterator<Item = String>) -> Result<()> {
    let (name, number) = (args.next().context("no workload")?, args.next().context("no number of threads")?);
    let (.., run) = WORKLOADS.iter().find(|w| w.0 == name).with_context(|| format!("no workload is called {name}"))?;
    let number = number.parse()?;
    let before = measure::reset_peak()?.resident;
    let sleeps = usage()?.ru_nvcsw;
    let (wall, cpu) = (Instant::now(), measure::cpu_time());
    run(number);
    let (wall, cpu) = (wall.elapsed().as_nanos(), measure::cpu_time() - cpu);
    let sleeps = usage()?.ru_nvcsw - sleeps;
    println!("{wall} {cpu} {} {sleeps}", measure::memory()?.peak_resident.saturating_sub(before));
    Ok(())
}

fn usage() -> Result<libc::rusage> {
    // SAFETY: all zeroes is a value of this plain structure, and getrusage fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: it is a structure of this kind.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) } != 0 {
        bail!("getrusage: {}", std::io::Error::last_os_error());
    }
    Ok(usage)
}

/// Runs a body on that many threads, the calling one among them, which begin at once.
fn on(threads: usize, body: impl Fn(usize) + Sync) {
    let start = Barrier::new(threads);
    let run = |number| {
        start.wait();
        body(number);
    };
    std::thread::scope(|scope| {
        for number in 1..threads {
            scope.spawn(move || run(number));
        }
        run(0);
    });
}

fn random(number: usize) -> Random {
    Random(0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1) << 20)
}

fn pairs(threads: usize) {
    on(threads, |_| {
        for i in 0..16_000_000 / threads {
            black_box(Block::new(16 + i * 24 % 512)).free();
        }
    });
}

fn lists(threads: usize) {
    on(threads, |number| {
        let mut random = random(number);
        let mut blocks = [Block::NONE; 100];
        for _ in 0..80_000 / threads {
            for block in &mut blocks {
                *block = Block::new(random.skewed(8, 1024));
            }
            blocks.iter().rev().for_each(|block| block.free());
        }
    });
}

fn larson(threads: usize) {
    const SLOTS: usize = 5_000;
    const GENERATIONS: usize = 24;
    let tables: Vec<_> = (0..threads).map(|_| Mutex::new(vec![Block::NONE; SLOTS])).collect();
    // Each generation's threads end, and the blocks are the next one's.
    for generation in 0..GENERATIONS {
        on(threads, |number| {
            let mut table = tables[number].lock().expect("no thread panics");
            let mut random = random(generation * threads + number);
            for _ in 0..24_000_000 / GENERATIONS / threads {
                let slot = random.below(SLOTS);
                table[slot].free();
                table[slot] = Block::new(10 + random.below(490));
            }
        });
    }
    for table in tables {
        table.into_inner().expect("no thread panics").iter().for_each(|block| block.free());
    }
}

fn xmalloc(threads: usize) {
    const BATCH: usize = 120;
    let queue: Mutex<Vec<[Block; BATCH]>> = Mutex::new(Vec::with_capacity(64));
    on(threads, |number| {
        let mut random = random(number);
        for _ in 0..60_000 / threads {
            let batch = std::array::from_fn(|_| Block::new(random.skewed(16, 512)));
            let mut queue = queue.lock().expect("no thread panics");
            queue.push(batch);
            // The oldest, which is another thread's if there are several.
            let other = (queue.len() > 16).then(|| queue.remove(0));
            drop(queue);
            other.iter().flatten().for_each(|block| block.free());
        }
    });
    queue.into_inner().expect("no thread panics").iter().flatten().for_each(|block| block.free());
}

fn mstress(threads: usize) {
    /// A block that begins with its length.
    fn take(random: &mut Random) -> *mut usize {
        let size = if random.below(100) == 0 { random.skewed(8 << 10, 64 << 10) } else { random.skewed(16, 2048) };
        let block = Block::new(size);
        // SAFETY: at least two words, aligned for one.
        unsafe {
            block.0.cast::<usize>().write(size);
            for at in (8..size / 2).step_by(64) {
                block.0.add(at).write_volatile(1);
            }
        }
        block.0.cast()
    }
    fn free(block: *mut usize) {
        if !block.is_null() {
            // SAFETY: `take` made it.
            Block(block.cast(), unsafe { block.read() }).free();
        }
    }
    const SHARED: usize = 1000;
    let shared: Vec<AtomicPtr<usize>> = (0..SHARED).map(|_| AtomicPtr::new(std::ptr::null_mut())).collect();
    for round in 0..10 {
        on(threads, |number| {
            let mut random = random(round * threads + number);
            let (mut some, mut kept) = (Vec::new(), Vec::new());
            for _ in 0..240_000 / threads {
                match random.below(8) {
                    0 => kept.push(take(&mut random)),
                    1 | 2 if !some.is_empty() => {
                        let at = random.below(some.len());
                        let other = shared[random.below(SHARED)].swap(some.swap_remove(at), AcqRel);
                        free(other);
                    }
                    3 | 4 if !some.is_empty() => free(some.swap_remove(random.below(some.len()))),
                    _ => some.push(take(&mut random)),
                }
                if some.len() > 2_000 {
                    some.drain(1_000..).for_each(free);
                }
            }
            some.into_iter().chain(kept).for_each(free);
        });
    }
    shared.into_iter().for_each(|block| free(block.into_inner()));
}

fn scratch(threads: usize) {
    // One after the other in memory, as far as the allocator makes them so.
    let blocks: Vec<Block> = (0..threads).map(|_| Block::new(8)).collect();
    on(threads, |number| {
        blocks[number].free();
        for _ in 0..80_000 / threads {
            let block = Block::new(8);
            for i in 0..4_000 {
                // SAFETY: inside the block.
                unsafe { block.0.write_volatile(i as u8) };
            }
            block.free();
        }
    });
}

fn strings(threads: usize) {
    /// What a small parser makes.
    enum Value {
        Number(f64),
        Text(String),
        List(Vec<Value>),
    }
    fn parse<'a>(words: &mut impl Iterator<Item = &'a str>, depth: usize) -> Vec<Value> {
        let mut list = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "(" => list.push(Value::List(parse(words, depth + 1))),
                ")" if depth > 0 => break,
                ")" => {}
                _ => list.push(word.parse().map_or_else(|_| Value::Text(word.to_owned()), Value::Number)),
            }
        }
        list
    }
    fn weight(list: &[Value]) -> usize {
        let one = |value: &Value| match value {
            Value::Number(number) => *number as usize,
            Value::Text(text) => text.len(),
            Value::List(list) => weight(list),
        };
        list.iter().map(one).sum()
    }
    let mut random = random(0);
    let mut text = String::new();
    for i in 0..4_000 {
        match random.below(6) {
            0 => text += "( ",
            1 => text += ") ",
            2 | 3 => text += &format!("{} ", random.below(1 << 20)),
            _ => text += &format!("word-{i}-of-some-length ")[..10 + random.below(13)],
        }
        text.push(' ');
    }
    let total = AtomicUsize::new(0);
    on(threads, |_| {
        for _ in 0..3_000 / threads {
            total.fetch_add(weight(&parse(&mut text.split_whitespace(), 0)), Relaxed);
        }
    });
    black_box(total);
}
