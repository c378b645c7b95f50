//! temporary stand-in until the core lands
use crate::heap::{Extent, Heap, Memory};
use crate::lock::{Lock, Unlocked};
use crate::sys::syscall;
use core::ptr::NonNull;
pub struct Os { first: bool }
impl Heap<Lock, Os> {
    pub const fn new() -> Self { Heap::on(Os { first: true }) }
}
impl Heap<Unlocked, Os> {
    /// # Safety
    /// x
    pub const unsafe fn new_unlocked() -> Self { unsafe { Heap::unlocked_on(Os { first: true }) } }
}
unsafe impl Memory for Os {
    fn page_size(&self) -> usize { 4096 }
    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent> {
        let mut len = if self.first { want.max(16 << 30) } else { want };
        self.first = false;
        loop {
            let r = unsafe { syscall(9, [0, len, 0, 0x4022, usize::MAX, 0]) };
            if r > 0 { return Some(Extent { base: NonNull::new(r as *mut u8)?, len }); }
            if len == min { return None; }
            len = (len / 2).max(min).next_multiple_of(4096);
        }
    }
    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool {
        unsafe { syscall(10, [at.as_ptr() as usize, len, 3, 0, 0, 0]) == 0 }
    }
    unsafe fn decommit(&mut self, at: NonNull<u8>, len: usize) {
        unsafe { syscall(28, [at.as_ptr() as usize, len, 4, 0, 0, 0]) };
    }
    unsafe fn release(&mut self, e: Extent) {
        unsafe { syscall(11, [e.base.as_ptr() as usize, e.len, 0, 0, 0, 0]) };
    }
    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        unsafe { syscall(28, [at.as_ptr() as usize, len, 14, 0, 0, 0]) };
    }
}
