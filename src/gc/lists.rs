//! References that do not keep what they refer to, as the collector sees them: the lists of weak cells, of tables of
//! ephemerons and of objects that have a finalizer.
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

use core::iter;
use core::ptr::NonNull;

use super::map::WORD;
use super::mark::{Embedder, Marker};

/// The head of a list: the first link, or null.
pub(super) type Link = Option<NonNull<Cell>>;

/// A weak cell, or an object that has a finalizer.
#[repr(C)]
pub(super) struct Cell {
    pub(super) object: Option<NonNull<u8>>,
    pub(super) next: Link,
}

/// The lists.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) weak: Link,
    pub(super) finalizable: Link,
    /// Objects that were found unreachable, the first and the last.
    pub(super) ready: Link,
    pub(super) ready_last: Link,
    pub(super) tables: Option<NonNull<Table>>,
    /// Words that keep what they refer to while room is made for an entry.
    pub(super) keep: [usize; 3],
}

/// What a collection does with the lists. The collector calls it by these addresses, which it is given with the first entry
/// of any list: a program that has none does not contain it.
pub(super) struct Passes<E> {
    /// Before anything was marked.
    pub(super) roots: fn(&Lists, &mut Marker<'_, E>),
    /// When the roots were marked.
    pub(super) mark_all: fn(&mut Lists, &mut Marker<'_, E>, &mut E),
}

impl<E: Embedder> Passes<E> {
    pub(super) const ALL: Passes<E> = Passes { roots: Lists::roots, mark_all: Lists::mark_all };
}

/// What an [`Ephemerons`](super::Ephemerons) is.
#[repr(C)]
pub(super) struct Table {
    pub(super) next: Option<NonNull<Table>>,
    /// A leaf with `room` pairs; none if `room` is 0, which is a power of two otherwise.
    pub(super) pairs: Option<NonNull<Pair>>,
    pub(super) room: usize,
    /// Pairs that are not empty, those that were removed with them.
    pub(super) used: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Pair {
    /// `EMPTY`, `REMOVED`, or an object's address.
    pub(super) key: usize,
    pub(super) value: usize,
}

/// So many rounds go through the tables of ephemerons before values that lead to keys are followed at once.
const ROUNDS: usize = 3;

const EMPTY: usize = 0;
pub(super) const REMOVED: usize = 1;

impl Table {
    #[expect(clippy::mut_from_ref, reason = "the pairs are another object, which only its table refers to")]
    pub(super) fn pairs(&self) -> &mut [Pair] {
        match self.pairs {
            // SAFETY: a leaf with that many pairs; each method here has one such slice at a time.
            Some(pairs) => unsafe { NonNull::slice_from_raw_parts(pairs, self.room).as_mut() },
            None => &mut [],
        }
    }

    /// Where the search for a key begins.
    fn home(&self, key: usize) -> usize {
        // Fibonacci hashing: 2 to the number of bits, divided by the golden ratio. The top bits depend on all bits of the key;
        // the lowest ones of keys that are a power of two apart are all the same.
        const RATIO: usize = (0x9e37_79b9_7f4a_7c15_u64 >> (u64::BITS - usize::BITS)) as usize;
        (key / WORD).wrapping_mul(RATIO) >> (self.room.leading_zeros() + 1)
    }

    pub(super) fn find(&self, key: usize) -> Option<&mut Pair> {
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
    pub(super) fn insert(&mut self, pair: Pair) {
        let (mut at, mask) = (self.home(pair.key), self.room - 1);
        let pairs = self.pairs();
        while pairs[at].key != EMPTY {
            at = (at + 1) & mask;
        }
        pairs[at] = pair;
        self.used += 1;
    }

    pub(super) fn move_to(&mut self, pairs: NonNull<Pair>, room: usize) {
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
    /// What the lists keep themselves: the cells of finalizers, what waits in the queue, and what an entry is for.
    fn roots<E: Embedder>(&self, marker: &mut Marker<'_, E>) {
        for word in self.keep {
            marker.root(word);
        }
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

    /// Marks all that is reachable from the roots, and does the four steps.
    fn mark_all<E: Embedder>(&mut self, marker: &mut Marker<'_, E>, language: &mut E) {
        self.mark_values(marker, language);
        self.clear_weak(marker);
        if self.queue_unreached(marker) {
            self.mark_values(marker, language);
        }
        self.drop_dead(marker);
    }

    /// Scans what waits, and marks the values of keys that were reached, and what the language keeps. Each round goes through
    /// all tables, and is followed by another one if it found something.
    fn mark_values<E: Embedder>(&self, marker: &mut Marker<'_, E>, language: &mut E) {
        for round in 0.. {
            if round <= ROUNDS {
                marker.drain();
            } else {
                // Long chains of keys that only values lead to would take a round for each link.
                marker.drain_telling(|marker, key| self.push_values_of(key, marker));
            }
            let watches = round >= ROUNDS;
            self.push_values(marker, watches);
            language.mark_more(marker);
            if !marker.is_busy() {
                if watches {
                    self.unwatch_keys(marker);
                }
                return;
            }
        }
    }

    /// Has the values marked whose keys were reached, and were not marked; and if it is said so, the other keys watched.
    fn push_values<E: Embedder>(&self, marker: &mut Marker<'_, E>, watches: bool) {
        for table in self.tables() {
            if let Some(pairs) = table.pairs.filter(|_| reached(marker, NonNull::from(table))) {
                // SAFETY: the table's leaf.
                unsafe { marker.mark(pairs.cast()) };
                for pair in table.pairs().iter().filter(|pair| pair.key > REMOVED) {
                    let is_reached = marker.key_reached(pair.key);
                    if is_reached && let Some(value) = marker.unreached(pair.value) {
                        marker.push(value);
                    }
                    if !is_reached && watches {
                        marker.watch(pair.key);
                    }
                }
            }
        }
    }

    fn unwatch_keys<E: Embedder>(&self, marker: &mut Marker<'_, E>) {
        for pair in self.tables().flat_map(|table| table.pairs().iter()).filter(|pair| pair.key > REMOVED) {
            marker.unwatch(pair.key);
        }
    }

    /// Has the values of one key marked.
    fn push_values_of<E: Embedder>(&self, key: usize, marker: &mut Marker<'_, E>) {
        for table in self.tables() {
            if reached(marker, NonNull::from(table))
                && let Some(pair) = table.find(key)
            {
                marker.edge(pair.value);
            }
        }
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        // SAFETY: tables in the list are objects.
        let table = |link: Option<NonNull<Table>>| link.map(|table| unsafe { &*table.as_ptr() });
        iter::successors(table(self.tables), move |before| table(before.next))
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

    /// Whether there was one: it has been marked, and is to be scanned.
    fn queue_unreached<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) -> bool {
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
        found
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
