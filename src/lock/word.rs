//! The words of a [`Lock`]: how it is taken, waited for and passed on.
//!
//! ```text
//!     state   bit 0        HELD    a thread has the lock
//!             bit 1        AWAKE   a sleeper was woken that has neither taken the lock nor gone back to sleep
//!             other bits   how many threads sleep, in units of SLEEPER
//!     token   1            a wake-up that no sleeper has accepted yet
//! ```
//!
//! Nothing is lost, and nobody is woken in vain:
//!
//! - A thread counts itself among the sleepers in the same step in which it sees HELD. So whoever makes the lock free
//!   after that sees the sleeper.
//! - Who makes the lock free and sees sleepers takes one off their number and wakes it, unless the lock has been taken
//!   again or AWAKE is set. In the first case the one who took it will do so, in the second the one who is awake: it
//!   either gets the lock, and makes it free later, or counts itself among the sleepers again when it sees HELD.
//! - A wake-up is a token, which stays until somebody accepts it: a thread that has counted itself but does not sleep
//!   yet finds it. AWAKE is set before the token is there and cleared after it was accepted, so there is one at most.
//!
//! Nothing here names a kernel or a kind of atomic integer: the module above supplies them. A model checker puts its
//! own in their place and tries every order of steps (`tests/tests/lock_model.rs`).

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{LOOKS, Lock, futex, has_one_thread, pause};

/// A new lock's state.
const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAKE: u32 = 2;
const SLEEPER: u32 = 4;

impl Lock {
    /// Whether the lock is free and there is no other thread that could take it.
    #[inline]
    pub(super) fn is_free_alone(&self) -> bool {
        has_one_thread() && self.state.load(Relaxed) == FREE
    }

    /// Takes the lock if that is so.
    #[inline]
    pub(super) fn take_alone(&self) -> bool {
        let taken = self.is_free_alone();
        if taken {
            self.state.store(HELD, Relaxed);
        }
        taken
    }

    /// Takes the lock if it is free and nobody waits for it.
    #[inline]
    pub(super) fn take(&self) -> bool {
        self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
    }

    /// Makes the lock free.
    #[inline]
    pub(super) fn give(&self) {
        if has_one_thread() {
            self.state.store(FREE, Relaxed);
        } else {
            let state = self.state.fetch_sub(HELD, Release) - HELD;
            if state != FREE {
                self.wake(state);
            }
        }
    }

    /// Makes the lock free, where nobody waits for it in [`wait`](Lock::wait): a plain store, since there is nobody to wake.
    #[inline]
    pub(super) fn give_unawaited(&self) {
        self.state.store(FREE, Release);
    }

    /// Takes it that nobody waits. The caller is the only thread, and holds the lock.
    pub(crate) fn forget(&self) {
        self.state.store(HELD, Relaxed);
        self.token.store(0, Relaxed);
    }

    /// Takes the lock when it is free.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(&self) {
        // AWAKE, if this is the thread that was woken.
        let mut awake = 0;
        loop {
            for look in 0..LOOKS {
                let state = self.state.load(Relaxed);
                if state & HELD == 0 && self.step(state, (state | HELD) & !awake).is_ok() {
                    return;
                }
                pause(1 << look);
            }
            let mut state = self.state.load(Relaxed);
            loop {
                let free = state & HELD == 0;
                let next = if free { state | HELD } else { state + SLEEPER };
                match self.step(state, next & !awake) {
                    Ok(_) if free => return,
                    Ok(_) => break,
                    Err(now) => state = now,
                }
            }
            while self.token.compare_exchange(1, 0, Acquire, Relaxed).is_err() {
                futex::wait(&self.token, 0);
            }
            awake = AWAKE;
        }
    }

    /// Wakes a sleeper of a lock that was made free, if nobody else is going to.
    #[cold]
    #[inline(never)]
    fn wake(&self, mut state: u32) {
        while state >= SLEEPER && state & (HELD | AWAKE) == 0 {
            match self.step(state, (state - SLEEPER) | AWAKE) {
                Ok(_) => {
                    self.token.store(1, Release);
                    futex::wake_one(&self.token);
                    return;
                }
                Err(now) => state = now,
            }
        }
    }

    /// One step of the state while others take theirs.
    fn step(&self, from: u32, to: u32) -> Result<u32, u32> {
        self.state.compare_exchange(from, to, AcqRel, Relaxed)
    }
}
