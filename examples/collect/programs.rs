//! The programs that are run on the collector, here and in `make bench-gc`. Each is one function over any heap; its roots
//! are on the stack, or in objects that are. `full` of the crate's root ends a program whose heap has no room.

use core::hint::black_box;
use core::ptr;

use rt0::gc::{Collector, Embedder, Kind};

use crate::full;

/// A reference: the address of an object's first word.
pub(crate) type Ref = *mut usize;

/// No reference.
const NULL: Ref = ptr::null_mut();

/// A heap as the programs see it.
pub(crate) trait Heap {
    /// An object of this many words, zeroed, whose words may be references.
    fn scan(&mut self, words: usize) -> Ref;
    /// An object of this many bytes, without references.
    fn leaf(&mut self, bytes: usize) -> Ref;
    /// Frees an object, where the heap wants to be told.
    fn free(&mut self, object: Ref) {
        let _ = object;
    }
}

impl<E: Embedder> Heap for Collector<E> {
    #[inline(always)]
    fn scan(&mut self, words: usize) -> Ref {
        self.allocate(words * size_of::<usize>(), Kind::Scan).unwrap_or_else(|| full()).as_ptr().cast()
    }

    #[inline(always)]
    fn leaf(&mut self, bytes: usize) -> Ref {
        self.allocate(bytes, Kind::Leaf).unwrap_or_else(|| full()).as_ptr().cast()
    }
}

/// The programs' names.
pub(crate) const PROGRAMS: [&str; 8] = ["trees", "lists", "arrays", "strings", "eval", "binary", "quads", "peval"];

/// Runs a program, one of [`PROGRAMS`]; answers a number that depends on all that it did.
#[inline(never)]
pub(crate) fn run<H: Heap>(name: &str, heap: &mut H) -> usize {
    match name {
        "trees" => trees(heap),
        "lists" => lists(heap),
        "arrays" => arrays(heap),
        "strings" => strings(heap),
        "eval" => eval(heap),
        "binary" => binary(heap),
        "quads" => quads(heap),
        "peval" => peval(heap),
        _ => unreachable!("there is no such program"),
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// The word `index` of an object.
#[inline(always)]
fn get(object: Ref, index: usize) -> usize {
    // SAFETY: the programs stay inside their objects.
    unsafe { object.add(index).read() }
}

#[inline(always)]
fn get_ref(object: Ref, index: usize) -> Ref {
    // SAFETY: the programs stay inside their objects, and know where their references are.
    unsafe { object.cast::<Ref>().add(index).read() }
}

#[inline(always)]
fn set(object: Ref, index: usize, word: usize) {
    // SAFETY: the programs stay inside their objects.
    unsafe { object.add(index).write(word) };
}

#[inline(always)]
fn set_ref(object: Ref, index: usize, reference: Ref) {
    // SAFETY: the programs stay inside their objects.
    unsafe { object.cast::<Ref>().add(index).write(reference) };
}

/// The trees of Boehm's GCBench: nodes of two references and two numbers; a stretch tree, a long-lived tree and a
/// long-lived array, then short-lived trees of growing depth, built from the top and from the bottom.
fn trees<H: Heap>(heap: &mut H) -> usize {
    const LONG: u32 = 16;
    const STRETCH: u32 = 18;
    fn populate<H: Heap>(heap: &mut H, depth: u32, node: Ref) {
        if depth > 0 {
            let left = heap.scan(4);
            set_ref(node, 0, left);
            let right = heap.scan(4);
            set_ref(node, 1, right);
            populate(heap, depth - 1, left);
            populate(heap, depth - 1, right);
        }
    }
    fn make<H: Heap>(heap: &mut H, depth: u32) -> Ref {
        if depth == 0 {
            return heap.scan(4);
        }
        let left = make(heap, depth - 1);
        let right = make(heap, depth - 1);
        let node = heap.scan(4);
        set_ref(node, 0, left);
        set_ref(node, 1, right);
        node
    }
    black_box(make(heap, STRETCH));
    let long = heap.scan(4);
    populate(heap, LONG, long);
    let array = heap.leaf(500_000 * size_of::<usize>());
    for i in 0..500_000 {
        set(array, i, i);
    }
    for depth in (4..=LONG).step_by(2) {
        let size = |depth: u32| (2usize << depth) - 1;
        for _ in 0..2 * size(STRETCH) / size(depth) {
            let top = heap.scan(4);
            populate(heap, depth, top);
            black_box(top);
            black_box(make(heap, depth));
        }
    }
    black_box(long);
    get(array, 1000)
}

/// Lists of cells of two words: many of them, of random length, replaced at random.
fn lists<H: Heap>(heap: &mut H) -> usize {
    const LISTS: usize = 2000;
    let mut random = Random(1);
    let table = heap.scan(LISTS);
    let mut sum = 0;
    for round in 0..10 * LISTS {
        let slot = if round < LISTS { round } else { random.below(LISTS) };
        let mut list = NULL;
        for i in 0..random.below(1500) {
            let cell = heap.scan(2);
            set(cell, 0, i << 1 | 1);
            set_ref(cell, 1, list);
            list = cell;
        }
        set_ref(table, slot, list);
        // Every so often somebody reads one.
        let mut list = get_ref(table, random.below(LISTS));
        while !list.is_null() {
            sum += get(list, 0);
            list = get_ref(list, 1);
        }
    }
    sum
}

/// Arrays of 1 KiB to 256 KiB, half of them of references, the others of numbers, replaced at random. An eighth of each is
/// written to.
fn arrays<H: Heap>(heap: &mut H) -> usize {
    const ARRAYS: usize = 400;
    let mut random = Random(2);
    let table = heap.scan(ARRAYS);
    let mut sum = 0;
    for round in 0..40 * ARRAYS {
        let slot = if round < ARRAYS { round } else { random.below(ARRAYS) };
        let words = 128 << random.below(8);
        let words = words + random.below(words);
        let array = if slot % 2 == 0 { heap.scan(words) } else { heap.leaf(words * size_of::<usize>()) };
        for i in (0..words).step_by(8) {
            if slot % 2 == 0 {
                let target = get_ref(table, random.below(ARRAYS));
                // Not in itself, so that arrays do not keep one another for ever.
                set_ref(array, i, if i % 64 == 0 && !target.is_null() { table } else { NULL });
            } else {
                set(array, i, i);
            }
        }
        sum += words;
        set_ref(table, slot, array);
    }
    sum
}

/// Strings of 8 to 200 bytes behind boxes of three words: each is joined from parts of two recent ones, and every eighth is
/// put into a table in the place of another.
fn strings<H: Heap>(heap: &mut H) -> usize {
    const STRINGS: usize = 60_000;
    const RECENT: usize = 64;
    let mut random = Random(3);
    // The box: the length, and the bytes.
    fn make<H: Heap>(heap: &mut H, len: usize) -> (Ref, *mut u8) {
        let bytes = heap.leaf(len);
        let object = heap.scan(3);
        set(object, 0, len);
        set_ref(object, 1, bytes);
        (object, bytes.cast())
    }
    let table = heap.scan(STRINGS);
    let recent = heap.scan(RECENT);
    for slot in 0..STRINGS {
        let len = 8 + random.below(192);
        let (string, bytes) = make(heap, len);
        // SAFETY: as long as that.
        unsafe { bytes.write_bytes(slot as u8, len) };
        set_ref(table, slot, string);
        set_ref(recent, slot % RECENT, string);
    }
    let mut sum = 0;
    for round in 0..100 * STRINGS {
        let a = get_ref(recent, random.below(RECENT));
        let b = get_ref(recent, random.below(RECENT));
        let len = 8 + random.below(192);
        let a_len = get(a, 0).min(len);
        let b_len = get(b, 0).min(len - a_len);
        let (joined, bytes) = make(heap, len);
        // SAFETY: parts of the two, one behind the other, and then zeroes.
        unsafe {
            bytes.copy_from_nonoverlapping(get_ref(a, 1).cast(), a_len);
            bytes.add(a_len).copy_from_nonoverlapping(get_ref(b, 1).cast(), b_len);
            bytes.add(a_len + b_len).write_bytes(0, len - a_len - b_len);
            sum += bytes.add(len / 2).read() as usize;
        }
        set_ref(recent, round % RECENT, joined);
        if round % 8 == 0 {
            set_ref(table, random.below(STRINGS), joined);
        }
    }
    sum
}

/// An evaluator: a tree of lambda terms, environments on the heap, numbers in boxes; beside it a database that lives.
fn eval<H: Heap>(heap: &mut H) -> usize {
    // Terms: tag and operands.
    const NUMBER: usize = 1;
    const VARIABLE: usize = 3;
    const LAMBDA: usize = 5;
    const CALL: usize = 7;
    const IF_LESS: usize = 9;
    const ADD: usize = 11;
    fn term<H: Heap>(heap: &mut H, tag: usize, a: Ref, b: Ref) -> Ref {
        let term = heap.scan(3);
        set(term, 0, tag);
        set_ref(term, 1, a);
        set_ref(term, 2, b);
        term
    }
    fn number<H: Heap>(heap: &mut H, value: usize) -> Ref {
        let number = heap.scan(2);
        set(number, 0, NUMBER);
        set(number, 1, value << 1 | 1);
        number
    }
    fn value(number: Ref) -> usize {
        get(number, 1) >> 1
    }
    fn evaluate<H: Heap>(heap: &mut H, term: Ref, environment: Ref) -> Ref {
        match get(term, 0) {
            NUMBER => term,
            VARIABLE => {
                let mut at = environment;
                for _ in 0..get(term, 1) >> 1 {
                    at = get_ref(at, 1);
                }
                get_ref(at, 0)
            }
            LAMBDA => {
                let closure = heap.scan(3);
                set(closure, 0, LAMBDA);
                set_ref(closure, 1, get_ref(term, 1));
                set_ref(closure, 2, environment);
                closure
            }
            CALL => {
                let function = evaluate(heap, get_ref(term, 1), environment);
                let argument = evaluate(heap, get_ref(term, 2), environment);
                let frame = heap.scan(2);
                set_ref(frame, 0, argument);
                set_ref(frame, 1, get_ref(function, 2));
                evaluate(heap, get_ref(function, 1), frame)
            }
            IF_LESS => {
                // Operands in a pair: what is compared with 2, and what comes then.
                let tested = evaluate(heap, get_ref(term, 1), environment);
                let branches = get_ref(term, 2);
                let branch = get_ref(branches, if value(tested) < 2 { 0 } else { 1 });
                evaluate(heap, branch, environment)
            }
            _ => {
                let a = evaluate(heap, get_ref(term, 1), environment);
                let b = evaluate(heap, get_ref(term, 2), environment);
                number(heap, value(a).wrapping_add(value(b)) & (usize::MAX >> 1))
            }
        }
    }
    // The database: 40,000 records in a list.
    let mut database = NULL;
    for i in 0..40_000 {
        let record = heap.scan(6);
        let name = heap.leaf(24);
        set_ref(record, 0, database);
        set_ref(record, 1, name);
        set_ref(record, 2, number(heap, i));
        set_ref(record, 3, number(heap, i + 1));
        database = record;
    }
    // fib = \self. \n. if n < 2 then n else self self (n - 1) + self self (n - 2): minus is plus all ones.
    let variable = |heap: &mut H, index: usize| {
        let term = heap.scan(2);
        set(term, 0, VARIABLE);
        set(term, 1, index << 1 | 1);
        term
    };
    let down = |heap: &mut H, by: usize| {
        let n = variable(heap, 0);
        let less = number(heap, by.wrapping_neg() & (usize::MAX >> 1));
        let argument = term(heap, ADD, n, less);
        let (f, g) = (variable(heap, 1), variable(heap, 1));
        let function = term(heap, CALL, f, g);
        term(heap, CALL, function, argument)
    };
    let (one, two) = (down(heap, 1), down(heap, 2));
    let sum = term(heap, ADD, one, two);
    let n = variable(heap, 0);
    let branches = heap.scan(2);
    set_ref(branches, 0, n);
    set_ref(branches, 1, sum);
    let tested = variable(heap, 0);
    let body = term(heap, IF_LESS, tested, branches);
    let inner = term(heap, LAMBDA, body, NULL);
    let fib = term(heap, LAMBDA, inner, NULL);
    let itself = term(heap, CALL, fib, fib);
    let argument = number(heap, 27);
    let program = term(heap, CALL, itself, argument);
    let mut result = 0;
    for _ in 0..2 {
        result += value(evaluate(heap, program, NULL));
    }
    result + usize::from(black_box(database).is_null())
}

/// binary-trees of the benchmarks game, depth 16: nodes of two words.
fn binary<H: Heap>(heap: &mut H) -> usize {
    const DEPTH: u32 = 16;
    fn make<H: Heap>(heap: &mut H, depth: u32) -> Ref {
        let (left, right) = if depth > 0 { (make(heap, depth - 1), make(heap, depth - 1)) } else { (NULL, NULL) };
        let node = heap.scan(2);
        set_ref(node, 0, left);
        set_ref(node, 1, right);
        node
    }
    fn count(node: Ref) -> usize {
        if get_ref(node, 0).is_null() { 1 } else { 1 + count(get_ref(node, 0)) + count(get_ref(node, 1)) }
    }
    fn free<H: Heap>(heap: &mut H, node: Ref) {
        if !get_ref(node, 0).is_null() {
            free(heap, get_ref(node, 0));
            free(heap, get_ref(node, 1));
        }
        heap.free(node);
    }
    /// Makes a tree, counts its nodes and lets go of it: in a frame of its own, so that nothing of it stays on the stack.
    #[inline(never)]
    fn shortlived<H: Heap>(heap: &mut H, depth: u32) -> usize {
        let tree = make(heap, depth);
        let sum = count(tree);
        free(heap, tree);
        sum
    }
    let mut sum = shortlived(heap, DEPTH + 1);
    let long = make(heap, DEPTH);
    for depth in (4..=DEPTH).step_by(4) {
        for _ in 0..1 << (DEPTH - depth + 4) {
            sum += shortlived(heap, depth);
        }
    }
    sum + count(black_box(long))
}

/// whippet's quads: trees of nodes with four references, one that lives and shorter ones that do not.
fn quads<H: Heap>(heap: &mut H) -> usize {
    const DEPTH: u32 = 9;
    fn make<H: Heap>(heap: &mut H, depth: u32) -> Ref {
        if depth == 0 {
            return NULL;
        }
        let children: [Ref; 4] = core::array::from_fn(|_| make(heap, depth - 1));
        let node = heap.scan(4);
        for (i, child) in children.into_iter().enumerate() {
            set_ref(node, i, child);
        }
        node
    }
    fn count(node: Ref) -> usize {
        if node.is_null() { 0 } else { 1 + (0..4).map(|i| count(get_ref(node, i))).sum::<usize>() }
    }
    let long = make(heap, DEPTH + 1);
    let mut sum = 0;
    for depth in (2..=DEPTH).step_by(2) {
        for _ in 0..8 << (2 * (DEPTH - depth)) {
            sum += count(make(heap, depth));
        }
    }
    sum + count(black_box(long))
}

/// The shape of whippet's peval, a partial evaluator: expressions of cells are rewritten, again and again, with
/// association lists for what is known.
fn peval<H: Heap>(heap: &mut H) -> usize {
    fn cons<H: Heap>(heap: &mut H, head: usize, tail: Ref) -> Ref {
        let cell = heap.scan(2);
        set(cell, 0, head);
        set_ref(cell, 1, tail);
        cell
    }
    // Atoms are odd: numbers 4n + 1, variables 4n + 3. An expression is an atom or (operator left right).
    fn expression<H: Heap>(heap: &mut H, random: &mut Random, depth: u32) -> usize {
        if depth == 0 {
            return random.below(40) << 2 | if random.below(3) == 0 { 1 } else { 3 };
        }
        let left = expression(heap, random, depth - 1);
        let right = expression(heap, random, depth - 1);
        let tail = cons(heap, right, NULL);
        let tail = cons(heap, left, tail);
        cons(heap, random.below(3) << 2 | 1, tail).expose_provenance()
    }
    fn known(list: Ref, variable: usize) -> Option<usize> {
        let mut at = list;
        while !at.is_null() {
            let pair = get_ref(at, 0);
            if get(pair, 0) == variable {
                return Some(get(pair, 1));
            }
            at = get_ref(at, 1);
        }
        None
    }
    fn reduce<H: Heap>(heap: &mut H, expression: usize, list: Ref) -> usize {
        match expression & 3 {
            1 => expression,
            3 => known(list, expression).unwrap_or(expression),
            _ => {
                let cell: Ref = ptr::with_exposed_provenance_mut(expression);
                let rest = get_ref(cell, 1);
                let left = reduce(heap, get(rest, 0), list);
                let right = reduce(heap, get(get_ref(rest, 1), 0), list);
                if left & right & 3 == 1 {
                    let (a, b) = (left >> 2, right >> 2);
                    let result = match get(cell, 0) >> 2 {
                        0 => a + b,
                        1 => a ^ b,
                        _ => a.abs_diff(b),
                    };
                    return (result & 0xffff) << 2 | 1;
                }
                let tail = cons(heap, right, NULL);
                let tail = cons(heap, left, tail);
                cons(heap, get(cell, 0), tail).expose_provenance()
            }
        }
    }
    let mut random = Random(4);
    let program = expression(heap, &mut random, 14);
    let keep: Ref = ptr::with_exposed_provenance_mut(program);
    let mut sum = 0;
    for round in 0..120 {
        let mut list = NULL;
        for variable in 0..random.below(12) {
            let pair = heap.scan(2);
            set(pair, 0, (variable * 3) << 2 | 3);
            set(pair, 1, (round + variable) << 2 | 1);
            list = cons(heap, pair.expose_provenance(), list);
        }
        let reduced = reduce(heap, program, list);
        sum += reduce(heap, reduced, NULL) & 3;
    }
    sum + usize::from(black_box(keep).is_null())
}
