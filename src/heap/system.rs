//! The kernel's memory: the arena that fits the limit, and segments beyond it.

use core::ptr::NonNull;

use super::Heap;
use super::memory::{Extent, Memory};
use crate::arena::{self, Arena, ArenaError, Budget, Options};
use crate::lock::{Lock, RawMutex, Unlocked};
use crate::os::initial_stack::page_size;
use crate::vm;

/// Memory from the kernel: first the arena of [`arena::mallocinit`], without a bitmap, then further segments for as long as
/// limit, cap and kernel give them.
#[derive(Debug)]
pub struct SystemMemory {
    allowance: Option<u64>,
    cap: Option<u64>,
    /// What may be reserved yet; nothing is known before the first request.
    budget: Option<Budget>,
    /// The arena, until the heap takes it.
    arena: Option<Extent>,
}

impl SystemMemory {
    /// Reserves an arena when it is first asked.
    pub const fn new() -> SystemMemory {
        SystemMemory { allowance: None, cap: None, budget: None, arena: None }
    }

    /// Leaves this many bytes of the limit for stacks and other mappings, as
    /// [`Options::allowance`] says.
    pub const fn allowance(mut self, bytes: u64) -> SystemMemory {
        self.allowance = Some(bytes);
        self
    }

    /// Takes at most this many bytes, as [`Options::cap`] says.
    pub const fn cap(mut self, bytes: u64) -> SystemMemory {
        self.cap = Some(bytes);
        self
    }

    /// Takes an arena that start-up has made, whole, and what limits it: further segments come from its budget. The
    /// space of its bitmap is used for blocks as well, unless
    /// [`take_bitmap`](crate::arena::Region::take_bitmap) has taken it out.
    pub fn in_arena(arena: Arena) -> SystemMemory {
        let (extent, budget) = arena.into_extents();
        SystemMemory { budget: Some(budget), arena: Some(extent), ..SystemMemory::new() }
    }

    /// Reserves the arena, if it has not been yet.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    fn reserve_arena(&mut self) -> Result<(), ArenaError> {
        if self.budget.is_none() {
            let SystemMemory { allowance, cap, .. } = *self;
            let options = Options { allowance, cap, bitmap: false, ..Options::DEFAULT };
            let (extent, budget) = arena::mallocinit(&options)?.into_extents();
            (self.arena, self.budget) = (Some(extent), Some(budget));
        }
        Ok(())
    }
}

impl Default for SystemMemory {
    fn default() -> Self {
        SystemMemory::new()
    }
}

impl<L: RawMutex> Heap<L, SystemMemory> {
    /// Reserves the arena now, if it has not been yet, so that a limit which nothing
    /// fits into is known before the first allocation and not by it.
    ///
    /// # Errors
    ///
    /// Why there is no arena; it prints as the line that says so.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    pub fn reserve(&self) -> Result<(), ArenaError> {
        self.with(|state| state.backend.memory.reserve_arena())
    }
}

impl Heap<Lock, SystemMemory> {
    /// A heap that threads may share. It reserves its arena when it is first
    /// asked for memory.
    pub const fn new() -> Self {
        Heap::on(SystemMemory::new())
    }
}

impl Default for Heap<Lock, SystemMemory> {
    fn default() -> Self {
        Heap::new()
    }
}

impl Heap<Unlocked, SystemMemory> {
    /// A heap without a lock.
    ///
    /// # Safety
    ///
    /// No two calls of its methods overlap in time: the program has one thread,
    /// or excludes its threads from one another itself; and no signal handler
    /// calls them.
    pub const unsafe fn new_unlocked() -> Self {
        // SAFETY: what this asks of its caller is what that asks.
        unsafe { Heap::unlocked_on(SystemMemory::new()) }
    }
}

// SAFETY: `arena` and `vm` hand out what the kernel gave for this alone, and
// the kernel's new pages are zero.
unsafe impl Memory for SystemMemory {
    fn page_size(&self) -> usize {
        page_size()
    }

    #[cold]
    #[inline(never)]
    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
        // An arena too small for this request may serve the next one.
        self.reserve_arena().ok()?;
        let arena = self.arena.take_if(|arena| arena.len() >= min);
        arena.or_else(|| self.budget.as_mut()?.reserve(min as u64, want as u64).ok())
    }

    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: whole pages of an extent that the heap had from `reserve`.
        unsafe { vm::commit(at, len) }.is_ok()
    }

    unsafe fn reset(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: as above, and the heap needs nothing of what is in them.
        unsafe { vm::reset(at, len) };
    }

    fn release(&mut self, extent: Extent) {
        if let Some(budget) = &mut self.budget {
            budget.release(extent);
        }
    }

    unsafe fn populate(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: whole, committed pages of an extent that the heap had from `reserve`.
        unsafe { vm::populate(at, len) };
    }

    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: whole pages of an extent that the heap had from `reserve`.
        unsafe { vm::prefer_huge(at, len) };
    }
}
