//! rt0 for C: every function of `rt0.h`.
//!
//! The header is generated from these files, comments and all: what is said here is written for the author of a C
//! program. Each function is a thin layer on rt0's public interface; three rules hold for all of them:
//!
//! - Errors are values. A function that answers an `int`, an `intptr_t` or an `int64_t` answers the kernel's error number, negated;
//!   one that answers a pointer answers null. Nothing ends the process but `rt0_exit`, and nothing is printed, unless a
//!   promise was broken and that is noticed, as a block that is freed twice may be: one line on fd 2 then, and status 2.
//! - No global is written but what is known of the process: how it started, and its threads.
//! - A null pointer, a size that no object can have and an alignment that is no power of two are errors, not undefined.
//!
//! | file | what |
//! |---|---|
//! | `heap` | a heap as a value, for callers that know the sizes of their blocks |
//! | `malloc` | the same for those who do not: a prefix holds the size |
//! | `gc` | a heap that collects |
//! | `limit` | the limit, the decision, the line that says why there is no arena |
//! | `space` | address space: reserve, commit, reset, release |
//! | `sys` | system calls, typed and raw |
//! | `files` | those on files and terminals, and random bytes |
//! | `thread` | threads and a lock |
//! | `start` | environment, auxiliary vector |

#![no_std]
#![allow(non_camel_case_types, reason = "these are the names that C sees")]

pub mod error;
pub mod files;
pub mod gc;
pub mod heap;
mod layout;
pub mod limit;
pub mod malloc;
pub mod space;
pub mod start;
pub mod sys;
pub mod thread;

pub use rt0_c_start::{rt0_start, rt0_start_by_script};

/// A panic is a mistake of this library, or a promise of the caller's that was broken and is noticed: a block given back
/// that is not one of the heap's, or is free already.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    rt0::start::panic(info)
}
