//! Values: one machine word each, with its type in the low bits, or in the first word of the object that it refers to.
//!
//! | low bits | value |
//! |---|---|
//! | `..1` | an integer of 63 bits (31 on a 32-bit machine), shifted left by one |
//! | `.00` | a pair, its address; 0 is the empty list |
//! | `.10` | any other object, its address and 2; the first few are constants: false, true |
//!
//! A pair is two words and nothing else. Every other object begins with a header: its type, and a length. Headers look like
//! integers, so that the collector needs no rule for them: a word with the lowest bit set is never a reference.

use core::ptr;

/// Bytes of a word.
pub(crate) const WORD: usize = size_of::<usize>();

/// Any value of the language.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value(pub(crate) usize);

/// The empty list.
pub(crate) const NIL: Value = Value(0);
/// The one value that is not true.
pub(crate) const FALSE: Value = Value(2);
/// What a test answers.
pub(crate) const TRUE: Value = Value(6);
/// What there is to say where there is nothing to say; nothing is printed for it.
pub(crate) const NOTHING: Value = Value(10);
/// The value of a variable that has none yet.
pub(crate) const UNBOUND: Value = Value(14);
/// The end of a text.
pub(crate) const END: Value = Value(18);

/// No address of an object is as low as this.
const CONSTANTS: usize = 64;

/// What an object other than a pair is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Type {
    /// Name, value of the variable, and what the compiler does with a form that begins with it.
    Symbol,
    /// The bytes; the length is theirs.
    String,
    /// Eight bytes.
    Float,
    /// The length is the number of values.
    Vector,
    /// Code and environment.
    Closure,
    /// Instructions, number of parameters, whether a list takes what is more, slots of the environment, name.
    Code,
    /// The length is its number.
    Builtin,
    /// Number of entries, vector of keys, vector of values.
    Table,
    /// Message, list of what it is about, position.
    Error,
    /// The environment around this one, and the variables.
    Environment,
}

const TYPES: [Type; 10] = [
    Type::Symbol,
    Type::String,
    Type::Float,
    Type::Vector,
    Type::Closure,
    Type::Code,
    Type::Builtin,
    Type::Table,
    Type::Error,
    Type::Environment,
];

/// The greatest length that a header can say.
pub(crate) const LONGEST: usize = usize::MAX >> 5;

/// The header of an object.
pub(crate) fn header(kind: Type, len: usize) -> Value {
    Value(len << 5 | (kind as usize) << 1 | 1)
}

impl Value {
    /// The least and the greatest integer.
    pub(crate) const MIN: isize = isize::MIN >> 1;
    pub(crate) const MAX: isize = isize::MAX >> 1;

    pub(crate) fn int(number: isize) -> Value {
        Value((number as usize) << 1 | 1)
    }

    pub(crate) fn bool(yes: bool) -> Value {
        if yes { TRUE } else { FALSE }
    }

    pub(crate) fn is_int(self) -> bool {
        self.0 & 1 != 0
    }

    /// The number of an integer.
    pub(crate) fn as_int(self) -> isize {
        self.0 as isize >> 1
    }

    /// Everything is true but false.
    pub(crate) fn is_true(self) -> bool {
        self != FALSE
    }

    pub(crate) fn is_pair(self) -> bool {
        self.0 & 3 == 0 && self != NIL
    }

    /// The type of an object that is no pair; nothing for all else.
    pub(crate) fn kind(self) -> Option<Type> {
        (self.0 & 3 == 2 && self.0 > CONSTANTS).then(|| TYPES[self.word(0).0 >> 1 & 15])
    }

    pub(crate) fn is(self, kind: Type) -> bool {
        self.kind() == Some(kind)
    }

    /// The length that the header of an object has.
    pub(crate) fn len(self) -> usize {
        self.word(0).0 >> 5
    }

    fn address(self) -> *mut Value {
        ptr::with_exposed_provenance_mut(self.0 & !3)
    }

    /// The word `index` of an object or a pair.
    #[inline(always)]
    pub(crate) fn word(self, index: usize) -> Value {
        // SAFETY: callers know the type, and with it how many words there are; what is reachable is not freed.
        unsafe { self.address().add(index).read() }
    }

    /// Writes the word `index` of an object or a pair.
    #[inline(always)]
    pub(crate) fn set(self, index: usize, value: Value) {
        // SAFETY: callers know the type, and with it how many words there are; what is reachable is not freed.
        unsafe { self.address().add(index).write(value) };
    }

    pub(crate) fn car(self) -> Value {
        self.word(0)
    }

    pub(crate) fn cdr(self) -> Value {
        self.word(1)
    }

    /// The element `index` of a vector.
    pub(crate) fn at(self, index: usize) -> Value {
        self.word(1 + index)
    }

    /// The bytes of a string. They do not move, and nobody changes them but who has just made them.
    pub(crate) fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: a string has as many bytes as its header says, and is reachable as long as callers look at it.
        unsafe { core::slice::from_raw_parts(self.address().add(1).cast(), self.len()) }
    }

    /// The bytes of a string that was just made, to be written.
    pub(crate) fn bytes_mut<'a>(self) -> &'a mut [u8] {
        // SAFETY: nobody else has the string yet.
        unsafe { core::slice::from_raw_parts_mut(self.address().add(1).cast(), self.len()) }
    }

    /// The name of a symbol.
    pub(crate) fn name<'a>(self) -> &'a [u8] {
        self.word(1).bytes()
    }

    pub(crate) fn as_float(self) -> f64 {
        // SAFETY: a float's eight bytes follow its header, on 32-bit machines where a word has its place.
        unsafe { self.address().add(1).cast::<f64>().read_unaligned() }
    }

    pub(crate) fn set_float(self, number: f64) {
        // SAFETY: as `as_float` reads it.
        unsafe { self.address().add(1).cast::<f64>().write_unaligned(number) };
    }
}

/// The elements of a list, up to what is no pair.
pub(crate) struct List(pub(crate) Value);

impl Iterator for List {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let pair = self.0;
        pair.is_pair().then(|| {
            self.0 = pair.cdr();
            pair.car()
        })
    }
}
