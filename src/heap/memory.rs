//! What the heap asks of the memory beneath it.

use core::ptr::NonNull;

/// A run of address space, the heap's alone; its `base` may be used to reach every
/// byte of it.
pub use crate::vm::Extent;

/// The source of the heap's address space and pages.
///
/// # Safety
///
/// The heap builds on what each method says. In particular an extent that was
/// handed out overlaps nothing else, stays valid until it is released, and its
/// bytes read as zero when they are first committed.
pub unsafe trait Memory {
    /// The page size in bytes, a power of two.
    fn page_size(&self) -> usize;

    /// Reserves a further extent of at least `min` bytes, and of `want` bytes
    /// if that is to be had; both are multiples of the page size. `None` if there is
    /// no room for `min`.
    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent>;

    /// Makes pages of an extent readable and writable. `false` if the kernel
    /// refuses, and then the pages are as they were.
    ///
    /// # Safety
    ///
    /// `at` and `len` are multiples of the page size and lie in one extent.
    unsafe fn commit(&mut self, at: NonNull<u8>, len: usize) -> bool;

    /// Makes committed pages resident, which saves a page fault for each. It may
    /// do nothing.
    ///
    /// # Safety
    ///
    /// As for `commit`; the pages are committed.
    unsafe fn populate(&mut self, at: NonNull<u8>, len: usize) {
        let _ = (at, len);
    }

    /// Gives the pages back to the kernel. They stay readable and writable, but
    /// what they hold afterwards is not specified (Linux: zeroes; FreeBSD: zeroes
    /// or what was there).
    ///
    /// # Safety
    ///
    /// As for `commit`; the pages are committed and hold nothing of use.
    unsafe fn reset(&mut self, at: NonNull<u8>, len: usize);

    /// Gives a whole extent back.
    ///
    /// # Safety
    ///
    /// `extent` came from `reserve`, and nothing refers to it any more.
    unsafe fn release(&mut self, extent: Extent);

    /// Asks for huge pages in an extent, where the kernel has them.
    ///
    /// # Safety
    ///
    /// As for `commit`.
    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        let _ = (at, len);
    }
}
