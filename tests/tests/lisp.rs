//! The Lisp (`examples/lisp`) as who sits before it has it: what it says of wrong files and texts and where, and what it
//! answers line by line.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job, Outcome, Stack};
use rt0_tests::run::native;

const PORTS: [Port; 2] = [Port::linux_386, Port::linux_amd64];
/// Seconds for each program.
const PATIENCE: u64 = 60;

fn lisp(port: Port) -> PathBuf {
    let file = port.program(Path::new("../dist"), "lisp");
    assert!(file.exists(), "{} is not there; `make dist PORT={port}` makes it", file.display());
    file
}

/// A file of this text.
fn file(name: &str, text: impl AsRef<[u8]>) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn run(job: Job) -> Outcome {
    native::run(&[job], PATIENCE, &mut |_| ()).unwrap().remove(0)
}

#[test]
fn a_form_of_many_parts_needs_no_stack_for_each() {
    let and = file("and.lisp", format!("(print (and {} 2))", "1 ".repeat(30_000)));
    let cond = file("cond.lisp", format!("(print (cond {} (else 2)))", "(#f 1) ".repeat(15_000)));
    for port in chosen(&PORTS) {
        for text in [&and, &cond] {
            let mut job = Job::new("parts", lisp(port), &[text]);
            job.stack = Stack::Bytes(256 << 10);
            let outcome = run(job);
            assert_eq!((outcome.end, outcome.output.as_str()), (End::Exit(0), "2\n"), "{port} {text}");
        }
    }
}

#[test]
fn a_string_that_is_too_long_is_out_of_memory() {
    // What no header of a 32-bit port has room for, and a sum of lengths that no word has.
    let long = file(
        "long.lisp",
        r#"
        (define (twice n s) (if (= n 0) s (twice (- n 1) (string-append s s))))
        (define long (twice 26 "x"))
        (define (length-of . strings) (guard (e (error-message e)) (string-length (apply string-append strings))))
        (print (string-length long) " " (length-of long) " " (length-of long long))
        (print (apply length-of (map (lambda (i) long) (iota 64))))
        (print "and on")
        "#,
    );
    for port in chosen(&PORTS) {
        let outcome = run(Job::new("long", lisp(port), &[&long]).limited(1 << 30));
        let two = if port.bits() == 32 { "out of memory" } else { "134217728" };
        let expected = format!("67108864 67108864 {two}\nout of memory\nand on\n");
        assert_eq!((outcome.end, outcome.output), (End::Exit(0), expected), "{port}");
    }
}

#[test]
fn what_contains_itself_is_printed_up_to_some_depth_and_length() {
    let cycles = file(
        "cycles.lisp",
        r#"
        (define (ends-with? s end) (equal? end (substring s (- (string-length s) (string-length end)))))
        (define x (list 1 2 3))
        (set-car! x x)
        (set-car! (cdr x) x)
        (set-cdr! (cddr x) x)
        (define v (vector 1 2 3))
        (vector-set! v 0 v)
        (vector-set! v 2 v)
        (define text (list "x" 1))
        (set-cdr! (cdr text) text)
        (define e (guard (e e) (error "about itself" x v)))
        (for-each (lambda (value) (print (ends-with? (->string value) "...)"))) (list x v text))
        (print (ends-with? (->string e) ">"))
        (print (substring (->string text) 0 20))
        (define long (->string (iota 50000)))
        (print (ends-with? long " 49999)"))
        "#,
    );
    for port in chosen(&PORTS) {
        let outcome = run(Job::new("cycles", lisp(port), &[&cycles]));
        let expected = "#t\n#t\n#t\n#t\n(x 1 x 1 x 1 x 1 x 1\n#t\n";
        assert_eq!((outcome.end, outcome.output.as_str()), (End::Exit(0), expected), "{port}");
    }
}

/// What the Lisp prints and how it ends, on both its outputs, where this is its input.
fn talk(port: Port, args: &[&str], input: impl AsRef<[u8]>) -> (Option<i32>, String, String) {
    // It has no name: the tests of this file run beside one another.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_ref()).unwrap();
    file.rewind().unwrap();
    let child = Command::new(lisp(port)).args(args).stdin(file).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (child.status.code(), text(child.stdout), text(child.stderr))
}

#[test]
fn input_is_read_in_whole_lines() {
    // The system call that reads gets 4096 bytes: what they end in is not where a line, a word or a comment ends.
    let texts = [
        (format!("; {} (print 'no)\n(print 1)\n", "x".repeat(4080)), "1"),
        (format!("{}(define abc 5)\nabc\n", " ".repeat(4096 - 16)), "5"),
        ("(define\n  x\n  (quote (1 .\n 2)))\nx\n".into(), "(1 2)"),
        ("'a 'b 'c".into(), "a\nb\nc"),
    ];
    for port in chosen(&PORTS) {
        for (text, answers) in &texts {
            let (status, out, errors) = talk(port, &[], text);
            // Without the prompts.
            let out = out.replace("> ", "").replace(". ", "");
            assert_eq!((status, out.trim_end(), &*errors), (Some(0), *answers, ""), "{port} {text:?}");
        }
    }
}

#[test]
fn an_error_in_the_input_leaves_the_rest() {
    let text = "(define (f x)\n  (car x))\n(f 5)\n) (print 'not-this)\n(print 'on)\n\n(raise 'a)\n(1 .\n";
    let expected = "\
        input:2:3: this is not a pair: 5\n\
        input:4:1: a ) without a (\n\
        input:7:1: raised: a\n\
        input:8:1: the text ends inside a list\n";
    for port in chosen(&PORTS) {
        let (status, out, errors) = talk(port, &[], text);
        assert_eq!((status, &*errors), (Some(0), expected), "{port}");
        assert!(out.contains("on\n") && !out.contains("not-this"), "{port} {out}");
    }
}

#[test]
fn an_error_says_in_which_file_it_was() {
    let one = file("one.lisp", "(define (f x)\n  (+ 1 (car x)))\n(define (g x)\n (length x))\n");
    let texts = [
        ("\n\n(print\n  (length 5))", "two.lisp:4:3: this is not a pair: 5"),
        ("(f 5)", "one.lisp:2:8: this is not a pair: 5"),
        ("(g 5)", "one.lisp:4:2: this is not a pair: 5"),
        ("(map (lambda (x)\n  (car x)) '(1))", "two.lisp:2:3: this is not a pair: 1"),
        ("\r\n\t(case 1\r\n ((1) (cdr 5)))", "two.lisp:3:7: this is not a pair: 5"),
        ("\n (list 1\n  (list \"2", "two.lisp:3:9: the text ends inside a string"),
        ("'(1 2 . 3 4)", "two.lisp:1:2: one value and a ) come behind a dot"),
        ("'(. 3)", "two.lisp:1:2: a value comes before a dot"),
        ("\n  no", "two.lisp:2:3: this variable has no value: no"),
        ("\n  (raise '(1))", "two.lisp:2:3: raised: (1)"),
    ];
    for port in chosen(&PORTS) {
        for (text, expected) in texts {
            let two = file("two.lisp", text);
            let (status, out, errors) = talk(port, &[&one, &two], "");
            let errors = errors.replace(concat!(env!("CARGO_TARGET_TMPDIR"), "/"), "");
            assert_eq!((status, &*out, errors.trim_end()), (Some(1), "", expected), "{port} {text:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for port in chosen(&PORTS) {
        for (name, expected) in
            [("/nothing/there", "lisp: /nothing/there: ENOENT (2)\n"), ("/", "lisp: /: EISDIR (21)\n")]
        {
            assert_eq!(talk(port, &[name], ""), (Some(2), String::new(), expected.into()), "{port}");
        }
        let child = Command::new(lisp(port)).stdin(File::open("/").unwrap()).output().unwrap();
        assert_eq!((child.status.code(), &*child.stderr), (Some(2), &b"lisp: input: EISDIR (21)\n"[..]), "{port}");
    }
}
