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
use reader::{Text, at_position, line_and_column};
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
    let ready = lisp.name_forms().and_then(|()| lisp.name_builtins()).and_then(|()| run_prelude(lisp));
    if ready.is_err() {
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

/// What was raised and not caught, on the error output: its place, or that of the form; and what it is.
fn complain(lisp: &mut Lisp, text: &Text, raised: Value, form: Value) {
    lisp.out.flush();
    let position = if raised.is(Type::Error) { raised.word(3) } else { form };
    let (name, raised) = (|value| Shown { value, quoted: false }, Raised(raised));
    if position == FALSE {
        eprintln!("{}: {raised}", name(text.name));
    } else {
        let [line, column] = line_and_column(position);
        eprintln!("{}:{line}:{column}: {raised}", name(position.car()));
    }
    (lisp.guard, lisp.nesting) = (0, 0);
    lisp.set_depth(0);
}

fn evaluate(lisp: &mut Lisp, form: Value) -> Result<Value> {
    let procedure = lisp.compile(form)?;
    lisp.apply(procedure, value::NIL)
}

fn run_prelude(lisp: &mut Lisp) -> Result<()> {
    let mut text = Text::new(lisp.string(PRELUDE.as_bytes())?, FALSE);
    loop {
        match lisp.read(&mut text)? {
            END => return Ok(()),
            form => evaluate(lisp, form)?,
        };
    }
}

fn run_text(lisp: &mut Lisp, text: &mut Text) -> i32 {
    loop {
        let here = next_form(lisp, text);
        let value = match lisp.read(text) {
            Ok(END) => return 0,
            Ok(form) => evaluate(lisp, form),
            Err(error) => Err(error),
        };
        if let Err(raised) = value {
            complain(lisp, text, at_position(raised, here), here);
            return 1;
        }
    }
}

/// Goes to the next form; its position, or false if there is no memory for it.
fn next_form(lisp: &mut Lisp, text: &mut Text) -> Value {
    let here = text.next_form();
    lisp.position(text, here).unwrap_or(FALSE)
}

fn run_file(lisp: &mut Lisp, file: &CStr) -> i32 {
    let name = file.to_str().unwrap_or("?");
    let read = sys::open(file, O_RDONLY, 0).map_err(Some).and_then(|fd| {
        let bytes = read_all(lisp, fd);
        let _ = sys::close(fd);
        bytes
    });
    let text = read.and_then(|bytes| Ok(Text::new(bytes, lisp.string(name.as_bytes()).map_err(|_| None)?)));
    match text {
        Ok(mut text) => run_text(lisp, &mut text),
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

/// Reads and answers until the input ends, line by line. A form may have several.
fn converse(lisp: &mut Lisp) -> i32 {
    const ROOM: usize = 4096;
    let empty = lisp.string(b"").and_then(|bytes| Ok(Text::new(bytes, lisp.string(b"input")?)));
    let Ok(mut text) = empty else {
        eprintln!("lisp: out of memory");
        return 2;
    };
    loop {
        lisp.out.bytes(if text.rest().is_empty() { b"> " } else { b". " });
        lisp.out.flush();
        let mut input = [0; ROOM];
        let read = match sys::read(0, &mut input) {
            Ok(read) => read,
            Err(Errno::EINTR) => continue,
            Err(errno) => {
                eprintln!("lisp: input: {errno}");
                return 2;
            }
        };
        let rest = text.rest();
        let Ok(joined) = lisp.string_of(rest.len() + read) else {
            eprintln!("lisp: out of memory");
            return 2;
        };
        joined.bytes_mut()[..rest.len()].copy_from_slice(rest);
        joined.bytes_mut()[rest.len()..].copy_from_slice(&input[..read]);
        text.go_on(joined, read == 0);
        answer(lisp, &mut text, read == 0);
        if read == 0 {
            lisp.out.bytes(b"\n");
            return 0;
        }
    }
}

/// Answers the forms of a text, up to one that does not end in it, if more can come.
fn answer(lisp: &mut Lisp, text: &mut Text, all: bool) {
    loop {
        let here = next_form(lisp, text);
        let form = *text;
        let value = match lisp.read(text) {
            Ok(END) => return,
            Ok(form) => evaluate(lisp, form),
            Err(_) if text.open && !all => {
                lisp.set_depth(0);
                *text = form;
                return;
            }
            Err(error) => {
                // Nobody knows where the next form begins: on the next line.
                text.skip_line();
                Err(error)
            }
        };
        match value {
            Ok(NOTHING) => {}
            Ok(value) => {
                let _ = writeln!(lisp.out, "{}", Shown { value, quoted: true });
            }
            Err(raised) => complain(lisp, text, at_position(raised, here), here),
        }
    }
}
