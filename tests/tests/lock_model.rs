//! The words of rt0's lock, and of its other half for an owner, in every order of steps that two or three threads can take, by loom: nobody is kept out for
//! ever, no two are in at once, and each wake-up is for one thread that has counted itself among the sleepers.
//!
//! The source is rt0's own, `src/lock/word.rs` and `src/lock/bias.rs`. What it takes from the module above it is made of loom's parts here.

#[path = "../../src/lock"]
mod lock {
    use std::sync::atomic::Ordering::Relaxed;

    use std::sync::atomic::Ordering::SeqCst;

    use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, fence};

    mod bias;
    mod word;

    pub(super) struct Bias {
        pub(super) owner: AtomicUsize,
        pub(super) inside: AtomicU32,
    }

    impl Bias {
        pub(super) fn new() -> Bias {
            Bias { owner: AtomicUsize::new(0), inside: AtomicU32::new(0) }
        }
    }

    /// What the kernel promises of the two halves together is what two fences promise.
    fn order_own() {
        fence(SeqCst);
    }

    fn order_others() {
        fence(SeqCst);
    }

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

use lock::{Bias, Lock};
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
    contend_after(|_| (), times, preemptions);
}

/// The same, and what the first does before.
fn contend_after(first: fn(&Lock), times: &'static [usize], preemptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.max_branches = 100_000;
    model.check(move || {
        let guarded = Guarded::new();
        first(&guarded.lock);
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

/// In the copy of a process neither those are there who slept nor the one that was woken.
#[test]
fn two_threads_of_a_copy_in_every_order() {
    let first = |lock: &Lock| {
        lock.lock();
        // Held, one is awake, two sleep.
        lock.state.store(1 | 1 << 1 | 2 << 2, Relaxed);
        lock.token.store(1, Relaxed);
        lock.forget();
        lock.unlock();
    };
    contend_after(first, &[1, 1], None);
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

/// What a front of the heap is: a number that its owner may touch, and who holds its lock and keeps the owner out.
struct Front {
    guarded: Guarded,
    bias: Bias,
}

impl Front {
    fn new() -> Arc<Front> {
        let guarded = Guarded { lock: Lock::new(), number: UnsafeCell::new(0) };
        Arc::new(Front { guarded, bias: Bias::new() })
    }

    fn count(&self) {
        // SAFETY: the caller is inside alone, which is the claim under test.
        self.guarded.number.with_mut(|number| unsafe { *number += 1 });
    }

    /// As a thread of the heap that has no front yet or finds this one to be its own.
    fn use_as(&self, thread: usize) {
        if self.bias.enter(thread) {
            self.count();
            self.bias.leave();
        } else {
            self.take(thread, |_| ());
        }
    }

    /// Takes the lock, keeps another owner out, and lets it in again unless that is done before.
    fn take(&self, thread: usize, then: impl Fn(&Bias)) {
        self.guarded.lock.lock();
        if self.bias.keep_out(Some(thread)) {
            while !self.bias.is_left() {
                loom::thread::yield_now();
            }
        }
        self.count();
        then(&self.bias);
        self.bias.let_in();
        self.guarded.lock.unlock();
    }
}

/// Numbers of threads: even, and not 0.
const OWNER: usize = 2;
const OTHERS: [usize; 2] = [4, 6];

/// An owner that goes in twice, and what each of others does meanwhile.
fn bias(others: &'static [fn(&Front, usize)], preemptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.max_branches = 100_000;
    model.check(move || {
        let front = Front::new();
        front.bias.claim(OWNER);
        let others: Vec<_> = others
            .iter()
            .zip(OTHERS)
            .map(|(work, thread)| {
                let front = front.clone();
                loom::thread::spawn(move || work(&front, thread))
            })
            .collect();
        let count = others.len();
        front.use_as(OWNER);
        front.use_as(OWNER);
        others.into_iter().for_each(|other| other.join().unwrap());
        front.take(OTHERS[0], |_| ());
        // SAFETY: nobody else is there.
        assert_eq!(front.guarded.number.with(|number| unsafe { *number }), 3 + count);
    });
}

#[test]
fn an_owner_is_kept_out_in_every_order() {
    bias(&[|front, thread| front.take(thread, |_| ())], None);
}

#[test]
fn what_an_owner_has_lost_is_everybodys() {
    bias(&[|front, thread| front.take(thread, Bias::disown)], None);
}

#[test]
fn two_keep_an_owner_out_with_three_preemptions() {
    bias(&[|front, thread| front.take(thread, |_| ()), |front, thread| front.take(thread, Bias::disown)], Some(3));
}

/// Nobody owns it yet, and two come at once: one of them does then, and the other one keeps it out.
#[test]
fn two_claim_at_once_with_two_preemptions() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
    model.check(|| {
        let front = Front::new();
        let come = |front: &Front, thread| {
            front.take(thread, |bias| _ = bias.claim(thread));
            front.use_as(thread);
        };
        let other = loom::thread::spawn({
            let front = front.clone();
            move || come(&front, OTHERS[0])
        });
        come(&front, OWNER);
        other.join().unwrap();
        assert!(front.bias.is_owned() && (front.bias.is_of(OWNER) != front.bias.is_of(OTHERS[0])));
        front.take(OTHERS[1], |_| ());
        // SAFETY: nobody else is there.
        assert_eq!(front.guarded.number.with(|number| unsafe { *number }), 5);
    });
}

/// The owner goes in at the moment in which it is kept out, and the copy of the process is made before it sees that.
#[test]
fn nobody_waits_for_an_owner_that_is_not_in_the_copy() {
    loom::model(|| {
        let bias = Bias::new();
        assert!(bias.claim(2) && bias.enter(2) && bias.mark_out(None));
        assert!(!bias.is_left());
        bias.forget_owner();
        assert!(bias.is_left());
        bias.let_in();
        assert!(bias.enter(2));
    });
}
