//! Marking: from the roots to everything that is reachable.
//!
//! A reference that is found is an *edge* of the graph: a word that lies in the heap's range. Edges go on the mark stack as
//! they are, without a look at the map, and from there through a ring, where each waits for its word of the map and
//! its object to come into the cache. What leaves the ring is looked up and marked, and if that was the first time, it is
//! scanned at once, greedily: its edges go on the stack.
//!
//! The mark stack is small and was committed when the heap was made. When it is full, an edge is marked at once, and its
//! object is left to be scanned later: a bit in the map says so, and its block is put on a list. When the stack is empty
//! the blocks of that list are looked through, and only those; no object is scanned twice. So a heap that is full to its
//! last page completes its collection, whatever the shape of the graph, and the machine's stack is not used at all.

use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;

use super::map::{BLOCK, EDGE, GRANULE, MARK, Map, OBJECT, ONES, SCAN, SPAN, WORD, place};
use super::stats::Event;
use crate::arch::prefetch;

/// How many edges wait for the cache.
const RING: usize = 32;

/// Bytes of a line of the cache, as x86 and most ARM processors have them.
const LINE: usize = 64;

/// What an edge waits for beside its word of the map: the lines around its object. What was made in one go lies there
/// together, and a list is followed as long as it stays among them.
const NEAR: usize = 4 * LINE;

/// How many words of an object are scanned before the rest goes on the stack.
const PART: usize = 128;

/// How many words of a long object are passed over at once if all are zero.
const GROUP: usize = 4;

/// What a part of an object on the mark stack begins with: its address and this. The word below is where it ends.
const REST: usize = 1;

/// The language whose heap it is.
///
/// # Safety
///
/// The collector frees what it does not reach: what [`roots`](Embedder::roots) and [`trace`](Embedder::trace) leave out is
/// free after a collection, and whoever uses it still uses memory of other objects.
///
/// A panic of one of these functions ends the process, even where it would unwind: half a collection cannot be taken back.
pub unsafe trait Embedder: Sized {
    /// The bits of a word that are an address, the others being a tag: each word is masked with it before it is looked up.
    const MASK: usize = usize::MAX;

    /// What a reference has more than its object's start, behind the mask.
    const DISPLACEMENT: usize = 0;

    /// Whether words of objects refer to the object that they point into (`true`), or only to one that begins where they
    /// point to. A root always refers to the object that it points into.
    const INTERIOR: bool = false;

    /// Marks what is reachable without an object: [`Marker::root`], [`Marker::roots`], [`Marker::mark`].
    fn roots(&mut self, marker: &mut Marker<'_, Self>);

    /// Says what an object refers to: [`Marker::edge`] for each reference. By default every word may be one. An object that
    /// was allocated as a leaf is not traced.
    ///
    /// # Safety
    ///
    /// `object` is an object of the heap that was allocated as [`Kind::Scan`](super::Kind::Scan). It may be as it was
    /// allocated, all zeroes.
    #[inline(always)]
    unsafe fn trace(object: NonNull<u8>, marker: &mut Marker<'_, Self>) {
        // SAFETY: `object` is an object of this heap.
        unsafe { marker.words(object) };
    }

    /// Everything that was found to be reachable has been marked: keeps what is to be kept for another reason, by
    /// [`Marker::mark`] and its like, where [`Marker::is_marked`] says what has been reached. It is called again when that
    /// has been scanned, until nothing new is marked; and once more if finalizers keep something.
    fn mark_more(&mut self, marker: &mut Marker<'_, Self>) {
        let _ = marker;
    }

    /// The marking is over: what [`Marker::is_marked`] denies now is freed. Weak references of the language's own forget it
    /// here.
    fn before_sweep(&mut self, marker: &Marker<'_, Self>) {
        let _ = marker;
    }

    /// Something happened: a collection has begun or ended.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }
}

/// Marks what is reachable. The embedder gets one to say what its roots are, and what an object refers to.
pub struct Marker<'heap, E> {
    map: Map,
    bottom: *mut usize,
    top: *mut usize,
    end: *mut usize,
    /// The first block with objects that wait to be scanned, its number and 1; 0: there is none.
    waiting: u32,
    /// Whether an object was marked by itself since this was asked last, and not as an edge.
    news: bool,
    heap: PhantomData<&'heap mut E>,
}

impl<'heap, E: Embedder> Marker<'heap, E> {
    pub(super) fn new(map: Map, (stack, words): (NonNull<usize>, usize)) -> Marker<'heap, E> {
        let bottom = stack.as_ptr();
        Marker { map, bottom, top: bottom, end: bottom.wrapping_add(words), waiting: 0, news: false, heap: PhantomData }
    }

    /// Marks an object that the embedder knows to be one, and sees to it that it will be scanned. Whether that was the
    /// first time; where the mark stack was full, an object that waits to be scanned may seem to be new once more.
    ///
    /// # Safety
    ///
    /// `object` is the start of an object of this heap.
    #[inline]
    pub unsafe fn mark(&mut self, object: NonNull<u8>) -> bool {
        self.mark_later(object.addr().get())
    }

    /// Whether an object was reached so far.
    ///
    /// # Safety
    ///
    /// `object` is the start of an object of this heap.
    #[inline]
    pub unsafe fn is_marked(&self, object: NonNull<u8>) -> bool {
        self.map.code(object.addr().get()) & MARK != 0
    }

    /// A word of an object that may be a reference, as the embedder's constants say. It is looked up when its turn comes.
    #[inline(always)]
    pub fn edge(&mut self, word: usize) {
        let word = word & E::MASK;
        let word = word.wrapping_sub(E::DISPLACEMENT);
        if E::INTERIOR {
            if self.map.has_byte(word) {
                self.push(word & !(GRANULE - 1));
            }
        } else if self.map.has_granule(word) {
            self.push(word);
        }
    }

    /// A word from anywhere that may point to any byte of an object: a root that nobody knows the type of.
    #[inline]
    pub fn root(&mut self, word: usize) {
        // Untagged, and tagged as the embedder does it.
        self.pointer(word);
        if E::MASK != usize::MAX || E::DISPLACEMENT != 0 {
            self.pointer((word & E::MASK).wrapping_sub(E::DISPLACEMENT));
        }
    }

    /// The same of a word that has no tag.
    #[inline(never)]
    pub(super) fn pointer(&mut self, word: usize) {
        if let Some(object) = self.map.find(word) {
            self.push(object);
        }
    }

    /// Whether the object at an address was reached.
    pub(super) fn key_reached(&self, object: usize) -> bool {
        self.map.code(object) & MARK != 0
    }

    /// Has [`drain_telling`](Marker::drain_telling) tell of an object that was not reached.
    pub(super) fn watch(&mut self, object: usize) {
        self.map.clear(object, EDGE);
    }

    /// Ends that, when nothing waits to be scanned.
    pub(super) fn unwatch(&mut self, object: usize) {
        self.map.set(object, EDGE);
    }

    /// The object that a word refers to which is used as a word of an object is, if it was not reached.
    pub(super) fn unreached(&self, word: usize) -> Option<usize> {
        let word = (word & E::MASK).wrapping_sub(E::DISPLACEMENT);
        let object = if E::INTERIOR || self.map.has_granule(word) { self.map.find(word) } else { None };
        object.filter(|object| (E::INTERIOR || *object == word) && !self.key_reached(*object))
    }

    /// All words of a range, as [`root`](Marker::root)s. Its ends are rounded inward.
    ///
    /// # Safety
    ///
    /// The range can be read.
    pub unsafe fn roots(&mut self, from: *const usize, to: *const usize) {
        let mut at = from.map_addr(|addr| addr.next_multiple_of(WORD));
        while at.addr() + WORD <= to.addr() {
            // SAFETY: the caller says that the range can be read; it is volatile since a stack is anybody's.
            self.root(unsafe { at.read_volatile() });
            at = at.wrapping_add(1);
        }
    }

    /// All words of an object, as [`edge`](Marker::edge)s.
    ///
    /// # Safety
    ///
    /// `object` is the start of an object of this heap.
    #[inline(always)]
    pub unsafe fn words(&mut self, object: NonNull<u8>) {
        let at = object.addr().get();
        let len = self.map.len_anywhere(at);
        self.scan_words(at, at + len);
    }

    /// The length of an object, bytes.
    ///
    /// # Safety
    ///
    /// `object` is the start of an object of this heap.
    #[inline]
    pub unsafe fn size_of(&self, object: NonNull<u8>) -> usize {
        self.map.len_of(object.addr().get())
    }

    #[inline(always)]
    pub(super) fn push(&mut self, edge: usize) {
        if self.top == self.end {
            return self.overflow(edge);
        }
        // SAFETY: below the stack's end.
        unsafe { self.top.write(edge) };
        self.top = self.top.wrapping_add(1);
    }

    #[cold]
    #[inline(never)]
    fn overflow(&mut self, edge: usize) {
        if let Some(object) = self.resolve(edge) {
            self.mark_later(object);
        }
    }

    /// The object of an edge.
    #[inline(always)]
    fn resolve(&self, edge: usize) -> Option<usize> {
        if E::INTERIOR { self.map.find(edge) } else { (self.map.code(edge) & OBJECT != 0).then_some(edge) }
    }

    /// Marks an object, which is left to be scanned; whether it was the first time.
    fn mark_later(&mut self, at: usize) -> bool {
        let code = self.map.code(at);
        if code & MARK != 0 {
            return false;
        }
        // It may have been watched.
        self.map.set(at, MARK | EDGE);
        self.news = true;
        if code & SCAN != 0 {
            self.map.clear(at, EDGE);
            let number = (at - self.map.start()) / BLOCK;
            // SAFETY: a block of the heap.
            let block = unsafe { &mut *self.map.block(at) };
            if block.next == 0 {
                // The last of the list leads to itself.
                block.next = if self.waiting == 0 { number as u32 + 1 } else { self.waiting };
                self.waiting = number as u32 + 1;
            }
        }
        true
    }

    /// Scans what waits, and what is found by that, until nothing is left.
    pub(super) fn drain(&mut self) {
        loop {
            self.drain_stack();
            if self.waiting == 0 {
                return;
            }
            self.resume_waiting();
        }
    }

    /// The same, and tells of each object that is watched; but for those for which the mark stack had no room.
    pub(super) fn drain_telling(&mut self, tell: impl Fn(&mut Self, usize)) {
        loop {
            while self.top != self.bottom {
                let edge = self.pop();
                if edge % GRANULE == REST {
                    let to = self.pop();
                    self.scan_part(edge - REST, to);
                    continue;
                }
                let Some(object) = self.resolve(edge).filter(|object| !self.key_reached(*object)) else { continue };
                let is_watched = self.map.code(object) & EDGE == 0;
                self.map.set(object, MARK | EDGE);
                if is_watched {
                    tell(self, object);
                }
                if self.map.code(object) & SCAN != 0 {
                    self.scan(object);
                }
            }
            if self.waiting == 0 {
                return;
            }
            self.resume_waiting();
        }
    }

    /// Whether something was marked since this was asked last, or is to be scanned.
    pub(super) fn is_busy(&mut self) -> bool {
        mem::take(&mut self.news) || self.top != self.bottom || self.waiting != 0
    }

    /// Scans what waits, and what the language keeps beside, until that is nothing.
    pub(super) fn settle(&mut self, language: &mut E) {
        loop {
            self.drain();
            language.mark_more(self);
            if !self.is_busy() {
                return;
            }
        }
    }

    /// Puts the objects that wait in the first block of the list on the mark stack, which is empty, as edges that nobody has
    /// visited yet.
    fn resume_waiting(&mut self) {
        let at = self.map.start() + (self.waiting - 1) as usize * BLOCK;
        // SAFETY: a block of the heap.
        let block = unsafe { &mut *self.map.block(at) };
        let next = mem::take(&mut block.next);
        self.waiting = if next == self.waiting { 0 } else { next };
        for span in (at..at + BLOCK).step_by(SPAN) {
            // SAFETY: in the heap.
            let word = unsafe { &mut *self.map.word(span) };
            let mut waiting = *word >> 3 & *word >> 1 & !*word & ONES;
            *word = (*word | waiting) & !(waiting * MARK);
            while waiting != 0 {
                self.push(span + waiting.trailing_zeros() as usize / 4 * GRANULE);
                waiting &= waiting - 1;
            }
        }
    }

    #[inline(never)] // its loop has the registers to itself
    fn drain_stack(&mut self) {
        // Edges that wait for the cache: the place of the oldest, and how many there are. What leaves leaves a zero: nothing
        // of the heap is to stay on a stack that may be scanned.
        let mut ring = [0; RING];
        let (mut first, mut len) = (0, 0);
        loop {
            let mut edge = 0;
            if self.top != self.bottom {
                edge = self.pop();
                if edge % GRANULE == REST {
                    let to = self.pop();
                    self.scan_part(edge - REST, to);
                    continue;
                }
                prefetch(self.map.word(edge).cast());
                for line in (0..NEAR).step_by(LINE) {
                    prefetch(self.map.pointer(edge ^ line).as_ptr());
                }
                if len < RING {
                    ring[(first + len) % RING] = edge;
                    len += 1;
                    continue;
                }
            } else if len == 0 {
                return;
            } else {
                len -= 1;
            }
            let due = mem::replace(&mut ring[first], edge);
            first = (first + 1) % RING;
            self.visit_chain(due);
        }
    }

    #[inline(always)]
    fn pop(&mut self) -> usize {
        self.top = self.top.wrapping_sub(1);
        // SAFETY: the callers have seen that there is something on the stack, or know that a word is below a `REST`.
        unsafe { self.top.read() }
    }

    /// Visits an edge, and as long as there is one edge only to go on with, and it leads to where the cache has been asked
    /// for memory already, that one: a list that was made in one go.
    #[inline(always)]
    fn visit_chain(&mut self, edge: usize) {
        let mut edge = edge;
        loop {
            let top = self.top;
            self.visit(edge);
            if self.top != top.wrapping_add(1) {
                return;
            }
            // SAFETY: one word was pushed.
            let next = unsafe { top.read() };
            if next ^ edge >= NEAR {
                return;
            }
            self.top = top;
            edge = next;
        }
    }

    /// Marks the object of an edge, and scans it if that was the first time.
    #[inline(always)]
    fn visit(&mut self, edge: usize) {
        let at = if E::INTERIOR {
            let Some(at) = self.map.find(edge) else { return };
            at
        } else {
            edge
        };
        let word = self.map.word(at);
        // SAFETY: `at` is in the heap.
        let codes = unsafe { *word };
        let code = codes.wrapping_shr(place(at));
        if code & (OBJECT | MARK) == OBJECT {
            // SAFETY: the same.
            unsafe { *word = codes | MARK.wrapping_shl(place(at)) };
            if code & SCAN != 0 {
                self.scan(at);
            }
        }
    }

    #[inline(always)]
    fn scan(&mut self, at: usize) {
        // SAFETY: callers pass the start of an object.
        unsafe { E::trace(self.map.pointer(at), self) };
    }

    /// The words of a range of the heap, granules.
    #[inline(always)]
    fn scan_words(&mut self, at: usize, to: usize) {
        if to - at > PART * WORD {
            return self.scan_part(at, to);
        }
        self.scan_all(at, to);
    }

    /// A part of a long range; the rest waits on the mark stack if there is room for it and for what the part may add.
    #[inline(never)]
    fn scan_part(&mut self, at: usize, to: usize) {
        let mut to = to;
        if to - at > PART * WORD && (self.end.addr() - self.top.addr()) / WORD >= PART {
            let rest = at + PART * WORD;
            // SAFETY: there is room for so much.
            unsafe { self.top.cast::<[usize; 2]>().write([to, rest | REST]) };
            self.top = self.top.wrapping_add(2);
            to = rest;
        }
        let mut at = at;
        while at < to {
            let next = to.min(at + GROUP * WORD);
            let group = self.map.pointer(at).cast::<[usize; GROUP]>();
            // Much of a long object is often zero, as it was allocated.
            // SAFETY: this many words of an object are left.
            if next - at < GROUP * WORD || unsafe { group.read() }.iter().any(|word| *word != 0) {
                self.scan_all(at, next);
            }
            at = next;
        }
    }

    #[inline(always)]
    fn scan_all(&mut self, at: usize, to: usize) {
        let mut at = at;
        let mut word = self.map.pointer(at).cast::<usize>();
        while at < to {
            // SAFETY: inside an object.
            unsafe {
                self.edge(word.read());
                word = word.add(1);
            }
            at += WORD;
        }
    }
}
