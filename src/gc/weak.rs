//! References that do not keep what they refer to: weak cells, ephemerons, and objects that wait for their finalizer.
//!
//! All three are built from leaves of the heap, in lists that no object refers to: the collector goes through them when
//! everything that is reachable has been marked, in this order.
//!
//! 1. Ephemerons: where a key was reached, its value is marked, until nothing new is found.
//! 2. Weak cells: those whose object was not reached are cleared.
//! 3. Finalizers: objects that were not reached go into the queue and are marked, with all that they refer to, and with the
//!    values of ephemerons whose keys that reaches. All of them at once, in the order in which they were registered: the
//!    collector knows no better one.
//! 4. Ephemerons whose key is dead now are removed; cells and tables that are themselves dead leave their lists.

use core::ptr::NonNull;

use super::embedder::Embedder;
use super::map::WORD;
use super::mark::Marker;
use super::{Collector, Kind};

/// The head of a list: the first link, or null.
type Link = Option<NonNull<Cell>>;

/// A weak cell, or an object that has a finalizer.
#[repr(C)]
struct Cell {
    object: Option<NonNull<u8>>,
    next: Link,
}

/// The lists.
#[derive(Default)]
pub(super) struct Lists {
    weak: Link,
    finalizable: Link,
    /// Objects that were found unreachable, the first and the last.
    ready: Link,
    ready_last: Link,
    tables: Option<NonNull<Table>>,
}

/// A weak cell: an object of the heap that refers to another one without keeping it. The cell itself is kept as any other
/// object: by a reference to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weak(NonNull<u8>);

/// A table of ephemerons: an object of the heap that leads from keys to values, and keeps a value only as long as its key
/// is reachable otherwise. The table itself is kept as any other object: by a reference to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ephemerons(NonNull<u8>);

/// What an [`Ephemerons`] is.
#[repr(C)]
struct Table {
    next: Option<NonNull<Table>>,
    /// A leaf with `room` pairs; none if `room` is 0, which is a power of two otherwise.
    pairs: Option<NonNull<Pair>>,
    room: usize,
    /// Pairs that are not empty, those that were removed with them.
    used: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Pair {
    /// `EMPTY`, `REMOVED`, or an object's address.
    key: usize,
    value: usize,
}

const EMPTY: usize = 0;
const REMOVED: usize = 1;

impl Weak {
    /// The cell as an object: what has to be reachable for the cell to be there.
    pub fn object(self) -> NonNull<u8> {
        self.0
    }

    /// The cell that is this object.
    ///
    /// # Safety
    ///
    /// It is the object of a [`Weak`].
    pub unsafe fn from_object(object: NonNull<u8>) -> Weak {
        Weak(object)
    }
}

impl Ephemerons {
    /// The table as an object: what has to be reachable for the table to be there.
    pub fn object(self) -> NonNull<u8> {
        self.0
    }

    /// The table that is this object.
    ///
    /// # Safety
    ///
    /// It is the object of an [`Ephemerons`].
    pub unsafe fn from_object(object: NonNull<u8>) -> Ephemerons {
        Ephemerons(object)
    }
}

impl<E: Embedder> Collector<E> {
    /// A weak cell that refers to `object`. `None`: there is no memory.
    ///
    /// # Safety
    ///
    /// `object` is an object of this heap.
    pub unsafe fn weak(&mut self, object: NonNull<u8>) -> Option<Weak> {
        let cell = self.cell(object)?;
        // SAFETY: a cell of this heap that nothing refers to yet.
        unsafe { (*cell.as_ptr()).next = self.lists.weak };
        self.lists.weak = Some(cell);
        Some(Weak(cell.cast()))
    }

    /// What the cell refers to; `None` once that was not reachable.
    pub fn upgrade(&self, weak: Weak) -> Option<NonNull<u8>> {
        // SAFETY: a cell of this heap.
        unsafe { weak.0.cast::<Cell>().read().object }
    }

    /// Has the object put into the queue when it is not reachable any more. `false`: there is no memory.
    ///
    /// # Safety
    ///
    /// `object` is an object of this heap.
    pub unsafe fn finalize_later(&mut self, object: NonNull<u8>) -> bool {
        let Some(cell) = self.cell(object) else { return false };
        // SAFETY: a cell of this heap that nothing refers to yet.
        unsafe { (*cell.as_ptr()).next = self.lists.finalizable };
        self.lists.finalizable = Some(cell);
        true
    }

    /// Takes the next object out of the queue of those that were found unreachable. Until it is taken, the object and all
    /// that it refers to is kept; then it is an object like others, without a finalizer.
    pub fn next_finalizable(&mut self) -> Option<NonNull<u8>> {
        let cell = self.lists.ready?;
        // SAFETY: cells in the queue are kept.
        let Cell { object, next } = unsafe { cell.read() };
        self.lists.ready = next;
        if next.is_none() {
            self.lists.ready_last = None;
        }
        object
    }

    fn cell(&mut self, object: NonNull<u8>) -> Option<NonNull<Cell>> {
        let cell = self.allocate_keeping(size_of::<Cell>(), Kind::Leaf, [object.addr().get(), 0, 0])?.cast::<Cell>();
        // SAFETY: an object of that size.
        unsafe { cell.write(Cell { object: Some(object), next: None }) };
        Some(cell)
    }

    /// A table of ephemerons, empty. `None`: there is no memory.
    pub fn ephemerons(&mut self) -> Option<Ephemerons> {
        let table = self.allocate(size_of::<Table>(), Kind::Leaf)?.cast::<Table>();
        // SAFETY: an object of that size.
        unsafe { table.write(Table { next: self.lists.tables, pairs: None, room: 0, used: 0 }) };
        self.lists.tables = Some(table);
        Some(Ephemerons(table.cast()))
    }

    /// The value of a key.
    pub fn ephemeron(&self, table: Ephemerons, key: NonNull<u8>) -> Option<usize> {
        // SAFETY: a table of this heap.
        let table = unsafe { table.0.cast::<Table>().as_ref() };
        table.find(key.addr().get()).map(|pair| pair.value)
    }

    /// Gives a key a value, which may be a reference, tagged as in an object. `false`: there is no memory, and the table is
    /// as it was.
    ///
    /// # Safety
    ///
    /// `key` is an object of this heap, and `value` one too if it looks like it.
    pub unsafe fn set_ephemeron(&mut self, table: Ephemerons, key: NonNull<u8>, value: usize) -> bool {
        let mut header = table.0.cast::<Table>();
        // SAFETY: a table of this heap; the reference ends before anything else is called.
        if let Some(pair) = unsafe { header.as_mut() }.find(key.addr().get()) {
            pair.value = value;
            return true;
        }
        // SAFETY: the same.
        let Table { room, used, .. } = unsafe { header.read() };
        if (used + 1) * 4 > room * 3 {
            let keep = [table.0.addr().get(), key.addr().get(), value];
            let room = (self.pairs_in_use(table) + 1).next_power_of_two().max(4) * 2;
            let Some(size) = room.checked_mul(size_of::<Pair>()) else { return false };
            let Some(pairs) = self.allocate_keeping(size, Kind::Leaf, keep) else { return false };
            // SAFETY: a table of this heap, and room for its pairs, all empty.
            unsafe { header.as_mut() }.move_to(pairs.cast(), room);
        }
        // SAFETY: a table of this heap, with room.
        unsafe { header.as_mut() }.insert(Pair { key: key.addr().get(), value });
        true
    }

    /// Removes a key; its value, if it was there.
    pub fn remove_ephemeron(&mut self, table: Ephemerons, key: NonNull<u8>) -> Option<usize> {
        // SAFETY: a table of this heap.
        let table = unsafe { table.0.cast::<Table>().as_ref() };
        let pair = table.find(key.addr().get())?;
        pair.key = REMOVED;
        Some(core::mem::take(&mut pair.value))
    }

    fn pairs_in_use(&self, table: Ephemerons) -> usize {
        // SAFETY: a table of this heap.
        let table = unsafe { table.0.cast::<Table>().as_ref() };
        table.pairs().iter().filter(|pair| pair.key > REMOVED).count()
    }
}

impl Table {
    #[expect(clippy::mut_from_ref, reason = "the pairs are another object, which only its table refers to")]
    fn pairs(&self) -> &mut [Pair] {
        match self.pairs {
            // SAFETY: a leaf with that many pairs; each method here has one such slice at a time.
            Some(pairs) => unsafe { NonNull::slice_from_raw_parts(pairs, self.room).as_mut() },
            None => &mut [],
        }
    }

    /// Where the search for a key begins.
    fn home(&self, key: usize) -> usize {
        // Fibonacci hashing: 2 to the number of bits, divided by the golden ratio.
        const RATIO: usize = 0x9e37_79b9_7f4a_7c15_u64 as usize | 1;
        (key / WORD).wrapping_mul(RATIO).rotate_left(usize::BITS / 2) & (self.room - 1)
    }

    fn find(&self, key: usize) -> Option<&mut Pair> {
        if self.room == 0 {
            return None;
        }
        let (mut at, mask) = (self.home(key), self.room - 1);
        let pairs = self.pairs();
        loop {
            match pairs[at].key {
                EMPTY => return None,
                found if found == key => return Some(&mut pairs[at]),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a pair whose key is not there; there is room.
    fn insert(&mut self, pair: Pair) {
        let (mut at, mask) = (self.home(pair.key), self.room - 1);
        let pairs = self.pairs();
        while pairs[at].key != EMPTY {
            at = (at + 1) & mask;
        }
        pairs[at] = pair;
        self.used += 1;
    }

    fn move_to(&mut self, pairs: NonNull<Pair>, room: usize) {
        let old = Table { next: None, ..*self };
        (self.pairs, self.room, self.used) = (Some(pairs), room, 0);
        for pair in old.pairs().iter().filter(|pair| pair.key > REMOVED) {
            self.insert(*pair);
        }
    }
}

/// Whether an object, if there is one, was reached.
fn reached<E: Embedder, T>(marker: &Marker<'_, E>, object: NonNull<T>) -> bool {
    // SAFETY: what is in the lists are objects of the heap.
    unsafe { marker.is_marked(object.cast()) }
}

impl Lists {
    /// What the lists keep themselves: the cells of finalizers, and what waits in the queue.
    pub(super) fn roots<E: Embedder>(&self, marker: &mut Marker<'_, E>) {
        for (list, objects) in [(self.finalizable, false), (self.ready, true)] {
            let mut link = list;
            while let Some(cell) = link {
                // SAFETY: cells are objects, and refer to objects.
                unsafe {
                    marker.mark(cell.cast());
                    let Cell { object, next } = cell.read();
                    if let (true, Some(object)) = (objects, object) {
                        marker.mark(object);
                    }
                    link = next;
                }
            }
        }
    }

    /// When all that is reachable was marked: the four steps.
    pub(super) fn after_mark<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        self.mark_values(marker);
        self.clear_weak(marker);
        self.queue_unreached(marker);
        self.drop_dead(marker);
    }

    /// Marks the values of keys that were reached. Each round goes through all tables, and is followed by another one if it
    /// found something: one round for each link of the longest chain of keys that only values lead to.
    fn mark_values<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        loop {
            let mut found = false;
            let mut link = self.tables;
            while let Some(table) = link {
                // SAFETY: tables in the list are objects.
                let table_ref = unsafe { table.as_ref() };
                if reached(marker, table)
                    && let Some(pairs) = table_ref.pairs
                {
                    // SAFETY: the table's leaf.
                    unsafe { marker.mark(pairs.cast()) };
                    for pair in table_ref.pairs().iter().filter(|pair| pair.key > REMOVED) {
                        found |= marker.key_reached(pair.key) && marker.mark_value(pair.value);
                    }
                }
                link = table_ref.next;
            }
            if !found {
                return;
            }
            marker.drain();
        }
    }

    fn clear_weak<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        let mut link = self.weak;
        while let Some(mut cell) = link {
            // SAFETY: cells in the list are objects.
            let cell = unsafe { cell.as_mut() };
            cell.object = cell.object.filter(|object| reached(marker, *object));
            link = cell.next;
        }
    }

    fn queue_unreached<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        let (mut kept, mut dead): (Link, Link) = (None, None);
        // The list is turned around, and so is what is kept: twice, so that it is as it was.
        let mut link = self.finalizable.take();
        while let Some(cell) = link {
            // SAFETY: cells in the list are objects, and refer to objects.
            let Cell { object, next } = unsafe { cell.read() };
            let list = if object.is_some_and(|object| reached(marker, object)) { &mut kept } else { &mut dead };
            // SAFETY: the same.
            unsafe { (*cell.as_ptr()).next = *list };
            *list = Some(cell);
            link = next;
        }
        while let Some(cell) = kept {
            // SAFETY: the same.
            unsafe {
                kept = cell.read().next;
                (*cell.as_ptr()).next = self.finalizable;
            }
            self.finalizable = Some(cell);
        }
        // The first that was registered comes first: the list begins with the last, and `dead` is turned around.
        let found = dead.is_some();
        while let Some(cell) = dead {
            // SAFETY: the same.
            unsafe {
                let Cell { object, next } = cell.read();
                (*cell.as_ptr()).next = None;
                match self.ready_last {
                    Some(last) => (*last.as_ptr()).next = Some(cell),
                    None => self.ready = Some(cell),
                }
                self.ready_last = Some(cell);
                if let Some(object) = object {
                    marker.mark(object);
                }
                dead = next;
            }
        }
        if found {
            marker.drain();
            self.mark_values(marker);
        }
    }

    fn drop_dead<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        let mut at: *mut Link = &raw mut self.weak;
        // SAFETY: `at` is the head or the link of a cell in the list.
        while let Some(cell) = unsafe { *at } {
            // SAFETY: the same.
            unsafe {
                if reached(marker, cell) {
                    at = &raw mut (*cell.as_ptr()).next;
                } else {
                    *at = (*cell.as_ptr()).next;
                }
            }
        }
        let mut at: *mut Option<NonNull<Table>> = &raw mut self.tables;
        // SAFETY: `at` is the head or the link of a table in the list.
        while let Some(table) = unsafe { *at } {
            // SAFETY: the same; dead pairs have a key that was an object until now.
            unsafe {
                if reached(marker, table) {
                    for pair in table.as_ref().pairs().iter_mut().filter(|pair| pair.key > REMOVED) {
                        if !marker.key_reached(pair.key) {
                            *pair = Pair { key: REMOVED, value: 0 };
                        }
                    }
                    at = &raw mut (*table.as_ptr()).next;
                } else {
                    *at = (*table.as_ptr()).next;
                }
            }
        }
    }
}
