//! The public safe functions, in any order: none may break memory. What is held from heaps, collectors, arenas and the
//! kernel never overlaps, keeps what was written into it, and every heap stays whole.
//!
//! Everything here that a program does with rt0 is safe code. What is not is the test's own: it writes into what it was given
//! and reads it again.

use std::alloc::Layout;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use rt0::arena::{Arena, Options, Policy as Rule, mallocinit};
use rt0::gc::{Collector, Embedder, Growth, Handle, Kind, Marker, Policy};
use rt0::heap::{Heap, SystemMemory};
use rt0::lock::Lock;
use rt0::thread::Stack;
use rt0::vm::{self, Extent};

use super::gc::Choices;

const KIB: usize = 1 << 10;
const PAGE: usize = 4096;

/// A language whose roots are any words.
#[derive(Default)]
struct Words(Vec<usize>);

// SAFETY: the test uses those objects alone that are among the words.
unsafe impl Embedder for Words {
    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        for word in &self.0 {
            marker.root(*word);
        }
    }
}

/// Memory that the test was given: its bytes are `mark`.
struct Held {
    at: NonNull<u8>,
    len: usize,
    mark: u8,
}

impl Held {
    fn whole(&self) -> bool {
        // SAFETY: it was given to the test, which has written all of it.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }.iter().all(|byte| *byte == self.mark)
    }
}

/// All that a run has.
#[derive(Default)]
struct World {
    heaps: Vec<Heap<Lock, SystemMemory>>,
    collectors: Vec<Collector<Words>>,
    arenas: Vec<Arena>,
    /// What was reserved, and whether its first page is written.
    extents: Vec<(Extent, bool)>,
    stacks: Vec<Stack>,
    handles: Vec<Handle>,
    held: Vec<Held>,
    /// Addresses that were seen, of anything.
    seen: Vec<usize>,
    mark: u8,
}

impl World {
    /// Takes memory that nobody else may have.
    fn hold(&mut self, at: NonNull<u8>, len: usize) {
        let (start, end) = (at.addr().get(), at.addr().get() + len);
        for other in &self.held {
            let from = other.at.addr().get();
            assert!(end <= from || from + other.len <= start, "{start:#x}, {len} bytes: somebody has it");
        }
        for (extent, _) in &self.extents {
            let from = extent.base().addr().get();
            assert!(end <= from || from + extent.len() <= start, "{start:#x}, {len} bytes: it is in an extent");
        }
        self.mark = self.mark.wrapping_add(1);
        // SAFETY: it was given to the test.
        unsafe { at.write_bytes(self.mark, len) };
        self.held.push(Held { at, len, mark: self.mark });
        self.seen.push(start);
    }

    fn keep(&mut self, extent: Extent) {
        if extent.is_empty() {
            return;
        }
        let (start, end) = (extent.base().addr().get(), extent.base().addr().get() + extent.len());
        for other in self.held.iter().map(|held| held.at.addr().get()) {
            assert!(!(start..end).contains(&other), "{start:#x}: an extent over what is held");
        }
        for (other, _) in &self.extents {
            assert!(!other.contains(start) && !extent.contains(other.base().addr().get()), "extents overlap");
        }
        self.seen.push(start);
        self.extents.push((extent, false));
    }

    /// An address: of something, near something, or any.
    fn address(&self, choices: &mut impl Choices) -> Option<NonNull<u8>> {
        let word = match choices.below(4)? {
            0 => choices.below(usize::from(u16::MAX))? << choices.below(48)?,
            1 => usize::MAX - choices.below(64)?,
            _ if self.seen.is_empty() => 1,
            _ => self.seen[choices.below(self.seen.len())?].wrapping_add(choices.below(300)?).wrapping_sub(100),
        };
        Some(NonNull::new(std::ptr::without_provenance_mut(word)).unwrap_or(NonNull::dangling()))
    }

    /// One step; `None` when the choices are at their end.
    fn step(&mut self, choices: &mut impl Choices) -> Option<()> {
        let mut size = || Some(choices.below(64)? << choices.below(12)?);
        let (one, other) = (size()?, size()?);
        match choices.below(8)? {
            0 => self.on_heap(one, other, choices),
            1..=3 => self.on_collector(one, other, choices),
            4 | 5 => self.on_arena(one, other, choices),
            6 => self.on_extent(one, other, choices),
            _ => {
                match choices.below(3)? {
                    0 if self.stacks.len() < 4 => self.stacks.extend(Stack::new(one)),
                    1 => drop(self.stacks.pop()),
                    _ => {
                        let here = rt0::thread::current().map(|thread| (thread.stack(), thread.stack_left()));
                        assert!(here.is_none_or(|(stack, left)| left <= stack.len()));
                    }
                }
                Some(())
            }
        }
    }

    fn on_heap(&mut self, one: usize, other: usize, choices: &mut impl Choices) -> Option<()> {
        if self.heaps.len() < 4 && choices.below(8)? == 0 {
            let memory = match self.arenas.pop() {
                Some(arena) if choices.below(2)? == 0 => SystemMemory::in_arena(arena),
                arena => {
                    self.arenas.extend(arena);
                    SystemMemory::new().cap((one + 64 * KIB) as u64).allowance(other as u64)
                }
            };
            self.heaps.push(Heap::on(memory));
        }
        if self.heaps.is_empty() {
            return Some(());
        }
        let which = choices.below(self.heaps.len())?;
        let heap = &self.heaps[which];
        match choices.below(16)? {
            0 => heap.trim(),
            1 => heap.set_purge_threshold(one),
            2 => heap.set_huge_from(other),
            3 => {
                let stats = heap.stats();
                assert!(stats.live <= stats.committed, "{stats:?}");
            }
            4 => {
                let from = choices.below(self.heaps.len())?;
                self.heaps.swap(which, from);
            }
            kind => {
                let layout = Layout::from_size_align(one, 1 << choices.below(16)?).ok()?;
                let block = if kind == 5 { heap.allocate_zeroed(layout) } else { heap.allocate(layout) };
                if let Some(block) = block {
                    assert!(block.addr().get().is_multiple_of(layout.align()));
                    self.hold(block, layout.size());
                }
            }
        }
        Some(())
    }

    fn on_collector(&mut self, one: usize, other: usize, choices: &mut impl Choices) -> Option<()> {
        if self.collectors.len() < 4 && choices.below(8)? == 0 {
            let growth = match choices.below(2)? {
                0 => Growth::Whole,
                _ => Growth::Live { percent: choices.below(400)?, least: other },
            };
            let arena = Options::DEFAULT.cap((one + 64 * KIB) as u64);
            self.collectors
                .extend(Collector::new(&Policy { arena, growth, handles: choices.below(20)? }, Words::default()));
        }
        if self.collectors.is_empty() {
            return Some(());
        }
        let address = self.address(choices)?;
        let which = choices.below(self.collectors.len())?;
        let handle =
            if self.handles.is_empty() { None } else { Some(self.handles[choices.below(self.handles.len())?]) };
        let gc = &mut self.collectors[which];
        match choices.below(20)? {
            0 => gc.collect(),
            1 => gc.inhibit(),
            2 => gc.allow(),
            3 => gc.external(one as isize - other as isize),
            4 => gc.safepoint(),
            5 => self.handles.extend(gc.hold(address)),
            6 => gc.embedder_mut().0.push(address.addr().get()),
            7 => drop(gc.ephemerons()),
            8 => drop(gc.next_finalizable()),
            // A handle is a number: it may be of a scope that has ended, or of another heap, and that panics or not.
            9 => handle.into_iter().for_each(|handle| gc.set(handle, address)),
            10 => handle.into_iter().for_each(|handle| self.seen.push(gc.get(handle).addr().get())),
            11 => {
                let last = self.collectors.len() - 1;
                let (gc, rest) = self.collectors[which..].split_first_mut()?;
                let other = if which < last { rest.first_mut() } else { None };
                let deeper = one % 3;
                gc.scope(|gc| {
                    for _ in 0..deeper {
                        self.handles.extend(gc.hold(address));
                    }
                    if let Some(other) = other {
                        mem::swap(gc, other);
                    }
                });
            }
            12 => {
                let objects: Vec<_> = gc.objects().collect();
                assert!(
                    objects.windows(2).all(|two| two[0].start.addr().get() + two[0].len <= two[1].start.addr().get())
                );
            }
            13 => {
                let (word, found) = (address.addr().get(), gc.find(address.addr().get()));
                assert_eq!(found.map(|object| object.start), gc.find_start(word));
                assert!(found.is_none_or(|object| (object.start.addr().get()..).contains(&word)));
            }
            kind => {
                let kind = if kind % 2 == 0 { Kind::Leaf } else { Kind::Scan };
                if let Some(object) = gc.allocate(one, kind) {
                    let whole = gc.find(object.addr().get()).expect("it is an object");
                    assert!(whole.start == object && whole.len >= one.max(1));
                    // SAFETY: a new object.
                    let bytes = unsafe { std::slice::from_raw_parts(object.as_ptr(), one) };
                    assert!(bytes.iter().all(|byte| *byte == 0), "a new object is zero");
                    self.seen.push(object.addr().get());
                    if choices.below(2)? == 0 {
                        gc.embedder_mut().0.push(object.addr().get());
                        self.hold(object, one);
                    }
                }
            }
        }
        Some(())
    }

    fn on_arena(&mut self, one: usize, other: usize, choices: &mut impl Choices) -> Option<()> {
        if self.arenas.len() < 4 && choices.below(4)? == 0 {
            let rule = if choices.below(4)? == 0 { Rule::GO } else { Rule::FIT };
            let options = Options::new().policy(rule).cap((one + 64 * KIB) as u64).allowance(other as u64);
            self.arenas.extend(mallocinit(&options.bitmap(choices.below(2)? == 0)));
        }
        if self.arenas.is_empty() {
            return Some(());
        }
        let address = self.address(choices)?.addr().get();
        let which = choices.below(self.arenas.len())?;
        let arena = &mut self.arenas[which];
        let range = one.min(other)..one.max(other);
        match choices.below(12)? {
            0 => drop(arena.commit_to(one)),
            1 => {
                if let Ok(region) = arena.grow(one, other) {
                    let (bitmap, extent) = region.into_parts();
                    self.keep(bitmap);
                    self.keep(extent);
                }
            }
            2 => {
                // A region of one arena may be released by another.
                if let Ok(region) = arena.grow(one, other) {
                    let which = choices.below(self.arenas.len())?;
                    self.arenas[which].release(region);
                }
            }
            3 => drop(*arena.refit(None)),
            4 => drop(arena.region_mut().commit(range)),
            5 => drop(arena.region_mut().commit_bitmap(range)),
            6 => arena.region_mut().reset(range),
            7 => arena.region_mut().reset_bitmap(range),
            8 => {
                let base = arena.extent().base().addr().get();
                let at = if choices.below(2)? == 0 { base + one } else { address };
                let bits = choices.below(16)? as u8;
                // Bits can be set where the bitmap is committed, and nowhere else.
                if arena.commit_to(one + 1).is_ok() && at == base + one {
                    let region = arena.region_mut();
                    if region.set_bits(at, bits).is_some() {
                        assert_eq!(region.bits(at), Some(bits));
                    }
                } else if !arena.extent().contains(at) {
                    assert_eq!(arena.region().bits(at), None);
                    assert_eq!(arena.region_mut().set_bits(at, bits), None);
                }
            }
            9 => {
                let extent = arena.region_mut().take_bitmap();
                self.keep(extent);
            }
            10 if self.arenas.len() > 1 => {
                let (first, rest) = self.arenas.split_first_mut()?;
                mem::swap(first.region_mut(), rest[0].region_mut());
            }
            _ if choices.below(4)? == 0 => {
                let (bitmap, extent) = self.arenas.swap_remove(which).into_region().into_parts();
                self.keep(bitmap);
                self.keep(extent);
            }
            _ => {}
        }
        Some(())
    }

    fn on_extent(&mut self, one: usize, other: usize, choices: &mut impl Choices) -> Option<()> {
        if self.extents.len() < 8 {
            let reserved = match choices.below(2)? {
                0 => vm::reserve(one).ok(),
                _ => vm::reserve_largest(one.next_multiple_of(PAGE), one.max(other).next_multiple_of(PAGE), |_| PAGE)
                    .0
                    .ok(),
            };
            if let Some(extent) = reserved {
                self.keep(extent);
            }
        }
        if self.extents.is_empty() {
            return Some(());
        }
        let which = choices.below(self.extents.len())?;
        let (extent, written) = &mut self.extents[which];
        match choices.below(5)? {
            0 => {
                let (extent, _) = self.extents.swap_remove(which);
                let (below, above) = extent.split(one.next_multiple_of(PAGE));
                self.keep(below);
                self.keep(above);
            }
            1 => drop(self.extents.swap_remove(which).0.release()),
            2 => extent.reset(one.min(other)..one.max(other)),
            _ if extent.len() >= PAGE && extent.commit(0..PAGE).is_ok() => {
                // SAFETY: committed, and the test's own.
                unsafe { extent.base().write_bytes(1, PAGE) };
                *written = true;
            }
            _ => {}
        }
        Some(())
    }

    /// What is held is as it was written, and every heap is whole.
    fn check(&self) {
        assert!(self.held.iter().all(Held::whole), "somebody wrote over what is held");
        for heap in &self.heaps {
            assert_eq!(heap.check(), Ok(()));
        }
        for gc in &self.collectors {
            assert_eq!(gc.check(), Ok(()));
        }
    }
}

/// One run: the bytes say what is done. A step may panic where its documentation says so; all is whole after that too.
pub fn drive(bytes: &[u8]) {
    let mut world = World::default();
    let mut choices = bytes;
    loop {
        match catch_unwind(AssertUnwindSafe(|| world.step(&mut choices))) {
            Ok(None) => break,
            Ok(Some(())) => {}
            Err(reason) => {
                let text = reason.downcast_ref::<String>().map(String::as_str);
                let text = text.or(reason.downcast_ref::<&str>().copied()).unwrap_or("");
                let documented = ["beyond an extent", "an extent is divided", "range end index", "index out of bounds"];
                assert!(documented.iter().any(|part| text.contains(part)), "{text}");
            }
        }
    }
    world.check();
}
