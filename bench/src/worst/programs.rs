//! What whole programs do: caches, servers, tables, engines.

use super::{Block, Blocks, KIB, MIB, Pattern, Run};
use crate::work::Random;

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new("lru", "a cache of 64 MiB, values of 64 bytes to 64 KiB with a key of 48, the oldest evicted", lru),
    Pattern::new(
        "rehash",
        "300 hash tables that double in turn up to 256 KiB, zeroed, dropped and begun again",
        rehash,
    ),
    Pattern::new("rehash-large", "8 hash tables that double in turn up to 32 MiB", rehash_large),
    Pattern::new(
        "arenas",
        "arenas of 64 KiB chunks, 16 to 4,000 of them, dropped whole, beside vectors that stay",
        arenas,
    ),
    Pattern::new("merges", "runs of 32 KiB blocks beside a table of small nodes, merged level by level", merges),
    Pattern::new("streams", "400 compressors of five buffers each, opened and closed at random", streams),
    Pattern::new("tiles", "images of any width and height up to 4 MiB, 40 kept", tiles),
    Pattern::new("mailboxes", "1,000 queues of messages whose rings double and halve", mailboxes),
    Pattern::new("builders", "1,000 strings built piece by piece, cut to what they hold, 20,000 kept", builders),
    Pattern::new("resize-any", "2,000 blocks resized at random, 16 bytes to 256 KiB", resize_any),
    Pattern::new(
        "drift",
        "20,000 blocks replaced first in first out, sizes from 32 bytes to 4 KiB by one in a thousand",
        drift,
    ),
    Pattern::new("zeroed", "16 bytes to 1 MiB, zeroed, random ones of 500 replaced", zeroed),
    Pattern::new(
        "zeroed-sparse",
        "4 MiB zeroed of which 16 pages are written, random ones of 32 replaced",
        zeroed_sparse,
    ),
    Pattern::new("mostly-huge", "2 to 64 MiB, random ones of 16 replaced", mostly_huge),
    Pattern::new("columns", "64 columns of rows that grow and shrink by doubling and halving", columns),
    Pattern::new("rope", "leaves of 512 to 1,024 bytes split and merged at random", rope),
    Pattern::new(
        "buffer-pool",
        "8 KiB aligned to 4 KiB with a latch of 128 bytes, and sorts that spill 64 MiB",
        buffer_pool,
    ),
    Pattern::new(
        "coroutines",
        "stacks of 64 KiB aligned to a page, two pages written, 4,000 random ones replaced",
        coroutines,
    ),
    Pattern::new("coroutines-end", "20,000 such stacks, all ended, then a million blocks of 64 bytes", coroutines_end),
    Pattern::new(
        "requests",
        "200 requests at once, 100 blocks each, one block of each stays for 5,000 requests",
        requests,
    ),
    Pattern::new(
        "functions",
        "a compiler's phases for 2,000 functions: nodes, buffers, and symbols that stay",
        functions,
    ),
    Pattern::new("tabs", "ten documents of 2 to 40 MiB, a random one closed and another opened", tabs),
    Pattern::new("levels", "12 levels of 64 MiB of assets, each loaded before the last is dropped", levels),
    Pattern::new("pages-plus", "1 to 8 pages and 16 bytes, random ones of 4,000 replaced", |r| {
        replaced(r, 4_000, 40, |x| 4096 * (1 + x.below(8)) + 16)
    }),
    Pattern::new("halving", "500 blocks of 256 KiB halved one after the other down to 16 bytes", halving),
    Pattern::new("pinned", "128 MiB of 64 bytes of which one in each two pages stays, then 64 MiB of 8 KiB", pinned),
    Pattern::new("waves", "four waves of 64 MiB each in a size of its own, of which a tenth stays", waves),
    Pattern::new("two-speeds", "a block in ten lives a thousand times as long as the others", two_speeds),
    Pattern::new(
        "align-mix",
        "alignments of 8 bytes to 2 MiB with a header each, random ones of 300 replaced",
        align_mix,
    ),
    Pattern::new("align-2m", "2 MiB aligned to 2 MiB, one page written, random ones of 64 replaced", align_2m),
    Pattern::new("frames", "200 frames of temporary blocks, 8 MiB each, beside a growing world", frames),
    Pattern::new("strided", "every k-th block freed, k from 2 to 9, and taken as k times as large", strided),
    Pattern::new(
        "down-a-size",
        "64 MiB freed and taken as blocks half as large, from 1 MiB to 64 bytes, a 50th stays",
        down_a_size,
    ),
    Pattern::new(
        "up-a-size",
        "64 MiB freed and taken as blocks twice as large, from 64 bytes to 1 MiB, a 50th stays",
        up_a_size,
    ),
    Pattern::new("grow-mixed", "2 GiB in blocks of 16 bytes to 1 MiB: the longest call on the way", grow_mixed)
        .growing(),
    Pattern::new("grow-churn", "to 2 GiB with one block freed for two taken: the longest call on the way", grow_churn)
        .growing(),
];

fn lru(run: &mut Run) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    const SLOTS: usize = 1 << 17;
    let mut ring = run.table(SLOTS).filled();
    let (mut head, mut tail) = (0, 0);
    for _ in 0..150_000 {
        while run.live > 64 << 20 {
            run.free(ring[tail % SLOTS]);
            tail += 1;
        }
        let key = run.get(48);
        let value = run.get(random.skewed(64, 64 * KIB));
        // The key goes at once when it is only a look-up.
        if random.below(2) == 0 {
            run.free(key);
            ring[head % SLOTS] = value;
            head += 1;
        } else {
            ring[head % SLOTS] = value;
            ring[(head + 1) % SLOTS] = key;
            head += 2;
        }
    }
}

impl Run {
    /// A block whose bytes are zero; its pages are written.
    fn zeroed(&mut self, size: usize) -> Block {
        let layout = super::shape(size, 8);
        // SAFETY: no pattern asks for blocks of no bytes.
        let at = self.call(|| std::hint::black_box(unsafe { std::alloc::alloc_zeroed(layout) }));
        assert!(!at.is_null(), "there is memory");
        self.count(size as isize);
        Block::new(at, layout)
    }
}

fn rehash(run: &mut Run) {
    let mut random = Random(0x1234_4321_1234_4321);
    let mut tables = run.table(300).filled();
    for _ in 0..20_000 {
        let slot = random.below(300);
        let old = tables[slot];
        let size = if old.at.is_null() || old.size() >= 256 * KIB { 256 } else { 2 * old.size() };
        let new = run.zeroed(size);
        new.touch(0);
        run.free(old);
        tables[slot] = new;
    }
}

fn rehash_large(run: &mut Run) {
    let mut random = Random(0x1234_4321_1234_4321);
    let mut tables = run.table(8).filled();
    for _ in 0..400 {
        let slot = random.below(8);
        let old = tables[slot];
        let size = if old.at.is_null() || old.size() >= 32 * MIB { 4096 } else { 2 * old.size() };
        let new = run.zeroed(size + 16);
        new.touch(0);
        run.free(old);
        tables[slot] = new;
    }
}

fn arenas(run: &mut Run) {
    let mut random = Random(0xaaaa_bbbb_cccc_dddd);
    let mut chunks = run.table(4_000);
    for _ in 0..60 {
        let count = random.skewed(16, 4_000).min(4_000);
        for i in 0..count {
            let block = run.get(64 * KIB);
            chunks.push(block);
            if i % 16 == 0 {
                run.get(16 + random.below(2_000));
            }
        }
        run.free_all(&mut chunks);
    }
}

fn merges(run: &mut Run) {
    let mut random = Random(0x5555_aaaa_5555_aaaa);
    let mut nodes = run.table(1 << 17);
    let mut levels: [Blocks; 4] = std::array::from_fn(|_| run.table(4096));
    for _ in 0..60 {
        let up_to = run.live + (4 << 20);
        while run.live < up_to {
            let block = run.get(random.skewed(40, 512));
            nodes.push(block);
        }
        // The run is written, then the table is dropped.
        for _ in 0..4 * MIB / (32 * KIB) {
            let size = 32 * KIB - random.below(4096);
            let block = run.get(size);
            levels[0].push(block);
        }
        run.free_all(&mut nodes);
        for level in 0..3 {
            if levels[level].len < 512 << level {
                break;
            }
            let (low, high) = levels.split_at_mut(level + 1);
            let (from, to) = (&mut low[level], &mut high[0]);
            for i in 0..from.len {
                let size = 32 * KIB - random.below(4096);
                // A third of the keys is newer elsewhere.
                if i % 3 != 0 && !to.is_full() {
                    let block = run.get(size);
                    to.push(block);
                }
                run.free(from[i]);
            }
            from.len = 0;
        }
        if levels[3].len > 2000 {
            let mut all = std::mem::replace(&mut levels[3], run.table(1));
            run.free_all(&mut all);
            levels[3] = all;
        }
    }
}

fn streams(run: &mut Run) {
    const PARTS: [usize; 5] = [5952, 65_536, 65_536 + 4096, 131_072, 65_536];
    let mut random = Random(0x0dd0_0dd0_0dd0_0dd0);
    let mut blocks = run.table(400 * 6).filled();
    for i in 0..6_000 {
        let slot = if i < 400 { i } else { random.below(400) };
        for part in 0..6 {
            run.free(blocks[6 * slot + part]);
        }
        for (part, size) in PARTS.into_iter().enumerate() {
            blocks[6 * slot + part] = run.get(size);
        }
        blocks[6 * slot + 5] = run.get(200 + random.below(20_000));
    }
}

fn tiles(run: &mut Run) {
    let mut random = Random(0x7123_8123_9123_a123);
    let mut blocks = run.table(40).filled();
    for _ in 0..4_000 {
        let slot = random.below(40);
        run.replace(&mut blocks[slot], 4 * random.skewed(16, 1024) * random.skewed(16, 1024));
    }
}

fn mailboxes(run: &mut Run) {
    let mut random = Random(0x2222_9999_2222_9999);
    const ACTORS: usize = 1_000;
    const MOST: usize = 256;
    let mut rings = run.table(ACTORS);
    let mut messages = run.table(ACTORS * MOST).filled();
    let mut held = vec![0usize; ACTORS];
    run.fill(&mut rings, || 64);
    for _ in 0..600_000 {
        // Few actors are busy at a time.
        let actor = random.skewed(1, ACTORS).min(ACTORS - 1);
        if random.below(2) == 0 && held[actor] < MOST {
            if held[actor] * 8 == rings[actor].size() {
                rings[actor] = run.resize(rings[actor], 16 * held[actor]);
            }
            messages[actor * MOST + held[actor]] = run.get(random.skewed(32, 2048));
            held[actor] += 1;
        } else {
            for _ in 0..random.below(16).min(held[actor]) {
                held[actor] -= 1;
                run.free(messages[actor * MOST + held[actor]]);
            }
            if rings[actor].size() > 64 && held[actor] * 32 < rings[actor].size() {
                rings[actor] = run.resize(rings[actor], rings[actor].size() / 2);
            }
        }
    }
}

fn builders(run: &mut Run) {
    let mut random = Random(0x1010_3131_1010_3131);
    let mut strings = run.table(1_000);
    let mut lengths = vec![0usize; 1_000];
    let mut done = run.table(20_000).filled();
    let mut next = 0;
    run.fill(&mut strings, || 8);
    for _ in 0..400_000 {
        let i = random.below(1_000);
        lengths[i] += 1 + random.below(60);
        if lengths[i] > strings[i].size() {
            strings[i] = run.resize(strings[i], lengths[i].max(2 * strings[i].size()));
        }
        if random.below(40) == 0 {
            let fitted = run.resize(strings[i], lengths[i]);
            run.free(done[next]);
            done[next] = fitted;
            next = (next + 1) % done.len;
            strings[i] = run.get(8);
            lengths[i] = 0;
        }
    }
}

fn resize_any(run: &mut Run) {
    const MOST: usize = 256 * KIB;
    let mut random = Random(0xfefe_1212_fefe_1212);
    let mut blocks = run.table(2_000);
    run.fill(&mut blocks, || random.skewed(16, MOST));
    for _ in 0..200_000 {
        let i = random.below(blocks.len);
        blocks[i] = run.resize(blocks[i], random.skewed(16, MOST));
    }
}

fn drift(run: &mut Run) {
    let mut queue = run.table(20_000).filled();
    let mut random = Random(0x6666_6666_1111_1111);
    let (mut size, mut slot) = (32.0f64, 0);
    while size < 4096.0 {
        for _ in 0..200 {
            run.replace(&mut queue[slot], size as usize + random.below(1 + size as usize / 8));
            slot = (slot + 1) % queue.len;
        }
        size *= 1.001;
    }
}

fn zeroed(run: &mut Run) {
    let mut random = Random(0x4141_4141_5252_5252);
    let mut blocks = run.table(500).filled();
    for _ in 0..50_000 {
        let slot = random.below(500);
        run.free(blocks[slot]);
        blocks[slot] = run.zeroed(random.skewed(16, MIB));
        blocks[slot].touch(0);
    }
}

fn zeroed_sparse(run: &mut Run) {
    let mut random = Random(0x4141_4141_5252_5252);
    let mut blocks = run.table(32).filled();
    for _ in 0..2_000 {
        let slot = random.below(32);
        run.free(blocks[slot]);
        blocks[slot] = run.zeroed(4 * MIB);
        for _ in 0..16 {
            // SAFETY: inside the block.
            unsafe { blocks[slot].at.add(4096 * random.below(1024)).write_volatile(1) };
        }
    }
}

fn mostly_huge(run: &mut Run) {
    let mut random = Random(0x3333_8888_3333_8888);
    let mut blocks = run.table(16).filled();
    for _ in 0..400 {
        let slot = random.below(16);
        run.replace(&mut blocks[slot], random.skewed(2 * MIB, 64 * MIB));
    }
}

fn columns(run: &mut Run) {
    let mut random = Random(0x8008_8008_8008_8008);
    let mut blocks = run.table(64);
    let mut rows = vec![16usize; 64];
    while !blocks.is_full() {
        let wide = 4 << (blocks.len % 5);
        let block = run.get(16 * wide);
        blocks.push(block);
    }
    for _ in 0..6_000 {
        let i = random.below(64);
        let wide = 4 << (i % 5);
        let grow = random.below(100) < 53;
        rows[i] = if grow { (2 * rows[i]).min(1 << 16) } else { (rows[i] / 2).max(16) };
        if rows[i] * wide != blocks[i].size() {
            blocks[i] = run.resize(blocks[i], rows[i] * wide);
        }
    }
}

fn rope(run: &mut Run) {
    let mut random = Random(0x1a1a_2b2b_3c3c_4d4d);
    let mut leaves = run.table(100_000);
    while leaves.len < 40_000 {
        let block = run.get(512 + random.below(512));
        leaves.push(block);
    }
    for _ in 0..600_000 {
        let i = random.below(leaves.len);
        let leaf = leaves[i];
        if leaf.size() > 1024 {
            let half = leaf.size() / 2;
            let (left, right) = (run.get(half), run.get(leaf.size() - half));
            run.free(leaf);
            leaves[i] = left;
            leaves.push(right);
        } else if leaf.size() < 512 {
            let j = random.below(leaves.len);
            if i == j {
                continue;
            }
            let merged = run.get(leaf.size() + leaves[j].size());
            run.free(leaf);
            run.free(leaves[j]);
            leaves[i] = merged;
            leaves.swap_remove(j);
        } else {
            let by = random.below(200);
            let size = if random.below(2) == 0 { leaf.size() + by } else { leaf.size() - by };
            leaves[i] = run.get(size);
            run.free(leaf);
        }
    }
}

fn buffer_pool(run: &mut Run) {
    let mut random = Random(0x7c7c_1e1e_7c7c_1e1e);
    let mut pages = run.table(2 * 8_000);
    while !pages.is_full() {
        let page = run.aligned(8 * KIB, 4096);
        let latch = run.get(128);
        pages.push(page);
        pages.push(latch);
    }
    for _ in 0..4 {
        let mut spill = run.get(64 * KIB);
        while spill.size() < 64 * MIB {
            spill = run.resize(spill, 2 * spill.size());
        }
        for _ in 0..4_000 {
            let slot = 2 * random.below(8_000);
            run.free(pages[slot]);
            pages[slot] = run.aligned(8 * KIB, 4096);
        }
        run.free(spill);
    }
}

/// A stack of which the two uppermost pages are written.
fn stack(run: &mut Run) -> Block {
    let block = run.take(64 * KIB, 4096).expect("there is memory");
    for page in [14, 15] {
        // SAFETY: inside the block.
        unsafe { block.at.add(4096 * page).write_volatile(1) };
    }
    block
}

fn coroutines(run: &mut Run) {
    let mut random = Random(0x6b6b_6b6b_1111_1111);
    let mut blocks = run.table(4_000).filled();
    for i in 0..100_000 {
        let slot = if i < 4_000 { i } else { random.below(4_000) };
        run.free(blocks[slot]);
        blocks[slot] = stack(run);
        let frame = run.get(random.skewed(64, 4096));
        run.free(frame);
    }
}

fn coroutines_end(run: &mut Run) {
    let mut blocks = run.table(20_000);
    while !blocks.is_full() {
        let block = stack(run);
        blocks.push(block);
    }
    run.free_all(&mut blocks);
    for _ in 0..1_000_000 {
        run.get(64);
    }
}

fn requests(run: &mut Run) {
    let mut random = Random(0xbeef_beef_0101_0101);
    const AT_ONCE: usize = 200;
    const EACH: usize = 100;
    let mut blocks = run.table(AT_ONCE * EACH).filled();
    let mut sessions = run.table(5_000).filled();
    for i in 0..20_000 {
        let slot = random.below(AT_ONCE);
        for at in 0..EACH {
            run.free(blocks[slot * EACH + at]);
        }
        for at in 0..EACH {
            blocks[slot * EACH + at] = run.get(if at % 20 == 19 { 16 * KIB } else { random.skewed(16, 1024) });
            if at == EACH / 2 {
                run.replace(&mut sessions[i % 5_000], random.skewed(64, 4096));
            }
        }
    }
}

fn functions(run: &mut Run) {
    let mut random = Random(0x0c0c_0c0c_0c0c_0c0c);
    let (mut ast, mut ir) = (run.table(100_000), run.table(100_000));
    for _ in 0..2_000 {
        let nodes = random.skewed(50, 8_000);
        for _ in 0..nodes {
            let block = run.get(24 + 8 * random.below(16));
            ast.push(block);
            if random.below(50) == 0 {
                run.get(8 + random.below(40)); // a symbol
            }
        }
        for _ in 0..nodes / 2 {
            let block = run.get(64 + 16 * random.below(20));
            ir.push(block);
        }
        run.free_all(&mut ast);
        let mut code = run.get(256);
        while code.size() < 16 * nodes {
            code = run.resize(code, 2 * code.size());
        }
        run.free_all(&mut ir);
        let kept = run.get(8 * nodes);
        run.free(code);
        if random.below(4) != 0 {
            run.free(kept);
        }
    }
}

fn tabs(run: &mut Run) {
    let mut random = Random(0x1b1b_1b1b_e4e4_e4e4);
    let mut open: Vec<Blocks> = (0..10).map(|_| run.table(300_000)).collect();
    for _ in 0..40 {
        let tab = &mut open[random.below(10)];
        run.free_all(tab);
        let up_to = run.live + random.skewed(2 * MIB, 40 * MIB) as isize;
        while run.live < up_to {
            let size = match random.below(100) {
                0 => random.skewed(16 * KIB, 512 * KIB),
                1 => {
                    run.get(random.skewed(32, 512)); // a shared cache's, which stays
                    continue;
                }
                _ => random.skewed(16, 512),
            };
            let block = run.get(size);
            tab.push(block);
        }
    }
}

fn levels(run: &mut Run) {
    let mut random = Random(0x1e1e_7777_1e1e_7777);
    let (mut last, mut next) = (run.table(100_000), run.table(100_000));
    for _ in 0..12 {
        let up_to = run.live + (64 << 20);
        while run.live < up_to {
            let size =
                if random.below(50) == 0 { random.skewed(64 * KIB, 8 * MIB) } else { random.skewed(32, 8 * KIB) };
            let block = run.get(size);
            next.push(block);
        }
        run.free_all(&mut last);
        std::mem::swap(&mut last, &mut next);
    }
}

fn replaced(run: &mut Run, count: usize, times: usize, size: fn(&mut Random) -> usize) {
    let mut random = Random(0x2b2b_9c9c_2b2b_9c9c);
    let mut blocks = run.table(count).filled();
    for _ in 0..times * count {
        let slot = random.below(count);
        run.replace(&mut blocks[slot], size(&mut random));
    }
}

fn halving(run: &mut Run) {
    let mut blocks = run.table(500);
    run.fill(&mut blocks, || 256 * KIB);
    while blocks[0].size() > 16 {
        for i in 0..500 {
            blocks[i] = run.resize(blocks[i], blocks[i].size() / 2);
        }
    }
}

fn pinned(run: &mut Run) {
    let mut blocks = run.table(2 * MIB);
    run.fill(&mut blocks, || 64);
    for i in 0..blocks.len {
        if i % 128 != 0 {
            let block = blocks[i];
            run.free(block);
        }
    }
    for _ in 0..8 * KIB {
        run.get(8 * KIB);
    }
}

fn waves(run: &mut Run) {
    let mut random = Random(0x4f4f_4f4f_2d2d_2d2d);
    let mut blocks = run.table(MIB);
    for size in [100, 300, 1_000, 3_000] {
        for _ in 0..64 * MIB / size {
            let block = run.get(size);
            blocks.push(block);
        }
        blocks.shuffle(&mut random);
        let stay = blocks.len / 10;
        while blocks.len > stay {
            let block = blocks.pop().expect("there are more");
            run.free(block);
        }
        blocks.len = 0;
    }
}

fn two_speeds(run: &mut Run) {
    let mut random = Random(0x5151_5151_7e7e_7e7e);
    let (mut fast, mut slow) = (run.table(200).filled(), run.table(20_000).filled());
    for i in 0..2_000_000 {
        let size = random.skewed(16, 8 * KIB);
        let slot = i % 200;
        if i % 10 == 0 {
            let slot = i / 10 % 20_000;
            run.replace(&mut slow[slot], size);
        }
        run.replace(&mut fast[slot], size);
    }
}

fn align_mix(run: &mut Run) {
    let mut random = Random(0x9b9b_9b9b_4d4d_4d4d);
    let mut blocks = run.table(600).filled();
    for _ in 0..30_000 {
        let slot = 2 * random.below(300);
        run.free(blocks[slot]);
        run.free(blocks[slot + 1]);
        let align = 8 << random.below(19);
        blocks[slot] = run.aligned(random.skewed(16, 64 * KIB), align);
        blocks[slot + 1] = run.get(16 + random.below(64));
    }
}

fn align_2m(run: &mut Run) {
    let mut random = Random(0x9b9b_9b9b_4d4d_4d4d);
    let mut blocks = run.table(64).filled();
    for _ in 0..20_000 {
        let slot = random.below(64);
        run.free(blocks[slot]);
        blocks[slot] = run.take(2 * MIB, 2 * MIB).expect("there is memory");
        // SAFETY: inside the block.
        unsafe { blocks[slot].at.write_volatile(1) };
    }
}

fn frames(run: &mut Run) {
    let mut random = Random(0x1f1f_2f2f_3f3f_4f4f);
    let mut temporary = run.table(200_000);
    for frame in 0..200 {
        let up_to = run.live + (8 << 20);
        while run.live < up_to {
            let block = run.get(random.skewed(16, 64 * KIB));
            temporary.push(block);
            if random.below(400) == 0 {
                run.get(random.skewed(16, 1024)); // the world grows
            }
        }
        if frame % 2 == 0 {
            temporary.reverse();
        }
        run.free_all(&mut temporary);
    }
}

fn strided(run: &mut Run) {
    let mut blocks = run.table(MIB);
    for k in 2..10 {
        while run.live < 32 << 20 {
            let block = run.get(64);
            blocks.push(block);
        }
        let freed = blocks.len / k;
        for i in 0..freed {
            run.replace(&mut blocks[k * i], 64 * k);
        }
        run.free_all(&mut blocks);
    }
}

fn of_size(run: &mut Run, blocks: &mut Blocks, random: &mut Random, size: usize) {
    for _ in 0..64 * MIB / size {
        let block = run.get(size);
        blocks.push(block);
    }
    blocks.shuffle(random);
    blocks.len -= blocks.len / 50;
    run.free_all(blocks);
}

fn down_a_size(run: &mut Run) {
    let mut random = Random(0x5d5d_5d5d_3a3a_3a3a);
    let mut blocks = run.table(MIB);
    for log in (6..=20).rev() {
        of_size(run, &mut blocks, &mut random, 1 << log);
    }
}

fn up_a_size(run: &mut Run) {
    let mut random = Random(0x5d5d_5d5d_3a3a_3a3a);
    let mut blocks = run.table(MIB);
    for log in 6..=20 {
        of_size(run, &mut blocks, &mut random, 1 << log);
    }
}

fn grow_mixed(run: &mut Run) {
    let mut random = Random(0x2c2c_2c2c_5e5e_5e5e);
    while run.live < 2 << 30 {
        run.get(random.skewed(16, MIB));
    }
}

fn grow_churn(run: &mut Run) {
    let mut random = Random(0x6a6a_6a6a_8c8c_8c8c);
    let mut blocks = run.table(2 * MIB);
    while run.live < 2 << 30 {
        for _ in 0..2 {
            let block = run.get(random.skewed(16, 16 * KIB));
            blocks.push(block);
        }
        let block = blocks.swap_remove(random.below(blocks.len));
        run.free(block);
    }
}
