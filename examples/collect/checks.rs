//! What must hold of a collector on every port, under every limit: each check ends the program with a panic if it does not.

use core::ops::Range;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicPtr, AtomicUsize};

use rt0::gc::{Collector, Embedder, Ephemerons, GRANULE, Growth, Kind, Marker, Policy, data_segments};
use rt0::println;

use crate::policy;

type Object = NonNull<u8>;

/// A language whose roots are handles, and ranges of memory that are scanned for anything that looks like a reference.
struct Checked {
    ranges: [Range<*const usize>; 4],
}

// SAFETY: each check keeps what it uses by a handle, or in one of the ranges.
unsafe impl Embedder for Checked {
    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        for range in &self.ranges {
            // SAFETY: segments of the program, or empty.
            unsafe { marker.roots(range.start, range.end) };
        }
    }
}

type Heap = Collector<Checked>;

fn new(bound: u64) -> Heap {
    with(&policy(Some(bound)))
}

fn with(policy: &Policy) -> Heap {
    let none = [const { ptr::null()..ptr::null() }; 4];
    Collector::new(policy, Checked { ranges: none }).unwrap_or_else(|error| crate::refused(&error))
}

/// An object whose first word is `next` and whose others say where they are.
fn link(gc: &mut Heap, next: Option<Object>, words: usize) -> Option<Object> {
    let object = gc.allocate(words * GRANULE, Kind::Scan)?;
    let at = object.cast::<usize>();
    for index in 1..words {
        // SAFETY: a new object of this many words; an odd word is no reference.
        unsafe {
            assert!(at.add(index).read() == 0, "a new object is zero");
            at.add(index).write(at.addr().get().wrapping_add(index) | 1);
        }
    }
    // SAFETY: its first word.
    unsafe { object.cast::<Option<Object>>().write(next) };
    Some(object)
}

/// The length of a list of [`link`]s, each of which is as it was made.
fn length(gc: &Heap, list: Option<Object>) -> usize {
    let (mut at, mut len) = (list, 0);
    while let Some(object) = at {
        let words = object.cast::<usize>();
        // SAFETY: an object of the list.
        for index in 1..unsafe { gc.size_of(object) } / GRANULE {
            // SAFETY: inside the object.
            let word = unsafe { words.add(index).read() };
            assert!(word == words.addr().get().wrapping_add(index) | 1, "an object is as it was made");
        }
        // SAFETY: its first word.
        at = unsafe { object.cast::<Option<Object>>().read() };
        len += 1;
    }
    len
}

/// Looks at the whole heap.
pub(crate) fn whole<E: Embedder>(gc: &Collector<E>) {
    if let Err(fault) = gc.check() {
        panic!("this does not hold: {}, at {:#x}", fault.what, fault.at);
    }
}

/// Makes a list of objects of this many words until there is no memory, in the first handle of a scope.
fn fill(gc: &mut Heap, words: usize) -> (rt0::gc::Handle, usize) {
    let first = link(gc, None, words).expect("a heap has room for an object");
    let (list, mut made) = (gc.hold(first).expect("a handle"), 1);
    loop {
        let last = gc.get(list);
        let Some(object) = link(gc, Some(last), words) else { break };
        gc.set(list, object);
        made += 1;
    }
    whole(gc);
    let last = gc.get(list);
    assert!(length(gc, Some(last)) == made, "nothing that is kept is lost");
    (list, made)
}

/// Lets memory run out, by objects of each of several lengths, then in the middle of everything that allocates: with room
/// for no object, for one, for two and so on. Each time the heap is whole and what it holds is as it was, and there is
/// memory again once something is let go.
pub(crate) fn exhaust(bound: u64) {
    let mut gc = new(bound);
    for words in [1, 2, 3, 5, 17, 100, 600, 1100, 5000] {
        if gc.scope(|gc| link(gc, None, words)).is_none() {
            // An object of this length is more than all there is.
            whole(&gc);
            continue;
        }
        let made = [(); 3].map(|()| gc.scope(|gc| fill(gc, words).1));
        assert!(made[1] == made[0] && made[2] == made[0], "as much fits again: {made:?} of {words} words");
    }
    let mut refused = [0; 4];
    for free in 0..24 {
        gc.scope(|gc| steps(gc, free, &mut refused));
    }
    assert!(refused.iter().all(|refused| *refused > 0), "each step ran out of memory once: {refused:?}");
    gc.collect();
    assert!(gc.objects().count() == 0, "nothing is left");
    whole(&gc);
    // SAFETY: there are no objects.
    unsafe { gc.release() };
    println!("exhausted and whole");
}

/// Fills the heap, lets go of `free` objects, and does what allocates until each was refused; counts who was.
fn steps(gc: &mut Heap, free: usize, refused: &mut [usize; 4]) {
    const WORDS: usize = 4;
    let (list, made) = fill(gc, WORDS);
    let mut first = gc.get(list);
    for _ in 0..free.min(made - 1) {
        // SAFETY: the list is longer than that.
        first = unsafe { first.cast::<Option<Object>>().read() }.expect("a longer list");
    }
    gc.set(list, first);
    let kept = length(gc, Some(first));
    let table = gc.ephemerons();
    let table = table.and_then(|table| Some((table, gc.hold(table.object())?)));
    for index in 0..free + 2 {
        // SAFETY: `first` and the table are objects of this heap, both held.
        let done = unsafe {
            [
                gc.weak(first).is_some(),
                gc.finalize_later(first),
                table.is_some_and(|(table, _)| gc.set_ephemeron(table, first, index << 1 | 1)),
                link(gc, None, WORDS).is_some(),
            ]
        };
        whole(gc);
        for (refused, done) in refused.iter_mut().zip(done) {
            *refused += usize::from(!done);
        }
        if let Some((table, held)) = table {
            assert!(gc.get(held) == table.object(), "a handle keeps its object");
            let expected = if done[2] { Some(index << 1 | 1) } else { None };
            assert!(value(gc, table, first) == expected || !done[2], "a table that was refused memory is as it was");
        }
    }
    assert!(length(gc, Some(first)) == kept, "nothing that is kept is lost");
    // A finalizer's object is kept until it is taken out of the queue.
    gc.set(list, table.map_or(first, |(table, _)| table.object()));
    gc.collect();
    while gc.next_finalizable().is_some() {}
    gc.collect();
    whole(gc);
}

fn value(gc: &Heap, table: Ephemerons, key: Object) -> Option<usize> {
    // SAFETY: a handle holds the table.
    unsafe { gc.ephemeron(table, key) }
}

/// Lets a heap grow, empties it so that it gives memory back, and lets it grow again. What the kernel refuses may leave no
/// room for an object, but never a heap that is not whole.
pub(crate) fn breathe() {
    const LISTS: usize = 4;
    let growth = Growth::Live { percent: 150, least: 64 << 10 };
    let mut gc = with(&Policy { growth, ..policy(Some(1 << 20)) });
    let mut refused = 0;
    for round in 0..2 * LISTS {
        gc.scope(|gc| {
            let Some(first) = link(gc, None, 4) else { return refused += 1 };
            let list = gc.hold(first).expect("a handle");
            let mut made = 1;
            // Each second list is short, so that most of the heap is free.
            for _ in 0..if round % 2 == 0 { 10_000 } else { 100 } {
                let last = gc.get(list);
                match link(gc, Some(last), 4 + made % 3) {
                    Some(object) => gc.set(list, object),
                    None => {
                        refused += 1;
                        break;
                    }
                }
                made += 1;
            }
            gc.collect();
            whole(gc);
            let last = gc.get(list);
            assert!(length(gc, Some(last)) == made && gc.objects().count() == made, "what is kept is all there is");
        });
        gc.collect();
        whole(&gc);
        assert!(gc.objects().count() == 0, "nothing is left");
    }
    // SAFETY: there are no objects.
    unsafe { gc.release() };
    println!("refused={refused}\nwhole");
}

/// The bound of the heap in which every word is looked up, bytes.
const BOUND: u64 = 300 << 10;

/// Looks up every word of the heap's range, of some memory around it, and of some elsewhere: what is found is what a walk
/// over all objects says, in a heap with holes of all lengths, and in one that was emptied.
pub(crate) fn words() {
    let mut gc = new(BOUND);
    let low = gc.scope(|gc| {
        let mut made = 0_usize;
        while gc.stats().collections < 2 {
            let words = [1, 2, 3, 5, 8, 25, 130, 1025, 2050][made * 7 % 9];
            let Some(object) = link(gc, None, words) else { break };
            if made.is_multiple_of(11) {
                let _ = gc.hold(object);
            }
            made += 1;
        }
        let low = gc.objects().next().map_or(0, |object| object.start.addr().get());
        look_up(gc, low);
        gc.collect();
        look_up(gc, low);
        low
    });
    gc.collect();
    look_up(&gc, low);
    for word in [0, 1, usize::MAX, usize::MAX / 2, usize::MAX / 2 + 1, (&raw const gc).addr()] {
        assert!(gc.find(word).is_none(), "no object is at {word:#x}");
    }
    println!("every word found");
}

/// Looks up the words around `low`, where the heap's first object is, and those of all of the heap.
fn look_up(gc: &Heap, low: usize) {
    const AROUND: usize = 20_000;
    whole(gc);
    let mut objects = gc.objects().peekable();
    let behind = |object: &rt0::gc::Object| object.start.addr().get() + object.len;
    for word in low - AROUND..low + BOUND as usize + AROUND {
        while objects.next_if(|object| behind(object) <= word).is_some() {}
        let expected = objects.peek().filter(|object| object.start.addr().get() <= word).copied();
        assert!(gc.find(word) == expected, "the object at {word:#x} is {expected:?}");
        assert!(gc.find_start(word) == expected.map(|object| object.start), "the start of the object at {word:#x}");
    }
    whole(gc);
}

/// References that are nowhere but here: in memory that begins as zeroes, and in memory that does not.
static ZEROED: [AtomicPtr<u8>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];
static FILLED: (AtomicUsize, AtomicPtr<u8>) = (AtomicUsize::new(1), AtomicPtr::new(ptr::null_mut()));

/// Keeps two lists by static variables alone, and lets go of one after the other.
pub(crate) fn segments() {
    let mut gc = new(1 << 20);
    let mut found = 0;
    for (range, segment) in gc.embedder_mut().ranges.iter_mut().zip(data_segments()) {
        *range = segment;
        found += 1;
    }
    assert!(found > 0, "a program has a writable segment");
    let lists = [(&ZEROED[1], 1000), (&FILLED.1, 500)];
    for (list, len) in lists {
        for _ in 0..len {
            let object = link(&mut gc, NonNull::new(list.load(Relaxed)), 3).expect("there is room");
            list.store(object.as_ptr(), Relaxed);
        }
    }
    gc.collect();
    whole(&gc);
    assert!(gc.objects().count() == 1500, "both lists are there");
    for (list, len) in lists {
        assert!(length(&gc, NonNull::new(list.load(Relaxed))) == len, "a list is as it was made");
    }
    ZEROED[1].store(ptr::null_mut(), Relaxed);
    gc.collect();
    assert!(gc.objects().count() == 500, "the first list is gone");
    FILLED.1.store(ptr::null_mut(), Relaxed);
    gc.collect();
    assert!(gc.objects().count() == 0, "the second list is gone");
    println!("kept by variables");
}

/// Many keys at equal distances in one table: each has a place of its own, or this takes minutes.
pub(crate) fn keys() {
    const KEYS: usize = 600_000;
    let mut gc = new(96 << 20);
    let table = gc.ephemerons().expect("there is room");
    // One for the table, and one for the list of all keys.
    let [_, list] = [(); 2].map(|()| gc.hold(table.object()).expect("there is a handle"));
    let mut last = None;
    for number in 0..KEYS {
        let key = link(&mut gc, last, 4).expect("there is room");
        gc.set(list, key);
        // SAFETY: both are objects of this heap, and held.
        assert!(unsafe { gc.set_ephemeron(table, key, number << 1 | 1) }, "there is room");
        last = Some(key);
    }
    gc.collect();
    let mut number = KEYS;
    while let Some(key) = last {
        number -= 1;
        assert!(value(&gc, table, key) == Some(number << 1 | 1), "a key has its value");
        // SAFETY: an object of the list begins with the next one.
        last = unsafe { key.cast::<Option<Object>>().read() };
    }
    assert!(number == 0, "all keys are there");
    println!("every key found");
}
