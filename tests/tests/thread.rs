//! The library's threads in a program of the host: which stacks a thread may have.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use rt0::sys::Errno;
use rt0::thread::{STACK_MIN, start};

/// A value that the compiler places on the stack and takes to be aligned.
#[repr(align(16))]
struct Aligned([u8; 16]);

/// Adds 1 to the counter that the argument points to, or a large number if the stack is not aligned. It uses no
/// thread-local storage.
fn work(count: *mut ()) {
    let local = black_box(Aligned([1; 16]));
    let aligned = (&raw const local).addr().is_multiple_of(16);
    // SAFETY: the tests below give it a counter that outlives the thread.
    let count = unsafe { &*count.cast::<AtomicUsize>() };
    count.fetch_add(if aligned { usize::from(local.0[15]) } else { 1 << 20 }, Relaxed);
}

#[test]
fn a_stack_begins_and_ends_anywhere_and_comes_back() {
    let count = AtomicUsize::new(0);
    let mut memory = vec![MaybeUninit::<u8>::uninit(); 4 * STACK_MIN];
    let mut started = 0;
    for low in 0..17 {
        for cut in 0..17 {
            let end = memory.len() - cut;
            let stack = NonNull::from(&mut memory[low..end]);
            let stack = NonNull::slice_from_raw_parts(stack.cast::<u8>(), stack.len());
            // SAFETY: only the thread uses the memory until it is joined, and it is enough; the counter is atomic.
            let thread = unsafe { start(stack, work, ptr::from_ref(&count).cast_mut().cast()) }.unwrap();
            assert_eq!(thread.join(), stack);
            started += 1;
            assert_eq!(count.load(Relaxed), started, "{low} {cut}");
        }
    }
}

#[test]
fn a_stack_that_is_too_short_is_refused() {
    let mut memory = vec![0u8; STACK_MIN - 1];
    // SAFETY: the memory is ours; `work` is never called.
    let refused = unsafe { start(NonNull::from(&mut memory[..]), work, ptr::null_mut()) };
    assert_eq!(refused.err(), Some(Errno::EINVAL));
}

/// The thread pointer is the C library's, and so are the handlers.
#[test]
fn a_program_that_rt0_did_not_start_keeps_its_thread_pointer() {
    assert!(rt0::thread::current().is_none() && rt0::thread::id().is_none());
    // SAFETY: it is rt0's own.
    assert_eq!(unsafe { rt0::fault::catch(rt0::fault::report) }.err(), Some(Errno::ENOSYS));
}
