//! The collector against a graph that is kept beside it, and what is built on it: weak references, finalizers, handles.

use std::hint::black_box;
use std::ptr::NonNull;

use rt0::arena::Options;
use rt0::gc::{Collector, Embedder, Ephemerons, Event, GRANULE, Growth, HeapError, Kind, Marker, Policy, Stats, Weak};
use rt0_tests::check::gc::{Language, Mutator, drive};

const KIB: u64 = 1 << 10;

/// A language whose objects are all conservative, and whose roots are a list.
type Plain = Language<0, false>;

fn heap(bound: u64) -> Collector<Plain> {
    Collector::new(&Policy::bound(bound), Plain { roots: Vec::new(), events: Vec::new() }).unwrap()
}

fn pair<E: Embedder>(gc: &mut Collector<E>, a: Option<NonNull<u8>>, b: Option<NonNull<u8>>) -> NonNull<u8> {
    let object = gc.allocate(2 * GRANULE, Kind::Scan).unwrap();
    // SAFETY: two words.
    unsafe { object.cast::<[Option<NonNull<u8>>; 2]>().write([a, b]) };
    object
}

fn first(object: NonNull<u8>) -> Option<NonNull<u8>> {
    // SAFETY: a pair.
    unsafe { object.cast::<Option<NonNull<u8>>>().read() }
}

fn count(gc: &Collector<Plain>) -> usize {
    gc.objects().count()
}

#[test]
fn a_heap_that_could_not_grow_is_refused_with_the_reason() {
    let made = |percent| {
        let growth = Growth::Live { percent, least: 1 << 20 };
        let policy = Policy { growth, ..Policy::bound(4 << 20) };
        Collector::new(&policy, Plain { roots: Vec::new(), events: Vec::new() }).err()
    };
    for percent in [0, 1, 100] {
        let error = made(percent).expect("it is too little");
        assert!(matches!(error, HeapError::Percent(of) if of == percent), "{error:?}");
        let line = format!("rt0: a heap that collects cannot grow to {percent} % of what is live: at least 101 %");
        assert_eq!(error.to_string(), line);
    }
    assert!(made(101).is_none());
}

fn run<const TAG: usize, const INTERIOR: bool>(seeds: std::ops::Range<u64>, steps: usize, always: bool) {
    for seed in seeds {
        let mut random = fastrand::Rng::with_seed(seed);
        let growth = if seed % 2 == 0 { Growth::Whole } else { Growth::Live { percent: 150, least: 128 << 10 } };
        let mut mutator = Mutator::<TAG, INTERIOR>::new((256 * KIB) << (seed % 5), growth);
        mutator.always = always;
        for _ in 0..steps {
            mutator.step(&mut random);
        }
        mutator.collect();
        assert!(seed % 5 != 0 || always || mutator.refused() > 0, "a small heap is full now and then");
        // SAFETY: nobody uses an object any more.
        unsafe { mutator.gc.release() };
    }
}

#[test]
fn a_random_mutator_never_loses_what_is_reachable_and_a_collection_frees_all_else() {
    run::<0, false>(0..20, 20_000, false);
}

#[test]
fn the_same_with_references_to_the_middle_of_objects() {
    run::<0, true>(100..110, 10_000, false);
}

#[test]
fn the_same_with_references_that_have_a_tag() {
    run::<2, false>(200..210, 10_000, false);
}

#[test]
fn the_same_with_a_collection_at_every_allocation() {
    run::<0, false>(300..304, 600, true);
}

#[test]
fn fuzzed() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..60 {
        let bytes: Vec<u8> = (0..random.usize(..6000)).map(|_| random.u8(..)).collect();
        drive(&bytes);
    }
}

#[test]
fn any_word_leads_to_the_object_that_it_points_into_or_to_none() {
    let mut gc = heap(512 * KIB);
    let mut random = fastrand::Rng::with_seed(5);
    let mut kept = Vec::new();
    while let Some(object) = gc.allocate([1, 8, 24, 64, 200, 5000, 9000, 30_000][random.usize(..8)], Kind::Leaf) {
        if random.usize(..3) == 0 {
            gc.embedder_mut().roots.push(object);
        }
        kept.push(object);
        if gc.stats().collections > 3 {
            break;
        }
    }
    gc.collect();
    // What the walk says of every byte of the arena, some before it and some behind.
    let objects: Vec<_> = gc.objects().collect();
    let low = objects[0].start.addr().get();
    let high = low + gc.stats().heap;
    assert!(objects.len() > 20 && kept.len() > objects.len());
    let mut next = 0;
    for word in low - 9000..high + 9000 {
        while next < objects.len() && objects[next].start.addr().get() + objects[next].len <= word {
            next += 1;
        }
        let right = objects.get(next).copied().filter(|object| object.start.addr().get() <= word);
        let found = gc.find(word);
        assert_eq!(found, right, "{word:#x}");
        assert_eq!(gc.find_start(word), right.map(|object| object.start), "{word:#x}");
    }
    for word in [0, 1, 8, usize::MAX, usize::MAX - 7, isize::MAX as usize, black_box(&raw const gc).addr()] {
        assert_eq!(gc.find(word), None, "{word:#x}");
    }
    assert_eq!(gc.check(), Ok(()));
    // A heap without any memory yet, most likely where the other one was.
    // SAFETY: no object is used any more.
    drop(unsafe { gc.release() });
    let empty = heap(512 * KIB);
    for word in low - 9000..low + 9000 {
        assert_eq!(empty.find(word), None, "{word:#x}");
    }
}

/// Shapes that fill a mark stack, in a heap that is full to the last page.
#[test]
fn a_full_heap_of_any_shape_completes_its_collection() {
    type Step = fn(&mut Collector<Plain>, NonNull<u8>) -> Option<NonNull<u8>>;
    let shapes: [(&str, Step); 4] = [
        ("a list by its first word", |gc, last| next(gc, 2, &[(0, last)])),
        ("a list by its last word", |gc, last| next(gc, 2, &[(1, last)])),
        ("a comb", |gc, last| {
            let tooth = next(gc, 2, &[])?;
            next(gc, 2, &[(0, last), (1, tooth)])
        }),
        ("both words to the same", |gc, last| next(gc, 2, &[(0, last), (1, last)])),
    ];
    for (name, step) in shapes {
        let mut gc = heap(400 * KIB);
        let first = pair(&mut gc, None, None);
        gc.embedder_mut().roots.push(first);
        let mut made = 1;
        loop {
            let last = gc.embedder().roots[0];
            let Some(object) = step(&mut gc, last) else { break };
            made += 1;
            gc.embedder_mut().roots[0] = object;
        }
        gc.collect();
        assert!(count(&gc) >= made && count(&gc) < 2 * made + 2, "{name}: {} of {made}", count(&gc));
        assert_eq!(gc.check(), Ok(()), "{name}");
        gc.embedder_mut().roots.clear();
        gc.collect();
        assert_eq!(gc.stats().live, 0, "{name}");
    }
    // An array with more references than the stack has room for, each to a list.
    let mut gc = heap(800 * KIB);
    let words = 6000;
    let array = gc.allocate(words * GRANULE, Kind::Scan).unwrap();
    gc.embedder_mut().roots.push(array);
    for index in (0..words).rev() {
        let inner = pair(&mut gc, None, None);
        let outer = pair(&mut gc, Some(inner), None);
        // SAFETY: inside the array.
        unsafe { array.cast::<NonNull<u8>>().add(index).write(outer) };
    }
    gc.collect();
    assert_eq!(count(&gc), 1 + 2 * words);
    assert_eq!(gc.check(), Ok(()));
}

fn next(gc: &mut Collector<Plain>, words: usize, edges: &[(usize, NonNull<u8>)]) -> Option<NonNull<u8>> {
    // What it will refer to has to be reachable while it is made.
    let len = gc.embedder().roots.len();
    gc.embedder_mut().roots.extend(edges.iter().map(|edge| edge.1));
    let object = gc.allocate(words * GRANULE, Kind::Scan);
    gc.embedder_mut().roots.truncate(len);
    let object = object?;
    for (index, to) in edges {
        // SAFETY: inside the object.
        unsafe { object.cast::<NonNull<u8>>().add(*index).write(*to) };
    }
    Some(object)
}

#[test]
fn a_heap_that_is_full_refuses_is_whole_and_has_room_again_later() {
    for size in [16, 48, 500, 3000, 20_000] {
        let mut gc = heap(300 * KIB);
        let mut rounds = Vec::new();
        for _ in 0..3 {
            let mut made = 0;
            while let Some(object) = gc.allocate(size, Kind::Scan) {
                gc.embedder_mut().roots.push(object);
                made += 1;
            }
            rounds.push(made);
            assert_eq!(gc.check(), Ok(()));
            assert!(gc.allocate(1 << 30, Kind::Leaf).is_none() && gc.allocate(usize::MAX, Kind::Leaf).is_none());
            let Stats { most, live, .. } = gc.stats();
            assert!(live + size + 4096 > most, "{live} of {most} bytes in objects of {size}");
            gc.embedder_mut().roots.clear();
        }
        assert!(rounds[0] > 0 && rounds.iter().all(|made| *made == rounds[0]), "{size}: {rounds:?}");
    }
}

#[test]
fn a_hole_that_was_too_short_for_one_object_has_room_for_another_that_fits() {
    for words in [3, 45, 63, 700] {
        let mut gc = heap(300 * KIB);
        // Objects of this many words with one of one word between each two, which stays.
        let mut holes = 0;
        while gc.allocate(words * GRANULE, Kind::Leaf).is_some() && gc.stats().collections == 0 {
            let Some(between) = gc.allocate(GRANULE, Kind::Leaf) else { break };
            gc.embedder_mut().roots.push(between);
            holes += 1;
        }
        gc.collect();
        assert!(gc.allocate((words + 1) * 2 * GRANULE, Kind::Leaf).is_none(), "every hole is too short");
        gc.inhibit();
        let found = std::iter::from_fn(|| gc.allocate(words * GRANULE, Kind::Leaf)).count();
        assert!(holes > 30 && found + 2 >= holes, "{found} of {holes} holes of {words} words");
        assert_eq!(gc.check(), Ok(()));
    }
}

fn upgraded(gc: &Collector<Plain>, weak: Weak) -> Option<NonNull<u8>> {
    // SAFETY: each test keeps its cells.
    unsafe { gc.upgrade(weak) }
}

fn value_of(gc: &Collector<Plain>, table: Ephemerons, key: NonNull<u8>) -> Option<usize> {
    // SAFETY: each test keeps its tables.
    unsafe { gc.ephemeron(table, key) }
}

#[test]
fn a_weak_cell_is_cleared_when_its_object_is_gone() {
    let mut gc = heap(256 * KIB);
    let (kept, lost) = (pair(&mut gc, None, None), pair(&mut gc, None, None));
    gc.embedder_mut().roots.extend([kept, lost]);
    // SAFETY: both are objects.
    let (weak_kept, weak_lost) = unsafe { (gc.weak(kept).unwrap(), gc.weak(lost).unwrap()) };
    gc.embedder_mut().roots.extend([weak_kept.object(), weak_lost.object()]);
    gc.collect();
    assert_eq!((upgraded(&gc, weak_kept), upgraded(&gc, weak_lost)), (Some(kept), Some(lost)));
    gc.embedder_mut().roots.retain(|root| *root != lost);
    gc.collect();
    assert_eq!((upgraded(&gc, weak_kept), upgraded(&gc, weak_lost)), (Some(kept), None));
    assert_eq!(count(&gc), 3, "one object and two cells");
    gc.embedder_mut().roots.clear();
    gc.collect();
    assert_eq!(count(&gc), 0, "cells are objects");
    gc.collect();
}

#[test]
fn an_ephemeron_keeps_its_value_as_long_as_its_key_and_no_longer() {
    let mut gc = heap(1024 * KIB);
    let table = gc.ephemerons().unwrap();
    gc.embedder_mut().roots.push(table.object());
    // A chain: each value is the key of the next pair; the first key is a root.
    let start = pair(&mut gc, None, None);
    gc.embedder_mut().roots.push(start);
    let mut key = start;
    for _ in 0..300 {
        let value = pair(&mut gc, None, None);
        // SAFETY: both are objects.
        assert!(unsafe { gc.set_ephemeron(table, key, value.addr().get()) });
        key = value;
    }
    gc.collect();
    let mut at = start;
    for _ in 0..300 {
        at = gc.find_start(value_of(&gc, table, at).unwrap()).unwrap();
    }
    assert_eq!(value_of(&gc, table, at), None);
    // A value that refers to its own key does not keep it.
    let own = pair(&mut gc, None, None);
    let value = pair(&mut gc, Some(own), None);
    // SAFETY: both are objects.
    assert!(unsafe { gc.set_ephemeron(table, own, value.addr().get()) });
    let second = value_of(&gc, table, start);
    assert!(second.is_some());
    // SAFETY: the table is a root.
    assert_eq!(unsafe { gc.remove_ephemeron(table, start) }, second);
    gc.collect();
    assert_eq!(value_of(&gc, table, start), None);
    assert_eq!(count(&gc), 3, "the table, its pairs and the first key");
    // It can be filled again.
    for _ in 0..1000 {
        let value = pair(&mut gc, None, None);
        gc.embedder_mut().roots.push(value);
        // SAFETY: an object, and no reference.
        assert!(unsafe { gc.set_ephemeron(table, value, 7) });
    }
    gc.collect();
    assert!(gc.embedder().roots[2..].iter().all(|key| value_of(&gc, table, *key) == Some(7)));
    assert_eq!(gc.check(), Ok(()));
}

#[test]
fn objects_with_a_finalizer_wait_in_the_queue_with_all_that_they_refer_to() {
    let mut gc = heap(256 * KIB);
    let inner = pair(&mut gc, None, None);
    let first_object = pair(&mut gc, Some(inner), None);
    gc.embedder_mut().roots.push(first_object);
    let second_object = pair(&mut gc, None, None);
    gc.embedder_mut().roots.push(second_object);
    // SAFETY: they are objects.
    unsafe { assert!(gc.finalize_later(first_object) && gc.finalize_later(second_object)) };
    // SAFETY: an object.
    let weak = unsafe { gc.weak(inner) }.unwrap();
    gc.embedder_mut().roots.push(weak.object());
    gc.collect();
    assert_eq!(gc.next_finalizable(), None, "both are reachable");
    gc.embedder_mut().roots.retain(|root| *root == weak.object());
    for _ in 0..2 {
        gc.collect();
        // They and what they refer to are objects as long as they wait.
        for object in [first_object, second_object, inner] {
            assert_eq!(gc.find_start(object.addr().get()), Some(object));
        }
        assert_eq!(gc.check(), Ok(()));
    }
    assert_eq!(upgraded(&gc, weak), None, "it was not reachable");
    // In the order in which they were registered.
    let found = gc.next_finalizable().unwrap();
    assert_eq!((found, first(found)), (first_object, Some(inner)));
    // The object comes back to life, and its finalizer is gone.
    gc.embedder_mut().roots.push(found);
    gc.collect();
    assert_eq!(gc.next_finalizable(), Some(second_object));
    assert_eq!(gc.next_finalizable(), None);
    gc.embedder_mut().roots.clear();
    gc.collect();
    assert_eq!((gc.next_finalizable(), count(&gc)), (None, 0));
}

#[test]
fn handles_keep_objects_as_long_as_their_scope() {
    let mut gc = heap(256 * KIB);
    gc.scope(|gc| {
        let a = pair(gc, None, None);
        let outer = gc.hold(a).unwrap();
        gc.scope(|gc| {
            let b = pair(gc, None, None);
            let inner = gc.hold(b).unwrap();
            gc.collect();
            assert_eq!((gc.get(outer), gc.get(inner), count(gc)), (a, b, 2));
        });
        gc.collect();
        assert_eq!(count(gc), 1);
        let handles = std::iter::from_fn(|| gc.hold(a)).count();
        assert!((500..2000).contains(&handles), "{handles} handles");
    });
    gc.collect();
    assert_eq!(count(&gc), 0);
}

/// A language whose references point to the second word of their objects, and whose roots are handles alone.
struct Displaced;

// SAFETY: the test uses what its handle keeps.
unsafe impl Embedder for Displaced {
    const DISPLACEMENT: usize = GRANULE;

    fn roots(&mut self, _: &mut Marker<'_, Self>) {}
}

#[test]
fn a_handle_keeps_its_object_and_not_what_a_reference_of_the_same_bits_would() {
    let mut gc = Collector::new(&Policy::bound(256 * KIB), Displaced).unwrap();
    gc.scope(|gc| {
        let [before, held] = [(); 2].map(|()| pair(gc, None, None));
        assert_eq!(gc.find_start(held.addr().get() - GRANULE), Some(before), "they lie side by side");
        gc.hold(held).unwrap();
        gc.collect();
        assert_eq!(gc.objects().map(|object| object.start).collect::<Vec<_>>(), [held]);
    });
}

#[test]
fn an_inhibited_heap_does_not_collect_and_a_safepoint_counts_what_is_elsewhere() {
    let mut gc = heap(256 * KIB);
    gc.inhibit();
    while gc.allocate(100, Kind::Leaf).is_some() {}
    assert_eq!(gc.stats().collections, 0);
    gc.allow();
    assert!(gc.allocate(100, Kind::Leaf).is_some());
    assert_eq!(gc.stats().collections, 1);
    gc.external(1 << 30);
    gc.safepoint();
    gc.safepoint();
    assert_eq!(gc.stats().collections, 2, "once for what was added");
    gc.external(-(1 << 30));
    gc.safepoint();
    let events = &gc.embedder().events;
    assert!(
        matches!(events[..], [Event::Begin, Event::End { .. }, Event::Begin, Event::End { live: 0, .. }]),
        "{events:?}"
    );
}

/// A language whose roots are on the stack alone.
struct OnStack;

// SAFETY: every reference of the test is on the stack.
unsafe impl Embedder for OnStack {
    fn roots(&mut self, _: &mut Marker<'_, Self>) {}
}

#[inline(never)]
fn build(gc: &mut Collector<OnStack>, depth: usize) -> NonNull<u8> {
    if depth == 0 {
        return pair(gc, None, None);
    }
    let a = build(gc, depth - 1);
    let b = build(gc, depth - 1);
    pair(gc, Some(a), Some(b))
}

fn nodes(tree: NonNull<u8>) -> usize {
    // SAFETY: a pair.
    let [a, b] = unsafe { tree.cast::<[Option<NonNull<u8>>; 2]>().read() };
    1 + a.map_or(0, nodes) + b.map_or(0, nodes)
}

#[test]
fn what_is_on_the_stack_and_in_registers_is_kept() {
    let base = 0_usize;
    let mut gc = Collector::new(&Policy::bound(400 * KIB), OnStack).unwrap();
    // SAFETY: what uses the heap is called from here.
    unsafe { gc.scan_stack(&raw const base) };
    let grown = |gc: &mut Collector<OnStack>| {
        for _ in 0..60 {
            // Trees take more than there is: most are dead.
            let tree = build(gc, 9);
            assert_eq!(nodes(tree), 1023);
        }
    };
    grown(&mut gc);
    assert!(gc.stats().collections > 1 && gc.check() == Ok(()), "{:?}", gc.stats());
}

#[test]
fn a_heap_that_shrinks_gives_memory_back() {
    let policy = Policy {
        arena: Options::DEFAULT.cap(64 << 20),
        growth: Growth::Live { percent: 150, least: 1 << 20 },
        ..Policy::DEFAULT
    };
    let mut gc = Collector::new(&policy, Plain { roots: Vec::new(), events: Vec::new() }).unwrap();
    for _ in 0..300 {
        let object = gc.allocate(100 << 10, Kind::Leaf).unwrap();
        // SAFETY: as long as that.
        unsafe { object.write_bytes(1, 100 << 10) };
        gc.embedder_mut().roots.push(object);
    }
    gc.embedder_mut().roots.truncate(3);
    gc.embedder_mut().events.clear();
    gc.collect();
    let [Event::Begin, Event::End { live, purged, .. }] = gc.embedder().events[..] else { panic!("one collection") };
    assert_eq!(live, 300 << 10);
    assert!(purged > 28 << 20, "{purged} bytes were given back");
    // What was given back is zero when it is used again.
    for _ in 0..200 {
        let object = gc.allocate(100 << 10, Kind::Leaf).unwrap();
        // SAFETY: as long as that.
        let bytes = unsafe { std::slice::from_raw_parts(object.as_ptr(), 100 << 10) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        gc.embedder_mut().roots.push(object);
    }
    assert_eq!(gc.check(), Ok(()));
}

/// A heap of at most 64 MiB that is collected at twice what is live, or `least`.
fn live(least: usize) -> Collector<Plain> {
    let arena = Options::DEFAULT.cap(64 << 20);
    let policy = Policy { arena, growth: Growth::Live { percent: 200, least }, ..Policy::DEFAULT };
    Collector::new(&policy, Plain { roots: Vec::new(), events: Vec::new() }).unwrap()
}

#[test]
fn a_request_that_no_heap_can_hold_leaves_the_limit_as_it_was() {
    let mut gc = live(1 << 20);
    for _ in 0..8 {
        gc.allocate(100 << 10, Kind::Leaf).unwrap();
    }
    assert_eq!(gc.allocate(1 << 30, Kind::Leaf), None);
    gc.inhibit();
    assert_eq!(gc.allocate(1 << 30, Kind::Leaf), None);
    gc.allow();
    for _ in 0..10_000 {
        gc.allocate(1 << 10, Kind::Leaf).unwrap();
    }
    let Stats { heap, limit, .. } = gc.stats();
    assert!(heap <= 2 << 20 && limit <= 2 << 20, "{heap} bytes of {limit}");
}

#[test]
fn a_request_that_no_heap_can_hold_costs_no_collection() {
    for mut gc in [heap(512 * KIB), live(1 << 20)] {
        for len in [gc.stats().most + 1, 1 << 30, usize::MAX] {
            assert!(gc.allocate(len, Kind::Leaf).is_none(), "{len} bytes");
        }
        assert_eq!(gc.stats().collections, 0);
        assert!(gc.allocate(64, Kind::Leaf).is_some());
    }
}

#[test]
fn what_a_late_collection_frees_serves_the_request_that_it_was_for() {
    let mut gc = live(4 << 20);
    for _ in 0..2 {
        let object = gc.allocate(20 << 20, Kind::Leaf).unwrap();
        gc.embedder_mut().roots.push(object);
    }
    gc.collect();
    gc.embedder_mut().roots.pop();
    // Nothing was allocated since the collection, so it is too soon for one; but there is no other way.
    assert!(gc.allocate(30 << 20, Kind::Leaf).is_some(), "{:?}", gc.stats());
    assert_eq!(gc.check(), Ok(()));
}

#[test]
fn holes_that_are_too_short_do_not_make_a_heap_collect_all_the_time() {
    let mut gc = live(256 << 10);
    // Every second one of these dies, and leaves a hole of three words.
    for _ in 0..100_000 {
        let object = gc.allocate(3 * GRANULE, Kind::Leaf).unwrap();
        gc.embedder_mut().roots.push(object);
    }
    let mut number = 0;
    gc.embedder_mut().roots.retain(|_| {
        number += 1;
        number % 2 == 0
    });
    gc.collect();
    // The free memory behind them is kept as well, but for a little.
    let last = gc.objects().last().unwrap();
    let end = gc.objects().next().unwrap().start.addr().get() + gc.stats().heap;
    let tail = end - last.start.addr().get() - last.len;
    for _ in 0..tail.saturating_sub(4 << 10) / (4 * GRANULE) {
        let object = gc.allocate(4 * GRANULE, Kind::Leaf).unwrap();
        gc.embedder_mut().roots.push(object);
    }
    let before = gc.stats();
    assert!(before.collections > 0 && before.heap >= before.limit, "the heap may not grow: {before:?}");
    let total = 4 * before.live;
    for _ in 0..total / (4 * GRANULE) {
        gc.allocate(4 * GRANULE, Kind::Leaf).unwrap();
    }
    let collections = gc.stats().collections - before.collections;
    assert!(collections <= 8, "{collections} collections for four times what is live, {before:?}");
    let taken = usize::try_from(gc.stats().total - before.total).unwrap();
    assert!((total..total + total / 8).contains(&taken), "{taken} bytes were taken for {total}");
}

#[test]
fn memory_elsewhere_that_finalizers_give_back_does_not_pile_up() {
    const PIECE: isize = 64 << 10;
    let mut gc = live(1 << 20);
    let (mut now, mut most) = (0, 0);
    for _ in 0..2000 {
        let object = gc.allocate(GRANULE, Kind::Leaf).unwrap();
        // SAFETY: the object was just made.
        assert!(unsafe { gc.finalize_later(object) });
        gc.external(PIECE);
        now += PIECE;
        most = most.max(now);
        gc.safepoint();
        while gc.next_finalizable().is_some() {
            gc.external(-PIECE);
            now -= PIECE;
        }
    }
    assert!(most <= 2 << 20, "{most} bytes elsewhere, where the heap may extend to one or two MiB");
}

#[inline(never)]
fn table_of_values(gc: &mut Collector<OnStack>, key: NonNull<u8>, values: usize) {
    let table = gc.ephemerons().unwrap();
    let mut list = None;
    for _ in 0..values {
        list = Some(pair(gc, list, None));
    }
    // SAFETY: objects of this heap; the table is on the stack.
    assert!(unsafe { gc.set_ephemeron(table, key, list.unwrap().addr().get()) });
}

#[inline(never)]
fn forget_tables(base: *const usize) {
    let mut gc = Collector::new(&Policy::bound(4000 * KIB), OnStack).unwrap();
    // SAFETY: what uses the heap is in this frame, which is below that of the caller.
    unsafe { gc.scan_stack(base) };
    let key = pair(&mut gc, None, None);
    // Whatever the stack still has of the last one, it does not have it of all.
    for _ in 0..4 {
        table_of_values(&mut gc, key, 1000);
    }
    let leave_nothing = black_box([0_usize; 512]);
    gc.collect();
    let objects = gc.objects().count();
    assert!(objects < 1000, "{objects} objects for one key");
    black_box((leave_nothing, key));
}

#[test]
fn the_lists_of_a_collector_on_the_stack_keep_nothing() {
    let base = 0_usize;
    forget_tables(&raw const base);
}

/// A language that has ephemerons and weak references of its own.
#[derive(Default)]
struct Own {
    roots: Vec<NonNull<u8>>,
    /// Keys and values.
    pairs: Vec<(NonNull<u8>, NonNull<u8>)>,
    weak: Vec<Option<NonNull<u8>>>,
    rounds: usize,
}

// SAFETY: what is used is in the roots or is the value of a key that is; all words are traced.
unsafe impl Embedder for Own {
    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        for root in &self.roots {
            // SAFETY: an object of this heap.
            unsafe { marker.mark(*root) };
        }
    }

    fn mark_more(&mut self, marker: &mut Marker<'_, Self>) {
        self.rounds += 1;
        for (key, value) in &self.pairs {
            // SAFETY: objects of this heap, which were alive until now.
            if unsafe { marker.is_marked(*key) } {
                // SAFETY: the same.
                unsafe { marker.mark(*value) };
            }
        }
    }

    fn before_sweep(&mut self, marker: &Marker<'_, Self>) {
        // SAFETY: the same.
        self.pairs.retain(|(key, _)| unsafe { marker.is_marked(*key) });
        for weak in &mut self.weak {
            // SAFETY: the same.
            *weak = weak.filter(|object| unsafe { marker.is_marked(*object) });
        }
    }
}

#[test]
fn a_language_can_have_weak_references_and_ephemerons_of_its_own() {
    let mut gc = Collector::new(&Policy::bound(1000 * KIB), Own::default()).unwrap();
    let mut new = |kind| gc.allocate(2 * GRANULE, kind).unwrap();
    let [root, key, value, dead] = [Kind::Scan, Kind::Leaf, Kind::Scan, Kind::Leaf].map(&mut new);
    // What its own table keeps is a table of the heap's, a leaf, which keeps the key of another one.
    let table = gc.ephemerons().unwrap();
    // SAFETY: objects of this heap; the root has two words.
    unsafe {
        assert!(gc.set_ephemeron(table, value, key.addr().get()));
        value.cast::<usize>().write(root.addr().get());
    }
    let language = gc.embedder_mut();
    language.roots.push(root);
    language.pairs = vec![(key, dead), (root, value), (root, table.object()), (dead, root)];
    let last = dead;
    language.weak = [root, key, value, last].map(Some).to_vec();
    for _ in 0..2 {
        gc.collect();
        assert_eq!(gc.check(), Ok(()));
        let language = gc.embedder();
        assert_eq!(
            (language.pairs.len(), language.weak.iter().flatten().count()),
            (4, 4),
            "all are reached in the end"
        );
        // SAFETY: both are kept.
        assert_eq!(unsafe { gc.ephemeron(table, value) }, Some(key.addr().get()));
    }
    gc.embedder_mut().pairs.remove(1);
    gc.collect();
    let language = gc.embedder();
    assert_eq!(language.weak, [Some(root), None, None, None], "without the value nothing leads to the key");
    assert_eq!((language.pairs.len(), gc.objects().count()), (1, 3), "the root, and the table with its pairs");
}

#[test]
fn a_chain_of_keys_that_only_values_lead_to_takes_a_few_rounds() {
    let mut gc = Collector::new(&Policy::bound(32 << 20), Own::default()).unwrap();
    let table = gc.ephemerons().unwrap();
    gc.embedder_mut().roots.push(table.object());
    let mut new = |kind| {
        let object = gc.allocate(2 * GRANULE, kind).unwrap();
        gc.embedder_mut().roots.push(object);
        object
    };
    let keys: Vec<_> = (0..20_000).map(|at| new(if at % 3 == 0 { Kind::Leaf } else { Kind::Scan })).collect();
    for links in keys.windows(2) {
        let [key, next] = [links[0], links[1]].map(|object| object.addr().get());
        // Now and then the value is not the next key itself, but refers to it.
        let value = if key % 5 == 0 { pair(&mut gc, Some(links[1]), None).addr().get() } else { next };
        // SAFETY: objects of this heap; the table is a root.
        assert!(unsafe { gc.set_ephemeron(table, links[0], value) });
    }
    gc.embedder_mut().roots.truncate(2);
    gc.embedder_mut().rounds = 0;
    gc.collect();
    let rounds = gc.embedder().rounds;
    assert!(rounds < 10, "{rounds} rounds");
    let mut at = keys[0];
    // SAFETY: what is reached by the table's values is kept.
    while let Some(value) = unsafe { gc.ephemeron(table, at) } {
        let object = gc.find_start(value).expect("it is an object");
        at = if keys.contains(&object) { object } else { first(object).expect("it leads to the next one") };
        if at == keys[200] {
            break;
        }
    }
    assert_eq!(at, keys[200]);
    // SAFETY: the same.
    let whole = keys.windows(2).all(|links| unsafe { gc.ephemeron(table, links[0]) }.is_some());
    assert!(whole && gc.check() == Ok(()));
}

/// If each object were looked up in every table, that would be twenty billion look-ups.
#[test]
fn a_chain_through_many_tables_does_not_look_up_what_is_no_key() {
    let mut gc = Collector::new(&Policy::bound(128 << 20), Plain { roots: Vec::new(), events: Vec::new() }).unwrap();
    let table_with = |gc: &mut Collector<Plain>, key: NonNull<u8>, value: NonNull<u8>| {
        let table = gc.ephemerons().unwrap();
        gc.embedder_mut().roots.push(table.object());
        // SAFETY: objects of this heap; the table is a root.
        assert!(unsafe { gc.set_ephemeron(table, key, value.addr().get()) });
        table
    };
    gc.inhibit();
    let start = gc.allocate(GRANULE, Kind::Leaf).unwrap();
    gc.embedder_mut().roots.push(start);
    let mut chain = vec![start];
    let mut tables = Vec::new();
    for at in 1..20 {
        let key = gc.allocate(2 * GRANULE, if at % 3 == 0 { Kind::Leaf } else { Kind::Scan }).unwrap();
        tables.push(table_with(&mut gc, chain[at - 1], key));
        chain.push(key);
    }
    // Each has a key that nothing leads to.
    let lost: Vec<_> = (0..20_000)
        .map(|_| {
            let key = pair(&mut gc, None, None);
            (table_with(&mut gc, key, start), key)
        })
        .collect();
    let mut list = None;
    for _ in 0..1_000_000 {
        list = Some(pair(&mut gc, list, None));
    }
    let last = chain[19];
    // SAFETY: a pair.
    unsafe { last.cast::<[Option<NonNull<u8>>; 2]>().write([list, None]) };
    gc.allow();
    let objects = count(&gc);
    gc.collect();
    assert_eq!(objects - count(&gc), lost.len(), "the keys that nothing leads to");
    for (links, table) in chain.windows(2).zip(&tables) {
        assert_eq!(value_of(&gc, *table, links[0]), Some(links[1].addr().get()));
    }
    assert!(lost.iter().all(|(table, key)| value_of(&gc, *table, *key).is_none()));
    assert_eq!(gc.check(), Ok(()));
}

/// A language whose second collection panics, after something was marked.
struct Panicking(NonNull<u8>, bool);

// SAFETY: there is one object.
unsafe impl Embedder for Panicking {
    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        // SAFETY: an object of this heap.
        unsafe { marker.mark(self.0) };
        assert!(!self.1, "the language's own");
    }
}

#[test]
fn a_panic_in_the_middle_of_a_collection_ends_the_process() {
    const NAME: &str = "a_panic_in_the_middle_of_a_collection_ends_the_process";
    if std::env::var_os(NAME).is_none() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let output = command.args(["--exact", NAME, "--nocapture"]).env(NAME, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.status.code().is_none(), "{said}");
        assert!(said.contains("the language's own") && !said.contains("went on"), "{said}");
        return;
    }
    let mut gc = Collector::new(&Policy::bound(100 * KIB), Panicking(NonNull::dangling(), false)).unwrap();
    let object = gc.allocate(GRANULE, Kind::Leaf).unwrap();
    *gc.embedder_mut() = Panicking(object, true);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| gc.collect()));
    eprintln!("went on");
}
