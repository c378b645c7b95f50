//! What must hold. Expected values come from the specification, a second implementation or a model, never from the
//! library under test.
//!
//! - [`specification`]: the limit rules and the plan, written down a second time
//! - [`sweep`]: which limits a port is tried under, and what `limits` must then report
//! - [`suite`]: what every port has to show on every machine; it uses [`sweep`]
//! - [`heap_model`]: a model that watches a heap, and the memory with a limit that the heap stands on
//! - [`fuzz`]: the bodies of the fuzz targets; they use [`specification`]

pub mod freebsd_answers;
pub mod fuzz;
pub mod gc;
pub mod heap_model;
pub mod safe;
pub mod specification;
pub mod suite;
pub mod sweep;

/// Text whose numbers do not count: they are those of a machine, or of a compiler.
pub fn without_numbers(text: &str) -> String {
    let parts = text.split(|letter: char| letter.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("#")
}

/// Calls `check` with every 32-bit number, on all cores.
pub fn every_u32(check: impl Fn(u64) + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let check = &check;
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let share = |worker| (worker << 32) / workers;
            scope.spawn(move || (share(worker)..share(worker + 1)).for_each(check));
        }
    });
}
