//! The benchmark's program for snmalloc.

#[global_allocator]
static HEAP: snmalloc_rs::SnMalloc = snmalloc_rs::SnMalloc;

fn main() -> anyhow::Result<()> {
    rt0_bench::main()
}
