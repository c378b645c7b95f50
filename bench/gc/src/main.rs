//! scratch
mod heaps;
mod work;
use heaps::*;

fn cpu() -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}
fn rss() -> usize {
    let mut u: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut u) };
    u.ru_maxrss as usize * 1024
}
#[inline(never)]
fn run<H: Heap>(mut h: H, w: &str, r0: usize) {
    let t = cpu();
    let s = match w {
        "trees" => work::trees(&mut h),
        "lists" => work::lists(&mut h),
        "arrays" => work::arrays(&mut h),
        "strings" => work::strings(&mut h),
        "eval" => work::eval(&mut h),
        "binary" => work::binary(&mut h),
        "quads" => work::quads(&mut h),
        "peval" => work::peval(&mut h),
        _ => panic!(),
    };
    let t = cpu() - t;
    let p = h.pauses();
    println!(
        "cpu={} longest={} all={} count={} live={} rss={} sum={s}",
        t,
        p.longest,
        p.all,
        p.count,
        p.live,
        rss() - r0
    );
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let base = 0usize;
    let base = &raw const base;
    let bound: usize = a[3].parse().unwrap();
    let r0 = rss();
    match a[1].as_str() {
        "rt0" => run(Rt0::new((bound > 0).then_some(bound), base), &a[2], r0),
        "boehm" => run(Boehm::new(Mode::Default, bound), &a[2], r0),
        "boehm-ni" => run(Boehm::new(Mode::NoInterior, bound), &a[2], r0),
        "boehm-whole" => run(Boehm::new(Mode::Whole, bound), &a[2], r0),
        "malloc" => run(Malloc, &a[2], r0),
        _ => panic!(),
    }
}
