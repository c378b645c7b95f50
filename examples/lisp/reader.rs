//! The reader: from text to lists, symbols, numbers and strings.
//!
//! The text is a string of the heap, which does not move, so that the reader can hold on to its bytes. Where a list begins
//! in its text is remembered in a table of ephemerons: for the compiler, and as long as the list is there.

use core::ptr::NonNull;

use crate::heap::{Lisp, Result};
use crate::value::{END, FALSE, NIL, TRUE, Type, Value};

/// How deeply lists can be nested: the reader calls itself.
pub(crate) const NESTING: usize = 120;

/// Where the reader is in a text. Lines and columns count from 1.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    bytes: Value,
    /// Its name, a string; `FALSE` if nobody is to be led there, so that its lists have no positions.
    pub(crate) name: Value,
    at: usize,
    /// Where it ends for now.
    end: usize,
    line: usize,
    column: usize,
    /// Whether the text ended where more had to come.
    pub(crate) open: bool,
}

impl Text {
    pub(crate) fn new(bytes: Value, name: Value) -> Text {
        Text { bytes, name, at: 0, end: bytes.len(), line: 1, column: 1, open: false }
    }

    /// What was not read yet.
    pub(crate) fn rest<'a>(&self) -> &'a [u8] {
        &self.bytes.bytes()[self.at..]
    }

    /// Goes on where it is, in other bytes: what was not read yet, and more of them. Up to the last whole line, if not all is
    /// there.
    pub(crate) fn go_on(&mut self, bytes: Value, all: bool) {
        let lines = bytes.bytes().iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        (self.bytes, self.at, self.end) = (bytes, 0, if all { bytes.len() } else { lines });
    }

    fn bytes<'a>(&self) -> &'a [u8] {
        &self.bytes.bytes()[..self.end]
    }

    fn peek(&self) -> Option<u8> {
        self.bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        if byte == b'\n' {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(byte)
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b';' => {
                    while self.peek().is_some_and(|byte| byte != b'\n') {
                        self.next();
                    }
                }
                _ => return,
            }
            self.next();
        }
    }

    /// The line in one integer, and 8 bits of column, the last of which stands for all beyond it.
    fn here(&self) -> Value {
        Value::int((self.line.min(1 << 20) << 8 | self.column.min(255)) as isize)
    }

    /// Goes to the next form; its place.
    pub(crate) fn next_form(&mut self) -> Value {
        self.skip_blank();
        self.here()
    }

    /// Goes to the next line.
    pub(crate) fn skip_line(&mut self) {
        while self.next().is_some_and(|byte| byte != b'\n') {}
    }
}

/// The line and the column of a position.
pub(crate) fn line_and_column(position: Value) -> [isize; 2] {
    let place = position.cdr().as_int();
    [place >> 8, place & 255]
}

fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b'"' | b';' | b'\'')
}

impl Lisp {
    /// The next value of a text, or `END`.
    pub(crate) fn read(&mut self, text: &mut Text) -> Result<Value> {
        self.nesting += 1;
        let value = if self.nesting > NESTING { self.fail("nested too deeply", &[]) } else { self.read_value(text) };
        self.nesting -= 1;
        value
    }

    fn read_value(&mut self, text: &mut Text) -> Result<Value> {
        let here = text.next_form();
        let value = match text.peek() {
            None => return Ok(END),
            Some(b'(') => self.read_list(text),
            Some(b')') => {
                text.next();
                self.fail("a ) without a (", &[])
            }
            Some(b'\'') => self.read_prefixed(text, b"quote"),
            Some(b'`') => self.read_prefixed(text, b"quasiquote"),
            Some(b',') => self.read_prefixed(text, b"unquote"),
            Some(b'"') => self.read_string(text),
            Some(_) => self.read_word(text),
        };
        value.map_err(|error| match self.position(text, here) {
            Ok(position) => at_position(error, position),
            Err(no_memory) => no_memory,
        })
    }

    /// The position of a place in a text, a pair of the text's name and the place; false if it has no name.
    pub(crate) fn position(&mut self, text: &Text, here: Value) -> Result<Value> {
        if text.name == FALSE { Ok(FALSE) } else { self.cons(text.name, here) }
    }

    fn read_list(&mut self, text: &mut Text) -> Result<Value> {
        let here = text.here();
        text.next();
        let from = self.depth();
        let mut tail = NIL;
        loop {
            text.skip_blank();
            if text.peek() == Some(b')') {
                text.next();
                break;
            }
            let value = self.read(text)?;
            // A dot before the last value.
            if value.is(Type::Symbol) && value.name() == b"." {
                if self.depth() == from {
                    return self.fail("a value comes before a dot", &[]);
                }
                tail = self.read(text)?;
                text.skip_blank();
                match text.next() {
                    Some(b')') => break,
                    Some(_) => return self.fail("one value and a ) come behind a dot", &[]),
                    None => return self.ends(text, "the text ends inside a list"),
                }
            }
            if value == END {
                return self.ends(text, "the text ends inside a list");
            }
            self.push(value)?;
        }
        let list = self.list_from(from, tail)?;
        self.set_position(list, text, here)?;
        Ok(list)
    }

    fn ends(&mut self, text: &mut Text, message: &str) -> Result<Value> {
        text.open = true;
        self.fail(message, &[])
    }

    fn read_prefixed(&mut self, text: &mut Text, name: &[u8]) -> Result<Value> {
        let here = text.here();
        text.next();
        let splicing = name == b"unquote" && text.peek() == Some(b'@');
        if splicing {
            text.next();
        }
        let value = self.read(text)?;
        if value == END {
            return self.ends(text, "the text ends behind a quote");
        }
        let symbol = self.symbol(if splicing { b"unquote-splicing" } else { name })?;
        let list = self.cons(value, NIL)?;
        let list = self.cons(symbol, list)?;
        self.set_position(list, text, here)?;
        Ok(list)
    }

    fn read_string(&mut self, text: &mut Text) -> Result<Value> {
        text.next();
        // Once to see how long it is, and then to copy it.
        let (mut at, bytes) = (text.at, text.bytes());
        let mut len = 0;
        loop {
            match bytes.get(at) {
                None => {
                    return self.ends(text, "the text ends inside a string");
                }
                Some(b'"') => break,
                Some(b'\\') => at += 1,
                Some(_) => {}
            }
            at += 1;
            len += 1;
        }
        let string = self.string_of(len)?;
        for place in string.bytes_mut() {
            *place = match text.next() {
                Some(b'\\') => match text.next() {
                    Some(b'n') => b'\n',
                    Some(b't') => b'\t',
                    Some(b'r') => b'\r',
                    Some(byte) => byte,
                    None => b'\\',
                },
                byte => byte.unwrap_or(b' '),
            };
        }
        text.next();
        Ok(string)
    }

    fn read_word(&mut self, text: &mut Text) -> Result<Value> {
        let from = text.at;
        while text.peek().is_some_and(|byte| !ends_word(byte)) {
            text.next();
        }
        let word = &text.bytes()[from..text.at];
        match word {
            b"#t" => return Ok(TRUE),
            b"#f" => return Ok(FALSE),
            _ => {}
        }
        match self.parse_number(word)? {
            FALSE => self.symbol(word),
            number => Ok(number),
        }
    }

    /// The number that a word says, or false.
    pub(crate) fn parse_number(&mut self, word: &[u8]) -> Result<Value> {
        let digits = word.strip_prefix(b"-").unwrap_or(word);
        if !digits.first().is_some_and(u8::is_ascii_digit) {
            return Ok(FALSE);
        }
        let Ok(text) = core::str::from_utf8(word) else { return Ok(FALSE) };
        if digits.iter().all(u8::is_ascii_digit) {
            return match text.parse() {
                Ok(number @ Value::MIN..=Value::MAX) => Ok(Value::int(number)),
                _ => self.fail("the integer is too large", &[]),
            };
        }
        match text.parse() {
            Ok(number) => self.float(number),
            Err(_) => Ok(FALSE),
        }
    }

    fn set_position(&mut self, list: Value, text: &Text, here: Value) -> Result<()> {
        let Some(key) = NonNull::new(core::ptr::with_exposed_provenance_mut(list.0)) else { return Ok(()) };
        let position = self.position(text, here)?;
        if position == FALSE {
            return Ok(());
        }
        let positions = self.positions;
        // SAFETY: both are pairs, which are objects of the heap.
        if unsafe { self.gc.set_ephemeron(positions, key, position.0) } {
            Ok(())
        } else {
            Err(self.kept(crate::heap::NO_MEMORY))
        }
    }

    /// Where a list was in its text; false if it was in none.
    pub(crate) fn position_of(&self, list: Value) -> Value {
        let key = NonNull::new(core::ptr::with_exposed_provenance_mut(list.0)).filter(|_| list.is_pair());
        // SAFETY: the table is a root.
        key.and_then(|key| unsafe { self.gc.ephemeron(self.positions, key) }).map_or(FALSE, Value)
    }
}

/// The error, with a position if it has none yet.
pub(crate) fn at_position(error: Value, position: Value) -> Value {
    if error.is(Type::Error) && error.word(3) == FALSE {
        error.set(3, position);
    }
    error
}
