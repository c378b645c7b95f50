//! The heaps that are measured, behind one interface.

use std::cell::Cell;
use std::ffi::c_void;

use rt0::arena::Options;
use rt0::gc::{Collector, Embedder, Event, Growth, Marker, Policy};
use rt0_bench_heap::measure::cpu_time;

use crate::full;
use crate::programs::{Heap, Ref};

/// What the collections took.
#[derive(Clone, Copy)]
pub(crate) struct Pauses {
    /// How many there were.
    pub(crate) count: u64,
    /// The longest, nanoseconds of CPU time: on a busy machine a pause of the clock's is anybody's.
    pub(crate) longest: u64,
    /// All of them, nanoseconds of CPU time.
    pub(crate) all: u64,
    /// The most that was live after one, bytes, where the heap says it.
    pub(crate) live: u64,
    /// When the one that is under way began.
    begun: u64,
}

impl Pauses {
    const NONE: Pauses = Pauses { count: 0, longest: 0, all: 0, live: 0, begun: 0 };

    fn begin(&mut self) {
        self.begun = cpu_time();
    }

    fn end(&mut self) {
        let pause = cpu_time() - self.begun;
        self.count += 1;
        self.longest = self.longest.max(pause);
        self.all += pause;
    }
}

/// A heap whose collections are measured.
pub(crate) trait Measured: Heap {
    /// What they took.
    fn pauses(&self) -> Pauses;
}

/// What the event hook sees.
pub(crate) struct Hook(Pauses);

// SAFETY: all roots of the programs are on the stack, which the collector scans.
unsafe impl Embedder for Hook {
    fn roots(&mut self, _: &mut Marker<'_, Self>) {}

    fn event(&mut self, event: &Event) {
        match *event {
            Event::Begin => self.0.begin(),
            Event::End { live, .. } => {
                self.0.end();
                self.0.live = self.0.live.max(live as u64);
            }
            _ => {}
        }
    }
}

/// rt0's collector.
pub(crate) type Rt0 = Collector<Hook>;

/// A heap of `bound` bytes in all, with `base` above all frames of the program; without a bound one that grows as little as
/// it can, to see what is live.
pub(crate) fn rt0(bound: usize, base: *const usize) -> Rt0 {
    let policy = match bound {
        1.. => Policy::bound(bound as u64),
        0 => {
            Policy { arena: Options::DEFAULT, growth: Growth::Live { percent: 110, least: 1 << 20 }, ..Policy::DEFAULT }
        }
    };
    let mut collector = Collector::new(&policy, Hook(Pauses::NONE)).unwrap_or_else(|error| panic!("{error}"));
    // SAFETY: `base` is above the program's frames.
    unsafe { collector.scan_stack(base) };
    collector
}

impl Measured for Rt0 {
    fn pauses(&self) -> Pauses {
        self.embedder().0
    }
}

unsafe extern "C" {
    fn GC_init();
    fn GC_malloc(bytes: usize) -> *mut c_void;
    fn GC_malloc_atomic(bytes: usize) -> *mut c_void;
    fn GC_set_all_interior_pointers(yes: i32);
    fn GC_set_max_heap_size(bytes: usize);
    fn GC_expand_hp(bytes: usize) -> i32;
    fn GC_get_heap_size() -> usize;
    fn GC_set_on_collection_event(hook: extern "C" fn(i32));
    fn GC_base(word: *mut c_void) -> *mut c_void;
    fn GC_size(object: *const c_void) -> usize;
    fn GC_set_warn_proc(hook: extern "C" fn(*const i8, usize));
}

/// The Boehm collector.
pub(crate) struct Boehm;

/// How the Boehm collector is set up. One thread marks: `GC_MARKERS` is 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it is.
    Default,
    /// Words of objects refer to starts of objects only.
    NoInterior,
    /// That, and the whole bound is given at the start.
    Whole,
}

thread_local! {
    static PAUSES: Cell<Pauses> = const { Cell::new(Pauses::NONE) };
}

/// `GC_EVENT_START` and `GC_EVENT_END` of `gc.h`.
extern "C" fn collection(event: i32) {
    let mut pauses = PAUSES.get();
    match event {
        0 => pauses.begin(),
        5 => pauses.end(),
        _ => {}
    }
    PAUSES.set(pauses);
}

extern "C" fn warning(_: *const i8, _: usize) {}

impl Boehm {
    /// A heap of `bound` bytes.
    pub(crate) fn new(mode: Mode, bound: usize) -> Boehm {
        // SAFETY: as gc.h says, before and after `GC_init`.
        unsafe {
            if mode != Mode::Default {
                GC_set_all_interior_pointers(0);
            }
            GC_init();
            GC_set_warn_proc(warning);
            GC_set_on_collection_event(collection);
            GC_set_max_heap_size(bound);
            if mode == Mode::Whole {
                GC_expand_hp((bound.saturating_sub(GC_get_heap_size())) & !0xffff);
            }
        }
        Boehm
    }
}

impl Heap for Boehm {
    #[inline(always)]
    fn scan(&mut self, words: usize) -> Ref {
        // SAFETY: initialized.
        let object: Ref = unsafe { GC_malloc(words * size_of::<usize>()) }.cast();
        if object.is_null() { full() } else { object }
    }

    #[inline(always)]
    fn leaf(&mut self, bytes: usize) -> Ref {
        // SAFETY: initialized.
        let object: Ref = unsafe { GC_malloc_atomic(bytes) }.cast();
        if object.is_null() { full() } else { object }
    }
}

impl Measured for Boehm {
    fn pauses(&self) -> Pauses {
        PAUSES.get()
    }
}

/// What the Boehm collector says of a word.
#[inline(always)]
pub(crate) fn base_and_size(word: usize) -> Option<(*mut c_void, usize)> {
    // SAFETY: `GC_base` takes any word, and what it answers is an object.
    unsafe {
        let object = GC_base(std::ptr::with_exposed_provenance_mut(word));
        if object.is_null() { None } else { Some((object, GC_size(object))) }
    }
}

/// malloc and free, for programs that know when an object is dead.
pub(crate) struct Malloc;

impl Heap for Malloc {
    #[inline(always)]
    fn scan(&mut self, words: usize) -> Ref {
        // SAFETY: plain calloc.
        let object: Ref = unsafe { libc::calloc(words, size_of::<usize>()) }.cast();
        if object.is_null() { full() } else { object }
    }

    #[inline(always)]
    fn leaf(&mut self, bytes: usize) -> Ref {
        // SAFETY: plain malloc.
        let object: Ref = unsafe { libc::malloc(bytes) }.cast();
        if object.is_null() { full() } else { object }
    }

    #[inline(always)]
    fn free(&mut self, object: Ref) {
        // SAFETY: it came from malloc, and the program is done with it.
        unsafe { libc::free(object.cast()) };
    }
}

impl Measured for Malloc {
    fn pauses(&self) -> Pauses {
        Pauses::NONE
    }
}
