//! Compares the heap with a model: random runs, a full heap, refused memory, and blocks of every shape.

use std::alloc::Layout;
use std::cell::Cell;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use rt0::heap::{CLASSES, GRANULE, Heap, SMALL_MAX, block_len, class_len, class_of};
use rt0_tests::check::heap_model::{Bounded, Watched, drive};

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a test's layout")
}

type Make = fn(usize, &Cell<(usize, usize)>) -> Bounded<'_>;
const BOTH: [Make; 2] = [bounded, growing];

/// As [`bounded`], and there is room behind each extent.
fn growing(left: usize, calls: &Cell<(usize, usize)>) -> Bounded<'_> {
    Bounded { grows: true, ..bounded(left, calls) }
}

fn bounded(left: usize, calls: &Cell<(usize, usize)>) -> Bounded<'_> {
    Bounded { left, page: 4096, grows: false, calls }
}

const NEVER: (usize, usize) = (0, usize::MAX);

#[test]
fn random_runs_agree_with_the_model() {
    // Each run is the fuzz target's body on random bytes; a failure prints the seed.
    let base = std::env::var("RT0_SEED").ok().map(|seed| seed.parse().expect("RT0_SEED is a number"));
    for seed in base.map_or(0..400, |seed: u64| seed..seed + 1) {
        let mut random = fastrand::Rng::with_seed(seed);
        let len = random.usize(..6000);
        let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(len).collect();
        let run = std::panic::catch_unwind(|| drive(&bytes));
        assert!(run.is_ok(), "the run of seed {seed} fails; RT0_SEED={seed} repeats it alone");
    }
}

#[test]
fn classes_waste_less_than_an_eighth_from_eight_granules_up() {
    for size in 0..=64 * SMALL_MAX {
        let [less, len, aligned] =
            [(size.saturating_sub(1), 8), (size, 8), (size, 4096)].map(|(s, a)| block_len(layout(s, a)));
        assert!(less <= len);
        // Without a class nothing is lost but the end of a granule.
        assert!((size..=len).contains(&aligned), "{size} in {aligned}");
        assert!(aligned - size < GRANULE || size > SMALL_MAX || size == 0, "{size} in {aligned}");
        assert!(len >= size && len.is_multiple_of(GRANULE) && len > 0);
        assert!(len - size < GRANULE.max(len / 16 + 1) || size == 0, "{size} in {len}");
        if size >= 7 * GRANULE {
            assert!((len - size) * 8 < len, "{size} in {len} wastes an eighth");
        }
        if size <= SMALL_MAX {
            assert!(class_of(size) < CLASSES && class_len(class_of(size)) == len);
        }
    }
}

/// Fills an arena with blocks until there is no room, frees every second one,
/// fills the holes, frees all, and does it again.
fn fill_and_empty(room: usize, size: usize, align: usize, calls: &Cell<(usize, usize)>) -> usize {
    let mut watched = Watched::new(bounded(room, calls));
    let layout = layout(size, align);
    let mut filled = [0; 2];
    for filled in &mut filled {
        while watched.allocate(layout, false) {}
        watched.check();
        *filled = watched.len();
        let mut i = 0;
        while i < watched.len() {
            watched.free(i);
            i += 1;
        }
        let holes = *filled - watched.len();
        for _ in 0..holes {
            assert!(watched.allocate(layout, false), "a hole of {size} bytes is not used again");
        }
        assert!(!watched.allocate(layout, false));
        watched.clear();
        watched.check();
    }
    assert_eq!(filled[0], filled[1], "an emptied heap holds as much as a new one");
    filled[0]
}

#[test]
fn arenas_fill_to_the_promised_share() {
    for room in [8192, 12288, 65536, 200 << 10, 1 << 20, 4 << 20, 16 << 20] {
        let calls = Cell::new(NEVER);
        let small = fill_and_empty(room, 48, 8, &calls) * 48;
        assert!(small * 100 >= room * 90, "48-byte blocks fill {small} of {room}");
        for align in [32, 64, 128].into_iter().filter(|align| room >= 256 * align) {
            let calls = Cell::new(NEVER);
            let aligned = fill_and_empty(room, align, align, &calls) * align;
            assert!(aligned * 100 >= room * 90, "blocks aligned to {align} fill {aligned} of {room}");
        }
        if room >= 64 << 10 {
            let calls = Cell::new(NEVER);
            let big = fill_and_empty(room, 65536, 8, &calls) * 65536;
            let most = room / 100 * 97 / 65536 * 65536;
            assert!(big >= most, "64 KiB blocks fill {big} of {room}, {most} would fit in 97 %");
        }
    }
}

#[test]
fn arenas_of_a_page_or_two_work() {
    for pages in 1..6 {
        let calls = Cell::new(NEVER);
        let blocks = fill_and_empty(pages * 4096, 16, 8, &calls);
        assert!(blocks * 16 >= pages * 4096 * 85 / 100, "{blocks} blocks of 16 bytes in {pages} pages");
    }
}

#[test]
fn each_refusal_leaves_the_heap_whole() {
    BOTH.iter().for_each(|make| each_refusal(*make));
}

fn each_refusal(make: Make) {
    // The run makes some number of calls for memory, and each of them is refused once.
    for refuse in 0..200 {
        let calls = Cell::new((0, refuse));
        let mut watched = Watched::new(make(24 << 20, &calls));
        let mut failed = 0;
        for round in 0..6 {
            for size in [48, 1000, 5000, 70_000, 1 << 20] {
                for _ in 0..8 {
                    if !watched.allocate(layout(size, 16), false) {
                        failed += 1;
                        watched.check();
                        // Only one call is refused, so now there is room.
                        assert!(watched.allocate(layout(size, 16), false) || round > 1);
                    }
                }
            }
            if watched.len() > 10 {
                failed += usize::from(!watched.resize(watched.len() / 2, 3 << 20));
            }
        }
        watched.check();
        watched.clear();
        watched.heap.trim();
        watched.check();
        if calls.get().0 <= refuse {
            assert!(refuse > 5, "the run makes calls that can be refused");
            return;
        }
        assert!(failed < 100);
    }
    panic!("the run makes more calls than were tried");
}

#[test]
fn exhaustion_at_every_step_keeps_live_data() {
    for make in BOTH {
        for room in (1..40).map(|pages| pages * 4096) {
            let calls = Cell::new(NEVER);
            let mut watched = Watched::new(make(room, &calls));
            let mut size = 16;
            let mut refusals = 0;
            while refusals < 30 {
                if watched.allocate(layout(size, 16), size % 32 == 0) {
                    size = size * 3 / 2 % 9000 + 1;
                } else {
                    refusals += 1;
                    watched.check();
                    if watched.is_empty() {
                        assert!(size + 1024 > room / 2, "{size} bytes do not fit in {room}");
                        size = 1;
                        continue;
                    }
                    watched.free(refusals * 7 % watched.len());
                    size = size / 2 + 1;
                }
            }
            watched.clear();
            watched.check();
        }
    }
}

#[test]
fn alignments_up_to_sixteen_mebibytes() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(256 << 20, &calls));
    for shift in 0..=24 {
        for size in [0, 1, 48, 4096, 100_000] {
            assert!(watched.allocate(layout(size, 1 << shift), false), "{size} bytes aligned to {}", 1usize << shift);
            assert!(watched.allocate(layout(24, 8), false));
        }
        watched.check();
    }
    while !watched.is_empty() {
        watched.free(watched.len() / 2);
    }
    watched.heap.trim();
    watched.check();
    assert_eq!(watched.heap.stats().free, 0, "what lay between aligned blocks is joined again");
}

#[test]
fn sizes_of_zero_have_addresses_of_their_own() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(1 << 20, &calls));
    for _ in 0..100 {
        assert!(watched.allocate(layout(0, 1), false));
    }
    watched.check();
    for i in 0..100 {
        assert!(watched.resize(i, i * 40) && watched.resize(99 - i, 0));
    }
    watched.check();
    watched.clear();
    watched.check();
}

#[test]
fn reallocations_of_every_shape_keep_contents() {
    let sizes =
        [0, 1, 15, 16, 17, 100, 1008, 1023, 1024, 1025, 1040, 2000, 4095, 5000, 65536, 70_000, 1 << 20, 3 << 20];
    for (align, beside) in [(1, true), (16, false), (64, true), (4096, false)] {
        let calls = Cell::new(NEVER);
        let mut watched = Watched::new(bounded(64 << 20, &calls));
        for from in sizes {
            for to in sizes {
                assert!(watched.allocate(layout(from, align), false));
                let last = watched.len() - 1;
                if beside {
                    assert!(watched.allocate(layout(100, 8), false));
                }
                assert!(watched.resize(last, to), "{from} to {to}");
                watched.free(last);
            }
            watched.check();
        }
    }
}

#[test]
fn a_block_grows_where_it_is_if_its_neighbour_is_free() {
    let calls = Cell::new(NEVER);
    // SAFETY: only this thread uses the heap.
    let heap: Heap<rt0::lock::Unlocked, _> = unsafe { Heap::unlocked_on(bounded(64 << 20, &calls)) };
    let new = |size: usize| heap.allocate(layout(size, 8)).expect("room");
    let (a, b, c) = (new(30_000), new(30_000), new(30_000));
    // SAFETY: the blocks are this heap's, with their layouts, and none is used after it has been freed or moved.
    unsafe {
        assert_ne!(heap.reallocate(a, layout(30_000, 8), 30_000 + GRANULE), Some(a), "b is in the way");
        heap.deallocate(b, layout(30_000, 8));
        let end = heap.reallocate(c, layout(30_000, 8), 12_000).expect("shrinking never fails");
        assert_eq!(end, c, "shrinks where it is");
        assert_eq!(heap.reallocate(c, layout(12_000, 8), 25_000), Some(c), "grows into what it gave up");
        let top = new(2_000_000);
        assert_eq!(heap.reallocate(top, layout(2_000_000, 8), 5_000_000), Some(top), "the last block grows");
    }
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn the_heap_grows_by_regions_and_releases_them() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(200 << 20, &calls));
    while watched.allocate(layout(3 << 20, 4096), false) {}
    let stats = watched.heap.stats();
    assert!(stats.segments > 2, "{} segments", stats.segments);
    assert!(stats.live >= 150 << 20, "{} bytes", stats.live);
    watched.check();
    watched.clear();
    watched.heap.trim();
    watched.check();
    assert_eq!(watched.heap.stats().segments, 1);
    assert!(watched.allocate(layout(20 << 20, 16), false), "and grows again");
    watched.check();
}

#[test]
fn decommitted_memory_is_used_again() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(64 << 20, &calls));
    watched.heap.set_purge_threshold(1 << 20);
    for round in 0..20 {
        for i in 0..12 {
            assert!(watched.allocate(layout(1 << 20, 8), i % 2 == 0));
            assert!(watched.allocate(layout(100 + round, 8), false));
        }
        for i in 0..12 {
            watched.free(i % watched.len());
        }
        if round % 5 == 4 {
            watched.heap.trim();
            watched.clear();
        }
        watched.check();
    }
}

#[test]
fn trimming_gives_pages_back_to_the_kernel() {
    // SAFETY: only this thread uses the heap.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    let resident = |at: NonNull<u8>, len| resident(at.addr().get(), at.addr().get() + len) / 4096;
    const LEN: usize = 8 << 20;
    let block = heap.allocate(layout(LEN, 8)).expect("room");
    let beside = heap.allocate(layout(2000, 8)).expect("room");
    // SAFETY: the block is ours.
    unsafe { block.write_bytes(1, LEN) };
    assert!(resident(block, LEN) > 2000);
    // SAFETY: the block is ours, and is not used again.
    unsafe { heap.deallocate(block, layout(LEN, 8)) };
    assert!(resident(block, LEN) > 2000, "freed memory stays until it is too much");
    heap.trim();
    assert!(resident(block, LEN) < 10, "trim gives it back");
    assert_eq!(heap.check(), Ok(()));
    // Above the threshold freed memory is given back without `trim`.
    heap.set_purge_threshold(0);
    let block = heap.allocate(layout(LEN, 8)).expect("room");
    // SAFETY: the block is ours, of this length, and only its address is used after it has been freed.
    unsafe {
        block.write_bytes(1, LEN);
        heap.deallocate(block, layout(LEN, 8));
        assert!(resident(block, LEN) < 10);
        heap.deallocate(beside, layout(2000, 8));
    }
}

/// How many bytes of `[from, to)` are in mappings for which huge pages were requested (`hg` among their `VmFlags`).
fn advised_huge(from: usize, to: usize) -> usize {
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("smaps");
    let mut mapping = 0..0;
    let mut bytes = 0;
    for line in maps.lines() {
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            if flags.split_whitespace().any(|flag| flag == "hg") {
                bytes += mapping.end.min(to).saturating_sub(mapping.start.max(from));
            }
        } else if let Some((range, _)) = line.split_once(' ')
            && let Some((start, end)) = range.split_once('-')
        {
            let address = |hex| usize::from_str_radix(hex, 16).expect("an address");
            mapping = address(start)..address(end);
        }
    }
    bytes
}

/// MiB for which huge pages were requested, and MiB that became resident, where a heap has grown by as many blocks of `len`
/// bytes; of each block the pages are written that lie in `written`.
fn grown(huge_from: Option<usize>, mebibytes: usize, len: usize, written: Range<usize>) -> (usize, usize) {
    // SAFETY: only this thread uses the heap.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    if let Some(from) = huge_from {
        heap.set_huge_from(from);
    }
    let (mut from, mut to) = (usize::MAX, 0);
    for _ in 0..(mebibytes << 20) / len {
        let block = heap.allocate(layout(len, 8)).expect("room");
        for at in written.clone().step_by(4096) {
            // SAFETY: it lies in the block.
            unsafe { block.add(at).write(1) };
        }
        (from, to) = (from.min(block.addr().get()), to.max(block.addr().get() + len));
    }
    assert_eq!(heap.check(), Ok(()));
    (advised_huge(from, to) >> 20, resident(from, to) >> 20)
}

/// How many bytes of the pages of `[from, to)` are resident.
fn resident(from: usize, to: usize) -> usize {
    let from = from.next_multiple_of(4096);
    let mut pages = vec![0u8; (to - from) / 4096];
    let range = [from.into(), (4096 * pages.len()).into(), pages.as_mut_ptr().into()];
    // SAFETY: mincore writes one byte for each page, and `pages` has that many. What has been unmapped is an error.
    let _ = unsafe { rt0::sys::syscall(rt0::sys::nr::MINCORE, range) };
    4096 * pages.iter().filter(|page| **page & 1 != 0).count()
}

/// A kernel without huge pages refuses the advice.
fn has_huge_pages() -> bool {
    std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists()
}

const HUGE_FROM_MIB: usize = rt0::heap::HUGE_FROM >> 20;

#[test]
fn a_large_heap_grows_by_huge_pages_and_a_small_one_does_not() {
    let grown = |from, mebibytes| grown(from, mebibytes, 1024, 0..0).0;
    let (none, some, all) = (grown(None, HUGE_FROM_MIB - 1), grown(None, HUGE_FROM_MIB + 24), grown(Some(0), 32));
    assert_eq!(none, 0, "of {} MiB", HUGE_FROM_MIB - 1);
    // The heap grows by whole huge pages, so up to one at each end is not counted; and what is counted is a step ahead.
    assert_eq!((20..=26).contains(&some), has_huge_pages(), "{some} of {} MiB", HUGE_FROM_MIB + 24);
    assert_eq!((30..=32).contains(&all), has_huge_pages(), "{all} of 32 MiB");
    assert_eq!(grown(Some(usize::MAX), 32), 0, "never");
}

#[test]
fn long_blocks_come_as_huge_pages_where_the_program_writes_them() {
    for len in [1 << 20, 64 << 10, 24 << 10] {
        let grown = |written| grown(None, HUGE_FROM_MIB + 24, len, written);
        let (whole, _) = grown(0..len);
        assert_eq!(
            (20..=26).contains(&whole),
            has_huge_pages(),
            "{whole} MiB of those that are written whole, {len} bytes"
        );
        // Half of each, as a buffer; the last eighth, as a stack.
        for (written, part) in [(0..len / 2, 2), (len - len / 8..len, 8), (0..0, usize::MAX)] {
            let (huge, resident) = grown(written.clone());
            assert_eq!(huge, 0, "MiB of blocks of {len} bytes of which {written:?} are written");
            // Some pages are in two blocks.
            let most = 5 * (HUGE_FROM_MIB + 24) / 4 / part + 1;
            assert!(resident <= most, "{resident} MiB, not {most}: {written:?} of {len} bytes");
        }
    }
}

#[test]
fn the_end_of_a_huge_page_goes_back_too() {
    // SAFETY: only this thread uses the heap.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    heap.set_huge_from(0);
    // To the end of what was advised, and again to somewhere in it, in pages that went back meanwhile.
    for mebibytes in [12, 7] {
        let blocks: Vec<_> = (0..mebibytes << 10).map(|_| heap.allocate(layout(1024, 8)).expect("room")).collect();
        let from = blocks.iter().map(|block| block.addr().get()).min().expect("there are some");
        for block in blocks {
            // SAFETY: the heap's, of this layout, and not used again.
            unsafe {
                block.write(1);
                heap.deallocate(block, layout(1024, 8));
            }
        }
        heap.trim();
        assert_eq!(heap.stats().live, 0);
        let left = resident(from, from + (16 << 20));
        assert!(left <= 4096, "{left} bytes after {mebibytes} MiB");
    }
}

#[test]
fn survivors_of_a_phase_do_not_keep_its_memory() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(64 << 20, &calls));
    // Of blocks of 64 bytes all but every fiftieth are freed; blocks of another size must find room between the rest.
    for _ in 0..40_000 {
        assert!(watched.allocate(layout(64, 8), false));
    }
    let before = watched.heap.stats().committed;
    let mut i = 0;
    while i < watched.len() {
        for _ in 0..49 {
            if i < watched.len() {
                watched.free(i);
            }
        }
        i += 1;
    }
    let mut got = 0;
    while got < 40_000 * 64 * 8 / 10 {
        assert!(watched.allocate(layout(272, 8), false));
        got += 272;
    }
    watched.check();
    let after = watched.heap.stats().committed;
    assert!(after <= before + before / 4, "{before} bytes committed, then {after}");
}

#[test]
fn what_is_free_in_many_pieces_is_room_for_one_large_block() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(4 << 20, &calls));
    for round in 0..3 {
        let mut size = 16;
        while watched.allocate(layout(size, 8), false) {
            size = size * 5 / 3 % 3000 + 16;
        }
        while !watched.is_empty() {
            watched.free((watched.len() * 7 / 11).min(watched.len() - 1));
        }
        assert!(watched.allocate(layout(7 << 19, 8), false), "round {round}");
        watched.clear();
        watched.check();
    }
}

#[test]
fn a_full_heap_gives_again_what_was_freed_whatever_its_size_and_alignment() {
    for make in BOTH {
        let small = [(64, 64), (32, 32), (300, 32), (1000, 64), (2000, 128), (24, 256), (100, 4096)];
        for (size, align) in small.into_iter().chain([(4096, 4096), (65536, 65536), (1 << 20, 1 << 20)]) {
            let calls = Cell::new(NEVER);
            let mut watched = Watched::new(make(24 << 20, &calls));
            let mut random = fastrand::Rng::with_seed(size as u64);
            // Other blocks lie between, so that none is where it is because all are alike.
            while watched.allocate(layout(size, align), false) {
                if random.u8(..) < 8 {
                    watched.allocate(layout(random.usize(1..3000), 8), false);
                }
            }
            while watched.allocate(layout(16, 8), false) {}
            watched.check();
            for round in 0..500 {
                let which = random.usize(..watched.len());
                let of = watched.layout(which);
                watched.free(which);
                assert!(
                    watched.allocate(of, false),
                    "{of:?} was freed and is refused, round {round} of {size}@{align}"
                );
            }
            watched.check();
        }
    }
}

#[test]
fn a_block_can_always_be_made_shorter() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(bounded(8 << 20, &calls));
    let sizes = [(200_000, 8000), (4096, 16), (1 << 20, 0), (100_000, 99_000), (8192, 8191), (600, 500), (900, 0)];
    for (from, to) in sizes {
        for align in [16, 64] {
            while watched.allocate(layout(from, align), false) {}
            let last = watched.len() - 1;
            // `resize` holds that it does not fail.
            assert!(watched.resize(last, to) && watched.resize(last / 2, to), "{from} to {to} aligned to {align}");
            watched.check();
            watched.clear();
        }
    }
}

#[test]
fn an_aligned_block_is_found_wherever_it_has_room_in_a_full_heap() {
    const ALIGN: usize = 4 * GRANULE;
    const GAPS: usize = 24;
    for place in 0..GAPS {
        let calls = Cell::new(NEVER);
        let mut watched = Watched::new(bounded(64 << 10, &calls));
        while watched.allocate(layout(GRANULE, 8), false) {}
        let first = watched.address(0).next_multiple_of(ALIGN);
        // Each is as long as the block, but only one lies as the block has to.
        for gap in 0..GAPS {
            let from = first + gap * 4 * ALIGN + if gap == place { 0 } else { GRANULE };
            for at in (from..from + ALIGN).step_by(GRANULE) {
                let which = (0..watched.len()).find(|which| watched.address(*which) == at);
                watched.free(which.expect("a block lies there"));
            }
        }
        assert!(watched.allocate(layout(ALIGN, ALIGN), false), "it has room in the gap {place}");
        watched.check();
        assert!(!watched.allocate(layout(ALIGN, ALIGN), false) && watched.allocate(layout(ALIGN, 8), false));
        watched.check();
        watched.clear();
        watched.check();
    }
}

#[test]
fn what_nobody_uses_goes_back_before_a_request_is_refused() {
    for make in BOTH {
        // Each larger than the one before, which was freed; none would fit beside another.
        let calls = Cell::new(NEVER);
        let mut watched = Watched::new(make(60 << 20, &calls));
        for mebibytes in 28..58 {
            assert!(watched.allocate(layout(mebibytes << 20, 8), false), "{mebibytes} MiB");
            watched.clear();
            watched.check();
        }
        // The untouched end of a segment that holds a block goes back too.
        let mut watched = Watched::new(make(60 << 20, &calls));
        assert!(watched.allocate(layout(100, 8), false));
        assert!(watched.allocate(layout(58 << 20, 8), false));
        watched.check();
    }
}

/// Pages of `[at, at + len)` that are resident.
fn resident_pages(at: NonNull<u8>, len: usize) -> usize {
    let base = at.addr().get().next_multiple_of(4096);
    let pages = (at.addr().get() + len - base) / 4096;
    let mut found = vec![0u8; pages];
    // SAFETY: mincore writes one byte a page.
    let answer = unsafe {
        rt0::sys::syscall(rt0::sys::nr::MINCORE, [base.into(), (pages * 4096).into(), found.as_mut_ptr().into()])
    };
    answer.expect("mapped");
    found.iter().filter(|page| **page & 1 != 0).count()
}

#[test]
fn single_pages_between_small_blocks_go_back() {
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    const LEN: usize = 12_000;
    let mut blocks = Vec::new();
    for i in 0..600 {
        let block = heap.allocate(layout(LEN, 8)).expect("room");
        // SAFETY: the heap's block.
        unsafe { block.write_bytes(1, LEN) };
        let beside = heap.allocate(layout(9000, 8)).expect("room");
        // SAFETY: the block is this heap's and that long.
        unsafe { beside.write_bytes(1, 9000) };
        blocks.push((block, i));
    }
    // The pages that lie whole in a block are the heap's words' or nobody's when it is free.
    for (block, _) in &blocks {
        // SAFETY: the heap's block, freed once.
        unsafe { heap.deallocate(*block, layout(LEN, 8)) };
    }
    heap.trim();
    assert_eq!(heap.check(), Ok(()));
    for (block, i) in blocks {
        // A page and a half at either end holds the neighbours, or words of the chunk.
        let base = block.addr().get();
        let (from, to) = ((base + 88).next_multiple_of(4096), (base + LEN - 8) / 4096 * 4096);
        if from < to {
            // SAFETY: inside the block that was.
            let resident = resident_pages(unsafe { block.add(from - base) }, to - from);
            assert_eq!(resident, 0, "block {i}");
        }
    }
}

#[test]
fn what_is_never_written_makes_nothing_else_resident() {
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    let whole = heap.allocate(layout(1 << 30, 8)).expect("address space");
    let mut addresses = Vec::new();
    for _ in 0..1024 {
        let block = heap.allocate(layout(256, 8)).expect("room");
        // SAFETY: the heap's block.
        unsafe { block.write_bytes(1, 256) };
        addresses.push(block.addr().get());
    }
    // Some may lie right before the large block, which begins at a page.
    let of_whole = whole.addr().get() - (64 << 10)..whole.addr().get() + (1 << 30);
    let low = addresses.into_iter().filter(|at| !of_whole.contains(at)).min().expect("the others lie elsewhere");
    let low = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(low)).expect("a block");
    // 64 pages are written; as far as the segment is committed, at most a step more is there.
    let resident = resident_pages(low, 512 << 10);
    assert!((60..64 + 48).contains(&resident), "{resident} pages");
    assert_eq!(resident_pages(whole, 1 << 30), 0);
}

#[test]
fn what_lies_before_an_aligned_block_is_not_made_resident() {
    const ALIGN: usize = 1 << 20;
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    // From half of this on what the heap grows by is made resident at once.
    (0..256).for_each(|_| assert!(heap.allocate(layout(1024, 8)).is_some()));
    let mut before = heap.allocate(layout(64, ALIGN)).expect("room");
    for i in 0..16 {
        let block = heap.allocate(layout(64, ALIGN)).expect("room");
        assert_eq!(block.addr().get() - before.addr().get(), ALIGN, "one follows the other");
        // A step more than is needed for the block before is there.
        let resident = resident_pages(before, ALIGN);
        assert!(resident <= 1 + 16, "{resident} pages before block {i}");
        before = block;
    }
}

#[test]
fn a_block_grows_where_it_is_when_what_is_idle_has_gone_back() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(growing(52 << 20, &calls));
    // Each has a segment of its own, and there is no room for a third.
    assert!(watched.allocate(layout(24 << 20, 8), false) && watched.allocate(layout(24 << 20, 8), false));
    watched.free(1);
    let at = watched.address(0);
    assert!(watched.resize(0, 44 << 20), "what was the other's is room behind it");
    assert_eq!(watched.address(0), at);
    watched.check();
    // The same in a full heap, from class to class, out of the classes and back.
    for (from, to) in [(4000, 7000), (5000, SMALL_MAX), (SMALL_MAX, 12_000), (SMALL_MAX + 1, 12_000)] {
        let mut watched = Watched::new(bounded(1 << 20, &calls));
        while watched.allocate(layout(from, 8), false) {}
        let len = block_len(layout(from, 8));
        let find = |watched: &Watched<'_>, at: usize| (0..watched.len()).find(|i| watched.address(*i) == at);
        let mut pairs = (0..watched.len()).filter_map(|i| Some((i, find(&watched, watched.address(i) + len)?)));
        let (block, behind) = pairs.next().expect("blocks lie side by side");
        let at = watched.address(block);
        watched.free(behind);
        for size in [to, from] {
            let block = find(&watched, at).expect("it is where it was");
            assert!(watched.resize(block, size), "{from} to {to}");
            assert_eq!(watched.address(find(&watched, at).expect("it stays")), at);
            watched.check();
        }
        watched.clear();
        watched.check();
    }
}

#[test]
fn a_very_large_block_doubles_where_it_is() {
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    let _small = heap.allocate(layout(100, 8)).expect("room");
    // Other tests' heaps may be right behind one of them.
    let blocks = [(); 3].map(|()| heap.allocate(layout(640 << 20, 8)).expect("address space"));
    let doubles = |block: &NonNull<u8>| {
        [640, 1280].iter().all(|mebibytes| {
            // SAFETY: the heap's block, of that length as long as it stays where it is.
            let longer = unsafe { heap.reallocate(*block, layout(mebibytes << 20, 8), mebibytes << 21) };
            longer == Some(*block)
        })
    };
    assert!(blocks.iter().rev().any(doubles));
    assert_eq!(heap.check(), Ok(()));
}

/// How much is resident of what are or were blocks of a length, bytes.
fn resident_of(blocks: &[NonNull<u8>], len: usize) -> usize {
    blocks.iter().map(|block| resident_pages(*block, len)).sum::<usize>() * 4096
}

/// Writes blocks of the heap and frees them, the last one first.
fn write_and_free(heap: &Heap<rt0::lock::Unlocked>, blocks: &[NonNull<u8>], layout: Layout) {
    for block in blocks.iter().rev() {
        // SAFETY: the heap's block, freed once.
        unsafe {
            block.write_bytes(1, layout.size());
            heap.deallocate(*block, layout);
        }
    }
}

#[test]
fn what_was_freed_in_reverse_goes_back_while_blocks_come_and_go_there() {
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    let whole = layout(1 << 20, 8);
    let swing = || {
        let blocks: Vec<_> = (0..120).map(|_| heap.allocate(whole).expect("room")).collect();
        write_and_free(&heap, &blocks, whole);
        blocks
    };
    // Nothing says that it is wanted again.
    assert!(resident_of(&swing(), whole.size()) <= rt0::heap::PURGE_THRESHOLD + (64 << 10));
    // It is taken again, and as much may stay as stays anyway.
    heap.set_purge_threshold(2 * rt0::heap::PURGE_THRESHOLD);
    let blocks = swing();
    heap.set_purge_threshold(rt0::heap::PURGE_THRESHOLD);
    let resident = || resident_of(&blocks, whole.size());
    assert!(resident() > 100 << 20, "not at once");
    let buffer = layout(16 << 10, 8);
    for _ in 0..5000 {
        let block = heap.allocate(buffer).expect("room");
        // SAFETY: the heap's block, freed once.
        unsafe { heap.deallocate(block, buffer) };
    }
    assert!(resident() <= rt0::heap::PURGE_THRESHOLD + (64 << 10), "{} bytes", resident());
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn what_stays_is_what_was_wanted_again_in_whatever_order_it_was_freed() {
    use rt0::heap::PURGE_THRESHOLD;
    let whole = layout(1 << 20, 8);
    for (forward, with_last) in [(false, false), (false, true), (true, false), (true, true)] {
        // SAFETY: one thread.
        let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
        let mut last = None;
        let resident = |blocks: &[NonNull<u8>]| resident_of(blocks, whole.size());
        // 120 MiB that are written and freed.
        let mut swing = || {
            let mut blocks: Vec<_> = (0..120).map(|_| heap.allocate(whole).expect("room")).collect();
            if with_last && last.is_none() {
                last = heap.allocate(layout(200_000, 8));
            }
            blocks.sort();
            if !forward {
                blocks.reverse();
            }
            for block in &blocks {
                // SAFETY: the heap's block.
                unsafe { block.write_bytes(1, whole.size()) };
            }
            for block in &blocks {
                // SAFETY: the heap's block, freed once.
                unsafe { heap.deallocate(*block, whole) };
            }
            blocks
        };
        // A slice at once may be more than is due.
        let edges = 64 << 10;
        let slice = 8 << 20;
        let near = |most: usize| most - slice - edges..=most + edges;
        let of = format!("forward: {forward}, a block behind: {with_last}");
        let blocks = swing();
        let first = resident(&blocks);
        assert!(near(PURGE_THRESHOLD).contains(&first), "{first} bytes the first time; {of}");
        // No more goes back when others come and go.
        let buffer = layout(16 << 10, 8);
        let use_buffer = || {
            let block = heap.allocate(buffer).expect("room");
            // SAFETY: the heap's block, freed once.
            unsafe { heap.deallocate(block, buffer) };
        };
        (0..100).for_each(|_| use_buffer());
        let later = resident(&blocks);
        assert!(near(PURGE_THRESHOLD).contains(&later), "{first} bytes, then {later}; {of}");
        let blocks = swing();
        let second = resident(&blocks);
        assert!(near(2 * PURGE_THRESHOLD).contains(&second), "{second} bytes the second time; {of}");
        // Others come and go, and it stands still.
        (0..5000).for_each(|_| use_buffer());
        let third = resident(&blocks);
        assert!(third <= PURGE_THRESHOLD + edges, "{third} bytes when it was not wanted any more; {of}");
        // What is long does not wait for other calls.
        heap.trim();
        let long = layout(200 << 20, 8);
        let block = heap.allocate(long).expect("room");
        // SAFETY: the heap's block, freed once.
        unsafe {
            block.write_bytes(1, long.size());
            heap.deallocate(block, long);
        }
        let left = resident_of(&[block], long.size());
        assert!(left <= 2 * PURGE_THRESHOLD + edges, "{left} bytes of a long block; {of}");
        assert_eq!(heap.check(), Ok(()));
    }
}

#[test]
fn what_a_top_reaches_again_and_again_stays() {
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    let whole = layout(1 << 20, 8);
    let swing = |count: usize| {
        let blocks: Vec<_> = (0..count).map(|_| heap.allocate(whole).expect("room")).collect();
        let resident = resident_of(&blocks, whole.size());
        write_and_free(&heap, &blocks, whole);
        resident
    };
    // It is seen to be wanted when it is reached for the second time.
    swing(60);
    for round in 0..200 {
        // Most rounds are low.
        let count = if round % 4 == 0 { 60 } else { 10 };
        let resident = swing(count);
        assert!(round == 0 || resident >= count * whole.size() - (1 << 20), "{resident} bytes in round {round}");
    }
    assert_eq!(heap.check(), Ok(()));
}

/// `mlock`, of `include/uapi/asm-generic/unistd.h` and the other tables.
const MLOCK: usize = if cfg!(target_arch = "x86_64") { 149 } else { 150 };

/// `prctl`, of the same tables.
const PRCTL: usize = if cfg!(target_arch = "x86_64") { 157 } else { 172 };

/// The calling thread's `madvise` does nothing from now on and says that all is well, as that of an emulator may.
fn ignore_advice() {
    /// An instruction of a filter, and the filter (`include/uapi/linux/filter.h`).
    #[repr(C)]
    struct Step(u16, u8, u8, u32);
    #[repr(C)]
    struct Filter(u16, *const Step);
    // Loads the number of the call; jumps by one if it is another; answers SECCOMP_RET_ERRNO of no error, or
    // SECCOMP_RET_ALLOW (`include/uapi/linux/seccomp.h`).
    let steps = [
        Step(0x20, 0, 0, 0),
        Step(0x15, 0, 1, rt0::sys::nr::MADVISE as u32),
        Step(0x06, 0, 0, 0x0005_0000),
        Step(0x06, 0, 0, 0x7fff_0000),
    ];
    let filter = Filter(4, steps.as_ptr());
    // PR_SET_NO_NEW_PRIVS, and PR_SET_SECCOMP with a filter (`include/uapi/linux/prctl.h`).
    // SAFETY: they change nothing but what this thread's calls do; the filter is as long as it says.
    let answers = unsafe {
        [
            rt0::sys::syscall(PRCTL, [38usize.into(), 1usize.into(), 0usize.into(), 0usize.into(), 0usize.into()]),
            rt0::sys::syscall(PRCTL, [22usize.into(), 2usize.into(), (&raw const filter).into()]),
        ]
    };
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[test]
fn what_was_given_back_is_zero_whatever_the_kernel_did() {
    zeroed_again_and_again(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            ignore_advice();
            zeroed_again_and_again(true);
        });
    });
}

#[test]
fn what_was_given_back_is_zero_and_is_not_touched() {
    zeroed_again_and_again(false);
}

/// Takes zeroed memory and frees it, a few times; `locked`: with a page in it that the kernel cannot take back.
fn zeroed_again_and_again(locked: bool) {
    const LEN: usize = 256 << 20;
    // SAFETY: one thread.
    let heap: Heap<rt0::lock::Unlocked> = unsafe { Heap::new_unlocked() };
    let _small = heap.allocate(layout(100, 8)).expect("room");
    let lens = [LEN, LEN - 5000, LEN + 3000].into_iter().cycle().take(6);
    let mut last = 0;
    for len in lens {
        let block = heap.allocate_zeroed(layout(len, 8)).expect("room");
        // SAFETY: inside the block.
        let byte = |at: usize| unsafe { block.add(at) };
        if !locked {
            assert!(resident_pages(block, len) <= 4, "{} pages of {len} bytes", resident_pages(block, len));
        }
        for at in [0, 1, 4095, 4096, 1 << 20, len / 2, len - 8192, len - 4097, len - 4096, len - 1] {
            // SAFETY: inside the block.
            unsafe {
                assert_eq!(byte(at).read(), 0, "byte {at} of {len}");
                byte(at).write(0xff);
            }
        }
        if last > 0 && last < len {
            // SAFETY: inside the block.
            assert_eq!(unsafe { byte(last).read() }, 0);
        }
        last = len;
        if locked {
            // What is locked stays resident when it is given back, and the kernel says so.
            let page = byte(len / 2 / 4096 * 4096);
            // SAFETY: it changes nothing of what the page holds.
            let _ = unsafe { rt0::sys::syscall(MLOCK, [page.as_ptr().into(), 4096usize.into()]) };
        }
        // SAFETY: the heap's block, freed once.
        unsafe { heap.deallocate(block, layout(len, 8)) };
    }
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn small_blocks_do_not_lie_behind_a_block_that_has_a_segment_of_its_own() {
    let calls = Cell::new(NEVER);
    // With huge pages what is committed ends behind the block, and so it does when that was longer once.
    for huge_from in [usize::MAX, 0] {
        let mut watched = Watched::new(growing(512 << 20, &calls));
        watched.heap.set_huge_from(huge_from);
        let small = layout(40_000, 8);
        assert!(watched.allocate(small, false) && watched.allocate(layout((40 << 20) - 5000, 8), false));
        let at = watched.address(1);
        assert!(at.is_multiple_of(4096), "what is large begins at a page");
        for mebibytes in [45, 90, 70, 80] {
            for _ in 0..500 {
                assert!(watched.allocate(small, false));
            }
            assert!(watched.resize(1, mebibytes << 20) && watched.address(1) == at, "nothing is in its way");
        }
        assert!(watched.allocate(small, false));
        watched.free(1);
        watched.heap.trim();
        watched.check();
        assert_eq!(watched.heap.stats().segments, 1, "its segment goes back whole");
    }
}

#[test]
fn a_request_for_more_than_there_can_be_empties_no_list() {
    let heap = Heap::new();
    let small = layout(48, 8);
    let blocks: Vec<_> = (0..100).map(|_| heap.allocate(small).expect("there is memory")).collect();
    for block in blocks {
        // SAFETY: the heap's block, freed once.
        unsafe { heap.deallocate(block, small) };
    }
    let listed = heap.stats().listed;
    assert!(listed >= 100 * small.size());
    let most = usize::MAX / 2 - 4096;
    assert!(heap.allocate(layout(most, 8)).is_none() && heap.allocate(layout(most, 4096)).is_none());
    assert_eq!(heap.stats().listed, listed);
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn one_large_block_after_another_takes_no_more_address_space_than_a_few() {
    let calls = Cell::new(NEVER);
    for (grows, with_small) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut watched = Watched::new(Bounded { grows, ..bounded(4 << 30, &calls) });
        if with_small {
            assert!(watched.allocate(layout(100, 8), false));
        }
        for mebibytes in [100, 120, 140, 160, 180, 200] {
            let block = watched.heap.allocate(layout(mebibytes << 20, 8)).expect("room");
            // SAFETY: the heap's block, freed once.
            unsafe { watched.heap.deallocate(block, layout(mebibytes << 20, 8)) };
        }
        watched.check();
        // A segment is an eighth longer for its bits, or twice as long; the first one has at least 64 MiB, or the share
        // of what there is.
        let reserved = watched.heap.stats().reserved >> 20;
        assert!(reserved <= 400 + if with_small { 256 } else { 0 }, "{reserved} MiB, {grows}, {with_small}");
    }
}

static SHARED: Heap = Heap::new();

#[test]
fn threads_share_the_locked_heap() {
    const THREADS: usize = 8;
    let ends = AtomicUsize::new(0);
    let start = Barrier::new(THREADS);
    // Through this pool blocks go from thread to thread.
    let pool: Mutex<Vec<(usize, usize, u8)>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for t in 0..THREADS {
            let (pool, ends, start) = (&pool, &ends, &start);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(t as u64);
                let mut blocks: Vec<(usize, usize, u8)> = Vec::new();
                start.wait();
                for _ in 0..400_000 {
                    let size = if random.u8(..) < 8 { random.usize(1..100_000) } else { random.usize(1..600) };
                    let at = SHARED.allocate(layout(size, 8)).expect("room");
                    let mark = random.u8(..);
                    // SAFETY: the block is ours, and `size` bytes long.
                    unsafe {
                        at.write(mark);
                        at.add(size - 1).write(mark);
                    }
                    blocks.push((at.expose_provenance().get(), size, mark));
                    if random.u8(..) < 4 {
                        let mut pool = pool.lock().expect("no thread panics");
                        pool.push(blocks.swap_remove(random.usize(..blocks.len())));
                        let other = random.usize(..pool.len());
                        blocks.push(pool.swap_remove(other));
                    }
                    if blocks.len() > 200 {
                        give_back(blocks.swap_remove(random.usize(..blocks.len())));
                    }
                }
                blocks.into_iter().for_each(give_back);
                ends.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(ends.load(Ordering::Relaxed), THREADS);
    pool.into_inner().expect("no thread panics").into_iter().for_each(give_back);
    assert_eq!(SHARED.check(), Ok(()));
    assert_eq!(SHARED.stats().live, 0);
}

fn give_back((at, size, mark): (usize, usize, u8)) {
    let at = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(at)).expect("a block");
    // SAFETY: the block is the shared heap's, and this thread alone has it.
    unsafe {
        assert_eq!((at.read(), at.add(size - 1).read()), (mark, mark), "a block is another's too");
        SHARED.deallocate(at, layout(size, 8));
    }
}

#[test]
fn a_heap_grows_behind_its_end_and_is_one_run_when_all_is_freed() {
    let calls = Cell::new(NEVER);
    let mut watched = Watched::new(growing(512 << 20, &calls));
    // A block that doubles stays where it is.
    assert!(watched.allocate(layout(32 << 20, 8), false));
    let at = watched.address(0);
    for mebibytes in [64, 128, 256] {
        assert!(watched.resize(0, mebibytes << 20));
        assert_eq!(watched.address(0), at, "{mebibytes} MiB");
    }
    watched.clear();
    while watched.allocate(layout(4096, 8), false) {}
    assert_eq!(watched.heap.stats().segments, 1);
    watched.clear();
    // What was many small blocks is room for one.
    assert!(watched.allocate(layout(500 << 20, 8), false));
    watched.check();
}
