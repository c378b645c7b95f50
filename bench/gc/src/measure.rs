//! One run of one program on one heap, in a process of its own, and what it took.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rt0_bench_heap::measure::cpu_time;

use crate::heaps::{Boehm, Malloc, Measured, Mode, rt0};
use crate::programs::{self, Ref};

/// The heaps, by the names that the tables have for them.
pub(crate) const RT0: &str = "rt0";
pub(crate) const BOEHM: [&str; 3] = ["boehm", "no interior", "bound at start"];
pub(crate) const MALLOC: &str = "malloc";

/// The most that was resident so far, bytes.
fn peak() -> u64 {
    // SAFETY: all zeroes is a value of this plain structure, which the call fills.
    let usage = unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    usage.ru_maxrss as u64 * 1024
}

/// Bytes that are resident now and are in no file.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024
}

/// What one process does: a program, or one of the questions below; its facts go to the standard output.
pub(crate) fn child(heap: &str, program: &str, bound: usize) -> Result<()> {
    let base = 0;
    let base = &raw const base;
    let before = peak();
    match heap {
        RT0 => perform(rt0(bound, base), program, before),
        MALLOC => perform(Malloc, program, before),
        "boehm" => perform(Boehm::new(Mode::Default, bound), program, before),
        "no interior" => perform(Boehm::new(Mode::NoInterior, bound), program, before),
        _ => perform(Boehm::new(Mode::Whole, bound), program, before),
    }
}

#[inline(never)]
fn perform<H: Measured>(mut heap: H, program: &str, before: u64) -> Result<()> {
    if program == "records" {
        return records(&mut heap);
    }
    let begun = cpu_time();
    let sum = programs::run(program, &mut heap);
    let cpu = cpu_time() - begun;
    let pauses = heap.pauses();
    println!("cpu={cpu} sum={sum} resident={}", peak() - before);
    println!("longest={} pauses={} count={} live={}", pauses.longest, pauses.all, pauses.count, pauses.live);
    Ok(())
}

/// What an object of 24 bytes takes beside them.
fn records<H: Measured>(heap: &mut H) -> Result<()> {
    const COUNT: usize = 100_000;
    let list: Ref = heap.scan(3);
    let (before, mut last) = (anonymous(), list);
    for _ in 0..COUNT {
        let object = heap.scan(3);
        // SAFETY: the first word of an object of three.
        unsafe { last.cast::<Ref>().write(object) };
        last = object;
    }
    let taken = anonymous() - before;
    black_box(list);
    // In thousandths.
    println!("beside={}", (taken * 1000 / COUNT as u64).saturating_sub(24_000));
    Ok(())
}

/// The facts that a program has printed, `key=number`.
pub(crate) type Facts = HashMap<String, u64>;

/// Runs this program, or another one, and reads its facts. `None`: it did not end well, out of memory usually.
pub(crate) fn facts(program: &Path, arguments: &[&str]) -> Result<Option<Facts>> {
    let output = Command::new(program)
        .args(arguments)
        .env("GC_MARKERS", "1")
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        return Ok(None);
    }
    let text = String::from_utf8(output.stdout)?;
    let fact = |word: &str| word.split_once('=').and_then(|(key, value)| Some((key.to_owned(), value.parse().ok()?)));
    Ok(Some(text.split_whitespace().filter_map(fact).collect()))
}

/// The facts of a run of this program as [`child`].
pub(crate) fn run(heap: &str, program: &str, bound: u64) -> Result<Option<Facts>> {
    facts(&std::env::current_exe()?, &["--child", heap, program, &bound.to_string()])
}
