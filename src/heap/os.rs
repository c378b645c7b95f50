//! The kernel's memory: the arena that fits the limit, and regions beyond it.

use core::ptr::NonNull;

use super::Heap;
use super::memory::{Extent, Memory};
use crate::lock::{Exclusive, Lock, Unlocked};
use crate::malloc::{self, Arena, Failure, Options, Spare};
use crate::mem;
use crate::page_size;

/// Memory from the kernel: first the arena of [`malloc::init`], without a bitmap, then further regions for as long as
/// limit, cap and kernel give them.
pub struct Os {
    allowance: Option<u64>,
    cap: Option<u64>,
    /// What may be reserved yet; nothing is known before the first request.
    spare: Option<Spare>,
    /// The arena, until the heap takes it.
    arena: Option<Extent>,
}

impl Os {
    /// Reserves an arena when it is first asked.
    pub const fn new() -> Os {
        Os { allowance: None, cap: None, spare: None, arena: None }
    }

    /// Leaves so many bytes of the limit for stacks and other mappings, as
    /// [`Options::allowance`] says.
    pub const fn allowance(self, bytes: u64) -> Os {
        Os { allowance: Some(bytes), ..self }
    }

    /// Takes at most so many bytes, as [`Options::cap`] says.
    pub const fn cap(self, bytes: u64) -> Os {
        Os { cap: Some(bytes), ..self }
    }

    /// Takes an arena that start-up has made, with what limits it. Its bitmap stays the
    /// caller's, and further regions have none.
    pub const fn in_arena(arena: Arena) -> Os {
        Os { spare: Some(arena.spare), arena: Some(arena.arena), ..Os::new() }
    }

    /// Reserves the arena, if it has not been yet.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    fn reserve_arena(&mut self) -> Result<(), Failure> {
        if self.spare.is_none() {
            let Os { allowance, cap, .. } = *self;
            *self = Os::in_arena(malloc::init(&Options { allowance, cap, bitmap: false, ..Options::DEFAULT })?);
        }
        Ok(())
    }
}

impl Default for Os {
    fn default() -> Self {
        Os::new()
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
        self.with(|state| state.back.memory().reserve_arena())
    }
}

impl Heap<Lock, Os> {
    /// A heap that threads may share. It reserves its arena when it is first
    /// asked for memory.
    pub const fn new() -> Self {
        Heap::on(Os::new())
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
        unsafe { Heap::unlocked_on(Os::new()) }
    }
}

// SAFETY: its pointers name address space, which no thread owns.
unsafe impl Send for Os {}

// SAFETY: `malloc` and `mem` hand out what the kernel gave for this alone, and
// the kernel's new pages are zero.
unsafe impl Memory for Os {
    fn page_size(&self) -> usize {
        page_size()
    }

    #[cold]
    #[inline(never)]
    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
        // An arena too small for this request may serve the next one.
        self.reserve_arena().ok()?;
        let arena = self.arena.take_if(|arena| arena.len >= min);
        arena.or_else(|| self.spare.as_mut()?.reserve(min as u64, want as u64).ok())
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
        if let Some(spare) = &mut self.spare {
            // SAFETY: the caller's promise.
            unsafe { spare.release(extent) };
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
