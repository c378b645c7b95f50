//! The workloads. All of them allocate through the program's global allocator.

use alloc::alloc::{Layout, alloc, dealloc, realloc};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;

/// What a workload says of itself when it is done.
#[derive(Clone, Copy, Default)]
pub struct Done {
    /// Calls of the allocator.
    pub calls: u64,
    /// The most bytes live at once, as asked for; 0 if it does not know.
    pub peak: usize,
    /// Bytes live at the end, still allocated while its memory is looked at.
    pub live: usize,
}

/// A workload: its name and what it does.
pub type Workload = (&'static str, fn() -> Done);

/// All of them but the traces.
pub const WORKLOADS: &[Workload] = &[
    ("pairs", pairs),
    ("random-10k", || random(10_000, 6_000_000)),
    ("random-100k", || random(100_000, 6_000_000)),
    ("larson", larson),
    ("btreemap", btreemap),
    ("big", big),
    ("vectors", vectors),
    ("fragmentation", fragmentation),
];

/// A small generator (xorshift64*), the same for every allocator.
pub struct Random(pub u64);

#[expect(clippy::should_implement_trait, reason = "it has no end")]
impl Random {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// From `low` to `high`, small ones as likely as large ones by their logarithm.
    pub fn skewed(&mut self, low: usize, high: usize) -> usize {
        let doublings = (high / low).ilog2() as usize;
        let base = low << self.below(doublings.max(1));
        base + self.below(base)
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("the workloads' sizes are small")
}

/// A block and its size, or none.
#[derive(Clone, Copy)]
pub struct Block(pub *mut u8, pub usize);

// SAFETY: a block may be freed by any thread, and one thread at a time has it.
unsafe impl Send for Block {}
// SAFETY: what a reference gives is a copy of the pointer.
unsafe impl Sync for Block {}

impl Block {
    /// None.
    pub const NONE: Block = Block(core::ptr::null_mut(), 0);

    /// A new block, whose first byte is written.
    #[inline(always)]
    pub fn new(size: usize) -> Block {
        // SAFETY: sizes are not zero; the block is at least as long as a word.
        unsafe {
            let at = alloc(layout(size));
            assert!(!at.is_null(), "out of memory");
            at.write_volatile(1);
            Block(at, size)
        }
    }

    /// Frees it, if it is one.
    #[inline(always)]
    pub fn free(self) {
        if !self.0.is_null() {
            // SAFETY: made by `new`, freed once.
            unsafe { dealloc(self.0, layout(self.1)) };
        }
    }
}

/// A block is freed as soon as it is there; sizes go round.
fn pairs() -> Done {
    const N: u64 = 20_000_000;
    for i in 0..N {
        black_box(Block::new(16 + (i as usize * 24) % 512)).free();
    }
    Done { calls: 2 * N, peak: 528, live: 0 }
}

/// A random block of `slots` is replaced by one of a random size: nine of ten
/// from 8 to 512 bytes, the others up to 8 KiB.
fn random(slots: usize, n: u64) -> Done {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut blocks = vec![Block::NONE; slots];
    for _ in 0..n {
        let slot = random.below(slots);
        let size = if random.below(10) == 0 { random.skewed(512, 8192) } else { random.skewed(8, 512) };
        blocks[slot].free();
        blocks[slot] = Block::new(size);
    }
    let live = blocks.iter().map(|b| b.1).sum();
    Done { calls: 2 * n, peak: live, live }
}

/// The larson benchmark with one thread: blocks of 10 to 500 bytes, handed from
/// one round to the next, random ones replaced.
fn larson() -> Done {
    const SLOTS: usize = 5_000;
    const ROUNDS: u64 = 200;
    let mut random = Random(0xdead_beef_cafe_f00d);
    let mut blocks: Vec<Block> = (0..SLOTS).map(|_| Block::new(10 + random.below(490))).collect();
    let mut calls = SLOTS as u64;
    for _ in 0..ROUNDS {
        // The next round has a table of its own, as the next thread would.
        let mut next = blocks.clone();
        for _ in 0..40_000 {
            let slot = random.below(SLOTS);
            next[slot].free();
            next[slot] = Block::new(10 + random.below(490));
        }
        calls += 80_000;
        blocks = next;
    }
    let live = blocks.iter().map(|b| b.1).sum();
    Done { calls, peak: live, live }
}

/// A map of 100,000 keys in which random ones come and go.
fn btreemap() -> Done {
    let mut random = Random(0x0123_4567_89ab_cdef);
    let mut map = BTreeMap::new();
    let mut calls = 0;
    for i in 0..3_000_000u64 {
        let key = random.next() % 200_000;
        if random.below(2) == 0 {
            map.insert(key, vec![i as u8; 8 + random.below(56)]);
        } else {
            map.remove(&key);
        }
        calls += 1;
    }
    let live: usize = map.values().map(|v| v.len() + 12).sum();
    black_box(&map);
    core::mem::forget(map);
    Done { calls, peak: live, live }
}

/// Blocks of 256 KiB to 4 MiB, sixteen at a time, every page of them written.
fn big() -> Done {
    const N: u64 = 30_000;
    let mut random = Random(0x5555_1234_5555_4321);
    let mut blocks = [Block::NONE; 16];
    for _ in 0..N {
        let slot = random.below(blocks.len());
        blocks[slot].free();
        let block = Block::new(random.skewed(256 << 10, 4 << 20));
        for page in (0..block.1).step_by(4096) {
            // SAFETY: inside the block.
            unsafe { block.0.add(page).write_volatile(1) };
        }
        blocks[slot] = block;
    }
    let live = blocks.iter().map(|b| b.1).sum();
    Done { calls: 2 * N, peak: live, live }
}

/// Vectors grow by doubling: alone, and eight side by side.
fn vectors() -> Done {
    let mut calls = 0;
    for round in 0..60 {
        let mut alone = Vec::new();
        for i in 0..400_000u64 {
            alone.push(i);
        }
        black_box(&alone);
        let mut beside: [Vec<u64>; 8] = Default::default();
        for i in 0..50_000 {
            for v in &mut beside {
                v.push(i ^ round);
            }
        }
        black_box(&beside);
        // What Vec asks for: 4 elements, then twice as many each time.
        calls += 2 + 17 + 8 * (2 + 14);
    }
    // A block that a realloc moves to and fro.
    let mut block = Block::new(64);
    for i in 0..300_000usize {
        let size = 64 << (i % 8);
        // SAFETY: the block has the size that is kept beside it.
        block = Block(unsafe { realloc(block.0, layout(block.1), size) }, size);
        calls += 1;
    }
    block.free();
    Done { calls, peak: 0, live: 0 }
}

/// A long run in which the sizes that are asked for drift: from about 96 bytes
/// up to 3 KiB and back, twice. 32 MiB are live all the time, random blocks are
/// freed to stay there, and all of them are replaced twice a doubling.
fn fragmentation() -> Done {
    const LIVE: usize = 32 << 20;
    const STEPS: usize = 4 * 5 * 16;
    let mut random = Random(0xfeed_face_0bad_cafe);
    let mut blocks: Vec<Block> = Vec::with_capacity(LIVE / 16);
    let (mut live, mut calls) = (0, 0);
    for step in 0..STEPS {
        // Sixteenths of a doubling: 0 up to 80 and down again.
        let at = step % (2 * 5 * 16);
        let at = at.min(2 * 5 * 16 - at);
        let middle = (96 << (at / 16)) + ((96 << (at / 16)) * (at % 16)) / 16;
        let mut asked = 0;
        while asked < LIVE / 8 {
            let block = Block::new(middle / 2 + random.below(middle));
            asked += block.1;
            live += block.1;
            blocks.push(block);
            calls += 1;
            while live > LIVE {
                let block = blocks.swap_remove(random.below(blocks.len()));
                live -= block.1;
                block.free();
                calls += 1;
            }
        }
    }
    core::mem::forget(blocks);
    Done { calls, peak: LIVE, live }
}
