//! The benchmark's program for rt0's heap without a lock, without huge pages.

#[global_allocator]
// SAFETY: the workloads run in one thread.
static HEAP: rt0::Heap<rt0::lock::Unlocked> = unsafe { rt0::Heap::new_unlocked() };

fn main() -> anyhow::Result<()> {
    HEAP.set_huge_from(usize::MAX);
    rt0_bench::main(|| HEAP.trim())
}
