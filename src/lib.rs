//! rt0
#![no_std]
pub mod heap;
pub mod lock;
pub mod malloc;
pub mod sys;
pub use heap::Heap;
