//! Programs that free and take again, to be run under every limit: a parser that drops a document and reads the next,
//! an interpreter that recurses deeply, a table that doubles, columns that grow side by side. With `--naive` they run on
//! a heap that takes just what it needs and never more: under no limit may rt0's heap fail where that one works.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr::{self, NonNull};

use rt0::heap::Heap;
use rt0::lock::Unlocked;
use rt0::{Args, println, vm};

rt0::entry!(main);

#[global_allocator]
static HEAP: Either = Either {
    naive: Cell::new(false),
    // SAFETY: this program has one thread.
    heap: unsafe { Heap::new_unlocked() },
    free: Cell::new(None),
};

const USAGE: &str = "usage: steady documents|recursion|table|columns [--naive]";

fn main(args: Args) -> i32 {
    HEAP.naive.set(args.iter().any(|arg| arg == c"--naive"));
    let sum = match args.get(1).and_then(|arg| arg.to_str().ok()) {
        Some("documents") => documents(),
        Some("recursion") => recursion(),
        Some("table") => table(),
        Some("columns") => columns(),
        _ => {
            rt0::eprintln!("{USAGE}");
            return 2;
        }
    };
    println!("sum={sum}");
    if !HEAP.naive.get() {
        return i32::from(HEAP.heap.check().is_err());
    }
    0
}

/// A small generator (xorshift), the same on every port.
struct Random(u32);

impl Random {
    fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        ((u64::from(self.0) * u64::from(n)) >> 32) as u32
    }
}

/// What a document holds.
enum Value {
    Number(u32),
    Text(String),
    List(Vec<Value>),
    Record(Vec<(String, Value)>),
}

/// "Parses" a value that has about so many parts.
fn parse(random: &mut Random, parts: u32, long: u32) -> Value {
    if parts < 2 {
        return match random.below(2) {
            0 => Value::Number(random.below(1000)),
            _ => Value::Text(text(random, long)),
        };
    }
    let children = 2 + random.below(parts.min(30) - 1);
    let each = parts / children;
    if random.below(2) == 0 {
        Value::List((0..children).map(|_| parse(random, each, long)).collect())
    } else {
        let mut record = Vec::new();
        for _ in 0..children {
            record.push((text(random, 12), parse(random, each, long)));
        }
        Value::Record(record)
    }
}

fn text(random: &mut Random, long: u32) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(long) {
        text.push(char::from(b'a' + random.below(26) as u8));
    }
    text
}

fn weight(value: &Value) -> u32 {
    match value {
        Value::Number(number) => *number,
        Value::Text(text) => text.len() as u32,
        Value::List(values) => values.iter().map(weight).fold(1, u32::wrapping_add),
        Value::Record(record) => {
            record.iter().map(|(name, value)| name.len() as u32 + weight(value)).fold(2, u32::wrapping_add)
        }
    }
}

/// Documents of changing size and with texts of changing length, one after the other; a few small ones stay. Now and then
/// all that was read is written into one long text.
fn documents() -> u32 {
    let mut random = Random(2463534242);
    let (mut kept, mut sum) = (Vec::new(), 0u32);
    for round in 0..24u32 {
        let parts = [20_000, 60_000, 8_000, 40_000][round as usize % 4];
        let long = [10, 60, 24, 200][round as usize / 2 % 4];
        let document = parse(&mut random, parts, long);
        sum = sum.wrapping_add(weight(&document));
        if round % 3 == 0 {
            let mut out = String::new();
            while out.len() < 1 << 20 {
                out.push_str("what was read");
            }
            sum = sum.wrapping_add(out.len() as u32);
        }
        drop(document);
        kept.push(parse(&mut random, 200, 30));
    }
    kept.iter().map(weight).fold(sum, u32::wrapping_add)
}

/// An expression as deep as it is long, and others beside it.
enum Expression {
    Leaf(u32),
    Sum(Box<Expression>, Box<Expression>),
}

/// Frames of a hundred bytes and more, thousands of them, and blocks that are taken on the way down.
fn recursion() -> u32 {
    let mut random = Random(88675123);
    let mut sum = 0u32;
    for depth in [500, 4000, 1500, 6000] {
        let mut expression = Expression::Leaf(1);
        for _ in 0..depth {
            let other = Expression::Leaf(random.below(100));
            expression = Expression::Sum(Box::new(other), Box::new(expression));
        }
        sum = sum.wrapping_add(evaluate(&expression, &mut random));
        // Taken apart by a loop: to drop it would recurse as deeply again, without a block.
        while let Expression::Sum(_, rest) = expression {
            expression = *rest;
        }
    }
    sum
}

#[inline(never)]
fn evaluate(expression: &Expression, random: &mut Random) -> u32 {
    match expression {
        Expression::Leaf(number) => *number,
        Expression::Sum(left, right) => {
            let mut frame = [0u32; 24];
            frame.fill_with(|| random.below(9));
            let mut values = Vec::new();
            values.extend_from_slice(&core::hint::black_box(frame)[..8 + random.below(16) as usize]);
            let right = evaluate(right, random);
            values.iter().fold(evaluate(left, random).wrapping_add(right), |sum, value| sum.wrapping_add(*value))
        }
    }
}

/// A table with open addressing that doubles, beside small blocks that come and go.
fn table() -> u32 {
    let mut random = Random(521288629);
    let mut slots: Vec<u32> = alloc::vec![0; 64];
    let (mut held, mut texts, mut sum) = (0, Vec::new(), 0u32);
    for _ in 0..600_000u32 {
        if held * 4 > slots.len() * 3 {
            let mut larger = alloc::vec![0; slots.len() * 2];
            slots.iter().filter(|key| **key != 0).for_each(|key| held += insert(&mut larger, *key) - 1);
            slots = larger;
        }
        held += insert(&mut slots, random.below(u32::MAX) | 1);
        if random.below(16) == 0 {
            texts.push(text(&mut random, 40));
        }
        if texts.len() > 2000 {
            sum = sum.wrapping_add(texts.swap_remove(random.below(2000) as usize).len() as u32);
        }
    }
    sum.wrapping_add(held as u32)
}

/// How many keys this makes more.
fn insert(slots: &mut [u32], key: u32) -> usize {
    let mut at = key.wrapping_mul(2654435769) as usize % slots.len();
    while slots[at] != 0 {
        if slots[at] == key {
            return 0;
        }
        at = (at + 1) % slots.len();
    }
    slots[at] = key;
    1
}

/// Two columns of a table that grow row by row, to 8 MiB each: each is in the other's way.
fn columns() -> u32 {
    let (mut numbers, mut squares) = (Vec::new(), Vec::new());
    for number in 0..2u32 << 20 {
        numbers.push(number);
        squares.push(number.wrapping_mul(number));
    }
    numbers.iter().zip(&squares).fold(0, |sum, (number, square)| sum.wrapping_add(number ^ square))
}

/// rt0's heap, or the naive one: a list of free blocks in the order of their addresses, joined when they touch. A request
/// takes the first that is long enough. A block of the naive heap begins with its length, two words long.
struct Either {
    naive: Cell<bool>,
    heap: Heap<Unlocked>,
    free: Cell<Option<NonNull<Free>>>,
}

/// A free block of the naive heap.
struct Free {
    len: usize,
    next: Option<NonNull<Free>>,
}

const UNIT: usize = size_of::<Free>();

// SAFETY: this program has one thread.
unsafe impl Sync for Either {}

// SAFETY: both hand out blocks that are distinct, long and aligned enough: no layout here is aligned to more than a unit.
unsafe impl GlobalAlloc for Either {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !self.naive.get() {
            // SAFETY: the caller's contract is the same.
            return unsafe { self.heap.alloc(layout) };
        }
        let len = layout.size().next_multiple_of(UNIT) + UNIT;
        self.take(len).unwrap_or_else(|| {
            let Ok(extent) = vm::reserve(len.next_multiple_of(4096)) else { return ptr::null_mut() };
            if extent.commit(0..extent.len()).is_err() {
                return ptr::null_mut();
            }
            let (base, whole) = extent.into_raw();
            // SAFETY: new memory, a unit long at least and aligned to a page.
            unsafe { self.give(base.cast(), whole) };
            self.take(len).unwrap_or(ptr::null_mut())
        })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !self.naive.get() {
            // SAFETY: the caller's contract is the same.
            return unsafe { self.heap.dealloc(block, layout) };
        }
        // SAFETY: a block begins a unit before what was handed out, with its length.
        unsafe {
            let start = NonNull::new_unchecked(block.sub(UNIT)).cast::<Free>();
            self.give(start, start.as_ref().len);
        }
    }
}

impl Either {
    /// The first free block of `len` bytes, what is more stays free.
    fn take(&self, len: usize) -> Option<*mut u8> {
        let (mut before, mut next) = (None::<NonNull<Free>>, self.free.get());
        while let Some(mut free) = next {
            // SAFETY: the list holds free blocks, which begin with their length and the next one.
            unsafe {
                let mut rest = free.as_ref().next;
                next = rest;
                if free.as_ref().len >= len {
                    if free.as_ref().len > len {
                        let mut tail = free.byte_add(len);
                        *tail.as_mut() = Free { len: free.as_ref().len - len, next: rest };
                        rest = Some(tail);
                    }
                    self.link(before, rest);
                    free.as_mut().len = len;
                    return Some(free.cast::<u8>().add(UNIT).as_ptr());
                }
            }
            before = Some(free);
        }
        None
    }

    /// Makes a block free.
    ///
    /// # Safety
    ///
    /// `len` bytes there are nobody's, whole units.
    unsafe fn give(&self, mut block: NonNull<Free>, len: usize) {
        let (mut before, mut next) = (None::<NonNull<Free>>, self.free.get());
        // SAFETY: as in `take`, and the block is nobody's.
        unsafe {
            while let Some(free) = next.filter(|free| *free < block) {
                before = next;
                next = free.as_ref().next;
            }
            *block.as_mut() = Free { len, next };
            self.link(before, Some(block));
            for first in [Some(block), before].into_iter().flatten() {
                self.join(first);
            }
        }
    }

    /// Joins a free block with the next one if they touch.
    unsafe fn join(&self, mut first: NonNull<Free>) {
        // SAFETY: as in `take`.
        unsafe {
            let Some(next) = first.as_ref().next else { return };
            if first.byte_add(first.as_ref().len) == next {
                *first.as_mut() = Free { len: first.as_ref().len + next.as_ref().len, next: next.as_ref().next };
            }
        }
    }

    fn link(&self, before: Option<NonNull<Free>>, next: Option<NonNull<Free>>) {
        match before {
            // SAFETY: as in `take`.
            Some(mut before) => unsafe { before.as_mut() }.next = next,
            None => self.free.set(next),
        }
    }
}
