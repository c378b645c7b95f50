//! The arena's further regions, as a runtime on this machine reserves them. Nothing is committed, so sizes cost
//! nothing.

use rt0::arena::{self, Options};

const GIB: u64 = 1 << 30;

#[test]
fn a_cap_holds_for_all_regions_and_what_is_given_back_can_be_reserved_again() {
    // A full plan takes 16 GiB and 1 GiB of bitmap, so 1 GiB is left for further regions.
    let options = Options::new().cap(18 * GIB);
    let mut arena = arena::mallocinit(&options).unwrap();
    assert_eq!((arena.extent().len() as u64, arena.bitmap().len() as u64), (16 * GIB, GIB));

    let half = (GIB / 2) as usize;
    let first = arena.grow(half, half).unwrap();
    assert_eq!((first.extent().len(), first.bitmap().len()), (half, half / 16));
    assert!(arena.grow(half, half).is_err(), "more than the cap");
    // If less is acceptable, the arena grows by what is left, and no more.
    let rest = arena.grow(4096, half).unwrap();
    let whole = [&first, &rest].iter().map(|grown| (grown.extent().len() + grown.bitmap().len()) as u64).sum::<u64>();
    assert!((GIB - (16 + 1) * 4096..=GIB).contains(&whole), "{whole} bytes");

    arena.release(first);
    let again = arena.grow(half, half).unwrap();
    assert_eq!((again.extent().len(), again.bitmap().len()), (half, half / 16));
    assert!(arena.grow(half, half).is_err(), "more than the cap, again");
}

#[test]
fn more_than_there_can_be_is_as_much_as_there_is() {
    let mut arena = arena::mallocinit(&Options::new().cap(17 * GIB + 64 * 4096)).unwrap();
    let grown = arena.grow(4096, usize::MAX).unwrap();
    assert_eq!((grown.extent().len(), grown.bitmap().len()), (48 * 4096, 3 * 4096), "what the cap leaves, in units");
    assert!(arena.grow(usize::MAX, usize::MAX).is_err());
    assert!(arena.grow(usize::MAX / 2 + 2, usize::MAX).is_err());
    assert!(arena.grow(1, 1).is_err(), "thirteen pages are less than a page of bitmap and what it covers");
    arena.release(grown);
    assert_eq!(arena.grow(1, 1).unwrap().extent().len(), 16 * 4096);
}

#[test]
fn an_arena_is_committed_from_its_start_and_in_pieces() {
    let options = Options::new().cap(64 << 20);
    let mut arena = arena::mallocinit(&options).unwrap();
    let len = arena.extent().len();
    let (arena_base, bitmap_base) = (arena.extent().base(), arena.bitmap().base());
    let touch = |base: std::ptr::NonNull<u8>, at: usize| {
        // SAFETY: the byte has just been committed, and only this test uses the arena.
        unsafe {
            assert_eq!(base.add(at).read(), 0, "a new page is zero");
            base.add(at).write(1);
        }
    };
    for bytes in [1, 4096, 100_000, 7 << 20, len] {
        arena.commit_to(bytes).unwrap();
        touch(arena_base, bytes - 1);
        // A byte of the bitmap covers sixteen bytes of the arena.
        touch(bitmap_base, (bytes - 1) / 16);
    }
    assert!(arena.commit_to(len + 1).is_err());

    // A range need not be whole pages: committing covers every page that it touches, resetting only those whole in it.
    let mut arena = arena::mallocinit(&options).unwrap();
    let region = arena.region_mut();
    region.commit(5000..5001).unwrap();
    region.commit_bitmap(4096..4096).unwrap();
    region.commit_bitmap(0..1).unwrap();
    let base = region.extent().base();
    // SAFETY: the bytes written and read are committed, and only this test uses the arena.
    unsafe {
        base.add(4096).write(1);
        base.add(8191).write(2);
        region.bitmap().base().write(3);
        region.reset(4097..8192);
        region.reset(4096..8191);
        assert_eq!((base.add(4096).read(), base.add(8191).read()), (1, 2), "no page is whole in these");
        region.reset(1..12288);
        assert_eq!((base.add(4096).read(), base.add(8191).read()), (0, 0));
        region.reset_bitmap(0..4096);
        assert_eq!(region.bitmap().base().read(), 0);
    }
}

/// Each word has four bits of its own, and only what is committed has any.
#[test]
fn a_words_bits_are_found_by_its_address() {
    let mut arena = arena::mallocinit(&Options::new().cap(64 << 20)).unwrap();
    let region = arena.region_mut();
    let base = region.extent().base().addr().get();
    let word = size_of::<usize>();
    assert_eq!((region.bits(base), region.set_bits(base, 1)), (None, None));
    region.commit_to(4096).unwrap();
    let words = 64.min(4096 / word);
    for index in 0..words {
        assert_eq!(region.bits(base + index * word), Some(0));
        region.set_bits(base + index * word, index as u8).unwrap();
    }
    for index in 0..words {
        assert_eq!(region.bits(base + index * word + word - 1), Some(index as u8 & 15), "{index}");
        let (byte, shift) = region.bits_at(base + index * word).unwrap();
        assert_eq!(byte.addr().get(), region.bitmap().base().addr().get() + index / 2);
        assert_eq!(shift, index as u32 % 2 * 4);
    }
    let end = base + region.extent().len();
    assert_eq!((region.bits_at(base - 1), region.bits_at(end)), (None, None));
    assert!(region.bits_at(end - 1).is_some() && region.bits(end - 1).is_none());
    let _bitmap = region.take_bitmap();
    assert_eq!((region.bits_at(base), region.bits(base)), (None, None));
}

#[test]
fn extents_are_divided_where_pages_meet() {
    let extent = rt0::vm::reserve(8 * 4096).unwrap();
    let (base, whole) = (extent.base(), extent.len());
    let (low, high) = extent.split(3 * 4096);
    assert_eq!((low.base(), low.len(), high.len()), (base, 3 * 4096, whole - 3 * 4096));
    assert_eq!(high.base().addr().get(), base.addr().get() + 3 * 4096);
    assert!(low.contains(base.addr().get()) && !low.contains(high.base().addr().get()));
    assert!(!low.contains(base.addr().get() - 1));
    assert!(std::panic::catch_unwind(move || low.split(100)).is_err(), "not between pages");
    high.release().unwrap();
}

#[test]
fn an_arena_can_go_to_a_heap_with_its_bitmap_or_without() {
    use rt0::heap::{Heap, SystemMemory};
    for keep in [false, true] {
        let mut arena = arena::mallocinit(&Options::new().cap(16 << 20)).unwrap();
        let (whole, bitmap) = (arena.extent().len() + arena.bitmap().len(), arena.bitmap().len());
        let bitmap = keep.then(|| arena.region_mut().take_bitmap()).map_or(0, |kept| {
            assert_eq!((kept.len(), arena.bitmap().len()), (bitmap, 0));
            kept.release().unwrap();
            bitmap
        });
        let heap = Heap::on(SystemMemory::in_arena(arena));
        let layout = std::alloc::Layout::new::<[u64; 100]>();
        let block = heap.allocate(layout).unwrap();
        assert_eq!(heap.stats().reserved, whole - bitmap);
        // SAFETY: the heap allocated the block with this layout, and it is not used again.
        unsafe { heap.deallocate(block, layout) };
        assert_eq!(heap.check(), Ok(()));
    }
}
