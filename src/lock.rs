//! The lock of the heap, and what stands for it where calls never overlap.
//!
//! A program that rt0 started has one thread until it starts another ([`thread::start`](crate::thread::start)). Until
//! then nobody takes a [`Lock`] for what calls nothing, and to take it is no atomic operation: `has_one_thread` tells. A
//! hosted program may have made threads by means that rt0 does not see, so there it never holds.
//!
//! Where there may be several threads, each is known by its thread pointer if that can be read and the kernel can put the
//! steps of others in order (`membarrier`): `calling_thread` tells. Then what one thread uses most is its own by a `Bias`,
//! and costs it no atomic operation either.
//!
//! A lock of one's own:
//!
//! ```
//! use core::sync::atomic::{AtomicBool, Ordering};
//! use rt0::heap::{Heap, SystemMemory};
//! use rt0::lock::{RawMutex, Unlocked};
//!
//! struct Spin(AtomicBool);
//!
//! // SAFETY: the exchange lets one caller in until `unlock`; it acquires what `unlock` has released. Nothing unwinds.
//! unsafe impl RawMutex for Spin {
//!     fn lock(&self) {
//!         while !self.try_lock() {
//!             core::hint::spin_loop();
//!         }
//!     }
//!     fn try_lock(&self) -> bool {
//!         !self.0.swap(true, Ordering::Acquire)
//!     }
//!     unsafe fn unlock(&self) {
//!         self.0.store(false, Ordering::Release);
//!     }
//!     // For a heap whose threads each have lists of their own, a further lock:
//!     fn another() -> Option<Spin> {
//!         Some(Spin(AtomicBool::new(false)))
//!     }
//! }
//!
//! static HEAP: Heap<Spin, SystemMemory> = Heap::from_parts(Spin(AtomicBool::new(false)), SystemMemory::new());
//!
//! // SAFETY: this lock is used by one thread.
//! let none = unsafe { Unlocked::new() };
//! assert!(none.is_alone());
//! // SAFETY: it is held as far as there is something to hold, and nobody waits.
//! unsafe { none.unlock_unawaited() };
//! ```

mod bias;
mod word;

use core::ops::Deref;
use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, compiler_fence};

use crate::arch::thread_pointer;
use crate::os::{futex, membarrier, tls};

/// Keeps the callers of a heap from one another.
///
/// # Safety
///
/// - From the return of `lock`, or of one of the others that says it took it, to the next `unlock` no other one returns
///   so for the same value, on any thread; or whoever made the value has promised, in an unsafe constructor, that none
///   will be called.
/// - What one holder wrote before `unlock`, the next one reads after `lock`: an `unlock` synchronizes with the `lock`
///   that follows it.
/// - Where `is_alone` says so, nobody holds it, and nobody takes it before the calling thread does something that can make
///   another thread or call the heap: it may do what the lock is for without taking it.
/// - This stays so when the value is moved while nobody holds it. A value that was just made is free.
/// - No method unwinds, and none calls the heap that the lock belongs to.
pub unsafe trait RawMutex {
    /// Waits until nobody else holds it, and takes it. Not called by its holder.
    fn lock(&self);

    /// Whether it is free, and no other thread can be there. A kind that cannot know that leaves this out.
    #[inline]
    fn is_alone(&self) -> bool {
        false
    }

    /// Takes it if that needs no waiting; says whether it did. Called only for a kind that has [`another`](RawMutex::another),
    /// which needs one that does not wait, as [`unlock_unawaited`](RawMutex::unlock_unawaited) is.
    #[inline]
    fn try_lock(&self) -> bool {
        self.lock();
        true
    }

    /// Whether a thread may have a front of the heap for its own, into which it goes without this lock, as long as nobody
    /// else wants to go there. It is [`Lock`] that knows how: others leave this out.
    const BIASED: bool = false;

    /// A further one, free. A heap whose lock has it serves several threads side by side, and calls `lock` only where
    /// [`is_alone`](RawMutex::is_alone) says so; without it the heap's calls go one after the other. It is also called to ask
    /// whether there is one, at every call of the heap: it costs nothing and leaves nothing behind.
    #[inline]
    fn another() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Lets the next one have it.
    ///
    /// # Safety
    ///
    /// The caller holds it: its thread has called `lock`, and not `unlock` since.
    unsafe fn unlock(&self);

    /// The same where nobody waits: all who want it call `try_lock` until it succeeds.
    ///
    /// # Safety
    ///
    /// The caller holds it, and nobody is in `lock`.
    #[inline]
    unsafe fn unlock_unawaited(&self) {
        // SAFETY: the caller holds it.
        unsafe { self.unlock() };
    }
}

/// No lock, for a program with one thread. Only an unsafe constructor makes one, so holding one means that somebody has
/// promised that calls do not overlap.
#[derive(Debug)]
pub struct Unlocked(());

impl Unlocked {
    /// Nothing in place of a lock.
    ///
    /// # Safety
    ///
    /// From the return of `lock` to the next `unlock` no other `lock` of this value is called: there is one thread, or
    /// its owner keeps the others away by other means; and neither a signal handler nor anything that runs in between
    /// calls it.
    pub const unsafe fn new() -> Unlocked {
        Unlocked(())
    }
}

// SAFETY: the second half of the first point: `new` is unsafe and asks for just that. One thread, or whatever keeps the
// others away, orders what they write.
unsafe impl RawMutex for Unlocked {
    #[inline]
    fn lock(&self) {}
    #[inline]
    fn is_alone(&self) -> bool {
        true
    }
    #[inline]
    unsafe fn unlock(&self) {}
}

/// A lock whose waiters look for a while whether it is free, then sleep in the kernel (`futex` on Linux, `_umtx_op` on
/// FreeBSD) until they are woken. Not fair, not re-entrant.
///
/// With one thread it costs no atomic operation; with several it costs one to take and one to release. `lock/word.rs`
/// has the rules, and the reason why no wake-up is lost.
///
/// ```
/// use rt0::lock::{Lock, RawMutex};
///
/// static LOCK: Lock = Lock::new();
/// LOCK.lock();
/// // SAFETY: this thread has just taken it.
/// unsafe { LOCK.unlock() };
/// ```
#[derive(Debug)]
pub struct Lock {
    state: AtomicU32,
    token: AtomicU32,
}

impl Lock {
    /// A free lock.
    pub const fn new() -> Lock {
        Lock { state: AtomicU32::new(0), token: AtomicU32::new(0) }
    }

    /// Takes it that nobody waits, for the copy that a fork makes of a process with threads: those who waited are not there,
    /// and a thread of the copy could wait for ever for one of them to go first. The copy's one thread calls this for each
    /// lock that it holds, before it releases it.
    ///
    /// ```
    /// use rt0::lock::{Lock, RawMutex};
    /// use rt0::sys;
    ///
    /// static LOCK: Lock = Lock::new();
    /// LOCK.lock();
    /// // SAFETY: the copy uses a lock that this thread holds, and makes system calls.
    /// let child = unsafe { sys::fork() };
    /// if child == Ok(0) {
    ///     LOCK.forget_waiters();
    /// }
    /// // SAFETY: this thread has taken it; in the copy it is the same thread.
    /// unsafe { LOCK.unlock() };
    /// if child? == 0 {
    ///     sys::exit(0)
    /// }
    /// # Ok::<(), sys::Errno>(())
    /// ```
    #[inline]
    pub fn forget_waiters(&self) {
        self.forget();
    }
}

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}

// SAFETY: `take_alone`, `take` and `wait` say only to the thread that has changed the state from free to held that it did, and only
// `give` and `give_unawaited` make it free again; the one acquires what the other has released. `has_one_thread` holds only while no other thread
// could do either.
unsafe impl RawMutex for Lock {
    const BIASED: bool = true;

    #[inline(never)]
    fn lock(&self) {
        if !self.take_alone() && !self.take() {
            self.wait();
        }
    }

    #[inline]
    fn is_alone(&self) -> bool {
        self.is_free_alone()
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.take()
    }

    #[inline]
    fn another() -> Option<Lock> {
        Some(Lock::new())
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.give();
    }

    #[inline]
    unsafe fn unlock_unawaited(&self) {
        self.give_unawaited();
    }
}

/// What is known of this process's threads. Unknown is zero, so that the static lies in .bss and a program that rt0 did
/// not start is on the safe side.
static THREADS: AtomicU8 = AtomicU8::new(UNKNOWN);

/// There may be several threads, and nobody has looked yet how they can be told apart.
const UNKNOWN: u8 = 0;
/// There is one.
const ONE: u8 = 1;
/// Each has a thread pointer of its own, and the kernel puts the steps of others in order.
const IDENTIFIED: u8 = 2;
/// They cannot be told apart.
const ANONYMOUS: u8 = 3;

/// Whether no thread but this one can take a lock. It never becomes true again once it is false.
#[inline]
fn has_one_thread() -> bool {
    THREADS.load(Relaxed) == ONE
}

/// Says that the calling thread is the only one. What it does to a lock afterwards is in plain steps.
///
/// # Safety
///
/// The kernel has just started this process, and [`expect_threads`] comes before whatever makes its second thread.
pub(crate) unsafe fn begin_with_one_thread() {
    THREADS.store(ONE, Relaxed);
}

/// Says that there may be another thread from now on. It comes before the call that makes the thread, which orders the
/// memory of the two; before that nobody else could read it. A lock may be held meanwhile: its word says so in both
/// ways of working. `identified`: it has a thread pointer of its own.
pub(crate) fn expect_threads(identified: bool) {
    if !identified {
        THREADS.store(ANONYMOUS, Relaxed);
    } else if has_one_thread() {
        THREADS.store(UNKNOWN, Relaxed);
    }
}

/// What tells the calling thread from all others, if that is known: not 0, and even.
#[inline]
pub(crate) fn calling_thread() -> Option<usize> {
    if THREADS.load(Relaxed) != IDENTIFIED {
        return None;
    }
    // SAFETY: `identify` has seen that a thread of this process has a thread pointer, and so each has: who makes one without
    // says so first. What it points to begins with itself on x86 (System V ABI, "Thread-Local Storage").
    Some(unsafe { thread_pointer::read() }.addr())
}

/// Looks, once, how threads can be told apart; answers as [`calling_thread`].
///
/// A thread that has no pointer of its own is expected by `expect_threads`; what a libc starts has one.
#[cold]
#[inline(never)]
pub(crate) fn identify() -> Option<usize> {
    if THREADS.load(Relaxed) == UNKNOWN {
        let known = if membarrier::register().is_ok() && tls::is_set() { IDENTIFIED } else { ANONYMOUS };
        // Another thread may have been faster, or there may be threads without a pointer by now.
        let _ = THREADS.compare_exchange(UNKNOWN, known, Relaxed, Relaxed);
    }
    calling_thread()
}

/// A value that has a line of the processor's caches for itself: all threads look at it, and need not wait for one that
/// writes to what lies beside it.
#[derive(Debug)]
#[repr(align(64))]
struct Line<T>(T);

impl<T> Deref for Line<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A lock's other half, for a thread that goes in much more often than all others (bias.rs). What it keeps is its owner's
/// or is held by its lock; both are fields of the same structure.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Bias {
    owner: Line<AtomicUsize>,
    /// Written by the owner each time.
    inside: AtomicU32,
}

impl Bias {
    /// Nobody's: zeroes.
    pub(crate) const fn new() -> Bias {
        Bias { owner: Line(AtomicUsize::new(0)), inside: AtomicU32::new(0) }
    }
}

/// The owner's half of an order between two steps: the compiler leaves them in order, and `order_others` sees to it that
/// the processor has.
#[inline]
fn order_own() {
    compiler_fence(SeqCst);
}

/// The other half: what every other thread of this process did before is seen, and what it does later sees what this
/// thread did before.
pub(crate) fn order_others() {
    if membarrier::order_others().is_err() {
        order_is_refused();
    }
}

/// Ends the process: without the order nobody could go on, since what the owner does might not be seen. Not by unwinding,
/// which no lock may do: out of a C function a panic goes no further.
#[cold]
#[inline(never)]
extern "C" fn order_is_refused() -> ! {
    panic!("the kernel refuses membarrier, which it had promised")
}

/// How often a waiter looks at the lock before it sleeps. It waits between two looks, each time twice as long: 2047
/// pauses in all, which take about as long as to sleep and be woken.
const LOOKS: u32 = 11;

/// Lets some time pass that a processor can spend on its other thread.
fn pause(times: u32) {
    for _ in 0..times {
        core::hint::spin_loop();
    }
}
