//! A heap that collects: objects that are freed when nothing refers to them any more.
//!
//! ```text
//!   weak, roots, walk, check   what an embedder may do beside: weak cells, handles, questions, a look at the whole heap
//!   collector                  when to collect, in which order, what to tell the language
//!   lists, handles, stack      what the collector goes through: weak lists, handles, this thread's stack
//!   mark                       what the language says (Embedder), and reaching everything from the roots (Marker)
//!   alloc, sweep               bumps through holes, lets the heap grow; makes holes of what was not reached
//!   space                      one arena: reserve, commit, reset
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
//!   are long and no more; what is free side by side is one hole after each collection.
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

mod alloc;
mod check;
mod collector;
mod handles;
mod lists;
mod map;
mod mark;
mod policy;
mod roots;
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
