//! The benchmark's program for rt0's heap with its lock.

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

fn main() -> anyhow::Result<()> {
    rt0_bench::main(|| HEAP.trim())
}
