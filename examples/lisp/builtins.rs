//! What the language brings with it, beside what its prelude defines.

use core::cmp::Ordering;
use core::fmt::Write;

use crate::heap::{Lisp, NO_DEPTH, Result};
use crate::numbers::{Operation, floor, square_root};
use crate::printer::Shown;
use crate::reader::line_and_column;
use crate::tables::{entries, equal};
use crate::value::{END, FALSE, NIL, NOTHING, Type, UNBOUND, Value};

/// Arguments on the language's stack.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

type Body = fn(&mut Lisp, Arguments) -> Result<Value>;

const ANY: usize = usize::MAX;

/// Name, least and most number of arguments, and what it does.
pub(crate) const BUILTINS: &[(&str, usize, usize, Body)] = &[
    ("apply", 2, 2, |_, _| Ok(NOTHING)),
    ("eval", 1, 1, |_, _| Ok(NOTHING)),
    ("cons", 2, 2, |lisp, a| lisp.cons(lisp.arg(a, 0), lisp.arg(a, 1))),
    ("car", 1, 1, |lisp, a| Ok(lisp.pair_arg(a, 0)?.car())),
    ("cdr", 1, 1, |lisp, a| Ok(lisp.pair_arg(a, 0)?.cdr())),
    ("set-car!", 2, 2, |lisp, a| lisp.set_part(a, 0)),
    ("set-cdr!", 2, 2, |lisp, a| lisp.set_part(a, 1)),
    ("list", 0, ANY, |lisp, a| lisp.list_from(a.first, NIL)),
    ("null?", 1, 1, |lisp, a| Ok(Value::bool(lisp.arg(a, 0) == NIL))),
    ("pair?", 1, 1, |lisp, a| Ok(Value::bool(lisp.arg(a, 0).is_pair()))),
    ("not", 1, 1, |lisp, a| Ok(Value::bool(lisp.arg(a, 0) == FALSE))),
    ("eq?", 2, 2, |lisp, a| Ok(Value::bool(lisp.arg(a, 0) == lisp.arg(a, 1)))),
    ("equal?", 2, 2, |lisp, a| match equal(lisp.arg(a, 0), lisp.arg(a, 1), 200) {
        Some(alike) => Ok(Value::bool(alike)),
        None => Err(lisp.kept(NO_DEPTH)),
    }),
    ("integer?", 1, 1, |lisp, a| Ok(Value::bool(lisp.arg(a, 0).is_int()))),
    ("float?", 1, 1, |lisp, a| lisp.test(a, Type::Float)),
    ("string?", 1, 1, |lisp, a| lisp.test(a, Type::String)),
    ("symbol?", 1, 1, |lisp, a| lisp.test(a, Type::Symbol)),
    ("vector?", 1, 1, |lisp, a| lisp.test(a, Type::Vector)),
    ("table?", 1, 1, |lisp, a| lisp.test(a, Type::Table)),
    ("error?", 1, 1, |lisp, a| lisp.test(a, Type::Error)),
    ("procedure?", 1, 1, |lisp, a| {
        Ok(Value::bool(matches!(lisp.arg(a, 0).kind(), Some(Type::Closure | Type::Builtin))))
    }),
    ("+", 0, ANY, |lisp, a| lisp.fold(a, Operation::Add, Value::int(0))),
    ("*", 0, ANY, |lisp, a| lisp.fold(a, Operation::Multiply, Value::int(1))),
    ("-", 1, ANY, |lisp, a| lisp.fold(a, Operation::Subtract, Value::int(0))),
    ("/", 1, ANY, |lisp, a| lisp.fold(a, Operation::Divide, Value::int(1))),
    ("quotient", 2, 2, |lisp, a| lisp.arithmetic(Operation::Quotient, lisp.arg(a, 0), lisp.arg(a, 1))),
    ("remainder", 2, 2, |lisp, a| lisp.arithmetic(Operation::Remainder, lisp.arg(a, 0), lisp.arg(a, 1))),
    ("modulo", 2, 2, |lisp, a| lisp.arithmetic(Operation::Modulo, lisp.arg(a, 0), lisp.arg(a, 1))),
    ("=", 1, ANY, |lisp, a| lisp.in_order(a, |order| order == Ordering::Equal)),
    ("<", 1, ANY, |lisp, a| lisp.in_order(a, |order| order == Ordering::Less)),
    (">", 1, ANY, |lisp, a| lisp.in_order(a, |order| order == Ordering::Greater)),
    ("<=", 1, ANY, |lisp, a| lisp.in_order(a, |order| order != Ordering::Greater)),
    (">=", 1, ANY, |lisp, a| lisp.in_order(a, |order| order != Ordering::Less)),
    ("bit-and", 2, 2, |lisp, a| Ok(Value::int(lisp.int_arg(a, 0)? & lisp.int_arg(a, 1)?))),
    ("bit-or", 2, 2, |lisp, a| Ok(Value::int(lisp.int_arg(a, 0)? | lisp.int_arg(a, 1)?))),
    ("bit-xor", 2, 2, |lisp, a| Ok(Value::int(lisp.int_arg(a, 0)? ^ lisp.int_arg(a, 1)?))),
    ("float", 1, 1, |lisp, a| {
        let number = lisp.number(lisp.arg(a, 0))?;
        lisp.float(number)
    }),
    ("floor", 1, 1, |lisp, a| {
        let number = floor(lisp.number(lisp.arg(a, 0))?);
        let integer = number as isize;
        if (Value::MIN..=Value::MAX).contains(&integer) && integer as f64 == number {
            Ok(Value::int(integer))
        } else {
            lisp.float(number)
        }
    }),
    ("sqrt", 1, 1, |lisp, a| {
        let number = square_root(lisp.number(lisp.arg(a, 0))?);
        lisp.float(number)
    }),
    ("vector", 0, ANY, |lisp, a| {
        let vector = lisp.vector(a.count, NIL)?;
        (0..a.count).for_each(|index| vector.set(1 + index, lisp.arg(a, index)));
        Ok(vector)
    }),
    ("make-vector", 1, 2, |lisp, a| {
        let fill = if a.count > 1 { lisp.arg(a, 1) } else { FALSE };
        let len = lisp.index_arg(a, 0, Value::MAX as usize >> 8)?;
        lisp.vector(len, fill)
    }),
    ("vector-length", 1, 1, |lisp, a| Ok(Value::int(lisp.typed_arg(a, 0, Type::Vector)?.len() as isize))),
    ("vector-ref", 2, 2, |lisp, a| {
        let vector = lisp.typed_arg(a, 0, Type::Vector)?;
        let index = lisp.index_arg(a, 1, vector.len())?;
        Ok(vector.at(index))
    }),
    ("vector-set!", 3, 3, |lisp, a| {
        let vector = lisp.typed_arg(a, 0, Type::Vector)?;
        let index = lisp.index_arg(a, 1, vector.len())?;
        vector.set(1 + index, lisp.arg(a, 2));
        Ok(NOTHING)
    }),
    ("string-length", 1, 1, |lisp, a| Ok(Value::int(lisp.typed_arg(a, 0, Type::String)?.len() as isize))),
    ("string-ref", 2, 2, |lisp, a| {
        let string = lisp.typed_arg(a, 0, Type::String)?;
        let index = lisp.index_arg(a, 1, string.len())?;
        Ok(Value::int(string.bytes()[index].into()))
    }),
    ("substring", 2, 3, |lisp, a| {
        let string = lisp.typed_arg(a, 0, Type::String)?;
        let to = if a.count > 2 { lisp.index_arg(a, 2, string.len() + 1)? } else { string.len() };
        let from = lisp.index_arg(a, 1, to + 1)?;
        lisp.string(&string.bytes()[from..to])
    }),
    ("string-append", 0, ANY, |lisp, a| {
        let mut len = 0_usize;
        for index in 0..a.count {
            len = len.saturating_add(lisp.typed_arg(a, index, Type::String)?.len());
        }
        let string = lisp.string_of(len)?;
        let mut rest = string.bytes_mut();
        for index in 0..a.count {
            let part = lisp.arg(a, index).bytes();
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        Ok(string)
    }),
    ("string", 0, ANY, |lisp, a| {
        // Of the numbers of its bytes.
        let string = lisp.string_of(a.count)?;
        for index in 0..a.count {
            string.bytes_mut()[index] = lisp.byte_arg(a, index)?;
        }
        Ok(string)
    }),
    ("string<?", 2, 2, |lisp, a| {
        let (x, y) = (lisp.typed_arg(a, 0, Type::String)?, lisp.typed_arg(a, 1, Type::String)?);
        Ok(Value::bool(x.bytes() < y.bytes()))
    }),
    ("string->symbol", 1, 1, |lisp, a| {
        let name = lisp.typed_arg(a, 0, Type::String)?;
        lisp.symbol(name.bytes())
    }),
    ("symbol->string", 1, 1, |lisp, a| Ok(lisp.typed_arg(a, 0, Type::Symbol)?.word(1))),
    ("string->number", 1, 1, |lisp, a| {
        let string = lisp.typed_arg(a, 0, Type::String)?;
        lisp.parse_number(string.bytes())
    }),
    ("->string", 1, 1, |lisp, a| {
        let shown = Shown { value: lisp.arg(a, 0), quoted: false };
        // Once to see how long it is.
        let mut len = Length(0);
        let _ = write!(len, "{shown}");
        let string = lisp.string_of(len.0)?;
        let _ = write!(Into(string.bytes_mut()), "{shown}");
        Ok(string)
    }),
    ("table", 0, 0, |lisp, _| lisp.table(8)),
    ("table-ref", 2, 3, |lisp, a| {
        let table = lisp.typed_arg(a, 0, Type::Table)?;
        let other = if a.count > 2 { lisp.arg(a, 2) } else { FALSE };
        Ok(lisp.table_get(table, lisp.arg(a, 1)).unwrap_or(other))
    }),
    ("table-set!", 3, 3, |lisp, a| {
        let table = lisp.typed_arg(a, 0, Type::Table)?;
        lisp.table_set(table, lisp.arg(a, 1), lisp.arg(a, 2))?;
        Ok(NOTHING)
    }),
    ("table-remove!", 2, 2, |lisp, a| {
        let table = lisp.typed_arg(a, 0, Type::Table)?;
        Ok(lisp.table_remove(table, lisp.arg(a, 1)))
    }),
    ("table-count", 1, 1, |lisp, a| Ok(lisp.typed_arg(a, 0, Type::Table)?.word(1))),
    ("table-keys", 1, 1, |lisp, a| {
        let table = lisp.typed_arg(a, 0, Type::Table)?;
        let mut list = NIL;
        for (key, _) in entries(table) {
            list = lisp.cons(key, list)?;
        }
        Ok(list)
    }),
    ("display", 1, ANY, |lisp, a| {
        for index in 0..a.count {
            let value = lisp.arg(a, index);
            let _ = write!(lisp.out, "{}", Shown { value, quoted: false });
        }
        Ok(NOTHING)
    }),
    ("write", 1, 1, |lisp, a| {
        let value = lisp.arg(a, 0);
        let _ = write!(lisp.out, "{}", Shown { value, quoted: true });
        Ok(NOTHING)
    }),
    ("newline", 0, 0, |lisp, _| {
        lisp.out.bytes(b"\n");
        Ok(NOTHING)
    }),
    ("write-byte", 1, 1, |lisp, a| {
        let byte = lisp.byte_arg(a, 0)?;
        lisp.out.bytes(&[byte]);
        Ok(NOTHING)
    }),
    ("raise", 1, 1, |lisp, a| Err(lisp.arg(a, 0))),
    ("error", 1, ANY, |lisp, a| {
        let about = lisp.list_from(a.first + 1, NIL)?;
        Err(lisp.error_value(lisp.stack(a.first), about)?)
    }),
    ("error-message", 1, 1, |lisp, a| Ok(lisp.typed_arg(a, 0, Type::Error)?.word(1))),
    ("error-about", 1, 1, |lisp, a| Ok(lisp.typed_arg(a, 0, Type::Error)?.word(2))),
    ("error-line", 1, 1, |lisp, a| lisp.error_place(a, 0)),
    ("error-column", 1, 1, |lisp, a| lisp.error_place(a, 1)),
    ("gc", 0, 0, |lisp, _| {
        lisp.gc.collect();
        Ok(Value::int(lisp.gc.stats().collections as isize))
    }),
    ("stats", 0, 0, |lisp, _| {
        let stats = lisp.gc.stats();
        let _ = writeln!(
            lisp.out,
            "collections {}, live {}, taken {}, heap {} of {}, longest pause {} us",
            stats.collections,
            stats.live,
            stats.taken,
            stats.heap,
            stats.most,
            stats.longest_pause / 1000
        );
        Ok(NOTHING)
    }),
    ("exit", 0, 1, |lisp, a| {
        let status = if a.count > 0 { lisp.int_arg(a, 0)? } else { 0 };
        lisp.out.flush();
        rt0::exit(status as i32)
    }),
];

pub(crate) fn name(number: usize) -> &'static str {
    BUILTINS.get(number).map_or("?", |builtin| builtin.0)
}

struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

struct Into<'a>(&'a mut [u8]);

impl Write for Into<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let (place, rest) = core::mem::take(&mut self.0).split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        self.0 = rest;
        Ok(())
    }
}

impl Lisp {
    pub(crate) fn name_builtins(&mut self) -> Result<()> {
        for (number, builtin) in BUILTINS.iter().enumerate() {
            let symbol = self.symbol(builtin.0.as_bytes())?;
            let value = self.object(Type::Builtin, number, 1)?;
            symbol.set(2, value);
        }
        for (name, value) in [("the-end", END), ("nothing", NOTHING)] {
            self.symbol(name.as_bytes())?.set(2, value);
        }
        Ok(())
    }

    fn arg(&self, arguments: Arguments, index: usize) -> Value {
        debug_assert!(index < arguments.count && self.stack(arguments.first + index) != UNBOUND);
        self.stack(arguments.first + index)
    }

    fn typed_arg(&mut self, arguments: Arguments, index: usize, kind: Type) -> Result<Value> {
        let value = self.arg(arguments, index);
        if value.is(kind) { Ok(value) } else { self.fail("this argument is of another type", &[value]) }
    }

    fn pair_arg(&mut self, arguments: Arguments, index: usize) -> Result<Value> {
        let value = self.arg(arguments, index);
        if value.is_pair() { Ok(value) } else { self.fail("this is not a pair", &[value]) }
    }

    fn int_arg(&mut self, arguments: Arguments, index: usize) -> Result<isize> {
        let value = self.arg(arguments, index);
        if value.is_int() { Ok(value.as_int()) } else { self.fail("this is not an integer", &[value]) }
    }

    /// An integer from 0 on below `end`.
    fn index_arg(&mut self, arguments: Arguments, index: usize, end: usize) -> Result<usize> {
        let number = self.int_arg(arguments, index)?;
        if number >= 0 && (number as usize) < end {
            Ok(number as usize)
        } else {
            self.fail("this is out of range", &[Value::int(number)])
        }
    }

    fn byte_arg(&mut self, arguments: Arguments, index: usize) -> Result<u8> {
        Ok(self.index_arg(arguments, index, 256)? as u8)
    }

    /// The line or the column of an error.
    fn error_place(&mut self, arguments: Arguments, part: usize) -> Result<Value> {
        let position = self.typed_arg(arguments, 0, Type::Error)?.word(3);
        Ok(if position == FALSE { FALSE } else { Value::int(line_and_column(position)[part]) })
    }

    fn test(&mut self, arguments: Arguments, kind: Type) -> Result<Value> {
        Ok(Value::bool(self.arg(arguments, 0).is(kind)))
    }

    fn set_part(&mut self, arguments: Arguments, part: usize) -> Result<Value> {
        let value = self.arg(arguments, 1);
        self.pair_arg(arguments, 0)?.set(part, value);
        Ok(NOTHING)
    }

    fn fold(&mut self, arguments: Arguments, operation: Operation, unit: Value) -> Result<Value> {
        let mut result = unit;
        for index in 0..arguments.count {
            let value = self.arg(arguments, index);
            result = if index == 0 && arguments.count > 1 { value } else { self.arithmetic(operation, result, value)? };
        }
        Ok(result)
    }

    fn in_order(&mut self, arguments: Arguments, holds: fn(Ordering) -> bool) -> Result<Value> {
        for index in 1..arguments.count {
            let (a, b) = (self.arg(arguments, index - 1), self.arg(arguments, index));
            if !self.compare(a, b)?.is_some_and(holds) {
                return Ok(FALSE);
            }
        }
        Ok(Value::bool(true))
    }
}
