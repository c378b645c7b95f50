//! A small Lisp, freestanding, on a heap that collects.
//!
//! `lisp FILE...` runs files; without files, or with `-` among them, it reads from its input, a line at a time, and answers.
//! Under any limit of the address space it has the heap that fits; what is too large for that is an error of the language,
//! which `(guard (e ...) ...)` catches.
//!
//! Read it in this order: [`value`] what there is; [`heap`] how it is made and kept; [`reader`] and [`printer`] from text and
//! to text; [`compiler`] and [`machine`] what a program is and what runs it; [`numbers`], [`tables`] and [`builtins`] what it
//! can do; `prelude.lisp` the rest, in the language itself.

#![no_std]
#![no_main]

mod builtins;
mod compiler;
mod heap;
mod machine;
mod numbers;
mod output;
mod printer;
mod reader;
mod tables;
mod value;

use core::ffi::CStr;
use core::fmt::Write;

use rt0::gc::{Growth, Policy};
use rt0::sys::{self, Errno, O_RDONLY};
use rt0::{Args, eprintln};

use heap::{Lisp, Result};
use printer::{Raised, Shown};
use reader::{Text, at_position};
use value::{END, FALSE, NOTHING, Type, Value};

rt0::entry!(main);

const PRELUDE: &str = include_str!("prelude.lisp");

/// The heap is collected when there is twice as much as was live, and a megabyte at least.
const POLICY: Policy = Policy { growth: Growth::Live { percent: 200, least: 1 << 20 }, ..Policy::DEFAULT };

fn main(args: Args) -> i32 {
    let base = 0;
    start(args, &raw const base)
}

/// Everything that uses the heap is called from here, below `base` on the stack.
#[inline(never)]
fn start(args: Args, base: *const usize) -> i32 {
    let mut lisp = match Lisp::new(&POLICY, base) {
        Ok(lisp) => lisp,
        Err(error) => {
            eprintln!("{error}");
            return 2;
        }
    };
    let status = run(&mut lisp, args);
    lisp.out.flush();
    status
}

fn run(lisp: &mut Lisp, args: Args) -> i32 {
    let ready = lisp.name_forms().and_then(|()| lisp.name_builtins()).and_then(|()| lisp.string(PRELUDE.as_bytes()));
    let ready = ready.map(|prelude| run_text(lisp, "prelude", prelude));
    if ready != Ok(0) {
        eprintln!("lisp: the heap is too small for the prelude");
        return 2;
    }
    if args.len() < 2 {
        return converse(lisp);
    }
    for file in args.iter().skip(1) {
        let status = if file == c"-" { converse(lisp) } else { run_file(lisp, file) };
        if status != 0 {
            return status;
        }
    }
    0
}

/// What was raised and not caught, on the error output: place, and the error.
fn complain(lisp: &mut Lisp, file: &str, raised: Value) {
    lisp.out.flush();
    let position = if raised.is(Type::Error) { raised.word(3) } else { FALSE };
    if position == FALSE {
        eprintln!("{file}: {}", Raised(raised));
    } else {
        let number = position.as_int();
        eprintln!("{file}:{}:{}: {}", number >> 8, number & 255, Raised(raised));
    }
    (lisp.guard, lisp.nesting) = (0, 0);
    lisp.set_depth(0);
}

fn evaluate(lisp: &mut Lisp, form: Value) -> Result<Value> {
    let procedure = lisp.compile(form)?;
    lisp.apply(procedure, value::NIL)
}

fn run_text(lisp: &mut Lisp, file: &str, bytes: Value) -> i32 {
    let mut text = Text::new(bytes);
    loop {
        let here = text.next_form();
        let value = match lisp.read(&mut text) {
            Ok(END) => return 0,
            Ok(form) => evaluate(lisp, form),
            Err(error) => Err(error),
        };
        if let Err(raised) = value {
            complain(lisp, file, at_position(raised, here));
            return 1;
        }
    }
}

fn run_file(lisp: &mut Lisp, file: &CStr) -> i32 {
    let name = file.to_str().unwrap_or("?");
    let read = sys::open(file, O_RDONLY, 0).map_err(Some).and_then(|fd| {
        let bytes = read_all(lisp, fd);
        let _ = sys::close(fd);
        bytes
    });
    match read {
        Ok(bytes) => run_text(lisp, name, bytes),
        Err(Some(errno)) => {
            eprintln!("lisp: {name}: {errno}");
            2
        }
        Err(None) => {
            eprintln!("lisp: {name}: out of memory");
            2
        }
    }
}

/// All that there is to read, as a string. No error number: there is no memory.
fn read_all(lisp: &mut Lisp, fd: i32) -> core::result::Result<Value, Option<Errno>> {
    let (mut string, mut len) = (lisp.string_of(16 << 10).map_err(|_| None)?, 0);
    loop {
        if len == string.len() {
            string = longer(lisp, string, len, len * 2).map_err(|_| None)?;
        }
        match sys::read(fd, &mut string.bytes_mut()[len..]) {
            Ok(0) => return lisp.string(&string.bytes()[..len]).map_err(|_| None),
            Ok(read) => len += read,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Some(errno)),
        }
    }
}

fn longer(lisp: &mut Lisp, string: Value, len: usize, room: usize) -> Result<Value> {
    let longer = lisp.string_of(room)?;
    longer.bytes_mut()[..len].copy_from_slice(&string.bytes()[..len]);
    Ok(longer)
}

/// Reads and answers until the input ends. A form may have several lines.
fn converse(lisp: &mut Lisp) -> i32 {
    const ROOM: usize = 4096;
    let mut pending = match lisp.string(b"") {
        Ok(empty) => empty,
        Err(_) => return 2,
    };
    loop {
        lisp.out.bytes(if pending.len() == 0 { b"> " } else { b". " });
        lisp.out.flush();
        let mut line = [0; ROOM];
        let read = match sys::read(0, &mut line) {
            Ok(0) | Err(_) => {
                lisp.out.bytes(b"\n");
                return 0;
            }
            Ok(read) => read,
        };
        let joined = longer(lisp, pending, pending.len(), pending.len() + read);
        let Ok(joined) = joined else {
            eprintln!("lisp: out of memory");
            return 2;
        };
        let from = joined.len() - read;
        joined.bytes_mut()[from..].copy_from_slice(&line[..read]);
        pending = answer(lisp, joined);
    }
}

/// Answers the forms of a text; what is left if it ends within one.
fn answer(lisp: &mut Lisp, bytes: Value) -> Value {
    let mut text = Text::new(bytes);
    let mut rest = text.rest();
    loop {
        let here = text.next_form();
        let form = match lisp.read(&mut text) {
            Ok(END) => break,
            Ok(form) => form,
            Err(_) if text.open => {
                lisp.set_depth(0);
                return lisp.string(rest).unwrap_or(bytes);
            }
            Err(error) => {
                complain(lisp, "input", error);
                break;
            }
        };
        rest = text.rest();
        match evaluate(lisp, form) {
            Ok(NOTHING) => {}
            Ok(value) => {
                let _ = writeln!(lisp.out, "{}", Shown { value, quoted: true });
            }
            Err(raised) => complain(lisp, "input", at_position(raised, here)),
        }
    }
    lisp.string(b"").unwrap_or(bytes)
}
