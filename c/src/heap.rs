//! A heap as a value.
//!
//! The caller says how long a block is when it gives it back, as Lua's and Rust's allocators do: no block has a header.
//! The heap itself lies in pages of its own, so a program may have many, and nothing of one is left when it is destroyed.

use core::alloc::Layout;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use heapless::Vec;
use rt0::heap::{Extent, Fault, GRANULE, HUGE_FROM, Heap, Memory, PURGE_THRESHOLD, SystemMemory};
use rt0::lock::{Lock, RawMutex};
use rt0::sys::Errno;
use rt0::{arena, page_size, vm};

use crate::error::negated;
use crate::limit::{RT0_NONE, rt0_decision, store_sized};

/// In `rt0_heap_policy.flags`: the caller keeps threads and signal handlers from one another, and the heap needs no lock.
pub const RT0_HEAP_UNLOCKED: u32 = 1;
/// In `rt0_heap_policy.flags`: nothing of the limit is left for stacks and other mappings; `allowance` is not looked at.
/// Right for a program with one thread whose stack stays within the 128 KiB that it begins with.
pub const RT0_HEAP_NO_ALLOWANCE: u32 = 2;

/// What a program wants of its heap. Zero means the default everywhere: `struct rt0_heap_policy policy = {sizeof policy};`
/// is one, and so is a null pointer.
///
/// A later version may add fields at the end. A library that does not know them takes them if they are zero and refuses
/// the policy otherwise.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_heap_policy {
    /// `sizeof(struct rt0_heap_policy)`, set by the caller.
    pub size: usize,
    /// `RT0_HEAP_*`, any of them.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// Bytes of the limit that are left for stacks and other mappings; 0: a quarter of the limit, at most 64 MiB.
    pub allowance: u64,
    /// At most this many bytes of address space; 0: as much as the limit leaves.
    pub cap: u64,
    /// How many free bytes stay committed; 0: 32 MiB on 64-bit ports, 8 MiB on 32-bit ones. A quarter of what is in use
    /// may always stay.
    pub purge_threshold: u64,
    /// From how many bytes in use on the heap grows by huge pages, where the kernel has them; 0: 16 MiB; `RT0_NONE`:
    /// never.
    pub huge_from: u64,
}

// What the comments above name, on this port. A test reads the header.
const _: () = assert!(PURGE_THRESHOLD == if usize::BITS == 64 { 32 << 20 } else { 8 << 20 } && HUGE_FROM == 16 << 20);

/// Figures of a heap, in bytes where nothing else is said.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_heap_stats {
    /// `sizeof(struct rt0_heap_stats)`, set by the caller; nothing behind it is written.
    pub size: usize,
    /// In blocks that the program holds.
    pub live: usize,
    /// The most that was ever in blocks, those in the heap's own lists with them.
    pub peak: usize,
    /// In free blocks that wait in the lists of their size.
    pub listed: usize,
    /// In free memory that is joined.
    pub free: usize,
    /// Readable and writable, the heap's own records included.
    pub committed: usize,
    /// Of address space.
    pub reserved: usize,
    /// Number of segments.
    pub segments: usize,
}

/// The heap is whole.
pub const RT0_HEAP_WHOLE: c_int = 0;
/// A free chunk's words contradict each other.
pub const RT0_FAULT_CHUNK: c_int = 1;
/// Two free chunks touch.
pub const RT0_FAULT_UNJOINED: c_int = 2;
/// A free chunk is in the wrong list, or its links are broken.
pub const RT0_FAULT_BIN: c_int = 3;
/// There are more or fewer free chunks than the heap has counted.
pub const RT0_FAULT_COUNT: c_int = 4;
/// A sum that the heap keeps is wrong: something was freed with another size than it has.
pub const RT0_FAULT_SUM: c_int = 5;
/// A free block lies where none can be, or stands in its list twice: it was freed twice, or written to after that.
pub const RT0_FAULT_LIST: c_int = 6;
/// Another fault, of a version that is newer than this list.
pub const RT0_FAULT_OTHER: c_int = 7;

/// The most segments that a heap can have. Each is as large as all before it together, where there is room for
/// that, and a quarter of what is left near the end: this is more than it takes to come to the end.
const SEGMENTS: usize = 128;

/// The segments of one heap, the first of which is its arena from the beginning, so that all can be given back.
struct Segments(Vec<(NonNull<u8>, usize), SEGMENTS>);

/// The kernel's memory, and a record of what was taken of it.
struct Recorded {
    system: SystemMemory,
    /// Lies in the pages of the heap, beside the heap.
    segments: NonNull<Segments>,
}

// SAFETY: what it points to is this heap's alone.
unsafe impl Send for Recorded {}

// SAFETY: all is done by `SystemMemory`; what could not be recorded goes back at once.
unsafe impl Memory for Recorded {
    fn page_size(&self) -> usize {
        self.system.page_size()
    }

    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
        let extent = self.system.reserve(min, want)?;
        // SAFETY: the record lives as long as the heap, which alone uses it, under its lock.
        let segments = unsafe { &mut self.segments.as_mut().0 };
        // The arena is there already.
        let known = segments.iter().any(|(base, _)| *base == extent.base());
        if !known && segments.push((extent.base(), extent.len())).is_err() {
            self.system.release(extent);
            return None;
        }
        Some(extent)
    }

    fn limit(&mut self) -> usize {
        self.system.limit()
    }

    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: the caller's contract is the same.
        unsafe { self.system.commit(at, len) }
    }

    unsafe fn populate(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.system.populate(at, len) };
    }

    unsafe fn reset(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.system.reset(at, len) };
    }

    unsafe fn reset_to_zero(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: the caller's contract is the same.
        unsafe { self.system.reset_to_zero(at, len) }
    }

    fn release(&mut self, extent: Extent) {
        // SAFETY: as in `reserve`.
        let segments = unsafe { &mut self.segments.as_mut().0 };
        segments.retain(|(base, _)| *base != extent.base());
        // It may be the end of one only.
        let end = extent.base().addr().get() + extent.len();
        for (_, len) in segments.iter_mut().filter(|(base, len)| base.addr().get() + *len == end) {
            *len -= extent.len();
        }
        self.system.release(extent);
    }

    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: the caller's contract is the same.
        unsafe { self.system.prefer_huge(at, len) };
    }
}

/// A lock, unless the policy says that none is needed.
struct Chosen {
    lock: Option<Lock>,
}

// SAFETY: where there is a lock, it is `Lock`'s; where there is none, the caller of `rt0_heap_create` has said that calls do
// not overlap.
unsafe impl RawMutex for Chosen {
    const BIASED: bool = Lock::BIASED;

    #[inline]
    fn lock(&self) {
        if let Some(lock) = &self.lock {
            lock.lock();
        }
    }

    #[inline]
    fn is_alone(&self) -> bool {
        self.lock.as_ref().is_none_or(RawMutex::is_alone)
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.lock.as_ref().is_none_or(RawMutex::try_lock)
    }

    /// Where none is needed no thread finds one taken.
    #[inline]
    fn another() -> Option<Chosen> {
        Some(Chosen { lock: Lock::another() })
    }

    #[inline]
    unsafe fn unlock(&self) {
        if let Some(lock) = &self.lock {
            // SAFETY: the caller holds it.
            unsafe { lock.unlock() };
        }
    }

    #[inline]
    unsafe fn unlock_unawaited(&self) {
        if let Some(lock) = &self.lock {
            // SAFETY: the caller holds it, and nobody is in `lock`.
            unsafe { lock.unlock_unawaited() };
        }
    }
}

/// A heap. Only pointers to it are passed around.
pub struct rt0_heap {
    heap: Heap<Chosen, Recorded>,
    segments: Segments,
    decision: rt0_decision,
}

impl rt0_heap {
    /// A block, or null.
    #[inline]
    pub(crate) fn allocate(&self, size: usize, alignment: usize) -> *mut u8 {
        let Ok(layout) = Layout::from_size_align(size, alignment) else { return ptr::null_mut() };
        self.heap.allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    /// A block of zeroes, or null.
    pub(crate) fn allocate_zeroed(&self, size: usize) -> *mut u8 {
        let Ok(layout) = Layout::from_size_align(size, GRANULE) else { return ptr::null_mut() };
        self.heap.allocate_zeroed(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    /// The block with another size, or null, and then it is as it was.
    ///
    /// # Safety
    ///
    /// `block` is one of this heap's, of this size and alignment.
    #[inline]
    pub(crate) unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        old_size: usize,
        new_size: usize,
        alignment: usize,
    ) -> *mut u8 {
        let (Ok(old), Ok(_)) =
            (Layout::from_size_align(old_size, alignment), Layout::from_size_align(new_size, alignment))
        else {
            return ptr::null_mut();
        };
        // SAFETY: the caller says whose block it is; the new size is a layout's.
        let moved = unsafe { self.heap.reallocate(block, old, new_size) };
        moved.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// `block` is one of this heap's, of this size and alignment, and not used any more.
    #[inline]
    pub(crate) unsafe fn free(&self, block: NonNull<u8>, size: usize, alignment: usize) {
        // A size that no block has comes with a block that there is not.
        let Ok(layout) = Layout::from_size_align(size, alignment) else { return };
        // SAFETY: the caller says whose block it is.
        unsafe { self.heap.deallocate(block, layout) };
    }
}

/// Makes a heap and stores it where `heap` points. `policy` may be null, for the defaults.
///
/// The heap reserves address space that fits the limit and commits of it what it needs; it takes three pages for itself (two
/// on 32-bit ports).
/// Blocks of one heap must not be given to another. Where `decision` is not null and its `size` is set, it is told how
/// the size was decided, whether or not that succeeded.
///
/// Answers 0; `-EINVAL` if `heap` is null or `policy` asks for what this library does not know; `-ENOMEM`, or what the
/// kernel says, if nothing fits: `rt0_failure_line` makes a line of the decision then. After an error `*heap` is null.
///
/// # Safety
///
/// `policy` and `decision` are null or point to as many bytes as their `size` says; `heap` is null or points to a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_create(
    policy: *const rt0_heap_policy,
    heap: *mut *mut rt0_heap,
    decision: *mut rt0_decision,
) -> c_int {
    if heap.is_null() {
        return negated(Errno::EINVAL);
    }
    // SAFETY: the caller says that it points to a pointer.
    unsafe { heap.write(ptr::null_mut()) };
    // SAFETY: the caller says so of the policy; zeroes are one.
    let Some(policy) = (unsafe { read_sized::<rt0_heap_policy>(policy) }) else { return negated(Errno::EINVAL) };
    let flags_are_known = policy.flags & !(RT0_HEAP_UNLOCKED | RT0_HEAP_NO_ALLOWANCE) == 0;
    if !flags_are_known || policy.reserved != 0 || policy.cap == RT0_NONE {
        return negated(Errno::EINVAL);
    }
    let mut options = arena::Options::new().bitmap(false);
    options.cap = (policy.cap != 0).then_some(policy.cap);
    options.allowance = match policy.allowance {
        _ if policy.flags & RT0_HEAP_NO_ALLOWANCE != 0 => Some(0),
        0 => None,
        bytes => Some(bytes),
    };
    // Its own pages come first: an arena takes all there is.
    let own = match pages_for(size_of::<rt0_heap>()) {
        Ok(own) => own,
        Err(errno) => {
            // SAFETY: the caller says what it points to.
            unsafe { refused(options).store(decision) };
            return negated(errno);
        }
    };
    match arena::mallocinit(&options) {
        Ok(arena) => {
            let told = rt0_decision::new(arena.decision());
            // Recorded now: a heap that is never used is not asked for a segment.
            let recorded = Vec::from_iter([(arena.extent().base(), arena.extent().len())]);
            let created = own.base().cast::<rt0_heap>();
            // SAFETY: the pages are this heap's, and long enough.
            unsafe {
                let segments = NonNull::new_unchecked(&raw mut (*created.as_ptr()).segments);
                let memory = Recorded { system: SystemMemory::in_arena(arena), segments };
                let lock = (policy.flags & RT0_HEAP_UNLOCKED == 0).then(Lock::new);
                let empty = Heap::from_parts(Chosen { lock }, memory);
                created.write(rt0_heap { heap: empty, segments: Segments(recorded), decision: told });
                let made = created.as_ref();
                if policy.purge_threshold != 0 {
                    made.heap.set_purge_threshold(clamp(policy.purge_threshold));
                }
                if policy.huge_from != 0 {
                    made.heap.set_huge_from(clamp(policy.huge_from));
                }
                told.store(decision);
                heap.write(created.as_ptr());
            }
            0
        }
        Err(failure) => {
            // What the kernel does not take back stays reserved, and nothing else is lost.
            let _ = own.release();
            // SAFETY: the caller says what it points to.
            unsafe { rt0_decision::failed(&failure).store(decision) };
            match failure.error {
                Some(vm::ReserveError::Kernel(errno)) => negated(errno),
                _ => negated(Errno::ENOMEM),
            }
        }
    }
}

/// The decision where not even a heap's own pages could be had: nothing was left to try.
pub(crate) fn refused(options: arena::Options) -> rt0_decision {
    let nothing = options.cap(0);
    match arena::mallocinit(&nothing) {
        Err(mut failure) => {
            failure.decision.options = options;
            rt0_decision::failed(&failure)
        }
        Ok(arena) => rt0_decision::new(arena.decision()), // never: no arena fits into nothing
    }
}

/// Pages for this many bytes, readable and writable: what a heap or a collector itself lies in.
pub(crate) fn pages_for(bytes: usize) -> Result<Extent, Errno> {
    let own = vm::reserve(bytes.next_multiple_of(page_size())).map_err(|error| match error {
        vm::ReserveError::Kernel(errno) => errno,
        _ => Errno::ENOMEM,
    })?;
    match own.commit(0..own.len()) {
        Ok(()) => Ok(own),
        Err(errno) => {
            // What the kernel does not take back stays reserved, and nothing else is lost.
            let _ = own.release();
            Err(errno)
        }
    }
}

/// A number of bytes as the heap takes it.
pub(crate) fn clamp(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The caller's policy, with zeroes where it says nothing; nothing if its size is none, or if it says more than is known here.
///
/// # Safety
///
/// `policy` is null or points to as many bytes as the `size_t` says that it begins with. `T` begins with it as well, and zeroes
/// are one.
pub(crate) unsafe fn read_sized<T: Copy>(policy: *const T) -> Option<T> {
    let mut read = MaybeUninit::<T>::zeroed();
    // SAFETY: the caller says how many bytes there are; those that are copied are within both.
    unsafe {
        if !policy.is_null() {
            let size = policy.cast::<usize>().read_unaligned();
            if size < size_of::<usize>() || size > page_size() {
                return None;
            }
            read.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(policy.cast(), size.min(size_of::<T>()));
            if (size_of::<T>()..size).any(|at| *policy.cast::<u8>().add(at) != 0) {
                return None;
            }
        }
        Some(read.assume_init())
    }
}

/// Gives a heap back with all its memory, whether or not its blocks were freed. Null is no heap, and nothing happens.
///
/// # Safety
///
/// Nobody uses the heap or a block of it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_destroy(heap: *mut rt0_heap) {
    let Some(heap) = NonNull::new(heap) else { return };
    // SAFETY: the caller says that it is a heap that nobody uses. The record is copied, since it goes as well.
    unsafe {
        let segments = (&raw const (*heap.as_ptr()).segments).read();
        // What the kernel does not take back, because that would split a mapping and there are too many, stays reserved.
        for (base, len) in segments.0 {
            let _ = vm::release(base, len);
        }
        let _ = vm::release(heap.cast(), size_of::<rt0_heap>().next_multiple_of(page_size()));
    }
}

/// A block of at least `size` bytes, aligned for every type of C: to 16 bytes on 64-bit ports, to 8 on 32-bit ones.
///
/// A request of no bytes gets a block of its own. Null if there is no memory, if `size` exceeds `PTRDIFF_MAX` or `heap`
/// is null; the heap is as it was then.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_allocate(heap: *mut rt0_heap, size: usize) -> *mut c_void {
    // SAFETY: the caller says that it is null or a heap.
    unsafe { heap.as_ref() }.map_or(ptr::null_mut(), |heap| heap.allocate(size, GRANULE).cast())
}

/// The same, and the block's bytes are zero.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_allocate_zeroed(heap: *mut rt0_heap, size: usize) -> *mut c_void {
    // SAFETY: the caller says that it is null or a heap.
    unsafe { heap.as_ref() }.map_or(ptr::null_mut(), |heap| heap.allocate_zeroed(size).cast())
}

/// A block of at least `size` bytes at a multiple of `alignment`, a power of two: null if it is not one. It goes back
/// with `rt0_heap_free_aligned`.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_allocate_aligned(heap: *mut rt0_heap, size: usize, alignment: usize) -> *mut c_void {
    // SAFETY: the caller says that it is null or a heap.
    unsafe { heap.as_ref() }.map_or(ptr::null_mut(), |heap| heap.allocate(size, alignment).cast())
}

/// Makes a block `new_size` bytes long, where it is if that can be, else in another place. Its bytes up to the lesser
/// size are kept. A null `block` is allocated anew.
///
/// Null if there is no memory, if a size exceeds `PTRDIFF_MAX` or `heap` is null; the block is as it was then, and still
/// the caller's. A `new_size` of 0 does not free the block.
///
/// # Safety
///
/// `heap` is null or a heap. `block` is null, or came from this heap (`rt0_heap_allocate`, `_zeroed` or `_reallocate`) for
/// `old_size` bytes; once another pointer is answered it is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_reallocate(
    heap: *mut rt0_heap,
    block: *mut c_void,
    old_size: usize,
    new_size: usize,
) -> *mut c_void {
    // SAFETY: what the caller says is what this wants, with the alignment of all blocks.
    unsafe { rt0_heap_reallocate_aligned(heap, block, old_size, new_size, GRANULE) }
}

/// The same for a block from `rt0_heap_allocate_aligned`, which keeps its alignment. Null as well if `alignment` is no power
/// of two.
///
/// # Safety
///
/// As for `rt0_heap_reallocate`; the block came with this `alignment`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_reallocate_aligned(
    heap: *mut rt0_heap,
    block: *mut c_void,
    old_size: usize,
    new_size: usize,
    alignment: usize,
) -> *mut c_void {
    // SAFETY: the caller says that it is null or a heap.
    let Some(heap) = (unsafe { heap.as_ref() }) else { return ptr::null_mut() };
    match NonNull::new(block.cast()) {
        None => heap.allocate(new_size, alignment).cast(),
        // SAFETY: the caller says whose block it is and how long.
        Some(block) => unsafe { heap.reallocate(block, old_size, new_size, alignment).cast() },
    }
}

/// Takes a block back. Nothing happens if `block` or `heap` is null.
///
/// # Safety
///
/// `heap` is null or a heap. `block` is null, or came from this heap (`rt0_heap_allocate`, `_zeroed` or `_reallocate`) for
/// `size` bytes and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_free(heap: *mut rt0_heap, block: *mut c_void, size: usize) {
    // SAFETY: what the caller says is what this wants, with the alignment of all blocks.
    unsafe { rt0_heap_free_aligned(heap, block, size, GRANULE) };
}

/// Takes a block from `rt0_heap_allocate_aligned` back. Nothing happens if `block` or `heap` is null.
///
/// # Safety
///
/// As for `rt0_heap_free`; the block came with this `alignment`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_free_aligned(heap: *mut rt0_heap, block: *mut c_void, size: usize, alignment: usize) {
    // SAFETY: the caller says that it is null or a heap.
    if let (Some(heap), Some(block)) = (unsafe { heap.as_ref() }, NonNull::new(block.cast())) {
        // SAFETY: the caller says whose block it is and how long.
        unsafe { heap.free(block, size, alignment) };
    }
}

/// The bytes that a block for `size` bytes really has, aligned as all are: what exceeds `size` may be used if the block is
/// given back with a size between the two. 0 if `size` exceeds what a block can have.
#[unsafe(no_mangle)]
pub extern "C" fn rt0_heap_block_size(size: usize) -> usize {
    match Layout::from_size_align(size, GRANULE) {
        Ok(layout) if size <= isize::MAX as usize - page_size() => rt0::heap::block_len(layout),
        _ => 0,
    }
}

/// Figures of the heap. It walks the heap's free lists.
///
/// Answers 0, or `-EINVAL` if `heap` or `stats` is null. As much is written as `stats->size` has room for.
///
/// # Safety
///
/// `heap` is null or a heap; `stats` is null or points to as many bytes as its `size` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_statistics(heap: *mut rt0_heap, stats: *mut rt0_heap_stats) -> c_int {
    // SAFETY: the caller says that it is null or a heap.
    let (Some(heap), false) = (unsafe { heap.as_ref() }, stats.is_null()) else { return negated(Errno::EINVAL) };
    let found = heap.heap.stats();
    let told = rt0_heap_stats {
        size: size_of::<rt0_heap_stats>(),
        live: found.live,
        peak: found.peak,
        listed: found.listed,
        free: found.free,
        committed: found.committed,
        reserved: found.reserved,
        segments: found.segments,
    };
    // SAFETY: the caller says what `stats` points to.
    unsafe { store_sized(told, stats.cast()) };
    0
}

/// How the size of the heap's arena was decided.
///
/// Answers 0, or `-EINVAL` if `heap` or `decision` is null. As much is written as `decision->size` has room for.
///
/// # Safety
///
/// `heap` is null or a heap; `decision` is null or points to as many bytes as its `size` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_decision(heap: *mut rt0_heap, decision: *mut rt0_decision) -> c_int {
    // SAFETY: the caller says that it is null or a heap.
    match unsafe { heap.as_ref() } {
        Some(heap) if !decision.is_null() => {
            // SAFETY: the caller says what it points to.
            unsafe { heap.decision.store(decision) };
            0
        }
        _ => negated(Errno::EINVAL),
    }
}

/// Gives back to the kernel whatever can be: pages that hold nothing. Nothing happens if `heap` is null.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_trim(heap: *mut rt0_heap) {
    // SAFETY: the caller says that it is null or a heap.
    if let Some(heap) = unsafe { heap.as_ref() } {
        heap.heap.trim();
    }
}

/// Takes all locks of the heap, so that it is whole in the copy that a fork makes of the process: for `pthread_atfork`,
/// with the two below. Who registers first is called last before the fork. Until one of the two is called the calling
/// thread does not use the heap, and others wait. Nothing happens if `heap` is null.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_before_fork(heap: *mut rt0_heap) {
    // SAFETY: the caller says that it is null or a heap.
    if let Some(heap) = unsafe { heap.as_ref() } {
        heap.heap.before_fork();
    }
}

/// Releases, in the process that goes on, what `rt0_heap_before_fork` has taken, whether or not there was a fork. Nothing
/// happens if `heap` is null.
///
/// # Safety
///
/// `heap` is null or a heap. This thread has called `rt0_heap_before_fork` of it, and since then nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_after_fork_in_parent(heap: *mut rt0_heap) {
    // SAFETY: the caller says that it is null or a heap.
    if let Some(heap) = unsafe { heap.as_ref() } {
        // SAFETY: the caller says what its thread has called.
        unsafe { heap.heap.after_fork_in_parent() };
    }
}

/// The same in the copy. What other threads had in their lists is the heap's as before. Nothing happens if `heap` is
/// null.
///
/// # Safety
///
/// `heap` is null or a heap. This process is a copy that was made by a fork, and has one thread, which had called
/// `rt0_heap_before_fork` of it before, and nothing else since then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_after_fork_in_child(heap: *mut rt0_heap) {
    // SAFETY: the caller says that it is null or a heap.
    if let Some(heap) = unsafe { heap.as_ref() } {
        // SAFETY: the caller says what its thread has called.
        unsafe { heap.heap.after_fork_in_child() };
    }
}

/// Looks at the whole heap. Answers `RT0_HEAP_WHOLE` (0), the first fault that it finds (`RT0_FAULT_*`, positive), or
/// `-EINVAL` if `heap` is null. The address of the fault is stored where `where` points, unless that is null; 0 if it has
/// none.
///
/// # Safety
///
/// `heap` is null or a heap; `where` is null or points to a `size_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_heap_check(heap: *mut rt0_heap, r#where: *mut usize) -> c_int {
    // SAFETY: the caller says that it is null or a heap.
    let Some(heap) = (unsafe { heap.as_ref() }) else { return negated(Errno::EINVAL) };
    let (fault, address) = match heap.heap.check() {
        Ok(()) => (RT0_HEAP_WHOLE, 0),
        Err(Fault::Chunk(at)) => (RT0_FAULT_CHUNK, at),
        Err(Fault::Unjoined(at)) => (RT0_FAULT_UNJOINED, at),
        Err(Fault::Bin(at)) => (RT0_FAULT_BIN, at),
        Err(Fault::Count) => (RT0_FAULT_COUNT, 0),
        Err(Fault::Sum) => (RT0_FAULT_SUM, 0),
        Err(Fault::List(at)) => (RT0_FAULT_LIST, at),
        Err(_) => (RT0_FAULT_OTHER, 0),
    };
    if !r#where.is_null() {
        // SAFETY: the caller says that it points to a word.
        unsafe { r#where.write(address) };
    }
    fault
}
