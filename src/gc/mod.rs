//! A heap that collects: objects that are freed when nothing refers to them any more.
//!
//! ```text
//!   weak, roots, walk, check   what an embedder may do beside: weak cells, handles, questions, a look at the whole heap
//!   collector                  when to collect, in which order, what to tell the language
//!   lists, handles, stack      what the collector goes through: weak lists, handles, this thread's stack
//!   mark                       what the language says (Embedder), and reaching everything from the roots (Marker)
//!   alloc, sweep               bumps through holes, lets the heap grow; makes holes of what was not reached
//!   space                      one arena: reserve, commit, reset
//!   shelves                    holes by their length
//!   map                        four bits a word, and a table of blocks
//! ```
//!
//! Each knows only those below it. The design in short:
//!
//! - **Everything is pinned.** Nothing moves, whatever refers to it: an address is an object's name for as long as it lives,
//!   may be hashed, handed to the kernel and found in any register.
//! - **No headers.** Beside the heap lie four bits for each word of it, which say where objects and holes begin, what is to
//!   be scanned and what was reached: 1.5 bytes for an object of 24 on 64-bit ports, and 0.07 for the table of blocks. On
//!   32-bit ports a word is half as long, so that it is 12.5 % of the heap there. A bit for a granule would take less, but
//!   then lengths and kinds would stand elsewhere, in headers or in size classes, and cost more than they save: with four
//!   bits in one place the usual object is found, measured and marked by one load.
//! - **Allocation** bumps through holes of any length, in the order of addresses, so that a few survivors cost what they
//!   are long and no more; what is free side by side is one hole after each collection. What is too short at the time waits
//!   on shelves, by length, for the next object that fits.
//! - **Marking** has a small stack, a ring that waits for the cache, and bits for what finds no room on the stack.
//!   Everything that a collection needs is there before the first one begins.
//! - **Sweeping** goes through the four bits, a machine word at a time, at once; memory itself is touched when it is
//!   allocated.
//! - **A pause** is a whole collection. It grows with what is live and, a hundredth as fast, with the heap.
//!
//! `docs/collector.md` is the guide for embedders.
//!
//! A collector serves one thread. Where several threads share one, they exclude one another, stop for a collection at
//! places of their own choosing, and each gives its stack by [`Marker::roots`].
//!
//! ```
//! use core::ptr::NonNull;
//! use rt0::gc::*;
//!
//! /// The language: its variables, and what a collection told.
//! struct Language {
//!     variables: Vec<NonNull<u8>>,
//!     live: usize,
//! }
//!
//! // SAFETY: every object that is used is in `variables`, in a handle, or referred to by one that is; `trace` leaves no word out.
//! unsafe impl Embedder for Language {
//!     fn roots(&mut self, marker: &mut Marker<'_, Self>) {
//!         for variable in &self.variables {
//!             // SAFETY: the variables are objects of this heap.
//!             let first = unsafe { !marker.is_marked(*variable) && marker.mark(*variable) };
//!             let _ = first;
//!         }
//!         marker.root(0); // any word from anywhere will do, and so does a range of memory
//!         let words = [0usize; 2];
//!         // SAFETY: the range is the array.
//!         unsafe { marker.roots(words.as_ptr_range().start, words.as_ptr_range().end) };
//!         for _segment in data_segments() {} // ranges of words, for `roots`: where static variables hold references
//!     }
//!     unsafe fn trace(object: NonNull<u8>, marker: &mut Marker<'_, Self>) {
//!         // SAFETY: `object` is one of this heap; so its first word can be read.
//!         unsafe {
//!             if marker.size_of(object) == size_of::<usize>() {
//!                 marker.edge(object.cast::<usize>().read());
//!             } else {
//!                 marker.words(object);
//!             }
//!         }
//!     }
//!     /// For ephemerons of the language's own ...
//!     fn mark_more(&mut self, marker: &mut Marker<'_, Self>) {
//!         // SAFETY: the variables are objects of this heap.
//!         let all = self.variables.iter().all(|variable| unsafe { marker.is_marked(*variable) });
//!         assert!(all, "they were roots");
//!     }
//!     /// ... and for its own weak references.
//!     fn before_sweep(&mut self, _: &Marker<'_, Self>) {}
//!     fn event(&mut self, event: &Event) {
//!         if let Event::End { live, .. } = event {
//!             self.live = *live;
//!         }
//!     }
//! }
//!
//! let policy = Policy { growth: Growth::Live { percent: 200, least: 1 << 20 }, ..Policy::bound(8 << 20) };
//! let made: Result<_, HeapError> = Collector::new(&policy, Language { variables: Vec::new(), live: 0 });
//! let mut gc = made.expect("8 MiB fit");
//! let kept = gc.allocate(24, Kind::Scan).expect("there is room");
//! gc.embedder_mut().variables.push(kept);
//! // SAFETY: all objects that are named here are alive at each place, and in this heap.
//! unsafe {
//!     let lost = gc.allocate(24, Kind::Leaf).expect("there is room");
//!     let cell: Weak = gc.scope(|gc| {
//!         let handle: Handle = gc.hold(lost).expect("a handle"); // keeps it until the scope ends
//!         let cell = gc.weak(lost).expect("there is room");
//!         let lost = gc.get(handle);
//!         gc.set(handle, lost);
//!         gc.embedder_mut().variables.push(cell.object());
//!         assert!(gc.finalize_later(lost));
//!         cell
//!     });
//!     let table: Ephemerons = gc.ephemerons().expect("there is room");
//!     gc.embedder_mut().variables.push(table.object());
//!     assert!(gc.set_ephemeron(table, kept, 42));
//!     gc.collect();
//!     assert_eq!(gc.next_finalizable(), Some(lost)); // now the language does with it what it likes
//!     gc.collect();
//!     assert_eq!(gc.upgrade(Weak::from_object(cell.object())), None);
//!     let table = Ephemerons::from_object(table.object());
//!     assert_eq!((gc.ephemeron(table, kept), gc.remove_ephemeron(table, kept)), (Some(42), Some(42)));
//!     assert_eq!(gc.size_of(kept), 24);
//!     gc.scan_stack(core::ptr::null()); // from now on no stack is looked at; in `main`, an address of a local variable
//! }
//! // What must not be interrupted; what objects hold elsewhere; where a collection may come.
//! gc.inhibit();
//! gc.external(1 << 10);
//! gc.allow();
//! gc.safepoint();
//! let inside = kept.addr().get() + 5;
//! assert_eq!(gc.find_start(inside), Some(kept));
//! let object: Object = gc.find(inside).expect("it points into an object");
//! let mut objects: Objects<'_> = gc.objects();
//! assert!(object.len == 24 && objects.any(|it| it == object));
//! let checked: Result<(), Fault> = gc.check();
//! checked.expect("the heap is whole");
//! let stats: Stats = gc.stats();
//! assert!(stats.collections >= 2 && gc.embedder().live <= stats.live);
//! // SAFETY: no object is used any more.
//! let _language = unsafe { gc.release() };
//! ```

mod alloc;
mod check;
mod collector;
mod handles;
mod lists;
mod map;
mod mark;
mod policy;
mod roots;
mod shelves;
mod space;
mod stack;
mod stats;
mod sweep;
mod walk;
mod weak;

/// The guide for embedders, whose example is a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/collector.md")]
struct Guide;

pub use check::Fault;
pub use collector::Collector;
pub use handles::Handle;
pub use map::GRANULE;
pub use mark::{Embedder, Marker};
pub use policy::{Growth, Kind, Policy};
pub use roots::data_segments;
pub use space::HeapError;
pub use stats::{Event, Stats};
pub use walk::{Object, Objects};
pub use weak::{Ephemerons, Weak};
