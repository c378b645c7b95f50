//! Patterns that hurt allocators, and what each of them costs.
//!
//! A pattern is a name, a line that says what it does and where it is known from,
//! and a function that is given a [`Run`] and allocates through it. The patterns
//! are kept in families, a file each:
//!
//! | family | what hurts |
//! |---|---|
//! | [`full`] | a heap that has no memory left has to find what was freed, whatever its size and alignment |
//! | [`holes`] | free memory lies in pieces between blocks that stay |
//! | [`growth`] | one call does the work of many: growth, huge blocks, blocks that are never written |
//! | [`sizes`] | the sizes that are asked for change, or are just wrong for size classes |
//! | [`order`] | blocks are freed in an order that no free list likes, or live much longer than others |
//! | [`vectors`] | blocks are resized, alone and in one another's way |
//! | [`threads`] | a block is freed by another thread than the one that took it |
//! | [`programs`] | what caches, servers, tables, compilers and engines do |
//!
//! Where they are known from, beside the faults that rt0 itself had:
//!
//! - J. M. Robson, *An estimate of the store size necessary for dynamic storage
//!   allocation*, JACM 18(3), 1971, and *Bounds for some functions concerning dynamic
//!   storage allocation*, JACM 21(3), 1974: `robson`;
//! - D. E. Knuth, *The Art of Computer Programming* 1, 2.5: `comb`, whose free blocks have
//!   no free neighbours;
//! - P. R. Wilson, M. S. Johnstone, M. Neely, D. Boles, *Dynamic storage allocation: a
//!   survey and critical review*, 1995: ramps, peaks and plateaus (`grow-*`, `peak`,
//!   `sawtooth*`, `long-lived`), sizes that follow upon others (`swinging`, `migrating`,
//!   `alternating*`), sizes that fit none (`powers-plus-1`, `fibonacci`, the sizes of
//!   Fibonacci buddies), orders of freeing (`free-*`);
//! - P. Larson, M. Krishnan, *Memory allocation for long-running server applications*,
//!   ISMM 1998: `larson-4`;
//! - E. D. Berger, K. S. McKinley, R. D. Blumofe, P. R. Wilson, *Hoard*, ASPLOS 2000: `blowup`;
//! - C. Lever, D. Boreham, *malloc() performance in a multithreaded Linux environment*,
//!   USENIX 2000: `producer`, `pairs-4`;
//! - M. Masmano and others, *TLSF*, ECRTS 2004: searches whose time has to be bounded
//!   (`holes-*`);
//! - the growth of vectors by 2 and by 1.5, on which `std::vector`, `Vec` and folly's
//!   `FBVector` differ: `race-*`, `steps-*`, `swing`, `fitted`.
//!
//! Every page of a block is written once when the block is taken, unless the pattern
//! says that it is not. What the pattern itself remembers lies in tables outside
//! the heap, which are resident from the start and counted out of every figure.

mod full;
mod growth;
mod holes;
mod order;
mod programs;
mod sizes;
mod threads;
mod vectors;

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::hint::black_box;
use std::ops::{Deref, DerefMut};

use anyhow::{Context, Result, bail};

use crate::arena;
use crate::measure::{self, Clock, Longest};
use crate::work::Random;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// One pattern.
pub struct Pattern {
    /// Its name on the command line and in the tables.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// RLIMIT_AS in bytes under which its program is started.
    pub limit: Option<usize>,
    /// It starts threads, so allocators without a lock sit it out.
    pub threads: bool,
    /// It grows to 2 GiB: the longest call on the way has a bound.
    pub growth: bool,
    run: fn(&mut Run),
}

impl Pattern {
    const fn new(name: &'static str, what: &'static str, run: fn(&mut Run)) -> Pattern {
        Pattern { name, what, limit: None, threads: false, growth: false, run }
    }

    const fn under(mut self, limit: usize) -> Pattern {
        self.limit = Some(limit);
        self
    }

    const fn growing(mut self) -> Pattern {
        self.growth = true;
        self
    }

    const fn threaded(mut self) -> Pattern {
        self.threads = true;
        self
    }
}

const FAMILIES: &[&[Pattern]] = &[
    full::PATTERNS,
    holes::PATTERNS,
    growth::PATTERNS,
    sizes::PATTERNS,
    order::PATTERNS,
    vectors::PATTERNS,
    threads::PATTERNS,
    programs::PATTERNS,
];

/// All patterns, family after family.
pub fn patterns() -> impl Iterator<Item = &'static Pattern> {
    FAMILIES.iter().copied().flatten()
}

/// A block and the layout that it was taken with.
#[derive(Clone, Copy)]
struct Block {
    at: *mut u8,
    /// The size, and in the lowest six bits the alignment's logarithm.
    shape: u64,
}

impl Block {
    const NONE: Block = Block { at: std::ptr::null_mut(), shape: 0 };

    fn new(at: *mut u8, layout: Layout) -> Block {
        Block { at, shape: (layout.size() as u64) << 6 | u64::from(layout.align().ilog2()) }
    }

    #[inline(always)]
    fn size(self) -> usize {
        (self.shape >> 6) as usize
    }

    #[inline(always)]
    fn layout(self) -> Layout {
        shape(self.size(), 1 << (self.shape & 63))
    }

    /// Writes a byte in each page from the given one on.
    #[inline(always)]
    fn touch(self, from: usize) {
        for offset in (from..self.size()).step_by(4096) {
            // SAFETY: the offset lies inside the block.
            unsafe { self.at.add(offset).write_volatile(1) };
        }
    }
}

#[inline(always)]
fn shape(size: usize, align: usize) -> Layout {
    debug_assert!(size > 0);
    Layout::from_size_align(size, align).expect("the patterns' alignments are powers of two")
}

/// Blocks that a pattern remembers, outside the heap.
struct Blocks {
    slots: &'static mut [Block],
    len: usize,
}

impl Blocks {
    #[inline(always)]
    fn push(&mut self, block: Block) {
        self.slots[self.len] = block;
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Block> {
        self.len = self.len.checked_sub(1)?;
        Some(self.slots[self.len])
    }

    fn swap_remove(&mut self, index: usize) -> Block {
        let block = self[index];
        self.len -= 1;
        self.slots[index] = self.slots[self.len];
        block
    }

    fn is_full(&self) -> bool {
        self.len == self.slots.len()
    }

    /// Every slot holds [`Block::NONE`] at first; this makes all of them elements.
    fn filled(mut self) -> Blocks {
        self.len = self.slots.len();
        self
    }

    fn shuffle(&mut self, random: &mut Random) {
        for i in (1..self.len).rev() {
            self.swap(i, random.below(i + 1));
        }
    }
}

impl Deref for Blocks {
    type Target = [Block];
    fn deref(&self) -> &[Block] {
        &self.slots[..self.len]
    }
}

impl DerefMut for Blocks {
    fn deref_mut(&mut self) -> &mut [Block] {
        &mut self.slots[..self.len]
    }
}

/// What a pattern allocates through. It counts, and times each call if it is told to.
struct Run {
    timed: bool,
    calls: u64,
    live: isize,
    peak: isize,
    refused: u64,
    tables: usize,
    longest: Longest,
    clock: Clock,
}

impl Run {
    fn new(timed: bool, threads: bool) -> Run {
        Run {
            timed,
            calls: 0,
            live: 0,
            peak: 0,
            refused: 0,
            tables: 0,
            longest: Longest::new(),
            clock: Clock::start(threads),
        }
    }

    /// A table for blocks, outside the heap.
    fn table(&mut self, slots: usize) -> Blocks {
        let (slots, bytes) = arena::table(slots, Block::NONE);
        self.tables += bytes;
        Blocks { slots, len: 0 }
    }

    /// What came before was to prepare: calls, their time and the longest of them
    /// count from here on.
    fn begin(&mut self) {
        self.calls = 0;
        self.longest = Longest::new();
        self.clock.restart();
    }

    /// What follows is to clear up: it counts for the memory alone.
    fn end(&mut self) {
        self.clock.stop();
    }

    /// One call of the allocator.
    #[inline(always)]
    fn call<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.calls += 1;
        if self.timed { self.longest.time(self.calls, call) } else { call() }
    }

    #[inline(always)]
    fn count(&mut self, change: isize) {
        self.live += change;
        self.peak = self.peak.max(self.live);
    }

    /// A block of which nothing is written; `None` if it is refused.
    #[inline(always)]
    fn take(&mut self, size: usize, align: usize) -> Option<Block> {
        let layout = shape(size, align);
        // The compiler may leave out an allocation whose block it sees unused.
        // SAFETY: no pattern asks for blocks of no bytes.
        let at = self.call(|| black_box(unsafe { alloc(layout) }));
        if at.is_null() {
            return None;
        }
        self.count(size as isize);
        Some(Block::new(at, layout))
    }

    /// A block with this alignment.
    #[inline(always)]
    fn aligned(&mut self, size: usize, align: usize) -> Block {
        let block = self.take(size, align).expect("there is memory");
        block.touch(0);
        block
    }

    /// A block.
    #[inline(always)]
    fn get(&mut self, size: usize) -> Block {
        self.aligned(size, 8)
    }

    /// Frees a block, if it is one.
    #[inline(always)]
    fn free(&mut self, block: Block) {
        if !block.at.is_null() {
            let layout = block.layout();
            // SAFETY: a pattern frees what it took, with the layout kept in the block, and forgets it.
            self.call(|| unsafe { dealloc(block.at, layout) });
            self.count(-(block.size() as isize));
        }
    }

    /// Frees a block, if it is one, and takes another in its place.
    #[inline(always)]
    fn replace(&mut self, place: &mut Block, size: usize) {
        self.free(*place);
        *place = self.get(size);
    }

    /// Fills a table with blocks.
    #[inline(always)]
    fn fill(&mut self, blocks: &mut Blocks, mut size: impl FnMut() -> usize) {
        while !blocks.is_full() {
            let block = self.get(size());
            blocks.push(block);
        }
    }

    /// Frees all blocks of a table, in its order.
    fn free_all(&mut self, blocks: &mut Blocks) {
        for i in 0..blocks.len {
            let block = blocks[i];
            self.free(block);
        }
        blocks.len = 0;
    }

    /// Resizes a block; `None` if that is refused. What is new is not written.
    #[inline(always)]
    fn try_resize(&mut self, block: Block, size: usize) -> Option<Block> {
        let layout = block.layout();
        // SAFETY: a pattern resizes what it took, with the layout kept in the block, to a
        // size that is not zero. If null comes back, the block is as it was.
        let at = self.call(|| unsafe { realloc(block.at, layout, size) });
        if at.is_null() {
            return None;
        }
        self.count(size as isize - layout.size() as isize);
        Some(Block::new(at, shape(size, layout.align())))
    }

    /// Resizes a block and writes the pages that are new.
    #[inline(always)]
    fn resize(&mut self, block: Block, size: usize) -> Block {
        let resized = self.try_resize(block, size).expect("there is memory");
        resized.touch(block.size());
        resized
    }

    /// Takes what a thread's run has counted into this one.
    fn join(&mut self, thread: Run, number: u64) {
        self.calls += thread.calls;
        // The threads' peaks need not have come at one time: this takes the later threads'
        // on top of what the earlier ones left, which is exact where they take turns.
        self.peak = self.peak.max(self.live + thread.peak);
        self.live += thread.live;
        self.refused += thread.refused;
        self.tables += thread.tables;
        self.longest.join(thread.longest, number);
    }
}

/// What one run cost.
pub struct Outcome {
    /// Calls of the allocator in the part that is timed.
    pub calls: u64,
    /// What that part took in nanoseconds: CPU time, or the wall's with threads.
    pub time: u64,
    /// Requests that were refused and could have been served.
    pub refused: u64,
    /// The most bytes live at once.
    pub peak_live: u64,
    /// Bytes live at the end.
    pub live: u64,
    /// By how much the resident set grew at most, at the end, and after the
    /// allocator has been told to give back what it can; in bytes.
    pub resident: [u64; 3],
    /// Address space at its peak but for what the image and stacks take.
    pub space: u64,
    /// The longest calls: which call, and nanoseconds. Empty if calls were not timed.
    pub longest: Vec<(u64, u64)>,
}

impl Outcome {
    fn print(&self) {
        let Outcome { calls, time, refused, peak_live, live, resident: [most, end, trimmed], space, longest } = self;
        print!("{calls} {time} {refused} {peak_live} {live} {most} {end} {trimmed} {space}");
        for (call, time) in longest {
            print!(" {call} {time}");
        }
        println!();
    }

    /// Reads what a program printed.
    pub fn parse(line: &str) -> Result<Outcome> {
        let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [calls, time, refused, peak_live, live, most, end, trimmed, space, ref longest @ ..] = numbers[..] else {
            bail!("nine numbers or more expected, not {line:?}");
        };
        let longest = longest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        Ok(Outcome { calls, time, refused, peak_live, live, resident: [most, end, trimmed], space, longest })
    }
}

/// Runs one pattern and prints what it cost; `trim` tells the program's allocator
/// to give back what it can.
pub fn measured(name: &str, timed: bool, trim: fn()) -> Result<()> {
    let pattern = patterns().find(|p| p.name == name).with_context(|| format!("no pattern is called {name:?}"))?;
    let others = measure::not_the_heaps()?;
    let before = measure::reset_peak()?;
    let mut run = Run::new(timed, pattern.threads);
    (pattern.run)(&mut run);
    run.end();
    let end = measure::memory()?;
    trim();
    let trimmed = measure::memory()?;
    let tables = run.tables as u64;
    let grown = |bytes: u64| bytes.saturating_sub(before.resident + tables);
    Outcome {
        calls: run.calls.max(1),
        time: run.clock.spent(),
        refused: run.refused,
        peak_live: run.peak as u64,
        live: run.live as u64,
        resident: [grown(end.peak_resident), grown(end.resident), grown(trimmed.resident)],
        space: end.peak_space.saturating_sub(others + tables),
        longest: run.longest.calls(),
    }
    .print();
    Ok(())
}
