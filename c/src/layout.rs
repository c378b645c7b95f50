//! The layout of every structure that C sees, as numbers. `tests/c/layout.c` has the same, from the header.

use core::mem::offset_of;

use crate::files::{rt0_flock, rt0_stat};
use crate::gc::{rt0_gc_policy, rt0_gc_stats};
use crate::heap::{rt0_heap_policy, rt0_heap_stats};
use crate::limit::rt0_decision;
use crate::sys::{rt0_rlimit, rt0_timespec};
use crate::thread::{rt0_lock, rt0_thread};

/// Bytes of a word.
const W: usize = size_of::<usize>();
/// Bytes of a word and two ints.
const A: usize = W + 8;
/// The alignment of 64-bit fields: a word on x86 (System V ABI, Intel386 supplement), eight bytes elsewhere.
const L: usize = align_of::<u64>();

const _: () = {
    assert!(size_of::<rt0_timespec>() == 16 && offset_of!(rt0_timespec, nanoseconds) == 8);
    assert!(size_of::<rt0_stat>() == 56 && offset_of!(rt0_stat, size) == 24 && offset_of!(rt0_stat, modified) == 32);
    assert!(offset_of!(rt0_stat, mode) == 48 && offset_of!(rt0_stat, reserved) == 52);
    assert!(size_of::<rt0_flock>() == 24 && offset_of!(rt0_flock, pid) == 4 && offset_of!(rt0_flock, length) == 16);
    assert!(size_of::<rt0_rlimit>() == 16 && offset_of!(rt0_rlimit, hard) == 8);
    assert!(size_of::<rt0_lock>() == 8 && size_of::<rt0_thread>() == 4 * W);
    assert!(size_of::<rt0_heap_stats>() == 8 * W && offset_of!(rt0_heap_stats, segments) == 7 * W);

    assert!(offset_of!(rt0_heap_policy, flags) == W && offset_of!(rt0_heap_policy, reserved) == W + 4);
    let policy = (W + 8).next_multiple_of(L);
    assert!(offset_of!(rt0_heap_policy, allowance) == policy && offset_of!(rt0_heap_policy, huge_from) == policy + 24);
    assert!(size_of::<rt0_heap_policy>() == policy + 32);

    assert!(offset_of!(rt0_gc_policy, growth) == W + 4 && offset_of!(rt0_gc_policy, allowance) == policy);
    assert!(offset_of!(rt0_gc_policy, handles) == policy + 24 && offset_of!(rt0_gc_policy, roots) == policy + 32);
    assert!(offset_of!(rt0_gc_policy, mark_more) == policy + 32 + 2 * W);
    assert!(offset_of!(rt0_gc_policy, before_sweep) == policy + 32 + 3 * W);
    assert!(size_of::<rt0_gc_policy>() == (policy + 32 + 4 * W).next_multiple_of(L));
    let pauses = (10 * W).next_multiple_of(L);
    assert!(offset_of!(rt0_gc_stats, handles) == 9 * W && offset_of!(rt0_gc_stats, longest_pause) == pauses);
    assert!(size_of::<rt0_gc_stats>() == pauses + 16);

    let limit = A.next_multiple_of(L);
    assert!(offset_of!(rt0_decision, limit_source) == W && offset_of!(rt0_decision, limit) == limit);
    assert!(offset_of!(rt0_decision, asked) == limit + 64 && offset_of!(rt0_decision, tries) == limit + 72);
    assert!(offset_of!(rt0_decision, unaligned_address) == limit + 88);
    assert!(offset_of!(rt0_decision, failed) == limit + 96);
    let words = (limit + 100).next_multiple_of(L);
    assert!(offset_of!(rt0_decision, private_words) == words && size_of::<rt0_decision>() == words + 256);
};
