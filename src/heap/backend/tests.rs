//! The faults that `check` names, each made in a heap that was whole, and seen; and what the bins find.

extern crate std;

use std::alloc::Layout;
use std::boxed::Box;
use std::vec::Vec;

use super::super::check::Fault;
use super::super::class::SizeClass;
use super::super::system::SystemMemory;
use super::super::{Heap, State};
use super::*;
use crate::lock::Unlocked;

type Used = State<'static, Unlocked, SystemMemory>;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a test's layout")
}

/// A heap with free chunks of all kinds between blocks, and blocks in lists.
fn used() -> Used {
    // SAFETY: this test alone has it.
    let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
    // SAFETY: it is held from now on.
    let mut state = unsafe { heap.state(&heap.hold_all()) };
    let sizes = [16, 48, 700, 1024, 5000, 9000, 9000, 30_000, 140_000, 300_000, 3 << 20];
    let mut blocks = Vec::new();
    for round in 0..40 {
        for size in sizes {
            let layout = layout(size + round % 3 * 16, if round % 5 == 0 { 64 } else { 8 });
            let (block, _) = state.allocate(layout).expect("there is memory");
            blocks.push((block, layout));
        }
    }
    for (i, (block, layout)) in blocks.into_iter().enumerate() {
        if i % 3 != 0 {
            continue;
        }
        // SAFETY: the heap's, and forgotten here.
        unsafe {
            match SizeClass::of(layout) {
                Some(class) if state.cache.push(class, block) => {}
                _ => state.deallocate(block, layout),
            }
        }
    }
    // What small blocks leave between them.
    for (class, number) in SizeClass::all().zip(0..) {
        if number % 2 == 0 {
            state.cache.flush_class(class, state.depot, state.backend);
        }
    }
    assert_eq!(state.check(), Ok(()));
    state
}

/// Breaks a heap, and says what is found; then mends it, so that no other fault was made.
fn found<T>(state: &mut Used, harm: impl FnOnce(&mut Used) -> T, mend: impl FnOnce(&mut Used, T)) -> Fault {
    let was = harm(state);
    let fault = state.check().expect_err("it was broken");
    mend(state, was);
    assert_eq!(state.check(), Ok(()), "it is mended");
    fault
}

/// The free chunks that satisfy something.
fn chunks(state: &Used, wanted: impl Fn(FreeChunk) -> bool) -> Vec<FreeChunk> {
    (0..super::super::bins::BINS)
        .flat_map(|bin| state.backend.bins.chunks(bin))
        .filter(|chunk| wanted(*chunk))
        .collect()
}

fn address(chunk: FreeChunk) -> usize {
    chunk.start().addr().get()
}

#[test]
fn a_chunk_whose_ends_disagree() {
    let mut state = used();
    for chunk in [chunks(&state, |c| c.len() < LONG && c.len() > GRANULE)[0], chunks(&state, |c| c.len() > LONG)[0]] {
        // SAFETY: the last word of a free chunk, and its length.
        let (last, len) = unsafe { (chunk.start().add(chunk.len() - size_of::<usize>()).cast::<usize>(), chunk.len()) };
        // SAFETY: the memory is this test's heap's, and nothing else uses it.
        let harm = |_: &mut _| unsafe { last.write(len + GRANULE) };
        // SAFETY: the memory is this test's heap's, and nothing else uses it.
        let mend = |_: &mut _, ()| unsafe { last.write(len) };
        let fault = found(&mut state, harm, mend);
        assert_eq!(fault, Fault::Chunk(address(chunk)));
        let words = std::format!("a free chunk's words contradict its edge bits, at {:#x}", address(chunk));
        assert_eq!(std::format!("{fault}"), words);
    }
}

#[test]
fn an_edge_that_is_none() {
    let state = used();
    let chunk = chunks(&state, |c| c.len() > LONG)[0];
    // SAFETY: the only segment that this test looks at.
    let segment = unsafe { state.backend.segment_of(chunk.start()) }.expect("it is in one");
    let inside = segment.offset(chunk.start()) + 3 * GRANULE;
    segment.set_edge(inside);
    assert_eq!(state.check(), Err(Fault::Chunk(address(chunk))));
    segment.clear_edge(inside);
    assert_eq!(state.check(), Ok(()));
}

#[test]
fn chunks_that_are_not_joined() {
    let state = used();
    let chunk = chunks(&state, |c| c.len() > LONG && c.dirty(c.len()) == 0)[0];
    // SAFETY: the only segment that this test looks at.
    let segment = unsafe { state.backend.segment_of(chunk.start()) }.expect("it is in one");
    let whole = state.backend.unlink(segment, chunk);
    // SAFETY: two halves of what was a chunk.
    unsafe {
        state.backend.put(segment, Span { end: whole.start + 2 * GRANULE, ..whole });
        state.backend.put(segment, Span { start: whole.start + 2 * GRANULE, ..whole });
    }
    assert_eq!(state.check(), Err(Fault::Unjoined(address(chunk) + 2 * GRANULE)));

    // One that touches the top.
    let state = used();
    let run = state.backend.take(Request { len: 4096, count: 1, align: GRANULE }).expect("memory");
    // SAFETY: the only segment that this test looks at.
    let segment = unsafe { state.backend.segment_of(run.at) }.expect("it is in one");
    let top = segment.top;
    state.backend.raise_top(segment, top + 64);
    // SAFETY: above the top that was, and committed as far as `soft`.
    unsafe { state.backend.put(segment, Span::new(top, top + 64, 0)) };
    let at = segment.at(top).addr().get();
    let fault = state.check();
    assert!(matches!(fault, Err(Fault::Unjoined(found)) if found <= at), "{fault:?}");
}

#[test]
fn a_chunk_in_a_wrong_place_of_its_bin() {
    let mut state = used();
    for wanted in [GRANULE * 8, LONG * 4] {
        let some = chunks(&state, |c| c.len() >= wanted);
        let (chunk, other) = (some[0], some[some.len() - 1]);
        let one = chunk.len() == GRANULE;
        let harm = |_: &mut _| {
            let prev = chunk.prev();
            chunk.set_prev(Some(other), one);
            prev
        };
        let mend = |_: &mut _, prev| chunk.set_prev(prev, one);
        let fault = found(&mut state, harm, mend);
        assert!(matches!(fault, Fault::Bin(_)), "{fault:?}");
    }
    // A node below the wrong parent.
    let node = chunks(&state, |c| c.len() >= LONG && c.prev().is_none() && c.parent().is_some())[0];
    let harm = |_: &mut _| {
        let parent = node.parent();
        node.set_parent(Some(node));
        parent
    };
    let fault = found(&mut state, harm, |_, parent| node.set_parent(parent));
    assert!(matches!(fault, Fault::Bin(_)), "{fault:?}");
}

#[test]
fn a_chunk_in_no_bin_and_one_that_is_counted_twice() {
    let mut state = used();
    let chunk = chunks(&state, |c| c.len() > LONG)[0];
    let fault = found(
        &mut state,
        |state| state.backend.bins.remove(chunk, chunk.len()),
        |state, ()| state.backend.bins.insert(chunk, chunk.len()),
    );
    assert_eq!(fault, Fault::Count);
}

#[test]
fn a_dirty_chunk_that_is_not_in_its_list() {
    let mut state = used();
    let dirty = chunks(&state, |c| c.dirty(c.len()) > 0);
    assert!(dirty.len() > 3);
    let chunk = state.backend.oldest.and_then(FreeChunk::newer).expect("there is a second one");
    let harm = |_: &mut _| {
        let older = chunk.older();
        chunk.set_older(None);
        older
    };
    assert_eq!(found(&mut state, harm, |_, older| chunk.set_older(older)), Fault::Age(address(chunk)));
    let fault =
        found(&mut state, |state| state.backend.newest.replace(chunk), |state, newest| state.backend.newest = newest);
    assert_eq!(fault, Fault::Age(0));
    // More is said to be dirty than there are pages, or others, or parts of pages.
    let (dirty, (from, to)) = (chunk.dirty(chunk.len()), chunk.dirty_between());
    for (dirty, from, to) in
        [(dirty + GRANULE, from, to), (dirty, from - 4096, to), (dirty, from, to + 4096), (1, from + GRANULE, to)]
    {
        let before = (chunk.dirty(chunk.len()), chunk.dirty_between());
        let harm = |_: &mut Used| chunk.set_dirty(dirty, from, to);
        let mend = |_: &mut Used, ()| chunk.set_dirty(before.0, before.1.0, before.1.1);
        assert_eq!(found(&mut state, harm, mend), Fault::Age(address(chunk)));
    }
}

#[test]
fn sums_that_are_wrong() {
    let mut state = used();
    let fields: [fn(&mut Backend<SystemMemory>) -> &mut usize; 3] =
        [|b| &mut b.free, |b| &mut b.used, |b| &mut b.dirty];
    for field in fields {
        let harm = |state: &mut Used| *field(state.backend) += GRANULE;
        let fault = found(&mut state, harm, |state, ()| *field(state.backend) -= GRANULE);
        assert_eq!(fault, Fault::Sum);
    }
    // More blocks are said to be out than there is memory for.
    let class = SizeClass::of(layout(8000, 8)).expect("it has a class");
    let harm = |state: &mut Used| state.depot.out[class.index()] += 1 << 30;
    assert_eq!(found(&mut state, harm, |state, ()| state.depot.out[class.index()] -= 1 << 30), Fault::Sum);
}

#[test]
fn lists_that_hold_what_is_no_block() {
    let class = SizeClass::of(layout(48, 8)).expect("it has a class");
    // What is free, what is nobody's, and what lies off the granule.
    let state = used();
    let free = chunks(&state, |c| c.len() == 9 * LONG || c.len() > 4 * LONG)[0].start();
    let mut elsewhere = [0u64; 64];
    // SAFETY: inside of it.
    let elsewhere = unsafe { NonNull::from(&mut elsewhere).cast::<u8>().add(16) };
    for wrong in [free, elsewhere] {
        let state = used();
        state.depot.out[class.index()] += 1;
        // SAFETY: memory that the test may write to; the heap is not used after that.
        let _ = unsafe { state.cache.push(class, wrong) };
        let fault = state.check();
        assert!(matches!(fault, Err(Fault::List(_) | Fault::Sum | Fault::Chunk(_))), "{fault:?}");
        if wrong == elsewhere {
            assert_eq!(fault, Err(Fault::List(wrong.addr().get())));
        }
    }
    // A block that lies otherwise than its class says.
    let mut state = used();
    let aligned = SizeClass::of(layout(64, 64)).expect("it has a class");
    let (block, _) = state.allocate(layout(128, 64)).expect("memory");
    state.depot.out[aligned.index()] += 1;
    // SAFETY: a part of the block; the heap is not used after that.
    let wrong = unsafe { block.add(32) };
    // SAFETY: the same.
    let _ = unsafe { state.cache.push(aligned, wrong) };
    assert_eq!(state.check(), Err(Fault::List(wrong.addr().get())));
    // A circle.
    let mut state = used();
    let (block, _) = state.allocate(layout(48, 8)).expect("memory");
    // SAFETY: the same block twice, which is the fault.
    let _ = unsafe { (state.cache.push(class, block), state.cache.push(class, block)) };
    assert!(matches!(state.check(), Err(Fault::List(_))));
    // A number that is not the list's.
    let mut state = used();
    let (block, _) = state.allocate(layout(48, 8)).expect("memory");
    // SAFETY: a block of that class.
    let _ = unsafe { state.cache.push(class, block) };
    let _ = state.cache.pop(class);
    assert_eq!(state.check(), Ok(()));
    state.cache.miscount(class);
    assert_eq!(state.check(), Err(Fault::List(0)));
}

#[test]
fn what_is_freed_wrongly_is_found_out() {
    let state = || {
        let mut state = used();
        let (block, _) = state.allocate(layout(100_000, 8)).expect("memory");
        (state, block)
    };
    let mut own = std::vec![0u8; 200_000];
    let foreign = NonNull::new(own.as_mut_ptr()).expect("a pointer");
    let (heap, block) = state();
    // SAFETY: none: these are the faults. The heap touches none of it.
    unsafe {
        heap.backend.give(foreign, 100_000);
        assert_eq!(heap.backend.misuse.take().expect("seen").what, "is not the heap's");
        heap.backend.give(block, 8 << 30);
        assert_eq!(heap.backend.misuse.take().expect("seen").what, "is not a block of that layout");
        heap.backend.give(block.add(8), 992);
        assert_eq!(heap.backend.misuse.take().expect("seen").what, "is not a block of that layout");
        heap.backend.give(block, 100_000);
        assert_eq!(heap.backend.misuse, None);
        heap.backend.give(block, 100_000);
    }
    let misuse = heap.backend.misuse.take().expect("seen");
    // The second time it is a part of a chunk, or above the top.
    assert!(!misuse.what.is_empty() && misuse.address == block.addr().get(), "{misuse:?}");
    assert_eq!(heap.check(), Ok(()), "none of them did any harm");
    let text = std::format!("{}", Misuse { address: 0x7f00_12ab, what: "is free already" });
    assert_eq!(text, "a block was freed that is free already: 0x7f0012ab");
    assert!(std::format!("{}", Misuse { address: 0, what: "" }).ends_with(": 0x0"));
}

#[test]
fn the_best_fit_is_the_shortest_that_is_long_enough() {
    let state = used();
    let lens: Vec<usize> = chunks(&state, |_| true).iter().map(|chunk| chunk.len()).collect();
    for len in lens.iter().flat_map(|len| [len - GRANULE, *len, len + GRANULE]).filter(|len| *len > 0) {
        let shortest = lens.iter().copied().filter(|other| *other >= len).min();
        assert_eq!(state.backend.bins.find(len).map(FreeChunk::len), shortest, "of {len} bytes");
    }
}

#[test]
fn nothing_is_made_resident_while_other_threads_may_wait() {
    for further in [0, 1] {
        // SAFETY: this test alone has it.
        let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
        // SAFETY: it is held from now on.
        let mut state = unsafe { heap.state(&heap.hold_all()) };
        state.backend.further = further;
        for _ in 0..1000 {
            let _ = state.allocate(layout(1000, 8)).expect("there is memory");
        }
        let segment = state.backend.segments().next().expect("the blocks are in one");
        assert_eq!(segment.resident > segment.top, further == 0);
    }
}

#[test]
fn only_whole_pages_are_zeroed_by_the_kernel() {
    let mut state = used();
    const LEN: usize = 100_000;
    let (block, _) = state.allocate(layout(LEN, 4096)).expect("memory");
    for (from, len, expected) in [
        (0, LEN, 0..LEN / 4096 * 4096),
        (1, 4096 + 4095, 4095..4095 + 4096),
        (1, 4096 + 4094, 0..0),
        (0, 4095, 0..0),
        (100, 50, 0..0),
        (4000, 200, 0..0),
    ] {
        // SAFETY: a part of the block.
        let zero = unsafe {
            block.write_bytes(1, LEN);
            state.backend.reset_to_zero(block.add(from), len)
        };
        assert_eq!(zero, expected, "{len} bytes from {from} on");
        for at in 0..LEN {
            let is_zero = at >= from && zero.contains(&(at - from));
            // SAFETY: inside the block.
            assert_eq!(unsafe { block.add(at).read() }, u8::from(!is_zero), "byte {at}; {len} bytes from {from} on");
        }
    }
}
