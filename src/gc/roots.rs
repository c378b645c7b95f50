//! Roots: handles, the stack of this thread, and the program's variables.

use core::ops::Range;
use core::ptr::{self, NonNull};

use super::Collector;
use super::embedder::Embedder;
use super::mark::Marker;
use crate::arch::kept_registers;
use crate::os::initial_stack::{AT_PHDR, AT_PHNUM, InitialStack};

/// A root that names one object: a place in the collector's own array, which is the object's as long as its scope is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(usize);

/// The words of the handles, of which the first `len` are in use.
pub(super) struct Handles {
    words: NonNull<usize>,
    room: usize,
    len: usize,
}

impl Handles {
    pub(super) fn new((words, room): (NonNull<usize>, usize)) -> Handles {
        Handles { words, room, len: 0 }
    }

    fn in_use(&mut self) -> &mut [usize] {
        // SAFETY: committed when the heap was made, and the handles' alone.
        unsafe { NonNull::slice_from_raw_parts(self.words, self.len).as_mut() }
    }

    pub(super) fn roots<E: Embedder>(&mut self, marker: &mut Marker<'_, E>) {
        for word in self.in_use() {
            marker.root(*word);
        }
    }
}

impl<E: Embedder> Collector<E> {
    /// Runs `body` in a scope of handles: those that it makes end with it.
    pub fn scope<T>(&mut self, body: impl FnOnce(&mut Collector<E>) -> T) -> T {
        let len = self.handles.len;
        let result = body(self);
        self.handles.len = len;
        result
    }

    /// A handle for an object in the innermost scope. It costs a word. `None`: all handles are in use.
    pub fn hold(&mut self, object: NonNull<u8>) -> Option<Handle> {
        if self.handles.len == self.handles.room {
            return None;
        }
        self.handles.len += 1;
        let handle = Handle(self.handles.len - 1);
        self.set(handle, object);
        Some(handle)
    }

    /// The object of a handle whose scope is open.
    ///
    /// # Panics
    ///
    /// If the scope has ended.
    pub fn get(&mut self, handle: Handle) -> NonNull<u8> {
        let at = self.handles.in_use()[handle.0];
        self.heap.map.pointer(at)
    }

    /// Gives a handle another object.
    ///
    /// # Panics
    ///
    /// If the scope has ended.
    pub fn set(&mut self, handle: Handle, object: NonNull<u8>) {
        self.handles.in_use()[handle.0] = object.addr().get();
    }
}

/// Marks what the registers and the stack of this thread refer to, up to `base`.
///
/// # Safety
///
/// `base` is an address on this thread's stack, above every frame that may hold references.
pub(super) unsafe fn stack<E: Embedder>(marker: &mut Marker<'_, E>, base: *const usize) {
    let kept = kept_registers();
    // SAFETY: `base` is above every frame that may hold references, and so above this one, which holds the registers.
    unsafe { below(marker, &kept, base) };
}

/// Marks what the stack refers to, from this function's frame, which lies below its caller's, up to `base`.
///
/// # Safety
///
/// As for [`stack`]; `kept`, which holds registers, lies on the stack.
#[inline(never)]
unsafe fn below<E: Embedder>(marker: &mut Marker<'_, E>, kept: &[usize], base: *const usize) {
    let here = core::hint::black_box(kept).len();
    // SAFETY: from a word of this frame up to `base` all of it is this thread's stack.
    unsafe { marker.roots(&raw const here, base) };
}

/// The writable segments of the program's image, `.data` and `.bss` among them: roots of a program that keeps references
/// in static variables. Read from the program headers (`AT_PHDR`); none if the kernel did not tell.
pub fn data_segments() -> impl Iterator<Item = Range<*const usize>> {
    // Of `Elf32_Phdr` and `Elf64_Phdr` (System V ABI, "Program Header"), words: type, then address and size in memory.
    #[cfg(target_pointer_width = "64")]
    const FIELDS: [usize; 4] = [7, 0, 2, 5];
    #[cfg(target_pointer_width = "32")]
    const FIELDS: [usize; 4] = [8, 6, 2, 5];
    let [words, flags, address, size] = FIELDS;
    const PT_LOAD: u32 = 1;
    const PT_PHDR: u32 = 6;
    const PF_W: u32 = 2;
    let stack = InitialStack::current();
    let headers = stack.auxv(AT_PHDR).unwrap_or(0);
    let count = if headers == 0 { 0 } else { stack.auxv(AT_PHNUM).unwrap_or(0) };
    let word = move |header: usize, word: usize| {
        let at: *const usize = ptr::with_exposed_provenance(headers);
        // SAFETY: the kernel says that there are so many program headers.
        unsafe { at.add(header * words + word).read() }
    };
    let kind = move |header: usize| word(header, 0) as u32;
    let flags = move |header: usize| {
        if flags == 0 { (word(header, 0) as u64 >> 32) as u32 } else { word(header, flags) as u32 }
    };
    // How far from its addresses the program is: what says where the headers are to be says it.
    let slide = (0..count).find(|h| kind(*h) == PT_PHDR).map_or(0, |h| headers.wrapping_sub(word(h, address)));
    (0..count).filter(move |h| kind(*h) == PT_LOAD && flags(*h) & PF_W != 0).map(move |h| {
        let start = word(h, address).wrapping_add(slide);
        ptr::with_exposed_provenance(start)..ptr::with_exposed_provenance(start + word(h, size))
    })
}
