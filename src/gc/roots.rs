//! Roots that the embedder gives: handles, and the program's variables.

use core::ops::Range;
use core::ptr::{self, NonNull};

use super::collector::Collector;
use super::handles::Handle;
use super::mark::Embedder;
use crate::os::initial_stack::{AT_PHDR, AT_PHNUM, InitialStack};
use crate::os::program_headers::{PT_LOAD, Phdr, bias};

impl<E: Embedder> Collector<E> {
    /// Runs `body` in a scope of handles: those that it makes end with it.
    pub fn scope<T>(&mut self, body: impl FnOnce(&mut Collector<E>) -> T) -> T {
        let len = self.handles.len;
        let result = body(self);
        // No more than there are: `body` may have put another heap in the place of this one.
        self.handles.len = self.handles.len.min(len);
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

const PF_W: u32 = 2;

/// A segment's flags: behind the type, in the upper half of the first word, or in a word of their own.
fn flags(header: &Phdr) -> u32 {
    if cfg!(target_pointer_width = "64") { (header[0] as u64 >> 32) as u32 } else { header[6] as u32 }
}

/// The writable segments of the program's image, `.data` and `.bss` among them: roots of a program that keeps references
/// in static variables. They are where the program headers (`AT_PHDR`) say, in a static-PIE too; there are none if the
/// kernel did not tell.
pub fn data_segments() -> impl Iterator<Item = Range<*const usize>> {
    let stack = InitialStack::current();
    let headers = stack.auxv(AT_PHDR).unwrap_or(0);
    let count = if headers == 0 { 0 } else { stack.auxv(AT_PHNUM).unwrap_or(0) };
    let segments = (0..count).map(move |index| {
        // SAFETY: the kernel says that this many program headers are mapped there.
        unsafe { ptr::with_exposed_provenance::<Phdr>(headers).add(index).read() }
    });
    let loaded = segments.filter(|header| header[0] as u32 as usize == PT_LOAD);
    // How far from its addresses the image is: the segment with the start of the file has the headers in it.
    let first = loaded.clone().find(|header| header[1] == 0);
    let slide = first.map_or(0, |header| bias(headers, &header));
    loaded.filter(|header| flags(header) & PF_W != 0).map(move |header| {
        let start = ptr::with_exposed_provenance::<usize>(header[2].wrapping_add(slide));
        start..start.wrapping_byte_add(header[5])
    })
}
