//! Host side of rt0's proof: what runs a program under a limit, and what must then hold.

pub mod freebsd;
pub mod fuzz;
pub mod heap;
pub mod job;
pub mod kernel;
pub mod linux_runner;
pub mod machine;
pub mod make;
pub mod native;
pub mod port;
pub mod specification;
pub mod suite;
pub mod sweep;
pub mod tracer;

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
