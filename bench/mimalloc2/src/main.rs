//! The benchmark's program for mimalloc 2.

#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    rt0_bench::main()
}
