//! The benchmark's program for dlmalloc.

use std::alloc::Layout;

struct Dl(dlmalloc::Dlmalloc);

impl rt0_bench::arena::Allocator for Dl {
    #[inline]
    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and alignment of a layout will do.
        unsafe { self.0.malloc(layout.size(), layout.align()) }
    }
    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller says so.
        unsafe { self.0.free(block, layout.size(), layout.align()) };
    }
    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller says so.
        unsafe { self.0.realloc(block, layout.size(), layout.align(), size) }
    }
}

#[global_allocator]
// SAFETY: the workloads run in one thread.
static HEAP: rt0_bench::arena::Single<Dl> = unsafe { rt0_bench::arena::Single::new(Dl(dlmalloc::Dlmalloc::new())) };

fn main() -> anyhow::Result<()> {
    // It has nothing with which to give memory back when it is told to.
    rt0_bench::main(|| ())
}
