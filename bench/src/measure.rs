//! Clocks and the kernel's figures. Nothing here allocates once a pattern has run:
//! its heap may be full.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
pub(crate) use rt0_bench_heap::measure::{cpu_time, memory, reset_peak};

/// How many of the longest calls a run remembers.
const KEPT: usize = 32;

/// The longest calls of a run, with their numbers. The patterns are the same in
/// every run, so a call that is long by itself is long each time, and one during
/// which the kernel ran something else is another one each time.
pub(crate) struct Longest {
    kept: [(u64, u64); KEPT],
    /// Where the shortest of them stands, and how long it took.
    least: (usize, u64),
}

impl Longest {
    pub(crate) fn new() -> Longest {
        Longest { kept: [(0, 0); KEPT], least: (0, 0) }
    }

    #[inline(always)]
    pub(crate) fn time<T>(&mut self, number: u64, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = call();
        let took = start.elapsed().as_nanos() as u64;
        if took > self.least.1 {
            self.keep(number, took);
        }
        result
    }

    #[cold]
    fn keep(&mut self, number: u64, took: u64) {
        self.kept[self.least.0] = (number, took);
        let (at, least) = self.kept.iter().enumerate().min_by_key(|(_, call)| call.1).expect("some are kept");
        self.least = (at, least.1);
    }

    /// Takes in the longest calls of a thread.
    pub(crate) fn join(&mut self, other: Longest, thread: u64) {
        for (number, took) in other.kept {
            if took > self.least.1 {
                self.keep(thread << 48 | number, took);
            }
        }
    }

    pub(crate) fn calls(&self) -> Vec<(u64, u64)> {
        self.kept.iter().copied().filter(|call| call.1 > 0).collect()
    }
}

/// The time of a run: CPU time where one thread runs, since the machine may be
/// busy, and the wall's where threads wait for one another.
pub(crate) struct Clock {
    wall: Option<Instant>,
    start: u64,
    spent: Option<u64>,
}

impl Clock {
    pub(crate) fn start(threads: bool) -> Clock {
        Clock { wall: threads.then(Instant::now), start: cpu_time(), spent: None }
    }

    pub(crate) fn restart(&mut self) {
        *self = Clock::start(self.wall.is_some());
    }

    /// Stops, if it has not been stopped.
    pub(crate) fn stop(&mut self) {
        self.spent.get_or_insert_with(|| match self.wall {
            Some(start) => start.elapsed().as_nanos() as u64,
            None => cpu_time() - self.start,
        });
    }

    pub(crate) fn spent(&self) -> u64 {
        self.spent.unwrap_or(0)
    }
}

/// The address space that is not the heap's: the image's, the libraries', the stack's.
/// What allocators reserve before main is theirs, so a difference would not do.
pub(crate) fn not_the_heaps() -> Result<u64> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut bytes = 0;
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let range = fields.next().and_then(|range| range.split_once('-')).context("a range is two addresses")?;
        let name = fields.nth(4).unwrap_or("");
        if name.starts_with('/') || name.starts_with("[stack") || name.starts_with("[vv") || name.starts_with("[vdso") {
            bytes += u64::from_str_radix(range.1, 16)? - u64::from_str_radix(range.0, 16)?;
        }
    }
    ensure!(bytes > 0, "the image is mapped");
    Ok(bytes)
}
