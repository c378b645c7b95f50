//! What the language says about its objects and its roots.

use core::ptr::NonNull;

use super::mark::Marker;
use super::stats::Event;

/// The language whose heap it is.
///
/// # Safety
///
/// The collector frees what it does not reach: what [`roots`](Embedder::roots) and [`trace`](Embedder::trace) leave out is
/// free after a collection, and whoever uses it still uses memory of other objects.
pub unsafe trait Embedder: Sized {
    /// The bits of a word that are an address, the others being a tag: each word is masked with it before it is looked up.
    const MASK: usize = usize::MAX;

    /// What a reference has more than its object's start, behind the mask.
    const DISPLACEMENT: usize = 0;

    /// Whether words of objects refer to the object that they point into (`true`), or only to one that begins where they
    /// point to. A root always refers to the object that it points into.
    const INTERIOR: bool = false;

    /// Marks what is reachable without an object: [`Marker::root`], [`Marker::roots`], [`Marker::mark`].
    fn roots(&mut self, marker: &mut Marker<'_, Self>);

    /// Says what an object refers to: [`Marker::edge`] for each reference. By default every word may be one. An object that
    /// was allocated as a leaf is not traced.
    ///
    /// # Safety
    ///
    /// `object` is an object of the heap that was allocated as [`Kind::Scan`](super::Kind::Scan). It may be as it was
    /// allocated, all zeroes.
    #[inline(always)]
    unsafe fn trace(object: NonNull<u8>, marker: &mut Marker<'_, Self>) {
        // SAFETY: `object` is an object of this heap.
        unsafe { marker.words(object) };
    }

    /// Something happened: a collection has begun or ended.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }
}
