//! References that do not keep what they refer to: weak cells, ephemerons, and objects that wait for their finalizer.

use core::ptr::NonNull;

use super::collector::Collector;
use super::lists::{Cell, Pair, Passes, REMOVED, Table};
use super::mark::Embedder;
use super::policy::Kind;

/// A weak cell: an object of the heap that refers to another one without keeping it. The cell itself is kept as any other
/// object: by a reference to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weak(NonNull<u8>);

/// A table of ephemerons: an object of the heap that leads from keys to values, and keeps a value only as long as its key
/// is reachable otherwise. The table itself is kept as any other object: by a reference to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ephemerons(NonNull<u8>);

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
    ///
    /// # Safety
    ///
    /// `weak` is a cell of this heap that has been reachable in each collection since it was made.
    pub unsafe fn upgrade(&self, weak: Weak) -> Option<NonNull<u8>> {
        // SAFETY: a cell of this heap, which is still there.
        unsafe { weak.0.cast::<Cell>().read().object }
    }

    /// Has the object put into the queue when it is not reachable any more: as often as this was called. `false`: there is no
    /// memory.
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
    /// that it refers to is kept; then it is an object like others, which `finalize_later` may be called for again.
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

    /// Allocates for an entry while the words `keep` count as roots.
    fn allocate_keeping(&mut self, size: usize, kind: Kind, keep: [usize; 3]) -> Option<NonNull<u8>> {
        self.passes = Some(Passes::ALL);
        self.lists.keep = keep;
        let object = self.allocate(size, kind);
        self.lists.keep = [0; 3];
        object
    }

    /// A table of ephemerons, empty. `None`: there is no memory.
    pub fn ephemerons(&mut self) -> Option<Ephemerons> {
        let table = self.allocate(size_of::<Table>(), Kind::Leaf)?.cast::<Table>();
        // SAFETY: an object of that size.
        unsafe { table.write(Table { next: self.lists.tables, pairs: None, room: 0, used: 0 }) };
        self.lists.tables = Some(table);
        self.passes = Some(Passes::ALL);
        Some(Ephemerons(table.cast()))
    }

    /// The value of a key.
    ///
    /// # Safety
    ///
    /// `table` is a table of this heap that has been reachable in each collection since it was made.
    pub unsafe fn ephemeron(&self, table: Ephemerons, key: NonNull<u8>) -> Option<usize> {
        // SAFETY: a table of this heap, which is still there.
        let table = unsafe { table.0.cast::<Table>().as_ref() };
        table.find(key.addr().get()).map(|pair| pair.value)
    }

    /// Gives a key a value, which may be a reference, tagged as in an object. `false`: there is no memory, and the table is
    /// as it was.
    ///
    /// # Safety
    ///
    /// `key` is an object of this heap, and `value` one too if it looks like it; `table` is as for
    /// [`ephemeron`](Collector::ephemeron).
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
    ///
    /// # Safety
    ///
    /// As for [`ephemeron`](Collector::ephemeron).
    pub unsafe fn remove_ephemeron(&mut self, table: Ephemerons, key: NonNull<u8>) -> Option<usize> {
        // SAFETY: a table of this heap, which is still there.
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
