//! The heap of the language, on rt0's collector: how each kind of object is made, and what the roots are.
//!
//! The machine's stack is scanned word by word, so a function here may keep a value in a variable and go on allocating. The
//! language's own stack, symbols and registers are roots too.

use core::ptr::NonNull;

use rt0::gc::{Collector, Embedder, Ephemerons, HeapError, Kind, Marker, Policy};

use crate::value::{FALSE, LONGEST, NIL, NOTHING, Type, UNBOUND, Value, WORD, header};

/// What is reachable beside what is on the machine's stack.
pub(crate) struct Roots {
    /// The stack of the language, of which the first `depth` values are in use.
    pub(crate) stack: NonNull<Value>,
    pub(crate) room: usize,
    pub(crate) depth: usize,
    /// The table of symbols, and the errors that must not need memory.
    pub(crate) kept: [Value; KEPT],
}

/// Places in `Roots::kept`.
pub(crate) const SYMBOLS: usize = 0;
pub(crate) const NO_MEMORY: usize = 1;
pub(crate) const NO_DEPTH: usize = 2;
/// Memory for whoever handles an error: given up where memory has run out, so that a handler has some to begin with.
const RESERVE: usize = 3;
const KEPT: usize = 4;

/// Bytes of it.
const RESERVED: usize = 256 * WORD;

// SAFETY: what the language uses is on its stack, on the machine's stack, or kept; references are words with the lowest bit
// clear.
unsafe impl Embedder for Roots {
    const MASK: usize = !3;

    fn roots(&mut self, marker: &mut Marker<'_, Self>) {
        marker.root(self.stack.addr().get());
        for index in 0..self.depth {
            // SAFETY: inside the stack.
            marker.root(unsafe { self.stack.add(index).read() }.0);
        }
        for value in self.kept {
            marker.root(value.0);
        }
    }

    #[inline(always)]
    unsafe fn trace(object: NonNull<u8>, marker: &mut Marker<'_, Self>) {
        // SAFETY: an object of this heap.
        let words = unsafe { marker.size_of(object) } / WORD;
        for index in 0..words {
            // SAFETY: inside the object.
            let word = unsafe { object.cast::<usize>().add(index).read() };
            if word & 1 == 0 {
                marker.edge(word);
            }
        }
    }
}

/// Something went wrong: the value that is raised.
pub(crate) type Result<T> = core::result::Result<T, Value>;

/// The language: its heap and its registers.
pub(crate) struct Lisp {
    pub(crate) gc: Collector<Roots>,
    /// Where lists were in their text: a table that keeps none of them.
    pub(crate) positions: Ephemerons,
    /// How many symbols there are.
    symbols: usize,
    /// Where the innermost guard begins on the stack; 0: there is none.
    pub(crate) guard: usize,
    /// How deep reader, compiler and machine call one another on the machine's stack.
    pub(crate) nesting: usize,
    pub(crate) out: crate::output::Output,
}

/// The most bytes of the language's own stack, and its share of the heap.
const STACK_MAX: usize = 1 << 20;
const STACK_SHARE: usize = 16;

impl Lisp {
    /// An empty world. `base` is an address on the machine's stack above every frame that uses it.
    #[expect(clippy::result_large_err, reason = "there is no heap to put it in")]
    pub(crate) fn new(policy: &Policy, base: *const usize) -> core::result::Result<Lisp, HeapError> {
        let kept = [NIL; KEPT];
        let roots = Roots { stack: NonNull::dangling(), room: 0, depth: 0, kept };
        let mut gc = Collector::new(policy, roots)?;
        // SAFETY: the caller says that `base` is above all frames.
        unsafe { gc.scan_stack(base) };
        let bytes = (gc.stats().most / STACK_SHARE).min(STACK_MAX);
        let (Some(stack), Some(positions)) = (gc.allocate(bytes, Kind::Leaf), gc.ephemerons()) else {
            return Err(HeapError::Small);
        };
        let roots = gc.embedder_mut();
        (roots.stack, roots.room) = (stack.cast(), bytes / WORD);
        let out = crate::output::Output::new();
        let mut lisp = Lisp { gc, positions, symbols: 0, guard: 0, nesting: 0, out };
        lisp.begin().map_err(|_| HeapError::Small)?;
        Ok(lisp)
    }

    fn begin(&mut self) -> Result<()> {
        // While an error cannot be made, running out of memory raises nothing.
        let room = self.vector(64, NIL)?;
        self.keep(SYMBOLS, room);
        let message = self.string(b"out of memory")?;
        let error = self.error_value(message, NIL)?;
        self.keep(NO_MEMORY, error);
        let message = self.string(b"recursion is too deep")?;
        let error = self.error_value(message, NIL)?;
        self.keep(NO_DEPTH, error);
        Ok(())
    }

    /// Gives up the reserve.
    pub(crate) fn spend_reserve(&mut self) {
        self.keep(RESERVE, NIL);
    }

    /// Makes the reserve anew, if it was given up and there is memory.
    pub(crate) fn make_reserve(&mut self) {
        if self.kept(RESERVE) == NIL
            && let Some(reserve) = self.gc.allocate(RESERVED, Kind::Leaf)
        {
            self.keep(RESERVE, Value(reserve.as_ptr().expose_provenance()));
        }
    }

    pub(crate) fn kept(&self, place: usize) -> Value {
        self.gc.embedder().kept[place]
    }

    pub(crate) fn keep(&mut self, place: usize, value: Value) {
        self.gc.embedder_mut().kept[place] = value;
    }

    /// How many values are on the language's stack.
    pub(crate) fn depth(&self) -> usize {
        self.gc.embedder().depth
    }

    pub(crate) fn set_depth(&mut self, depth: usize) {
        self.gc.embedder_mut().depth = depth;
    }

    /// Puts a value on the language's stack. A stack that is full is an error of the language.
    #[inline(always)]
    pub(crate) fn push(&mut self, value: Value) -> Result<()> {
        let roots = self.gc.embedder_mut();
        if roots.depth == roots.room {
            return Err(roots.kept[NO_DEPTH]);
        }
        // SAFETY: inside the stack.
        unsafe { roots.stack.add(roots.depth).write(value) };
        roots.depth += 1;
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Value {
        let roots = self.gc.embedder_mut();
        debug_assert!(roots.depth > 0);
        roots.depth -= 1;
        // SAFETY: inside the stack: the compiler pops what it has pushed.
        unsafe { roots.stack.add(roots.depth).read() }
    }

    /// The value at a place of the language's stack.
    #[inline(always)]
    pub(crate) fn stack(&self, index: usize) -> Value {
        // SAFETY: callers stay below the depth.
        unsafe { self.gc.embedder().stack.add(index).read() }
    }

    pub(crate) fn set_stack(&mut self, index: usize, value: Value) {
        // SAFETY: callers stay below the depth.
        unsafe { self.gc.embedder_mut().stack.add(index).write(value) };
    }

    #[inline(always)]
    fn allocate(&mut self, bytes: usize, kind: Kind) -> Result<usize> {
        match self.gc.allocate(bytes, kind) {
            Some(object) => Ok(object.as_ptr().expose_provenance()),
            None => Err(self.kept(NO_MEMORY)),
        }
    }

    #[inline(always)]
    pub(crate) fn cons(&mut self, car: Value, cdr: Value) -> Result<Value> {
        let pair = Value(self.allocate(2 * WORD, Kind::Scan)?);
        pair.set(0, car);
        pair.set(1, cdr);
        Ok(pair)
    }

    /// An object of a header and `words` words, which are `NIL`.
    #[inline(always)]
    pub(crate) fn object(&mut self, kind: Type, len: usize, words: usize) -> Result<Value> {
        let object = Value(self.allocate((1 + words) * WORD, Kind::Scan)? | 2);
        object.set(0, header(kind, len));
        Ok(object)
    }

    pub(crate) fn vector(&mut self, len: usize, fill: Value) -> Result<Value> {
        if len > LONGEST {
            return Err(self.kept(NO_MEMORY));
        }
        let vector = self.object(Type::Vector, len, len)?;
        if fill != NIL {
            (0..len).for_each(|index| vector.set(1 + index, fill));
        }
        Ok(vector)
    }

    /// A string of `len` bytes, zeroes.
    pub(crate) fn string_of(&mut self, len: usize) -> Result<Value> {
        if len > LONGEST {
            return Err(self.kept(NO_MEMORY));
        }
        let string = Value(self.allocate(WORD + len, Kind::Leaf)? | 2);
        string.set(0, header(Type::String, len));
        Ok(string)
    }

    pub(crate) fn string(&mut self, bytes: &[u8]) -> Result<Value> {
        let string = self.string_of(bytes.len())?;
        string.bytes_mut().copy_from_slice(bytes);
        Ok(string)
    }

    pub(crate) fn float(&mut self, number: f64) -> Result<Value> {
        let float = Value(self.allocate(WORD + size_of::<f64>(), Kind::Leaf)? | 2);
        float.set(0, header(Type::Float, 0));
        float.set_float(number);
        Ok(float)
    }

    /// The symbol of a name: the same one each time.
    pub(crate) fn symbol(&mut self, name: &[u8]) -> Result<Value> {
        let buckets = self.kept(SYMBOLS);
        let bucket = crate::tables::hash_bytes(name) & (buckets.len() - 1);
        let mut chain = buckets.at(bucket);
        while chain.is_pair() {
            if chain.car().name() == name {
                return Ok(chain.car());
            }
            chain = chain.cdr();
        }
        let string = self.string(name)?;
        let symbol = self.object(Type::Symbol, 0, 3)?;
        symbol.set(1, string);
        symbol.set(2, UNBOUND);
        symbol.set(3, FALSE);
        let chain = self.cons(symbol, buckets.at(bucket))?;
        buckets.set(1 + bucket, chain);
        self.symbols += 1;
        if self.symbols > buckets.len() {
            self.spread_symbols()?;
        }
        Ok(symbol)
    }

    fn spread_symbols(&mut self) -> Result<()> {
        let old = self.kept(SYMBOLS);
        let new = self.vector(old.len() * 2, NIL)?;
        for bucket in 0..old.len() {
            let mut chain = old.at(bucket);
            while chain.is_pair() {
                let (pair, rest) = (chain, chain.cdr());
                let place = 1 + (crate::tables::hash_bytes(pair.car().name()) & (new.len() - 1));
                pair.set(1, new.word(place));
                new.set(place, pair);
                chain = rest;
            }
        }
        self.keep(SYMBOLS, new);
        Ok(())
    }

    /// A list of what is on the stack from `from` on, which is taken off.
    pub(crate) fn list_from(&mut self, from: usize, tail: Value) -> Result<Value> {
        let mut list = tail;
        while self.depth() > from {
            list = self.cons(self.stack(self.depth() - 1), list)?;
            self.pop();
        }
        Ok(list)
    }

    /// An error: a message, and a list of what it is about.
    pub(crate) fn error_value(&mut self, message: Value, about: Value) -> Result<Value> {
        let error = self.object(Type::Error, 0, 3)?;
        error.set(1, message);
        error.set(2, about);
        error.set(3, FALSE);
        Ok(error)
    }

    /// Raises an error.
    pub(crate) fn fail<T>(&mut self, message: &str, about: &[Value]) -> Result<T> {
        let text = self.string(message.as_bytes())?;
        let mut list = NIL;
        for value in about.iter().rev().filter(|value| **value != NOTHING) {
            list = self.cons(*value, list)?;
        }
        Err(self.error_value(text, list)?)
    }
}
