//! Which batches are kept.

extern crate std;

use std::alloc::Layout;
use std::boxed::Box;
use std::vec::Vec;

use super::super::backend::Request;
use super::super::class::GRANULE;
use super::super::system::SystemMemory;
use super::super::{Heap, State};
use super::*;
use crate::lock::Unlocked;

#[test]
fn a_front_takes_back_what_it_has_put_before_it_takes_another_ones() {
    // SAFETY: this test alone has it.
    let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
    // SAFETY: it is held from now on.
    let state = unsafe { heap.state(&heap.hold_all()) };
    let class = SizeClass::of(Layout::new::<[u64; 4]>()).expect("it has a class");
    let request = Request { len: class.len(), count: 2, align: GRANULE };
    assert!(state.backend.extend(request));
    let batches: Vec<_> = (0..2 * GROUPS)
        .map(|front| {
            let run = state.backend.take(request).expect("there is memory");
            assert_eq!(run.count, 2);
            state.depot.out[class.index()] += 2;
            // SAFETY: two new blocks of that length.
            unsafe {
                let second = run.at.add(class.len());
                second.cast::<Link>().write(None);
                run.at.cast::<Link>().write(Some(second));
            }
            let mut list = Some(run.at);
            state.depot.put(class, &mut list, 2, front, state.backend);
            run.at
        })
        .collect();
    for front in (0..GROUPS).rev() {
        // The one that was put last: that of the other front of its group, and then its own.
        for from in [front + GROUPS, front] {
            assert_eq!(state.depot.take(class, front), Some((batches[from], 2)));
        }
    }
    assert_eq!((state.depot.take(class, 0), state.depot.bytes()), (None, 0));
    // What is another's is taken as well, before the back end is asked.
    let mut list = Some(batches[0]);
    state.depot.put(class, &mut list, 2, 1, state.backend);
    assert_eq!(state.depot.take(class, 0), Some((batches[0], 2)));
}

#[test]
fn a_batch_of_long_blocks_or_all_over_memory_is_not_kept() {
    const COUNT: usize = LINKS + 20;
    // SAFETY: this test alone has it.
    let heap: &'static Heap<Unlocked> = Box::leak(Box::new(unsafe { Heap::new_unlocked() }));
    // SAFETY: it is held from now on.
    let mut state = unsafe { heap.state(&heap.hold_all()) };
    // Long blocks, of which those in the middle are free again, in one piece.
    let long = Layout::from_size_align(40_000, 8).expect("a layout");
    let blocks: Vec<_> = (0..800).map(|_| state.allocate(long).expect("there is memory").0).collect();
    for block in &blocks[200..799] {
        // SAFETY: the heap's, and not used any more.
        unsafe { state.deallocate(*block, long) };
    }
    assert!(state.backend.out() > SCATTERED_MIN);
    let take = |state: &mut State<'_, Unlocked, SystemMemory>, len| {
        state.backend.take(Request { len, count: 1, align: GRANULE }).expect("there is memory").at
    };
    for (size, is_scattered, is_kept) in [(LONG, false, true), (LONG, true, false), (LONG + 1, false, false)] {
        let class = SizeClass::of(Layout::from_size_align(size, 8).expect("a layout")).expect("it has a class");
        let mut list: Link = None;
        for _ in 0..COUNT {
            let block = take(&mut state, class.len());
            state.depot.out[class.index()] += 1;
            if is_scattered {
                take(&mut state, NEAR);
            }
            // SAFETY: a new block of that length.
            unsafe { block.cast::<Link>().write(list) };
            list = Some(block);
        }
        let before = state.depot.bytes();
        state.depot.put(class, &mut list, COUNT, 0, state.backend);
        assert_eq!(list, None);
        assert_eq!(state.depot.bytes() - before, if is_kept { COUNT * class.len() } else { 0 });
    }
    assert_eq!(state.check(), Ok(()));
}
