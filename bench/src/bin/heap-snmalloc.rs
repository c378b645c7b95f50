//! The benchmark's program for snmalloc.

#[global_allocator]
static HEAP: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;

fn main() -> anyhow::Result<()> {
    // It has nothing with which to give memory back when it is told to.
    rt0_bench::main(|| ())
}
