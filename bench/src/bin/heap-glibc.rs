//! The benchmark's program for glibc's malloc.

#[global_allocator]
static HEAP: std::alloc::System = std::alloc::System;

fn main() -> anyhow::Result<()> {
    rt0_bench::main(|| {
        // SAFETY: any number of bytes will do.
        unsafe { libc::malloc_trim(0) };
    })
}
