//! The kernel's memory: the arena that fits the limit, and regions beyond it.

use core::ptr::NonNull;

use super::Heap;
use super::memory::{Extent, Memory};
use crate::lock::{Exclusive, Lock, Unlocked};
use crate::malloc::{self, Arena, Failure, Grown, Options};
use crate::mem::{self, Region};
use crate::page_size;

/// Memory from the kernel: first the arena of [`malloc::init`], then further
/// regions for as long as limit, cap and kernel give them.
pub struct Os {
    state: State,
    /// The page size in bytes; 0 until it is asked for.
    page: usize,
}

/// With a tag of its own, so that an unused heap is all zeroes and takes no room
/// in the program's file.
#[repr(u8)]
enum State {
    /// Nothing is reserved; the first request will.
    Before(Options),
    /// The arena is there; the heap has it, or will.
    Reserved { arena: Arena, handed_out: bool },
}

impl Os {
    /// Reserves with the given options when it is first asked.
    pub const fn new(options: Options) -> Os {
        Os { state: State::Before(options), page: 0 }
    }

    /// The arena, reserved if it has not been yet, and whether the heap has it.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    fn reserve_arena(&mut self) -> Result<(&mut Arena, &mut bool), Failure> {
        if let State::Before(options) = &self.state {
            self.state = State::Reserved { arena: malloc::init(options)?, handed_out: false };
        }
        match &mut self.state {
            State::Reserved { arena, handed_out } => Ok((arena, handed_out)),
            State::Before(_) => unreachable!("reserved just now"),
        }
    }

    /// Takes an arena that start-up has made. Its bitmap stays the caller's.
    pub const fn in_arena(arena: Arena) -> Os {
        Os { state: State::Reserved { arena, handed_out: false }, page: 0 }
    }
}

impl<L: Exclusive> Heap<L, Os> {
    /// Reserves the arena now, if it has not been yet, so that a limit which nothing
    /// fits into is known before the first allocation and not by it.
    ///
    /// # Errors
    ///
    /// Why there is no arena; it prints as the line that says so.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    pub fn reserve(&self) -> Result<(), Failure> {
        self.with(|state| state.back.memory().reserve_arena().map(drop))
    }
}

/// A program's heap has no collector's bitmap.
const PLAIN: Options = Options { bitmap: false, ..Options::DEFAULT };

impl Heap<Lock, Os> {
    /// A heap that threads may share. It reserves its arena when it is first
    /// asked for memory.
    pub const fn new() -> Self {
        Heap::on(Os::new(PLAIN))
    }
}

impl Default for Heap<Lock, Os> {
    fn default() -> Self {
        Heap::new()
    }
}

impl Heap<Unlocked, Os> {
    /// A heap without a lock.
    ///
    /// # Safety
    ///
    /// No two calls of its methods overlap in time: the program has one thread,
    /// or excludes its threads from one another itself; and no signal handler
    /// calls them.
    pub const unsafe fn new_unlocked() -> Self {
        // SAFETY: the caller's promise is the same.
        unsafe { Heap::unlocked_on(Os::new(PLAIN)) }
    }
}

// SAFETY: its pointers name address space, which no thread owns.
unsafe impl Send for Os {}

impl From<Region> for Extent {
    fn from(Region { base, len }: Region) -> Extent {
        Extent { base, len }
    }
}

// SAFETY: `malloc` and `mem` hand out what the kernel gave for this alone, and
// the kernel's new pages are zero.
unsafe impl Memory for Os {
    fn page_size(&mut self) -> usize {
        if self.page == 0 {
            self.page = page_size();
        }
        self.page
    }

    #[cold]
    #[inline(never)]
    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
        // An arena too small for this request may serve the next one.
        let (arena, handed_out) = self.reserve_arena().ok()?;
        if !*handed_out && arena.arena.len >= min {
            *handed_out = true;
            return Some(arena.arena.into());
        }
        arena.grow(min, want).ok().map(|grown| grown.arena.into())
    }

    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: the caller's promise.
        unsafe { mem::commit(at, len) }.is_ok()
    }

    unsafe fn decommit(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { mem::decommit(at, len) };
    }

    unsafe fn release(&mut self, extent: Extent) {
        let State::Reserved { arena, .. } = &mut self.state else { return };
        let Extent { base, len } = extent;
        let (bitmap, region) = (Region { base, len: 0 }, Region { base, len });
        if arena.arena.base != base {
            // SAFETY: a further region, which the caller does not use any more.
            unsafe { arena.shrink(Grown { bitmap, arena: region }) };
        }
    }

    #[cfg(target_os = "linux")]
    unsafe fn populate(&mut self, at: NonNull<u8>, len: usize) {
        // `include/uapi/asm-generic/mman-common.h`; kernels before 5.14 refuse, and
        // then each page comes when it is touched.
        const MADV_POPULATE_WRITE: i32 = 23;
        // SAFETY: the pages stay as they are, but resident.
        let _ = unsafe { crate::sys::madvise(at.as_ptr(), len, MADV_POPULATE_WRITE) };
    }

    #[cfg(target_os = "linux")]
    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        // A kernel without huge pages refuses, and nothing is lost.
        // SAFETY: advice about pages that are the caller's.
        let _ = unsafe { crate::sys::madvise(at.as_ptr(), len, crate::sys::MADV_HUGEPAGE) };
    }
}
