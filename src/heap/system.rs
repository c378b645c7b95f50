//! The kernel's memory: address space as the heap needs it, and what is kept free of it.
//!
//! A heap takes region after region, so that stacks, threads and other mappings have what it does not use. Only the
//! end is guarded: `RLIMIT_AS` counts the stack as it grows, and a heap that has taken everything turns the next page of
//! stack into a `SIGSEGV`.
//!
//! ```text
//!   | image, stack | heap ...  + region | guard                         |
//!   0                                                           RLIMIT_AS
//!
//!   guard   the allowance   while it is there: a quarter of the limit, 64 MiB at most
//!           the stack       then what the main thread's stack can still grow by: RLIMIT_STACK, less what it is
//!           the last        then a 128th of the limit, 256 KiB at least: to say what is wrong, and for what the
//!                           stack grows by between two requests
//!   each at most the one before; a region is taken if the guard is still there beside it
//! ```
//!
//! Whether it is there the kernel says: the guard is reserved and given back at once. So what others have mapped counts,
//! and the answer never gets worse when the limit grows. Without a limit there is no guard and no such call.
//!
//! A region lies right behind the one before if that can be, and the heap uses both as one: what is free joins across
//! them. Linux lays mappings out from the top down (`mm/util.c`, `arch_pick_mmap_layout`), where nothing can follow, so
//! a region that follows none is asked for at an address with room above: each on 64-bit ports, and under a limit of at
//! most 1 GiB; elsewhere the first.
//!
//! A region is as large as the heap asks for, which is as all before it together, at first a sixteenth of the limit; but
//! at most a quarter of what the limit leaves, and where that is refused half of it, and so on, down to what is needed.
//! A 32nd of the limit is asked for at least, and beside the last two guards no more than that.
//!
//! An allowance that the program sets is the only guard. In a program that rt0 did not start nobody knows where the main
//! thread's stack begins: there it can grow by all that `RLIMIT_STACK` says.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::Heap;
use super::backend::Request;
use super::class::GRANULE;
use super::memory::{Extent, Memory, Refusal, is_ample};
use crate::arena::{self, Arena, ArenaError, Budget, LimitSource, Options};
use crate::lock::{Lock, RawMutex, Unlocked};
use crate::memlimit::{self, Width};
use crate::os::initial_stack::{InitialStack, page_size};
use crate::sys::{self, MADV_RESET, RLIMIT_STACK};
use crate::vm::{self, HUGE, ReserveError, round_down};

/// The last guard is this part of the limit ...
const LAST_SHARE: u64 = 128;
/// ... or this many bytes.
const LAST_MIN: u64 = 256 * 1024;

/// Bytes that a region grows to at most where nothing says less: the bits for them are reserved with it. Where address
/// space is ample, at least to this many times what it is for.
const GROWS_TO: u64 = 1 << 30;
const GROWS_TIMES: u64 = 16;

/// From where on regions are asked for. On Linux above the image of a program that is not moved and what `brk` adds to it,
/// far below what the kernel chooses itself (`mm/util.c`, `mmap_base`). FreeBSD lays mappings out from low addresses up, so
/// anywhere (`sys/vm/vm_mmap.c`, `sys_mmap`).
const REGIONS_FROM: usize = match usize::BITS {
    _ if !cfg!(target_os = "linux") => 0,
    64 => 1 << 40,
    _ => 1 << 28,
};

/// Regions that do not follow another are at least this far apart ...
const SPREAD: usize = if usize::BITS == 64 { 1 << 36 } else { 1 << 26 };
/// ... and those that have room behind lie within so many bytes: where that is not twice the limit, the first alone.
const SPAN: usize = if usize::BITS == 64 { 1 << 46 } else { 1 << 31 };

/// The first region is this part of the limit.
const FIRST_SHARE: u64 = 16;

/// No region is smaller than this part of the limit if that is to be had: so there are a few dozen.
const LEAST_SHARE: u64 = 32;

/// Memory from the kernel, region after region, for as long as limit, cap and kernel give it; or an arena, and what is
/// beyond it.
#[derive(Debug)]
pub struct SystemMemory {
    allowance: Option<u64>,
    cap: Option<u64>,
    /// The limit, once it has been read.
    source: Late<LimitSource>,
    /// Bytes that are reserved.
    reserved: u64,
    /// What the kernel said when it refused last.
    error: Late<ReserveError>,
    arena: Late<InArena>,
}

/// An `Option` whose `None` is all zeroes whatever `T` is, so that an unused heap takes no room in the program's file.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
enum Late<T> {
    None,
    Some(T),
}

impl<T> From<Late<T>> for Option<T> {
    fn from(late: Late<T>) -> Option<T> {
        match late {
            Late::None => None,
            Late::Some(value) => Some(value),
        }
    }
}

/// An arena that the heap was given. Functions by pointer: a program without one does not carry them.
#[derive(Debug)]
struct InArena {
    /// The first region, until the heap takes it.
    first: Option<Extent>,
    budget: Budget,
    /// Bytes of both together.
    most: u64,
    reserve: fn(&mut InArena, usize, usize) -> Option<Extent>,
    release: fn(&mut InArena, Extent),
}

impl SystemMemory {
    /// Reserves nothing before it is first asked.
    pub const fn new() -> SystemMemory {
        SystemMemory {
            allowance: None,
            cap: None,
            source: Late::None,
            reserved: 0,
            error: Late::None,
            arena: Late::None,
        }
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
    ///
    /// What limits it are the options of the arena: an [`allowance`](SystemMemory::allowance) or a [`cap`](SystemMemory::cap)
    /// that is set here has no effect.
    ///
    /// An arena of which something has been committed is given back and reserved anew: what was written there is lost, and
    /// the heap can rely on zeroes.
    pub fn in_arena(arena: Arena) -> SystemMemory {
        let (first, mut budget) = arena.into_extents();
        let most = budget.left().unwrap_or(u64::MAX).saturating_add(first.len() as u64);
        let first = if first.is_fresh() {
            Some(first)
        } else {
            let len = first.len() as u64;
            budget.release(first);
            budget.reserve(len, len).ok()
        };
        let reserve = |arena: &mut InArena, min: usize, want: usize| {
            // A first region too small for this request may serve the next one.
            let first = arena.first.take_if(|first| first.len() >= min);
            first.or_else(|| arena.budget.reserve(min as u64, want as u64).ok())
        };
        let release = |arena: &mut InArena, extent| {
            arena.budget.release(extent);
        };
        SystemMemory { arena: Late::Some(InArena { first, budget, most, reserve, release }), ..SystemMemory::new() }
    }

    /// A region without a limit, or where the kernel has to leave `guard` bytes: `most` bytes, or half, and so on, at
    /// least `min`.
    fn reserve_halving(&mut self, place: Place, min: usize, most: usize, guard: u64) -> Option<Extent> {
        let page = page_size();
        let mut len = most.max(min);
        let hint = match place {
            Place::Any => self.next_address(),
            Place::At(address) => address,
        };
        loop {
            match vm::reserve_near(hint, len).and_then(|extent| vm::beside(extent, guard)) {
                Ok(extent) if matches!(place, Place::At(address) if extent.base().addr().get() != address) => {
                    // What the kernel does not take back stays reserved; there is no other use for it.
                    let _ = extent.release();
                    return None;
                }
                Ok(extent) => return Some(extent),
                Err(error) => self.error = Late::Some(error),
            }
            if len == min {
                return None;
            }
            // What follows another region may be short: the next one can follow again.
            len = if matches!(place, Place::At(_)) { min } else { round_down(len / 2, page).max(min) };
        }
    }

    /// Where a region is asked for that does not follow another, so that others can follow it; 0 is anywhere. As random
    /// as the stack's address; where address space is wide a huge page begins there, so that none is in use in part.
    fn next_address(&mut self) -> usize {
        if REGIONS_FROM == 0 || !self.has_room() {
            return 0;
        }
        /// How many regions were asked for so: those of several heaps are not to be in one another's way.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (here, apart) = (0u8, self.apart_by());
        let place = COUNT.fetch_add(1, Relaxed) % (SPAN / apart);
        let unit = if usize::BITS == 64 { HUGE } else { page_size() };
        round_down(REGIONS_FROM + apart * place + ((&raw const here).addr() & (SPREAD - 1)), unit)
    }

    /// How far apart regions are that do not follow another: as far as one can grow, or where address space is ample far.
    fn apart_by(&mut self) -> usize {
        if usize::BITS == 64 { SPREAD } else { self.limit().clamp(SPREAD, SPAN) }
    }

    /// Whether the next region that follows no other has room behind.
    fn has_room(&mut self) -> bool {
        self.reserved == 0 || REGIONS_FROM != 0 && self.apart_by() <= SPAN / 2
    }

    /// What limits it, read once.
    fn source(&mut self) -> LimitSource {
        let source = match self.source {
            Late::Some(source) => source,
            Late::None => arena::source(),
        };
        self.source = Late::Some(source);
        source
    }

    /// Reserves a region and counts it.
    fn take_region(&mut self, place: Place, min: usize, want: usize) -> Option<Extent> {
        let extent = self.reserve_region(place, min, want)?;
        self.reserved += extent.len() as u64;
        Some(extent)
    }

    fn reserve_region(&mut self, place: Place, min: usize, want: usize) -> Option<Extent> {
        // No two regions are more than there can be.
        let want = want.min(usize::MAX / 4).max(min);
        let capped = self.cap.map_or(u64::MAX, |cap| cap.saturating_sub(self.reserved));
        if min as u64 > capped {
            return None;
        }
        let most = (want as u64).min(capped);
        let Some(limit) = self.source().limit().filter(|limit| *limit <= Width::CURRENT.max()) else {
            return self.reserve_halving(place, min, round_down(most as usize, page_size()), 0);
        };
        let allowance = self.allowance.unwrap_or(memlimit::default_allowance(limit));
        let left = limit.saturating_sub(self.reserved).saturating_sub(allowance);
        let least = round_down((limit / LEAST_SHARE).min(most) as usize, page_size());
        let most = most.min(self.reserved.max(limit / FIRST_SHARE)).min(left / 4);
        let most = round_down(most as usize, page_size()).max(least);
        let mut region = self.reserve_halving(place, min, most, allowance);
        if region.is_none() && self.allowance.is_none() {
            let stack = stack_growth().min(allowance);
            let last = (limit / LAST_SHARE).max(LAST_MIN).min(stack);
            let mut before = allowance;
            for guard in [stack, last] {
                // What was refused beside a guard is refused beside it again.
                if region.is_none() && guard < before {
                    region = self.reserve_halving(place, min, least, guard);
                }
                before = guard;
            }
        }
        region
    }
}

/// Where a region is to be.
#[derive(Clone, Copy)]
enum Place {
    Any,
    At(usize),
}

/// How far the main thread's stack can still grow.
#[cold]
fn stack_growth() -> u64 {
    let Ok(sys::Rlimit { soft: Some(most), .. }) = sys::getrlimit(RLIMIT_STACK) else { return u64::MAX };
    let here = 0u8;
    // The strings above argv are left out, and so as much more is kept.
    let top = InitialStack::current().argv().addr();
    // Another thread's stack, or a program that rt0 did not start, says nothing of the main thread's.
    match top.checked_sub((&raw const here).addr()) {
        Some(size) if (size as u64) < most => most - size as u64,
        _ => most,
    }
}

impl Default for SystemMemory {
    fn default() -> Self {
        SystemMemory::new()
    }
}

impl<L: RawMutex> Heap<L, SystemMemory> {
    /// Takes the first region now, if that has not been done, so that a limit which nothing
    /// fits into is known before the first allocation and not by it.
    ///
    /// # Errors
    ///
    /// Why there is none; it prints as the line that says so.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    pub fn reserve(&self) -> Result<(), ArenaError> {
        self.with(|state| {
            let least = Request { len: GRANULE, count: 1, align: GRANULE };
            let len = state.backend.first_len();
            if state.backend.segments.is_some() || state.backend.add_segment(least, len, false).is_some() {
                return Ok(());
            }
            let SystemMemory { allowance, cap, error, .. } = state.backend.memory;
            Err(ArenaError::of_region(&Options { allowance, cap, bitmap: false, ..Options::DEFAULT }, error.into()))
        })
    }
}

impl Heap<Lock, SystemMemory> {
    /// A heap that threads may share. It takes nothing before it is first
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
        if let Late::Some(arena) = &mut self.arena {
            return (arena.reserve)(arena, min, want);
        }
        self.take_region(Place::Any, min, want)
    }

    #[cold]
    #[inline(never)]
    fn reserve_behind(&mut self, end: usize, min: usize, want: usize) -> Option<Extent> {
        if let Late::Some(_) = self.arena {
            return None;
        }
        self.take_region(Place::At(end), min, want)
    }

    fn most(&mut self, len: usize) -> usize {
        if matches!(self.arena, Late::Some(_)) || !self.has_room() {
            return 0;
        }
        let limit = self.limit();
        // Under a limit the bits for more would be in the way of blocks.
        let grows_to = if is_ample(limit) { GROWS_TO.max((len as u64).saturating_mul(GROWS_TIMES)) } else { GROWS_TO };
        (limit as u64).saturating_sub(self.reserved).min(grows_to) as usize
    }

    fn limit(&mut self) -> usize {
        let limit = match &self.arena {
            Late::Some(arena) => arena.most,
            Late::None => self.source().limit().unwrap_or(u64::MAX).min(self.cap.unwrap_or(u64::MAX)),
        };
        limit.min(usize::MAX as u64) as usize
    }

    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: whole pages of an extent that the heap had from `reserve`.
        unsafe { vm::commit(at, len) }.is_ok()
    }

    unsafe fn reset(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: as above, and the heap needs nothing of what is in them.
        unsafe { vm::reset(at, len) };
    }

    unsafe fn reset_to_zero(&mut self, at: NonNull<u8>, len: usize) -> bool {
        if !cfg!(target_os = "linux") {
            // FreeBSD's MADV_FREE leaves zeroes or what was there.
            // SAFETY: this function's contract is the same.
            unsafe { self.reset(at, len) };
            return false;
        }
        // Linux refuses what it would not do, as for locked pages. An emulator of its calls may ignore advice and say that
        // all is well (QEMU, `linux-user/mmap.c`, `target_madvise`), so a byte shows whether it is lost.
        // SAFETY: whole pages of an extent that the heap had from `reserve`, which hold nothing of use, and a byte of the
        // first one.
        unsafe {
            at.write_volatile(1);
            let zero = sys::madvise(at.as_ptr(), len, MADV_RESET).is_ok() && at.read_volatile() == 0;
            if zero {
                // To look made the page resident.
                vm::reset(at, page_size());
            } else {
                // What was zero may be taken for zero.
                at.write(0);
            }
            zero
        }
    }

    fn release(&mut self, extent: Extent) {
        if let Late::Some(arena) = &mut self.arena {
            return (arena.release)(arena, extent);
        }
        let len = extent.len() as u64;
        // What the kernel does not take back stays reserved, and counts.
        if extent.release().is_ok() {
            self.reserved -= len;
        }
    }

    unsafe fn populate(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: whole, committed pages of an extent that the heap had from `reserve`.
        unsafe { vm::populate(at, len) };
    }

    fn is_resident(&mut self, page: usize) -> bool {
        // It is asked for huge pages' sake, which Linux alone gives on demand.
        cfg!(target_os = "linux") && vm::is_resident(page)
    }

    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        // SAFETY: whole pages of an extent that the heap had from `reserve`.
        unsafe { vm::prefer_huge(at, len) };
    }

    fn note_refusal(&mut self, Refusal { asked, in_use, reserved, .. }: Refusal) {
        arena::exhausted::note(asked, in_use, reserved);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::alloc::Layout;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_region_may_grow_to_many_times_what_it_is_for_where_nothing_limits_it() {
        let most = |memory: SystemMemory, len: u64| {
            let mut memory = SystemMemory { source: Late::Some(LimitSource::Infinity), ..memory };
            memory.most(len as usize) as u64
        };
        let is_ample = usize::BITS == 64 && REGIONS_FROM != 0;
        for (len, times) in [(0, 0), (1 << 20, 0), (3 << 30, GROWS_TIMES)] {
            let expected = GROWS_TO.max(if is_ample { times * len } else { 0 });
            assert_eq!(most(SystemMemory::new(), len), expected, "{len} bytes");
            // Under a limit its bits would be in the way.
            assert_eq!(most(SystemMemory::new().cap(3 << 30), len), GROWS_TO);
            assert_eq!(most(SystemMemory::new().cap(1 << 20), len), 1 << 20);
        }
    }

    /// How far from the first a program's blocks come to lie, where the heap believes in such a limit.
    fn places(limit: u64) -> Vec<usize> {
        let memory = SystemMemory { source: Late::Some(LimitSource::Rlimit(limit)), ..SystemMemory::new() };
        // SAFETY: this function alone has it.
        let heap = unsafe { Heap::unlocked_on(memory) };
        let layout = |size| Layout::from_size_align(size, 8).expect("a block");
        let take = |size| heap.allocate(layout(size)).expect("there is memory");
        let first = take(16).addr().get();
        let (mut blocks, mut places, mut random) = (Vec::new(), Vec::new(), 1u32);
        let (mut column, mut len) = (take(64), 64);
        for step in 0..30_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = 16 + (random >> 16) as usize % if step % 50 == 0 { 40_000 } else { 300 };
            let block = take(size);
            places.push(block.addr().get().wrapping_sub(first));
            blocks.push((block, size));
            // SAFETY: the heap's blocks, with the lengths that they have.
            unsafe {
                if step % 3 == 0 {
                    let (block, size) = blocks.swap_remove((random >> 8) as usize % blocks.len());
                    heap.deallocate(block, layout(size));
                }
                if step * 100 >= len {
                    column = heap.reallocate(column, layout(len), 2 * len).expect("there is memory");
                    len *= 2;
                }
            }
        }
        // What has a segment of its own lies anywhere.
        places.into_iter().map(|place| if place < limit as usize { place } else { usize::MAX }).collect()
    }

    #[test]
    fn blocks_lie_under_each_limit_as_under_any_other() {
        let expected = places(32 << 20);
        for limit in (32 << 20..64 << 20).step_by(320 << 10).skip(1) {
            let places = places(limit);
            let differ = places.iter().zip(&expected).position(|(place, expected)| place != expected);
            assert_eq!((differ, places.len()), (None, expected.len()), "under {limit} bytes");
        }
    }
}
