//! What gives the allocators without a kernel interface of their own a memory to
//! work in, and all single-threaded ones a place in a static.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};

/// An allocator that is used by one thread.
pub trait Allocator {
    /// A block, or null.
    fn allocate(&mut self, layout: Layout) -> *mut u8;
    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// As `GlobalAlloc::dealloc`.
    unsafe fn deallocate(&mut self, block: *mut u8, layout: Layout);
    /// A block of another size, or null.
    ///
    /// # Safety
    ///
    /// As `GlobalAlloc::realloc`.
    unsafe fn reallocate(&mut self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return ptr::null_mut() };
        let moved = self.allocate(new);
        if !moved.is_null() {
            // SAFETY: two blocks of at least so many bytes.
            unsafe {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.deallocate(block, layout);
            }
        }
        moved
    }
}

/// Makes an [`Allocator`] a global one without a lock.
pub struct Single<A>(UnsafeCell<A>);

impl<A> Single<A> {
    /// # Safety
    ///
    /// The program has one thread.
    pub const unsafe fn new(allocator: A) -> Single<A> {
        Single(UnsafeCell::new(allocator))
    }
}

// SAFETY: whoever made it promised that there is one thread.
unsafe impl<A> Sync for Single<A> {}

// SAFETY: as the allocator's own.
unsafe impl<A: Allocator> GlobalAlloc for Single<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no allocator calls itself.
        unsafe { &mut *self.0.get() }.allocate(layout)
    }
    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { (*self.0.get()).deallocate(block, layout) };
    }
    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { (*self.0.get()).reallocate(block, layout, size) }
    }
}

/// Address space whose pages come as they are touched: `len` bytes, or a half, a
/// quarter, ... of that under a limit.
pub fn reserve(len: usize) -> NonNull<[u8]> {
    map(len, libc::MAP_NORESERVE).unwrap_or_else(|| reserve(len / 2))
}

/// A table that is no allocator's and is resident from the start, and its bytes.
pub(crate) fn table<T: Copy>(slots: usize, value: T) -> (&'static mut [T], usize) {
    let bytes = (slots * size_of::<T>()).next_multiple_of(4096);
    let at = map(bytes, libc::MAP_POPULATE).expect("there is address space for the table");
    let at: NonNull<T> = at.cast();
    for slot in 0..slots {
        // SAFETY: inside the mapping, which is aligned to pages.
        unsafe { at.add(slot).write(value) };
    }
    // SAFETY: all of it has just been written, nobody else knows of it, and it stays.
    (unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), slots) }, bytes)
}

fn map(len: usize, flag: i32) -> Option<NonNull<[u8]>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flag;
    // SAFETY: a new mapping, which replaces none.
    let base = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    let base = (base != libc::MAP_FAILED).then_some(base)?;
    Some(NonNull::slice_from_raw_parts(NonNull::new(base.cast()).expect("mmap does not map page 0"), len))
}
