//! A heap that collects: objects that are freed when nothing refers to them any more.
//!
//! The collector is conservative. Nothing moves. Every word of a traced object may refer to an object, whether it points to its
//! first byte or into it; what else refers to objects the program says by a callback, by handles, or by having its stack
//! scanned. A collector serves one thread.

use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};

use rt0::gc::{Collector, Embedder, Ephemerons, Event, Growth, HeapError, Kind, Marker, Policy, Weak};
use rt0::sys::Errno;
use rt0::{arena, page_size, vm};

use crate::error::negated;
use crate::heap::{clamp, pages_for, read_sized, refused};
use crate::limit::{RT0_NONE, rt0_decision, store_sized};

/// In `rt0_gc_policy.flags`: nothing of the limit is left for stacks and other mappings; `allowance` is not looked at.
pub const RT0_GC_NO_ALLOWANCE: u32 = 1;
/// In `rt0_gc_policy.flags`: all of the heap is used before each collection; `growth` and `least` are not looked at. With a
/// `cap` this is a heap of that size.
pub const RT0_GC_WHOLE: u32 = 2;

/// What marks during a collection: a `Marker<Program>`. Only pointers to it are passed around.
pub struct rt0_gc_marker {
    _private: [u8; 0],
}

/// Says what is reachable without an object: it calls `rt0_gc_mark` or `rt0_gc_mark_range` for all of it, and no other function
/// of the collector.
pub type rt0_gc_roots = Option<unsafe extern "C" fn(context: *mut c_void, marker: *mut rt0_gc_marker)>;

/// Called during a collection, when what is reachable is marked: see `rt0_gc_policy`. It calls `rt0_gc_is_marked`, as
/// `mark_more` also `rt0_gc_mark` and `rt0_gc_mark_range`, and no other function of the collector.
pub type rt0_gc_marked = Option<unsafe extern "C" fn(context: *mut c_void, marker: *mut rt0_gc_marker)>;

/// What a program wants of its collector. Zero means the default everywhere, as does a null pointer.
///
/// A later version may add fields at the end. A library that does not know them takes them if they are zero and refuses
/// the policy otherwise.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_gc_policy {
    /// `sizeof(struct rt0_gc_policy)`, set by the caller.
    pub size: usize,
    /// `RT0_GC_*`, any of them.
    pub flags: u32,
    /// The heap is collected when it has grown to this share of what was live after the last collection, percent, above 100;
    /// 0: 200.
    pub growth: u32,
    /// Bytes of the limit that are left for stacks and other mappings; 0: a quarter of the limit, at most 64 MiB.
    pub allowance: u64,
    /// At most this many bytes of address space, with all that describes the heap; 0: as much as the limit leaves, at most
    /// 17 GiB on 64-bit ports and 576 MiB on 32-bit ones.
    pub cap: u64,
    /// The heap is not collected before it has this many bytes; 0: 4 MiB.
    pub least: u64,
    /// How many handles there can be at once; 0: 512.
    pub handles: u32,
    /// Zero.
    pub reserved: u32,
    /// Says what is reachable without an object; may be null.
    pub roots: rt0_gc_roots,
    /// What `roots` and the two below are called with.
    pub context: *mut c_void,
    /// All that was found to be reachable is marked: it marks what is to be kept for another reason. Called again when that was
    /// scanned, until nothing new is marked; and once more if finalizers keep something. May be null.
    pub mark_more: rt0_gc_marked,
    /// What `rt0_gc_is_marked` denies now is freed: weak references of the program's own, such as a table of the symbols that
    /// there are, forget it here. May be null.
    pub before_sweep: rt0_gc_marked,
}

/// Figures of a collector, in bytes where nothing else is said.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_gc_stats {
    /// `sizeof(struct rt0_gc_stats)`, set by the caller; nothing behind it is written.
    pub size: usize,
    /// Collections so far.
    pub collections: usize,
    /// What was live after the last one.
    pub live: usize,
    /// What was allocated, or is about to be, since then.
    pub taken: usize,
    /// How far the heap extends.
    pub heap: usize,
    /// How far it may extend before the next collection.
    pub limit: usize,
    /// How far it can extend at most.
    pub most: usize,
    /// Memory in use at most so far, with all that describes the heap.
    pub footprint: usize,
    /// What the program said that objects hold elsewhere.
    pub external: usize,
    /// Handles in use.
    pub handles: usize,
    /// The longest pause, nanoseconds; 0 where the kernel does not tell the time.
    pub longest_pause: u64,
    /// All pauses together, nanoseconds.
    pub pauses: u64,
}

/// A root that names one object, by a number of the collector's; 0 is none.
pub type rt0_gc_handle = usize;

/// The program, as the collector sees it.
struct Program {
    roots: rt0_gc_roots,
    mark_more: rt0_gc_marked,
    before_sweep: rt0_gc_marked,
    context: *mut c_void,
    handles: Handles,
}

/// The words of the handles, behind the collector in its pages. One in use holds the address of an object, which is even; a
/// free one the number of the next free one, doubled and 1.
struct Handles {
    words: NonNull<usize>,
    room: usize,
    free: usize,
    used: usize,
}

impl Handles {
    /// The word of a handle that is in use.
    fn word(&mut self, handle: rt0_gc_handle) -> Option<&mut usize> {
        let index = handle.checked_sub(1).filter(|index| *index < self.room)?;
        // SAFETY: it is one of the words, which are the collector's alone.
        let word = unsafe { self.words.add(index).as_mut() };
        (*word & 1 == 0).then_some(word)
    }

    fn hold(&mut self, object: usize) -> Option<rt0_gc_handle> {
        let handle = self.free;
        if handle == 0 {
            return None;
        }
        // SAFETY: it is one of the words.
        let word = unsafe { self.words.add(handle - 1).as_mut() };
        self.free = *word >> 1;
        *word = object;
        self.used += 1;
        Some(handle)
    }

    fn release(&mut self, handle: rt0_gc_handle) -> bool {
        let free = self.free;
        let Some(word) = self.word(handle) else { return false };
        *word = free << 1 | 1;
        self.free = handle;
        self.used -= 1;
        true
    }
}

// SAFETY: all words of an object are traced, by the trait's own function; that the roots are all of them the caller of
// `rt0_gc_create` has said.
unsafe impl Embedder for Program {
    const INTERIOR: bool = true;

    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        for index in 0..self.handles.room {
            // SAFETY: it is one of the words.
            let word = unsafe { self.handles.words.add(index).read() };
            if word & 1 == 0 {
                marker.root(word);
            }
        }
        if let Some(roots) = self.roots {
            // SAFETY: the caller of `rt0_gc_create` said that it may be called with this; the marker is used only meanwhile.
            unsafe { roots(self.context, ptr::from_mut(marker).cast()) };
        }
    }

    fn mark_more(&mut self, marker: &mut Marker<'_, Self>) {
        if let Some(mark_more) = self.mark_more {
            // SAFETY: as above.
            unsafe { mark_more(self.context, ptr::from_mut(marker).cast()) };
        }
    }

    fn before_sweep(&mut self, marker: &Marker<'_, Self>) {
        if let Some(before_sweep) = self.before_sweep {
            // SAFETY: as above; `rt0_gc_is_marked`, the one function that it may call, only reads.
            unsafe { before_sweep(self.context, ptr::from_ref(marker).cast_mut().cast()) };
        }
    }

    fn event(&mut self, _: &Event) {}
}

/// A collector with its heap. Only pointers to it are passed around.
pub struct rt0_gc {
    collector: Collector<Program>,
    /// Bytes of the pages that this lies in.
    pages: usize,
}

/// Makes a collector and stores it where `gc` points. `policy` may be null, for the defaults.
///
/// The heap is one range of address space, which is reserved whole and fits the limit; memory is taken of it as it grows, and
/// two pages beside it. Where that fails for want of address space, `decision` is not null and its `size` is set, it is told how
/// the size was decided.
///
/// Answers 0; `-EINVAL` if `gc` is null or `policy` asks for what this library does not know; `-ENOMEM`, or what the kernel
/// says, if nothing fits: `rt0_failure_line` makes a line of the decision then. After an error `*gc` is null.
///
/// # Safety
///
/// - `policy` and `decision` are null or point to as many bytes as their `size` says; `gc` is null or points to a pointer.
/// - Objects that the program uses after a collection are reachable in it: from what `roots` marks, from handles, from a stack
///   that is scanned, or from a word of a reachable object that is traced. A pointer that is stored otherwise (in a leaf, in
///   another heap, in a variable that nobody marks) keeps nothing.
/// - One thread uses the collector, or threads exclude one another from it and all their stacks are marked by `roots`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_create(
    policy: *const rt0_gc_policy,
    gc: *mut *mut rt0_gc,
    decision: *mut rt0_decision,
) -> c_int {
    if gc.is_null() {
        return negated(Errno::EINVAL);
    }
    // SAFETY: the caller says that it points to a pointer.
    unsafe { gc.write(ptr::null_mut()) };
    // SAFETY: the caller says so of the policy; zeroes are one.
    let Some(policy) = (unsafe { read_sized::<rt0_gc_policy>(policy) }) else { return negated(Errno::EINVAL) };
    let flags_are_known = policy.flags & !(RT0_GC_NO_ALLOWANCE | RT0_GC_WHOLE) == 0;
    let growth_is_one = policy.growth == 0 || policy.growth > 100;
    if !flags_are_known || !growth_is_one || policy.reserved != 0 || policy.cap == RT0_NONE {
        return negated(Errno::EINVAL);
    }
    let mut options = arena::Options::new();
    options.cap = (policy.cap != 0).then_some(policy.cap);
    options.allowance = match policy.allowance {
        _ if policy.flags & RT0_GC_NO_ALLOWANCE != 0 => Some(0),
        0 => None,
        bytes => Some(bytes),
    };
    let growth = if policy.flags & RT0_GC_WHOLE != 0 {
        Growth::Whole
    } else {
        let percent = if policy.growth == 0 { 200 } else { policy.growth as usize };
        Growth::Live { percent, least: if policy.least == 0 { 4 << 20 } else { clamp(policy.least) } }
    };
    let room = if policy.handles == 0 { 512 } else { policy.handles as usize };
    // Its own pages come first: an arena takes all there is.
    let Some(len) = own_len(room) else { return negated(Errno::ENOMEM) };
    let own = match pages_for(len) {
        Ok(own) => own,
        Err(errno) => {
            // SAFETY: the caller says what it points to.
            unsafe { refused(options).store(decision) };
            return negated(errno);
        }
    };
    let created = own.base().cast::<rt0_gc>();
    // SAFETY: the words lie behind the collector, in its pages, which are as long.
    let words = unsafe { created.add(1) }.cast::<usize>();
    for index in 0..room {
        let next = if index + 1 < room { index + 2 } else { 0 };
        // SAFETY: it is one of the words.
        unsafe { words.add(index).write(next << 1 | 1) };
    }
    let handles = Handles { words, room, free: 1, used: 0 };
    let rt0_gc_policy { roots, context, mark_more, before_sweep, .. } = policy;
    let program = Program { roots, mark_more, before_sweep, context, handles };
    match Collector::new(&Policy { arena: options, growth, handles: 0 }, program) {
        Ok(collector) => {
            // SAFETY: the pages are this collector's, and long enough.
            unsafe {
                created.write(rt0_gc { collector, pages: own.len() });
                gc.write(created.as_ptr());
            }
            0
        }
        Err(error) => {
            // What the kernel does not take back stays reserved, and nothing else is lost.
            let _ = own.release();
            match error {
                HeapError::Arena(failure) => {
                    // SAFETY: the caller says what it points to.
                    unsafe { rt0_decision::failed(&failure).store(decision) };
                    match failure.error {
                        Some(vm::ReserveError::Kernel(errno)) => negated(errno),
                        _ => negated(Errno::ENOMEM),
                    }
                }
                _ => {
                    // SAFETY: the caller says what it points to.
                    unsafe { refused(options).store(decision) };
                    negated(Errno::ENOMEM)
                }
            }
        }
    }
}

/// Bytes of the pages of a collector with this many handles.
fn own_len(handles: usize) -> Option<usize> {
    let words = handles.checked_mul(size_of::<usize>())?;
    size_of::<rt0_gc>().checked_add(words).filter(|len| *len <= isize::MAX as usize - page_size())
}

/// The collector that a pointer is to.
///
/// # Safety
///
/// `gc` is null or a collector that nobody else uses now.
unsafe fn collector<'a>(gc: *mut rt0_gc) -> Option<&'a mut Collector<Program>> {
    // SAFETY: the caller says so.
    unsafe { gc.as_mut() }.map(|gc| &mut gc.collector)
}

/// Gives a collector back with all its objects. Null is no collector, and nothing happens.
///
/// # Safety
///
/// Nobody uses the collector or an object of it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_destroy(gc: *mut rt0_gc) {
    let Some(gc) = NonNull::new(gc) else { return };
    // SAFETY: the caller says that it is a collector that nobody uses; it is taken out of its pages once. What the kernel does
    // not take back, because that would split a mapping and there are too many, stays reserved.
    unsafe {
        let rt0_gc { collector, pages } = gc.read();
        collector.release();
        let _ = vm::release(gc.cast(), pages);
    }
}

/// An object of `size` bytes, zeroed, aligned to a word, whose words may refer to others: it is traced. One of no bytes has a
/// word.
///
/// It may collect first, so that what is needed later has to be reachable now. Null only where a collection has found no room,
/// if `size` is more than an object can have or `gc` is null; the heap is whole then, and the program goes on.
///
/// # Safety
///
/// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_allocate(gc: *mut rt0_gc, size: usize) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    unsafe { allocate(gc, size, Kind::Scan) }
}

/// The same, but the object refers to no other: it is never looked into. Text, numbers.
///
/// # Safety
///
/// As for `rt0_gc_allocate`; a pointer in the object keeps nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_allocate_leaf(gc: *mut rt0_gc, size: usize) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    unsafe { allocate(gc, size, Kind::Leaf) }
}

/// # Safety
///
/// `gc` is null or a collector.
unsafe fn allocate(gc: *mut rt0_gc, size: usize, kind: Kind) -> *mut c_void {
    // SAFETY: the caller says so.
    let object = unsafe { collector(gc) }.and_then(|collector| collector.allocate(size, kind));
    object.map_or(ptr::null_mut(), |object| object.as_ptr().cast())
}

/// Has the stack and the registers of the calling thread scanned in each collection, from where it is then up to `base`: every
/// word is a root. An address in `main`, such as `__builtin_frame_address(0)`, is a base for all that `main` calls; `main`'s own
/// variables may lie above it.
///
/// A pointer to the byte behind an object's last does not keep the object: a loop that goes down from there, and allocates,
/// needs the object's address elsewhere.
///
/// Answers 0, or `-EINVAL` if `gc` or `base` is null.
///
/// # Safety
///
/// `gc` is null or a collector. As long as it is used, `base` is null or an address on the stack of the thread that uses it,
/// above every frame that holds references to objects.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_scan_stack(gc: *mut rt0_gc, base: *const c_void) -> c_int {
    // SAFETY: the caller says that it is null or a collector.
    let (Some(collector), false) = (unsafe { collector(gc) }, base.is_null()) else { return negated(Errno::EINVAL) };
    // SAFETY: the caller says where it is.
    unsafe { collector.scan_stack(base.cast()) };
    0
}

/// Marks the object that `word` points to or into, with all that it refers to, if there is one. For `roots` and `mark_more`
/// alone. Nothing happens if `marker` is null.
///
/// # Safety
///
/// `marker` is null or what one of the two was called with, which has not returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_mark(marker: *mut rt0_gc_marker, word: *const c_void) {
    // SAFETY: the caller says so.
    if let Some(marker) = unsafe { marker.cast::<Marker<'_, Program>>().as_mut() } {
        marker.root(word.addr());
    }
}

/// Marks what any word between `from` and `to` points to: an array of references, another thread's stack. For `roots` and
/// `mark_more` alone. Nothing happens if a pointer is null or the range is none.
///
/// # Safety
///
/// `marker` is null or what one of the two was called with, which has not returned; the range can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_mark_range(marker: *mut rt0_gc_marker, from: *const c_void, to: *const c_void) {
    // SAFETY: the caller says so.
    let marker = unsafe { marker.cast::<Marker<'_, Program>>().as_mut() };
    if let (Some(marker), false, true) = (marker, from.is_null(), from < to) {
        // SAFETY: the caller says that it can be read.
        unsafe { marker.roots(from.cast(), to.cast()) };
    }
}

/// Whether an object was found to be reachable so far. For `mark_more` and `before_sweep` alone. 1 or 0; `-EINVAL` if a pointer
/// is null.
///
/// # Safety
///
/// `marker` is null or what one of the two was called with, which has not returned; `object` is null or the first byte of an
/// object of this heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_is_marked(marker: *const rt0_gc_marker, object: *const c_void) -> c_int {
    // SAFETY: the caller says so.
    let marker = unsafe { marker.cast::<Marker<'_, Program>>().as_ref() };
    let (Some(marker), Some(object)) = (marker, NonNull::new(object.cast_mut())) else { return negated(Errno::EINVAL) };
    // SAFETY: the caller says that it is an object's first byte.
    c_int::from(unsafe { marker.is_marked(object.cast()) })
}

/// A handle for an object: it is kept until `rt0_gc_release`. 0 if all handles are in use, or `gc` or `object` is null.
///
/// # Safety
///
/// `gc` is null or a collector, `object` null or an object of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_hold(gc: *mut rt0_gc, object: *const c_void) -> rt0_gc_handle {
    // SAFETY: the caller says that it is null or a collector.
    match unsafe { collector(gc) } {
        Some(collector) if !object.is_null() && object.addr() & 1 == 0 => {
            collector.embedder_mut().handles.hold(object.expose_provenance()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The object of a handle; null if it is none that is in use.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_get(gc: *mut rt0_gc, handle: rt0_gc_handle) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    let collector = unsafe { collector(gc) };
    let word = collector.and_then(|collector| collector.embedder_mut().handles.word(handle).copied());
    ptr::with_exposed_provenance_mut(word.unwrap_or(0))
}

/// Takes a handle back: it keeps its object no more. Answers 0, or `-EINVAL` if it is none that is in use or `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_release(gc: *mut rt0_gc, handle: rt0_gc_handle) -> c_int {
    // SAFETY: the caller says that it is null or a collector.
    let collector = unsafe { collector(gc) };
    let released = collector.is_some_and(|collector| collector.embedder_mut().handles.release(handle));
    if released { 0 } else { negated(Errno::EINVAL) }
}

/// Collects now: frees what is not reachable. Nothing happens if `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_collect(gc: *mut rt0_gc) {
    // SAFETY: the caller says that it is null or a collector.
    if let Some(collector) = unsafe { collector(gc) } {
        collector.collect();
    }
}

/// No collection but by `rt0_gc_collect` until `rt0_gc_allow` was called as often: allocation takes new memory as long as there is some, and then
/// answers null. For a stretch of code whose objects are not reachable yet. Nothing happens if `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_inhibit(gc: *mut rt0_gc) {
    // SAFETY: the caller says that it is null or a collector.
    if let Some(collector) = unsafe { collector(gc) } {
        collector.inhibit();
    }
}

/// Ends what `rt0_gc_inhibit` began. Nothing happens if `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_allow(gc: *mut rt0_gc) {
    // SAFETY: the caller says that it is null or a collector.
    if let Some(collector) = unsafe { collector(gc) } {
        collector.allow();
    }
}

/// Says that objects hold this many bytes more, or less if it is negative, outside of the heap. Much of it makes the next
/// `rt0_gc_safepoint` collect. Nothing happens if `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_external(gc: *mut rt0_gc, bytes: isize) {
    // SAFETY: the caller says that it is null or a collector.
    if let Some(collector) = unsafe { collector(gc) } {
        collector.external(bytes);
    }
}

/// Says that everything which is needed is reachable now, and collects if that is due. Nothing happens if `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_safepoint(gc: *mut rt0_gc) {
    // SAFETY: the caller says that it is null or a collector.
    if let Some(collector) = unsafe { collector(gc) } {
        collector.safepoint();
    }
}

/// The start of the object that `word` points to or into, any word; null if it points into none, or `gc` is null. Nothing is
/// freed between two collections, so that an object is found that is dead but was not collected yet.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_find(gc: *mut rt0_gc, word: *const c_void) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    let found = unsafe { collector(gc) }.and_then(|collector| collector.find_start(word.addr()));
    found.map_or(ptr::null_mut(), |object| object.as_ptr().cast())
}

/// The length of the object that `word` points to or into, bytes: what was asked for, in whole words. 0 if it points into none.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_object_size(gc: *mut rt0_gc, word: *const c_void) -> usize {
    // SAFETY: the caller says that it is null or a collector.
    unsafe { collector(gc) }.and_then(|collector| collector.find(word.addr())).map_or(0, |object| object.len)
}

/// A weak cell that refers to `object`: an object that does not keep what it refers to, and is itself kept as any other one. It
/// may collect first, but not the two. Null if there is no memory, `gc` is null or `object` is no object's first byte.
///
/// # Safety
///
/// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_weak(gc: *mut rt0_gc, object: *const c_void) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    let Some(collector) = (unsafe { collector(gc) }) else { return ptr::null_mut() };
    let Some(start) = object_at(collector, object) else { return ptr::null_mut() };
    // SAFETY: it is an object of this heap, as was just found.
    let weak = unsafe { collector.weak(start) };
    weak.map_or(ptr::null_mut(), |weak| weak.object().as_ptr().cast())
}

/// What a weak cell refers to; null once that was not reachable in a collection, and if a pointer is null.
///
/// # Safety
///
/// `gc` is null or a collector, `weak` null or a weak cell of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_weak_get(gc: *mut rt0_gc, weak: *const c_void) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    let (Some(collector), Some(weak)) = (unsafe { collector(gc) }, NonNull::new(weak.cast_mut())) else {
        return ptr::null_mut();
    };
    // SAFETY: the caller says that it is a weak cell of this heap.
    let found = unsafe { collector.upgrade(Weak::from_object(weak.cast())) };
    found.map_or(ptr::null_mut(), |object| object.as_ptr().cast())
}

/// A table of ephemerons, empty: an object that leads from objects, the keys, to values, and keeps a value only as long as its
/// key is reachable otherwise. It does not keep its keys, and is itself kept as any other object. It may collect first. Null if
/// there is no memory or `gc` is null.
///
/// # Safety
///
/// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_ephemerons(gc: *mut rt0_gc) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    let table = unsafe { collector(gc) }.and_then(Collector::ephemerons);
    table.map_or(ptr::null_mut(), |table| table.object().as_ptr().cast())
}

/// Gives `key` a value, in place of the one that it has in the table. The value is any word: one that points to an object or
/// into it keeps that, as a word of a traced object does, but only as long as the key is reachable otherwise. It may collect
/// first, but not the table, the key or what the value points to.
///
/// Answers 0; `-ENOMEM`, and the table is as it was; `-EINVAL` if `gc` or `table` is null or `key` is no object's first byte.
///
/// # Safety
///
/// `gc` is null or a collector, `table` null or a table of it; what is used later is reachable, as `rt0_gc_create` has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_ephemeron_set(
    gc: *mut rt0_gc,
    table: *mut c_void,
    key: *const c_void,
    value: usize,
) -> c_int {
    // SAFETY: the caller says what they are.
    let Some((collector, table, key)) = (unsafe { ephemeron(gc, table, key) }) else { return negated(Errno::EINVAL) };
    // SAFETY: the key is an object of this heap, as was just found; a value is looked up before it counts as a reference.
    if unsafe { collector.set_ephemeron(table, key, value) } { 0 } else { negated(Errno::ENOMEM) }
}

/// The value of `key`. Answers 1 and stores it where `value` points, unless that is null; 0 if the key has none; `-EINVAL` if
/// `gc` or `table` is null or `key` is no object's first byte. Where the answer is not 1 nothing is stored.
///
/// # Safety
///
/// `gc` is null or a collector, `table` null or a table of it; `value` is null or points to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_ephemeron_get(
    gc: *mut rt0_gc,
    table: *mut c_void,
    key: *const c_void,
    value: *mut usize,
) -> c_int {
    // SAFETY: the caller says what they are, and `ask` is given a table of the collector.
    unsafe { tell(gc, table, key, value, |collector, table, key| collector.ephemeron(table, key)) }
}

/// Removes `key` from the table. Answers as `rt0_gc_ephemeron_get` does, with the value that the key had.
///
/// # Safety
///
/// As for `rt0_gc_ephemeron_get`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_ephemeron_remove(
    gc: *mut rt0_gc,
    table: *mut c_void,
    key: *const c_void,
    value: *mut usize,
) -> c_int {
    // SAFETY: the caller says what they are, and `ask` is given a table of the collector.
    unsafe { tell(gc, table, key, value, |collector, table, key| collector.remove_ephemeron(table, key)) }
}

/// The collector, the table and the key, if none is missing and the key is an object.
///
/// # Safety
///
/// `gc` is null or a collector that nobody else uses now, `table` null or a table of it.
unsafe fn ephemeron<'a>(
    gc: *mut rt0_gc,
    table: *mut c_void,
    key: *const c_void,
) -> Option<(&'a mut Collector<Program>, Ephemerons, NonNull<u8>)> {
    // SAFETY: the caller says that it is null or a collector.
    let collector = unsafe { collector(gc) }?;
    let table = NonNull::new(table.cast())?;
    let key = object_at(collector, key)?;
    // SAFETY: the caller says that it is a table.
    Some((collector, unsafe { Ephemerons::from_object(table) }, key))
}

/// Stores what is found of a key where `to` points: 1, or 0 if that is nothing.
///
/// # Safety
///
/// As for [`ephemeron`]; `to` is null or points to a word.
unsafe fn tell(
    gc: *mut rt0_gc,
    table: *mut c_void,
    key: *const c_void,
    to: *mut usize,
    ask: impl FnOnce(&mut Collector<Program>, Ephemerons, NonNull<u8>) -> Option<usize>,
) -> c_int {
    // SAFETY: the caller says what they are.
    let Some((collector, table, key)) = (unsafe { ephemeron(gc, table, key) }) else { return negated(Errno::EINVAL) };
    let Some(value) = ask(collector, table, key) else { return 0 };
    if !to.is_null() {
        // SAFETY: the caller says that it points to a word.
        unsafe { to.write(value) };
    }
    1
}

/// The object whose first byte this is.
fn object_at(collector: &Collector<Program>, first: *const c_void) -> Option<NonNull<u8>> {
    collector.find_start(first.addr()).filter(|start| start.addr().get() == first.addr())
}

/// Has `rt0_gc_next_unreachable` answer the object when it is not reachable any more: for what it holds outside of the heap.
/// An object for which this was called twice is answered twice.
///
/// Answers 0; `-ENOMEM`; `-EINVAL` if `gc` is null or `object` is no object's first byte.
///
/// # Safety
///
/// As for `rt0_gc_weak`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_finalize(gc: *mut rt0_gc, object: *const c_void) -> c_int {
    // SAFETY: the caller says that it is null or a collector.
    let Some(collector) = (unsafe { collector(gc) }) else { return negated(Errno::EINVAL) };
    let Some(start) = object_at(collector, object) else { return negated(Errno::EINVAL) };
    // SAFETY: it is an object of this heap, as was just found.
    if unsafe { collector.finalize_later(start) } { 0 } else { negated(Errno::ENOMEM) }
}

/// The next object that was found unreachable and was to be answered then; null if there is none, or `gc` is null. Until it is
/// answered it is kept, with all that it refers to; then it is an object like others.
///
/// # Safety
///
/// `gc` is null or a collector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_next_unreachable(gc: *mut rt0_gc) -> *mut c_void {
    // SAFETY: the caller says that it is null or a collector.
    let found = unsafe { collector(gc) }.and_then(Collector::next_finalizable);
    found.map_or(ptr::null_mut(), |object| object.as_ptr().cast())
}

/// Figures of the collector. Answers 0, or `-EINVAL` if `gc` or `stats` is null. As much is written as `stats->size` has room
/// for.
///
/// # Safety
///
/// `gc` is null or a collector; `stats` is null or points to as many bytes as its `size` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_statistics(gc: *mut rt0_gc, stats: *mut rt0_gc_stats) -> c_int {
    // SAFETY: the caller says that it is null or a collector.
    let (Some(collector), false) = (unsafe { collector(gc) }, stats.is_null()) else { return negated(Errno::EINVAL) };
    let found = collector.stats();
    let told = rt0_gc_stats {
        size: size_of::<rt0_gc_stats>(),
        collections: found.collections,
        live: found.live,
        taken: found.taken,
        heap: found.heap,
        limit: found.limit,
        most: found.most,
        footprint: found.footprint,
        external: found.external,
        handles: collector.embedder().handles.used,
        longest_pause: found.longest_pause,
        pauses: found.pauses,
    };
    // SAFETY: the caller says what `stats` points to.
    unsafe { store_sized(told, stats.cast()) };
    0
}

/// Looks at the whole heap. Answers 0 if it is whole, 1 if something was written to that was not the program's, or `-EINVAL` if
/// `gc` is null. The address of the fault is stored where `where` points, unless that is null; 0 if there is none.
///
/// # Safety
///
/// `gc` is null or a collector; `where` is null or points to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_gc_check(gc: *mut rt0_gc, r#where: *mut usize) -> c_int {
    // SAFETY: the caller says that it is null or a collector.
    let Some(collector) = (unsafe { collector(gc) }) else { return negated(Errno::EINVAL) };
    let (fault, address) = collector.check().map_or_else(|fault| (1, fault.at), |()| (0, 0));
    if !r#where.is_null() {
        // SAFETY: the caller says that it points to a word.
        unsafe { r#where.write(address) };
    }
    fault
}
