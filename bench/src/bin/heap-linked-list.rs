//! The benchmark's program for linked_list_allocator.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

struct List(linked_list_allocator::Heap);

impl rt0_bench::arena::Allocator for List {
    fn allocate(&mut self, layout: Layout) -> *mut u8 {
        if self.0.size() == 0 {
            let arena = rt0_bench::arena::reserve(8 << 30);
            // SAFETY: nobody else uses it.
            unsafe { self.0.init(arena.cast().as_ptr(), arena.len()) };
        }
        self.0.allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }
    unsafe fn deallocate(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller says so; blocks are not null.
        unsafe { self.0.deallocate(NonNull::new_unchecked(block), layout) };
    }
}

#[global_allocator]
// SAFETY: the workloads run in one thread.
static HEAP: rt0_bench::arena::Single<List> =
    unsafe { rt0_bench::arena::Single::new(List(linked_list_allocator::Heap::empty())) };

fn main() -> anyhow::Result<()> {
    // It has nothing with which to give memory back when it is told to.
    rt0_bench::main(|| ())
}
