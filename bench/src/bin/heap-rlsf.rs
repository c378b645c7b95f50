//! The benchmark's program for rlsf.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

struct Rlsf(rlsf::Tlsf<'static, u32, u32, 28, 32>, bool);

impl rt0_bench::arena::Allocator for Rlsf {
    #[inline]
    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        if !self.1 {
            // SAFETY: nobody else uses it.
            unsafe { self.0.insert_free_block_ptr(rt0_bench::arena::reserve(4 << 30)) };
            self.1 = true;
        }
        self.0.allocate(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }
    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller says so; blocks are not null.
        unsafe { self.0.deallocate(NonNull::new_unchecked(block), layout.align()) };
    }
    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return ptr::null_mut() };
        // SAFETY: the caller says so; blocks are not null.
        unsafe { self.0.reallocate(NonNull::new_unchecked(block), new) }.map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}

#[global_allocator]
// SAFETY: the workloads run in one thread.
static HEAP: rt0_bench::arena::Single<Rlsf> = unsafe { rt0_bench::arena::Single::new(Rlsf(rlsf::Tlsf::new(), false)) };

fn main() -> anyhow::Result<()> {
    // It has nothing with which to give memory back when it is told to.
    rt0_bench::main(|| ())
}
