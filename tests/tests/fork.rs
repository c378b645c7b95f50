//! A process of several threads forks while they are in its heap, and the copy uses the heap.
//!
//! Who hangs is ended by an alarm, which a fork does not hand on.

use std::alloc::Layout;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, alarm, fork};
use rt0::Heap;

static HEAP: Heap = Heap::new();

extern "C" fn prepare() {
    HEAP.before_fork();
}

extern "C" fn parent() {
    // SAFETY: `fork` has called `prepare`, and calls this in the process that goes on.
    unsafe { HEAP.after_fork_in_parent() };
}

extern "C" fn child() {
    // SAFETY: `fork` has called `prepare`, and calls this in the copy, in its only thread.
    unsafe { HEAP.after_fork_in_child() };
}

unsafe extern "C" {
    safe fn pthread_atfork(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) -> i32;
    safe fn _exit(status: i32) -> !;
}

/// Allocates and frees blocks with a class and without.
fn use_heap(rounds: usize) {
    for round in 0..rounds {
        for size in [16, 500, 9000, 100_000 + 5000 * (round % 30)] {
            let layout = Layout::from_size_align(size, 16).unwrap();
            let block = HEAP.allocate(layout).expect("there is room");
            // SAFETY: the block is as long as that and ours; it is not used again.
            unsafe {
                block.write_bytes(round as u8, 16);
                assert_eq!(block.add(15).read(), round as u8);
                HEAP.deallocate(block, layout);
            }
        }
    }
}

#[test]
fn a_copy_of_a_process_with_threads_can_use_the_heap() {
    assert_eq!(pthread_atfork(prepare, parent, child), 0);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    use_heap(1);
                }
            });
        }
        use_heap(10);
        for number in 0..200 {
            alarm::set(60);
            // SAFETY: the copy calls nothing but the heap, whose locks are free there, and the kernel.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => {
                    alarm::set(20);
                    use_heap(40);
                    // All fronts are looked into: none is held by a thread that is not there.
                    HEAP.trim();
                    _exit(if HEAP.check().is_ok() { 0 } else { 1 });
                }
                ForkResult::Parent { child } => {
                    let ended = waitpid(child, None).unwrap();
                    if ended != WaitStatus::Exited(child, 0) {
                        over.store(true, Relaxed);
                    }
                    assert_eq!(ended, WaitStatus::Exited(child, 0), "copy {number}");
                }
            }
        }
        alarm::set(60);
        over.store(true, Relaxed);
    });
    alarm::cancel();
    assert_eq!(HEAP.check(), Ok(()));
    assert_eq!(HEAP.stats().live, 0);
}
