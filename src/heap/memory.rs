//! What the heap asks of the memory beneath it.

use core::ptr::NonNull;

pub use crate::vm::Extent;

/// The source of the heap's address space and pages.
///
/// # Safety
///
/// The heap builds on what each method says, and on this:
///
/// - An extent that was handed out is the heap's alone: it overlaps nothing that anybody else uses, and stays valid
///   until `release` is called with it, even when the `Memory` is dropped or moved. Its base may be used to reach
///   every byte of it.
/// - Its bytes read as zero when they are first committed, if it was handed out for the first time; or the whole of
///   an extent is zeroed before it is handed out again.
/// - No method calls the heap that it serves, or lets another thread do so and waits for it: the heap's lock is held.
///   So no method allocates from the program's allocator if that is the heap.
/// - No method unwinds. If one panics, the process ends.
pub unsafe trait Memory {
    /// The page size in bytes: a power of two, at least 4096, always the same.
    fn page_size(&self) -> usize;

    /// Reserves a further extent of at least `min` bytes, and of `want` bytes
    /// if that is to be had; both are multiples of the page size. `None` if there is
    /// no room for `min`. It is never more than the larger of the two.
    fn reserve(&mut self, min: usize, want: usize) -> Option<Extent>;

    /// Reserves a further extent as `reserve` does, at the address `end`, where one of the heap's ends: the heap uses both
    /// as one, whose base reaches every byte of them. `None` if something else is there too.
    fn reserve_behind(&mut self, end: usize, min: usize, want: usize) -> Option<Extent> {
        let _ = (end, min, want);
        None
    }

    /// How many bytes the next extent from `reserve`, which is to be for `len` bytes, may come to by `reserve_behind`,
    /// at most; 0 if it cannot grow. The heap reserves a bit for each granule of them.
    fn most(&mut self, len: usize) -> usize {
        let _ = len;
        0
    }

    /// How many bytes all extents together may come to, at most, as far as that is known: a longer request is refused without
    /// a search.
    fn limit(&mut self) -> usize {
        usize::MAX
    }

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

    /// Gives the pages back to the kernel. They stay readable and writable, and each byte is zero then or what it was
    /// before (Linux: zeroes; FreeBSD: zeroes or what was there).
    ///
    /// # Safety
    ///
    /// As for `commit`; the pages are committed and hold nothing of use.
    unsafe fn reset(&mut self, at: NonNull<u8>, len: usize);

    /// Gives the pages back as `reset` does, and says whether every byte of them is known to be zero now: what was
    /// given back so is handed out as zeroed memory. Where any of them may be what it was, and where nothing is known,
    /// the answer is `false`; so it is where only `reset` is there.
    ///
    /// # Safety
    ///
    /// As for `reset`.
    unsafe fn reset_to_zero(&mut self, at: NonNull<u8>, len: usize) -> bool {
        // SAFETY: this function's contract is the same.
        unsafe { self.reset(at, len) };
        false
    }

    /// Gives an extent back that came from `reserve`, or the end of one. Nothing refers to it any more.
    fn release(&mut self, extent: Extent);

    /// Whether the page that begins at an address is resident, as it is when somebody has used it. It was a page of an extent
    /// of this heap, and may not be any more: the answer is `false` then, and where nothing is known.
    fn is_resident(&mut self, page: usize) -> bool {
        let _ = page;
        false
    }

    /// Asks for huge pages in an extent, where the kernel has them.
    ///
    /// # Safety
    ///
    /// As for `commit`.
    unsafe fn prefer_huge(&mut self, at: NonNull<u8>, len: usize) {
        let _ = (at, len);
    }

    /// Tells of a block that cannot be had. The heap's lock is held. It is refused for good, unless it was to replace
    /// one that can then grow where it is.
    fn note_refusal(&mut self, refusal: Refusal) {
        let _ = refusal;
    }
}

/// A process has no more addresses (64 bits: Linux `arch/x86/include/asm/page_64_types.h`, `TASK_SIZE_MAX`; FreeBSD
/// `sys/amd64/include/vmparam.h`, `VM_MAXUSER_ADDRESS_LA48`).
pub(super) const ADDRESSES: usize = if usize::BITS == 64 { usize::MAX >> 17 } else { usize::MAX };

/// Whether a heap of at most `limit` bytes can do without thrift: there is no limit, and addresses for any number of bytes.
pub(super) fn is_ample(limit: usize) -> bool {
    usize::BITS == 64 && limit == usize::MAX
}

/// A request that was refused, and what the heap held then. All sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The length of the block.
    pub asked: usize,
    /// Its alignment.
    pub align: usize,
    /// In the program's blocks and in the cache.
    pub in_use: usize,
    /// Address space, all segments together.
    pub reserved: usize,
}
