//! A heap for callers that do not know how long their blocks are, as C's `malloc` has it.
//!
//! The price is a prefix of two words (16 bytes on 64-bit ports, 8 on 32-bit ones) before each block: its size, and how
//! far before the block the memory begins. Blocks of these functions and of `rt0_heap_allocate` may come from the same
//! heap, but each goes back the way it came.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use rt0::heap::GRANULE;

use crate::heap::rt0_heap;

/// What stands before a block: two words, a granule.
#[repr(C)]
struct Prefix {
    /// Bytes that were asked for.
    size: usize,
    /// From the beginning of the memory to the block: its alignment, a granule at the least.
    before: usize,
}

const _: () = assert!(size_of::<Prefix>() == GRANULE);

/// The prefix of a block.
///
/// # Safety
///
/// `block` came from a function of this file and has not been freed.
unsafe fn prefix(block: NonNull<u8>) -> NonNull<Prefix> {
    // SAFETY: a prefix lies before every such block.
    unsafe { block.cast::<Prefix>().sub(1) }
}

/// Makes a block of memory that begins `before` bytes earlier; null stays null.
///
/// # Safety
///
/// `memory` is null, or `before + size` bytes at a multiple of a granule.
unsafe fn block_in(memory: *mut u8, size: usize, before: usize) -> *mut c_void {
    if memory.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the prefix and the block are within the memory.
    unsafe {
        let block = memory.add(before);
        block.cast::<Prefix>().sub(1).write(Prefix { size, before });
        block.cast()
    }
}

/// A block of at least `size` bytes, aligned for every type of C. Null if there is no memory, if `size` is more than a block
/// can have or `heap` is null. A request of no bytes gets a block of its own.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_malloc(heap: *mut rt0_heap, size: usize) -> *mut c_void {
    // SAFETY: the caller says that it is null or a heap.
    let (Some(heap), Some(whole)) = (unsafe { heap.as_ref() }, size.checked_add(GRANULE)) else {
        return ptr::null_mut();
    };
    // SAFETY: the memory is as long as block and prefix.
    unsafe { block_in(heap.allocate(whole, GRANULE), size, GRANULE) }
}

/// A block of `count` times `size` bytes that are zero. Null as `rt0_malloc` has it, and if the product is too large.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_calloc(heap: *mut rt0_heap, count: usize, size: usize) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else { return ptr::null_mut() };
    // SAFETY: the caller says that it is null or a heap.
    let (Some(heap), Some(whole)) = (unsafe { heap.as_ref() }, size.checked_add(GRANULE)) else {
        return ptr::null_mut();
    };
    // SAFETY: the memory is as long as block and prefix.
    unsafe { block_in(heap.allocate_zeroed(whole), size, GRANULE) }
}

/// A block of at least `size` bytes at a multiple of `alignment`, a power of two: null if it is not one. The prefix is then
/// as long as the alignment.
///
/// # Safety
///
/// `heap` is null or a heap.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_aligned_alloc(heap: *mut rt0_heap, alignment: usize, size: usize) -> *mut c_void {
    if !alignment.is_power_of_two() {
        return ptr::null_mut();
    }
    let before = alignment.max(GRANULE);
    // SAFETY: the caller says that it is null or a heap.
    let (Some(heap), Some(whole)) = (unsafe { heap.as_ref() }, size.checked_add(before)) else {
        return ptr::null_mut();
    };
    // SAFETY: the memory is as long as block and prefix, and as aligned as the block is to be.
    unsafe { block_in(heap.allocate(whole, before), size, before) }
}

/// Makes a block `size` bytes long, where it is if that can be. Its bytes up to the lesser size are kept. A null `block` is
/// allocated anew. A block from `rt0_aligned_alloc` keeps its alignment.
///
/// Null as `rt0_malloc` has it; the block is as it was then, and still the caller's. A `size` of 0 does not free it.
///
/// # Safety
///
/// `heap` is null or a heap. `block` is null, or came from this heap by a function that has no `heap_` in its name; once
/// another pointer is answered it is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_realloc(heap: *mut rt0_heap, block: *mut c_void, size: usize) -> *mut c_void {
    let Some(block) = NonNull::new(block.cast::<u8>()) else {
        // SAFETY: the caller says so of the heap.
        return unsafe { rt0_malloc(heap, size) };
    };
    // SAFETY: the caller says that it is null or a heap, and that the block is one of its.
    unsafe {
        let Prefix { size: old, before } = prefix(block).read();
        let (Some(heap), Some(whole)) = (heap.as_ref(), size.checked_add(before)) else { return ptr::null_mut() };
        block_in(heap.reallocate(block.sub(before), before + old, whole, before), size, before)
    }
}

/// Takes a block back. Nothing happens if `block` or `heap` is null.
///
/// # Safety
///
/// `heap` is null or a heap. `block` is null, or came from this heap by a function that has no `heap_` in its name, and is
/// not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_free(heap: *mut rt0_heap, block: *mut c_void) {
    // SAFETY: the caller says that it is null or a heap.
    let (Some(heap), Some(block)) = (unsafe { heap.as_ref() }, NonNull::new(block.cast::<u8>())) else { return };
    // SAFETY: the caller says that the block is one of the heap's; its prefix says where its memory begins.
    unsafe {
        let Prefix { size, before } = prefix(block).read();
        heap.free(block.sub(before), before + size, before);
    }
}

/// The bytes that were asked for when the block was made; 0 for a null pointer.
///
/// # Safety
///
/// `block` is null, or came from a function that has no `heap_` in its name and has not been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_malloc_size(block: *const c_void) -> usize {
    // SAFETY: the caller says that it is such a block.
    NonNull::new(block.cast_mut().cast()).map_or(0, |block| unsafe { prefix(block).read() }.size)
}
