//! A fork in a process of several threads. The copy has one of them, the caller, and everything else as it was at
//! that moment: a lock that another thread held is held there for ever, and what it guards may be half changed. So the
//! caller takes all locks before, and in the copy forgets the threads that are gone.

use super::fronts::Held;
use super::{Heap, Hold, Memory};
use crate::lock::RawMutex;

impl<L: RawMutex, M: Memory> Heap<L, M> {
    /// Takes all locks of the heap, so that it is whole in the copy that a fork makes of the process. Every other
    /// thread that wants what is locked waits until [`after_fork_in_parent`](Heap::after_fork_in_parent). Until then
    /// the calling thread does not use the heap: it would wait for ever. It is for `pthread_atfork`, in a program with
    /// a C library:
    ///
    /// ```
    /// static HEAP: rt0::Heap = rt0::Heap::new();
    ///
    /// extern "C" fn prepare() {
    ///     HEAP.before_fork();
    /// }
    /// extern "C" fn parent() {
    ///     // SAFETY: `fork` has called `prepare`, and calls this in the process that goes on.
    ///     unsafe { HEAP.after_fork_in_parent() };
    /// }
    /// extern "C" fn child() {
    ///     // SAFETY: `fork` has called `prepare`, and calls this in the copy, in its only thread.
    ///     unsafe { HEAP.after_fork_in_child() };
    /// }
    /// unsafe extern "C" {
    ///     safe fn pthread_atfork(prepare: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) -> i32;
    /// }
    ///
    /// // Before anybody else does: who registers first is called last before the fork, and first after it.
    /// assert_eq!(pthread_atfork(prepare, parent, child), 0);
    /// ```
    ///
    /// Around [`sys::fork`](crate::sys::fork) and its like, of which no C library knows, they are called by hand.
    pub fn before_fork(&self) {
        // What is held has no destructor: it stays so.
        let _ = self.hold_all();
    }

    /// Releases in the process that goes on what [`before_fork`](Heap::before_fork) has taken, whether or not there was
    /// a fork.
    ///
    /// # Safety
    ///
    /// This thread has called `before_fork`, and since then nothing else of this heap.
    pub unsafe fn after_fork_in_parent(&self) {
        let held = Held::by_lock(self.fronts.first());
        // SAFETY: the caller says that this thread holds all there is.
        unsafe { self.finish(Hold { held, all: true }) };
    }

    /// The same in the copy. What was in the lists of threads that are not there is the heap's as before: it goes to
    /// whoever asks for it.
    ///
    /// A lock of a kind of the caller's own ([`RawMutex`]) must bear it that those who waited for it are not there any
    /// more.
    ///
    /// # Safety
    ///
    /// This process is a copy that was made by a fork, and has one thread. That thread had called `before_fork` before,
    /// and nothing else of this heap since then.
    pub unsafe fn after_fork_in_child(&self) {
        // A thread may have gone as far as to see that it is kept out, and nobody would ever see it leave.
        self.fronts.first().bias.forget_owner();
        self.fronts.further().for_each(|front| front.bias.forget_owner());
        if self.several() {
            self.gate.forget_waiters();
        }
        // SAFETY: the caller says that its thread, which is this one, holds all there is.
        unsafe { self.after_fork_in_parent() };
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::alloc::Layout;
    use std::sync::Barrier;
    use std::thread;
    use std::vec::Vec;

    use crate::{Heap, lock};

    /// An owner went in at the moment in which it was kept out, and the copy was made before it saw that and left.
    #[test]
    fn nobody_waits_for_an_owner_that_is_not_in_the_copy() {
        let heap = Heap::new();
        let barrier = Barrier::new(3);
        let use_heap = || {
            let layout = Layout::new::<[u64; 8]>();
            let block = heap.allocate(layout).expect("there is room");
            // SAFETY: the block is the heap's, and not used again.
            unsafe { heap.deallocate(block, layout) };
            // All have a thread pointer of their own until each has a front.
            barrier.wait();
            lock::identify()
        };
        let owners: Option<Vec<usize>> = thread::scope(|scope| {
            let threads = [(); 3].map(|()| scope.spawn(use_heap));
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
        });
        let Some(owners) = owners else { return }; // The kernel has no membarrier.
        heap.before_fork();
        let fronts = || core::iter::once(heap.fronts.first()).chain(heap.fronts.further());
        assert_eq!(fronts().count(), 3);
        for front in fronts() {
            front.bias.let_in();
            assert!(owners.iter().any(|owner| front.bias.enter(*owner)), "each has its owner");
        }
        // SAFETY: nobody else uses the heap, as in a copy.
        unsafe { heap.after_fork_in_child() };
        assert!(fronts().all(|front| front.bias.is_left()));
        heap.trim();
        assert_eq!(heap.check(), Ok(()));
    }
}
