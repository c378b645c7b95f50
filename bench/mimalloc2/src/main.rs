//! The benchmark's program for mimalloc 2.

#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

unsafe extern "C" {
    /// Gives back what is free, at once.
    fn mi_collect(force: bool);
}

fn main() -> anyhow::Result<()> {
    // SAFETY: mimalloc's `void mi_collect(bool)`, which any thread may call.
    rt0_bench::main(|| unsafe { mi_collect(true) })
}
