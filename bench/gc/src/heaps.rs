//! The heaps that are measured, behind one interface.

use std::ffi::c_void;
use std::ptr;
use std::time::Instant;

use rt0::arena::Options;
use rt0::gc::{Collector, Embedder, Event, Growth, Kind, Marker, Policy};

/// A reference: the address of an object's first word.
pub type Ref = *mut usize;

/// A heap as the programs see it. Roots are found on the stack.
pub trait Heap {
    /// An object of so many words, zeroed, whose words may be references.
    fn scan(&mut self, words: usize) -> Ref;
    /// An object of so many bytes, without references.
    fn leaf(&mut self, bytes: usize) -> Ref;
    /// Frees an object, where the heap wants to be told.
    fn free(&mut self, object: Ref) {
        let _ = object;
    }
    /// Collections, and the longest and all pauses, nanoseconds.
    fn pauses(&mut self) -> Pauses;
}

/// What the collections took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pauses {
    /// How many there were.
    pub count: usize,
    /// The longest, nanoseconds.
    pub longest: u64,
    /// All of them, nanoseconds.
    pub all: u64,
    /// The most that was live after one, bytes, where the heap says it.
    pub live: usize,
}

/// What the event hook sees.
#[derive(Default)]
pub struct Hook {
    pauses: Pauses,
}

// SAFETY: all roots of the programs are on the stack, which the collector scans.
unsafe impl Embedder for Hook {
    fn roots(&mut self, _: &mut Marker<'_, Self>) {}

    fn event(&mut self, event: &Event) {
        if let Event::End { live, pause, .. } = *event {
            self.pauses.count += 1;
            self.pauses.longest = self.pauses.longest.max(pause);
            self.pauses.all += pause;
            self.pauses.live = self.pauses.live.max(live);
        }
    }
}

/// rt0's collector.
pub struct Rt0(Collector<Hook>);

impl Rt0 {
    /// A heap of `bound` bytes in all, with `base` above all frames of the program; or one that grows as it must, to see
    /// what is live.
    pub fn new(bound: Option<usize>, base: *const usize) -> Rt0 {
        let policy = match bound {
            Some(bound) => Policy::bound(bound as u64),
            None => Policy {
                arena: Options::DEFAULT,
                growth: Growth::Live { percent: 110, least: 1 << 20 },
                ..Policy::DEFAULT
            },
        };
        let mut collector = Collector::new(&policy, Hook::default()).unwrap_or_else(|error| panic!("{error}"));
        // SAFETY: `base` is above the program's frames.
        unsafe { collector.scan_stack(base) };
        Rt0(collector)
    }
}

#[cold]
fn full() -> ! {
    println!("full");
    std::process::exit(3)
}

impl Heap for Rt0 {
    #[inline(always)]
    fn scan(&mut self, words: usize) -> Ref {
        self.0.allocate(words * size_of::<usize>(), Kind::Scan).unwrap_or_else(|| full()).as_ptr().cast()
    }

    #[inline(always)]
    fn leaf(&mut self, bytes: usize) -> Ref {
        self.0.allocate(bytes, Kind::Leaf).unwrap_or_else(|| full()).as_ptr().cast()
    }

    fn pauses(&mut self) -> Pauses {
        self.0.embedder().pauses
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
    fn GC_set_warn_proc(hook: extern "C" fn(*const i8, usize));
}

/// The Boehm collector.
pub struct Boehm;

/// How the Boehm collector is set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As it is.
    Default,
    /// Words of objects refer to starts of objects only.
    NoInterior,
    /// That, and the whole bound is given at the start.
    Whole,
}

static mut BEGIN: Option<Instant> = None;
static mut PAUSES: Pauses = Pauses { count: 0, longest: 0, all: 0, live: 0 };

extern "C" fn collection(event: i32) {
    // SAFETY: one thread allocates, and events come from it.
    unsafe {
        match event {
            0 => BEGIN = Some(Instant::now()),
            5 => {
                let begin = *(&raw const BEGIN);
                let pause = begin.map_or(0, |begin| begin.elapsed().as_nanos() as u64);
                let pauses = &mut *(&raw mut PAUSES);
                pauses.count += 1;
                pauses.longest = pauses.longest.max(pause);
                pauses.all += pause;
            }
            _ => {}
        }
    }
}

extern "C" fn warning(_: *const i8, _: usize) {}

impl Boehm {
    /// A heap of `bound` bytes.
    pub fn new(mode: Mode, bound: usize) -> Boehm {
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

    fn pauses(&mut self) -> Pauses {
        // SAFETY: one thread allocates.
        unsafe { *(&raw const PAUSES) }
    }
}

/// malloc and free, for programs that know when an object is dead.
pub struct Malloc;

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

    fn pauses(&mut self) -> Pauses {
        Pauses::default()
    }
}

/// No reference.
pub const NULL: Ref = ptr::null_mut();
