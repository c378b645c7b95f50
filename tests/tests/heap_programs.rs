//! The heap under limits that the kernel enforces, in programs without a libc: linux_386 and linux_amd64.

use std::collections::HashMap;
use std::path::Path;

use rt0_tests::job::{End, Job};
use rt0_tests::native;
use rt0_tests::port::{Port, chosen};

const PORTS: [Port; 2] = [Port::linux_386, Port::linux_amd64];
const KIB: u64 = 1 << 10;

fn run(port: Port, name: &str, args: &[&str], limit: Option<u64>) -> (End, String) {
    let program = port.program(Path::new("../dist"), name);
    assert!(program.exists(), "{} is not there; `make dist PORT={port}` makes it", program.display());
    let job = Job::new(name, program, args).limited(limit);
    let outcome = native::run(&[job], 60, &mut |_| ()).expect("the program starts").remove(0);
    (outcome.end, outcome.output)
}

/// Fills an arena under `limit`, and checks that it is as full as promised, both times.
fn fills(port: Port, limit: u64, block: u64, percent: u64) {
    let (end, output) = run(port, "alloc", &[&format!("--fill={block}"), "--allowance=0"], Some(limit));
    let place = format!("{port}, {limit} bytes, blocks of {block}:\n{output}");
    assert_eq!(end, End::Exit(0), "{place}");
    let facts: HashMap<&str, &str> = output.lines().filter_map(|line| line.split_once('=')).collect();
    let number = |key: &str| facts[key].parse::<u64>().unwrap_or_else(|_| panic!("{key} of {place}"));
    let (arena, filled) = (number("arena"), number("filled"));
    assert_eq!(facts["check"], "whole", "{place}");
    assert_eq!(filled, number("again"), "{place}");
    assert!(arena > 0 || block > limit / 8, "{place}");
    assert!(arena + 512 * KIB > limit.min(256 << 20), "an arena too small to mean anything: {place}");
    // As many whole blocks as the share has room for.
    assert!(filled >= arena * percent / 100 / block * block, "less than {percent} %: {place}");
}

#[test]
fn small_blocks_fill_ninety_percent_and_large_ones_ninety_seven_under_every_limit() {
    for port in chosen(&PORTS) {
        let mebibytes = [1, 2, 3, 4, 8, 16, 64, 100, 128, 256, 1024, 4096];
        for limit in [300, 400, 600].into_iter().chain(mebibytes.map(|m| m << 10)) {
            fills(port, limit * KIB, 48, 90);
            fills(port, limit * KIB, 64 * KIB, 97);
        }
        for limit in (1..100).step_by(7) {
            fills(port, limit << 20, 1000, 90);
        }
    }
}

#[test]
fn collections_work_and_the_heap_is_whole() {
    for port in chosen(&PORTS) {
        for limit in [None, Some(64 << 20), Some(16 << 20)] {
            let (end, output) = run(port, "alloc", &[], limit);
            assert_eq!(end, End::Exit(0), "{port}, {limit:?}: {output}");
            assert!(
                output.starts_with("a: [0, 3, 6]\nheap: [1, 4, 7]\nis: [2, 5]\nsum=4999950000 "),
                "{port}: {output}"
            );
            assert!(output.ends_with("check=whole\n") && output.contains(" then=0 "), "{port}: {output}");
        }
    }
}

#[test]
fn memory_that_is_not_there_is_told_and_no_signal() {
    for port in chosen(&PORTS) {
        // Room for the program, none for 100,000 boxes.
        let (end, output) = run(port, "alloc", &[], Some(1 << 20));
        assert_eq!(end, End::Exit(2), "{port}: {output}");
        assert!(output.contains("memory allocation of "), "{port}: {output}");
        let (end, output) = run(port, "alloc", &["--fill=0"], None);
        assert_eq!(end, End::Exit(2), "{port}: {output}");
        assert!(output.contains("usage: alloc"), "{port}: {output}");
    }
}
