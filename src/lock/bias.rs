//! A bias: one thread, the owner, goes in and out by plain steps, and whoever else wants to go in keeps it out first.
//!
//! ```text
//!     owner     0                     nobody's yet
//!               a thread              that thread's
//!               a thread, with OUT    that thread's, which is kept out for a while
//!               OUT                   nobody's ever again
//!     inside    1                     the owner is inside
//!
//!     the owner                           another, who holds the lock
//!       is it mine?                         owner = owner with OUT
//!       inside = 1                          put the steps of others in order
//!       (put own steps in order)            wait until inside = 0
//!       is it still mine?                   ... inside ...
//!         yes:  ... inside ...              owner = owner without OUT
//!         no:   inside = 0, by the lock     unlock
//!       inside = 0
//! ```
//!
//! Nobody is inside at the same time as another: the owner stores `inside` before it looks at `owner`, the other stores
//! `owner` before it looks at `inside`, and the order between the two steps is kept on both sides; so at least one of them
//! sees the other. A processor would take two such steps in any order, and to forbid it that at each call is what an
//! atomic operation costs; so the rare side pays for both (`membarrier`; a model checker has two fences there).
//!
//! `inside` is written by one thread alone, ever: an owner that has looked at `owner` once and then does not run for a
//! while may store to it at any later time. So what has had an owner is never another's, only everybody's.
//!
//! Nothing here names a kernel or a kind of atomic integer, as in word.rs.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{Bias, order_others, order_own};

const NOBODY: usize = 0;
/// The owner is kept out. No thread's number is odd.
const OUT: usize = 1;

impl Bias {
    /// Goes in, if the calling thread is the owner and not kept out.
    #[inline]
    pub(crate) fn enter(&self, thread: usize) -> bool {
        self.is_open_to(thread) && self.enter_open(thread)
    }

    /// The same where the calling thread has just seen that it is the owner.
    #[inline]
    pub(crate) fn enter_open(&self, thread: usize) -> bool {
        self.inside.store(1, Relaxed);
        order_own();
        // It acquires what the last one wrote who kept it out.
        let mine = self.owner.load(Acquire) == thread;
        if !mine {
            self.leave();
        }
        mine
    }

    /// Goes out again.
    #[inline]
    pub(crate) fn leave(&self) {
        self.inside.store(0, Release);
    }

    /// Whether the calling thread is the owner and not kept out, as far as it can tell without going in.
    #[inline]
    pub(crate) fn is_open_to(&self, thread: usize) -> bool {
        self.owner.load(Relaxed) == thread
    }

    /// Whether this is the calling thread's, be it kept out or not.
    pub(crate) fn is_of(&self, thread: usize) -> bool {
        self.owner.load(Relaxed) & !OUT == thread
    }

    /// Whether it is a thread's, be that kept out or not.
    pub(crate) fn is_owned(&self) -> bool {
        self.owner.load(Relaxed) & !OUT != NOBODY
    }

    /// Makes the calling thread, which holds the lock, the owner, if it is nobody's yet; whether it was.
    pub(crate) fn claim(&self, thread: usize) -> bool {
        let free = self.owner.load(Relaxed) == NOBODY;
        if free {
            self.owner.store(thread, Relaxed);
        }
        free
    }

    /// Keeps the owner out. The caller holds the lock. True if it may be inside yet: then `is_left` has to say that it is
    /// not.
    #[must_use]
    pub(crate) fn keep_out(&self, caller: Option<usize>) -> bool {
        let marked = self.mark_out(caller);
        if marked {
            order_others();
        }
        marked
    }

    /// The first half of it, for several at once: after all of them comes one [`order_others`].
    #[must_use]
    pub(crate) fn mark_out(&self, caller: Option<usize>) -> bool {
        let owner = self.owner.load(Relaxed);
        if owner & !OUT == NOBODY || Some(owner) == caller {
            return false;
        }
        self.owner.store(owner | OUT, Relaxed);
        true
    }

    /// Whether the owner, which is kept out, is not inside any more.
    pub(crate) fn is_left(&self) -> bool {
        self.inside.load(Acquire) == 0
    }

    /// Lets the owner in again, if it is kept out. The caller holds the lock.
    pub(crate) fn let_in(&self) {
        let owner = self.owner.load(Relaxed);
        if owner & OUT != 0 && owner != OUT {
            self.owner.store(owner & !OUT, Release);
        }
    }

    /// Makes it nobody's for ever, if the owner, another thread than the caller, is kept out. The caller holds the lock, and
    /// the owner is not inside.
    pub(crate) fn disown(&self) {
        if self.owner.load(Relaxed) & OUT != 0 {
            self.owner.store(OUT, Relaxed);
        }
    }

    /// Takes the owner to be outside: in the copy of a process it may not be there, and so would never leave. The caller
    /// is the only thread, and not inside.
    pub(crate) fn forget_owner(&self) {
        self.inside.store(0, Relaxed);
    }
}
