//! The Lisp (`examples/lisp`) as who sits before it has it: what it says of wrong files and texts and where, and what it
//! answers line by line.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};


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
