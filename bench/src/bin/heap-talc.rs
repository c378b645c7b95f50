//! The benchmark's program for talc.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

struct Talc(talc::base::Talc<talc::source::Manual, talc::DefaultBinning>, bool);

impl rt0_bench::arena::Allocator for Talc {
    #[inline]
    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        if !self.1 {
            let arena = rt0_bench::arena::reserve(8 << 30);
            // SAFETY: nobody else uses it.
            unsafe { self.0.claim(arena.cast().as_ptr(), arena.len()) };
            self.1 = true;
        }
        // SAFETY: the sizes of the workloads are not zero.
        unsafe { self.0.allocate(layout) }.map_or(ptr::null_mut(), NonNull::as_ptr)
    }
    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller says so.
        unsafe { self.0.deallocate(block, layout) };
    }
    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller says so.
        unsafe {
            if self.0.try_realloc_in_place(block, layout, size) {
                return block;
            }
            let Ok(new) = Layout::from_size_align(size, layout.align()) else { return ptr::null_mut() };
            let moved = self.allocate(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.deallocate(block, layout);
            }
            moved
        }
    }
}

#[global_allocator]
// SAFETY: the workloads run in one thread.
static HEAP: rt0_bench::arena::Single<Talc> =
    unsafe { rt0_bench::arena::Single::new(Talc(talc::base::Talc::new(talc::source::Manual), false)) };

fn main() -> anyhow::Result<()> {
    // It has nothing with which to give memory back when it is told to.
    rt0_bench::main(|| ())
}
