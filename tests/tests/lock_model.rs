//! The words of rt0's lock in every order of steps that two or three threads can take, by loom: nobody is kept out for
//! ever, no two are in at once, and each wake-up is for one thread that has counted itself among the sleepers.
//!
//! The source is rt0's own, `src/lock/word.rs`. What it takes from the module above it is made of loom's parts here.

#[path = "../../src/lock"]
mod lock {
    use std::sync::atomic::Ordering::Relaxed;

    use loom::sync::atomic::{AtomicBool, AtomicU32};

    mod word;

    pub(super) struct Lock {
        pub(super) state: AtomicU32,
        pub(super) token: AtomicU32,
    }

    loom::lazy_static! {
        static ref ONE_THREAD: AtomicBool = AtomicBool::new(false);
    }

    impl Lock {
        pub(super) fn new() -> Lock {
            Lock { state: AtomicU32::new(0), token: AtomicU32::new(0) }
        }

        pub(super) fn lock(&self) {
            if !self.try_lock() {
                self.wait();
            }
        }

        pub(super) fn try_lock(&self) -> bool {
            self.take_alone() || self.take()
        }

        pub(super) fn unlock(&self) {
            self.give();
        }

        pub(super) fn unlock_unawaited(&self) {
            self.give_unawaited();
        }
    }

    fn has_one_thread() -> bool {
        ONE_THREAD.load(Relaxed)
    }

    pub(super) fn set_one_thread(value: bool) {
        ONE_THREAD.store(value, Relaxed);
    }

    /// A waiter that looks once: whatever it sees later it could have seen then.
    const LOOKS: u32 = 1;

    fn pause(_: u32) {}

    /// The kernel's part: to look at the word and to fall asleep is one step.
    pub(super) mod futex {
        use std::sync::atomic::Ordering::Relaxed;

        use loom::sync::atomic::AtomicU32;
        use loom::sync::{Condvar, Mutex};

        loom::lazy_static! {
            static ref QUEUE: Mutex<()> = Mutex::new(());
            static ref SLEEPERS: Condvar = Condvar::new();
        }

        pub(super) fn wait(word: &AtomicU32, value: u32) {
            let queue = QUEUE.lock().unwrap();
            if word.load(Relaxed) == value {
                drop(SLEEPERS.wait(queue).unwrap());
            }
        }

        pub(super) fn wake_one(_: &AtomicU32) {
            let _queue = QUEUE.lock().unwrap();
            SLEEPERS.notify_one();
        }
    }
}

use std::sync::atomic::Ordering::Relaxed;

use lock::Lock;
use loom::cell::UnsafeCell;
use loom::sync::Arc;

/// A number that only the holder of the lock may touch: loom fails when two do.
struct Guarded {
    lock: Lock,
    number: UnsafeCell<usize>,
}

// SAFETY: this is the claim under test.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn new() -> Arc<Guarded> {
        Arc::new(Guarded { lock: Lock::new(), number: UnsafeCell::new(0) })
    }

    fn add(&self) {
        self.lock.lock();
        // SAFETY: the lock is held.
        self.number.with_mut(|number| unsafe { *number += 1 });
        self.lock.unlock();
    }
}

/// Threads that take the lock this many times each, the first among them.
fn contend(times: &'static [usize], preemptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.max_branches = 100_000;
    model.check(move || {
        let guarded = Guarded::new();
        let others: Vec<_> = times[1..]
            .iter()
            .map(|times| {
                let guarded = guarded.clone();
                loom::thread::spawn(move || (0..*times).for_each(|_| guarded.add()))
            })
            .collect();
        (0..times[0]).for_each(|_| guarded.add());
        others.into_iter().for_each(|other| other.join().unwrap());
        guarded.lock.lock();
        // SAFETY: the lock is held.
        assert_eq!(guarded.number.with(|number| unsafe { *number }), times.iter().sum());
        // Nobody is counted who does not sleep, nobody is taken to be awake, and every wake-up was accepted.
        let words = [&guarded.lock.state, &guarded.lock.token].map(|word| word.load(Relaxed));
        assert_eq!(words, [1, 0]);
    });
}

#[test]
fn two_threads_in_every_order() {
    contend(&[1, 1], None);
}

#[test]
fn two_threads_twice_with_four_preemptions() {
    contend(&[2, 2], Some(4));
}

/// Two sleep while the third comes again.
#[test]
fn three_threads_with_three_preemptions() {
    contend(&[2, 1, 1], Some(3));
}

/// As a front of the heap is taken and released: nobody sleeps. Who finds it taken goes elsewhere.
#[test]
fn three_threads_that_do_not_wait() {
    loom::model(|| {
        let guarded = Guarded::new();
        let work = |guarded: &Guarded| {
            let taken = guarded.lock.try_lock();
            if taken {
                // SAFETY: the lock is held.
                guarded.number.with_mut(|number| unsafe { *number += 1 });
                guarded.lock.unlock_unawaited();
            }
            usize::from(taken)
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let guarded = guarded.clone();
                loom::thread::spawn(move || work(&guarded))
            })
            .collect();
        let mut sum = work(&guarded);
        sum += others.into_iter().map(|other| other.join().unwrap()).sum::<usize>();
        assert!(sum > 0 && guarded.lock.try_lock());
        // SAFETY: the lock is held.
        assert_eq!(guarded.number.with(|number| unsafe { *number }), sum);
    });
}

#[test]
fn the_only_thread_is_kept_out_by_itself() {
    loom::model(|| {
        lock::set_one_thread(true);
        let lock = Lock::new();
        assert!(lock.try_lock() && !lock.try_lock());
        lock.unlock();
        assert!(lock.try_lock());
    });
}

/// A lock that is held while the second thread begins, as a gate is, and taken anew by one that has not begun.
#[test]
fn the_second_thread_begins_while_the_lock_is_held() {
    loom::model(|| {
        lock::set_one_thread(true);
        let guarded = Guarded::new();
        guarded.add();
        guarded.lock.lock();
        lock::set_one_thread(false);
        let other = loom::thread::spawn({
            let guarded = guarded.clone();
            move || guarded.add()
        });
        // SAFETY: the lock is held.
        guarded.number.with_mut(|number| unsafe { *number += 1 });
        guarded.lock.unlock();
        guarded.add();
        other.join().unwrap();
        guarded.lock.lock();
        // SAFETY: the lock is held.
        assert_eq!(guarded.number.with(|number| unsafe { *number }), 4);
    });
}
