//! Roots that the embedder gives: handles, and the program's variables.

use core::ops::Range;
use core::ptr::{self, NonNull};

use super::collector::Collector;
use super::handles::Handle;
use super::mark::Embedder;
use crate::os::initial_stack::InitialStack;
use crate::os::program_headers::{PF_W, Segments};

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

/// The writable segments of the program's image, `.data` and `.bss` among them: roots of a program that keeps references
/// in static variables. They are where the program headers (`AT_PHDR`) say, in a static-PIE too; there are none if the
/// kernel did not tell.
pub fn data_segments() -> impl Iterator<Item = Range<*const usize>> {
    let segments = Segments::of(InitialStack::current());
    segments.into_iter().flat_map(|segments| {
        let bias = segments.bias().unwrap_or(0);
        segments.with(PF_W).map(move |at| {
            let start = ptr::with_exposed_provenance::<usize>(at.start.wrapping_add(bias));
            start..start.wrapping_byte_add(at.len())
        })
    })
}
