//! Faults that say what they are: a stack that has overflowed ends the process with one line and status 2, in place of a
//! SIGSEGV of which nobody knows the reason.
//!
//! `rt0::entry!(main, faults = rt0::fault::report)` asks for it. Handlers of SIGSEGV and SIGBUS run on stacks of their own,
//! one for each thread, since there is no room on one that is used up. Any other fault stays what it is: the handler says
//! where it was and returns, with the kernel's default action set again, and the instruction faults anew. So is an overflow by
//! a frame that is large enough to lie beyond what is kept free below a stack: see [`Stack`](crate::thread::Stack).
//!
//! ```no_run
//! # fn in_a_program_that_rt0_started() -> Result<(), rt0::sys::Errno> {
//! use rt0::fault::{self, Fault};
//!
//! fn told(fault: &Fault) {
//!     if fault.overflow {
//!         rt0::eprintln!("too deep: thread {} has used {} bytes", fault.thread, fault.stack.len());
//!     } else {
//!         fault::report(fault);
//!     }
//! }
//!
//! // SAFETY: `told` uses its arguments and fd 2, and nothing else.
//! unsafe { fault::catch(told) }?;
//! # Ok(())
//! # }
//! ```
//!
//! A fault can come in the midst of anything, of the heap too, so a function of one's own is a promise: [`catch`] is unsafe.
//! [`entry!`](crate::entry) takes none but rt0's.

use core::cell::UnsafeCell;
use core::mem::transmute;
use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::Relaxed;

use crate::io;
use crate::sys::{self, Errno, SA_ONSTACK, SEGV_MAPERR, SI_KERNEL, SIGBUS, SIGSEGV, SigAction, SigInfo};
use crate::thread::{self, ALTERNATE_SIZE};

/// A fault: an access to memory that is not there or forbidden, or a signal that says so.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The signal, `SIGSEGV` or `SIGBUS`.
    pub signal: i32,
    /// What was accessed; `None` if the processor does not say it, as for an address that none can be (amd64: one between the
    /// halves of the address space) and for a privileged instruction, if the stack had no room for another signal's handler
    /// (Linux), and if the signal was sent. FreeBSD tells the instruction's address where the processor does not say one.
    pub address: Option<usize>,
    /// Whether the signal was sent by somebody, and nothing was accessed.
    pub sent: bool,
    /// The number of the thread ([`Current::id`](crate::thread::Current::id)).
    pub thread: usize,
    /// The thread's stack ([`Current::stack`](crate::thread::Current::stack)).
    pub stack: Range<usize>,
    /// Whether this is the end of the thread's stack. Then the process ends with status 2 when the function that was given
    /// to [`catch`] returns.
    pub overflow: bool,
}

/// How far below the first thread's stack an access is still taken for one of its own: what Linux keeps free there
/// (`mm/mmap.c`, `stack_guard_gap`, 256 pages).
const GAP: usize = 1 << 20;

/// The first thread's alternate stack.
#[repr(align(16))]
struct Alternate(UnsafeCell<[u8; ALTERNATE_SIZE]>);

// SAFETY: the kernel and the first thread's handlers alone write to it.
unsafe impl Sync for Alternate {}

static ALTERNATE: Alternate = Alternate(UnsafeCell::new([0; ALTERNATE_SIZE]));

/// The function that is called, a `fn(&Fault)`; null before there is one.
static REPORT: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Calls `report` at each fault, on a stack of its own, in the thread that faulted. Threads that are started later have
/// the same; their alternate stack is part of their stack, which has to be
/// [`ALTERNATE_FROM`](crate::thread::ALTERNATE_FROM) bytes long for that, and longer by the program's thread-local
/// variables. The first thread gets its alternate stack when it calls this itself. Where a thread has none, an overflow is
/// the kernel's to report, and any other fault is told on the stack that the thread is on.
///
/// A second call replaces the function.
///
/// # Errors
///
/// `ENOSYS` in a program that rt0 did not start, where the handlers are somebody else's; what the kernel says.
///
/// # Safety
///
/// `report` may be called in any thread between any two instructions, also in several threads at once. What it has
/// interrupted may be in the midst of a change and may hold locks: so it uses no heap, takes no lock that others take, and
/// neither reads nor writes what others change but by atomic operations. [`report`] is such a function.
#[inline]
pub unsafe fn catch(report: fn(&Fault)) -> Result<(), Errno> {
    let current = thread::current().ok_or(Errno::ENOSYS)?;
    // The bounds are read now: a handler has better things to do.
    current.stack();
    REPORT.store(report as *mut (), Relaxed);
    // Any other thread has one of its own since it was started, or has none.
    if current.id() == 0 {
        // SAFETY: the static is for this, and this is the first thread.
        unsafe { sys::sigaltstack(ALTERNATE.0.get().cast(), ALTERNATE_SIZE) }?;
    }
    thread::expect_faults();
    for signal in [SIGSEGV, SIGBUS] {
        // SAFETY: the handler reads memory of the kernel's and of its own thread.
        unsafe { sys::sigaction(signal, &SigAction::handler(handle, SA_ONSTACK)) }?;
    }
    Ok(())
}

/// Says on fd 2, in one line, which thread has faulted and where; for an overflow, how large the stack is and what would
/// help.
pub fn report(fault: &Fault) {
    let Fault { signal, address, sent, thread, ref stack, overflow } = *fault;
    let name = if signal == SIGBUS { "SIGBUS" } else { "SIGSEGV" };
    let size = stack.len();
    match address {
        Some(address) if overflow && stack.contains(&address) => io::print(
            2,
            format_args!(
                "rt0: stack overflow in the first thread, at {address:#x}: {} bytes of {size} are used, and the kernel gives no \
                 more; the limit of the address space (`ulimit -v`) is in the way, or something that is mapped there\n",
                stack.end - address
            ),
        ),
        Some(address) if overflow && thread == 0 => io::print(
            2,
            format_args!(
                "rt0: stack overflow in the first thread, at {address:#x}: all {size} bytes are used; `ulimit -s` with more \
                 than {} (KiB) would help, or a thread with a larger stack\n",
                size >> 10
            ),
        ),
        Some(address) if overflow => io::print(
            2,
            format_args!(
                "rt0: stack overflow in thread {thread}, at {address:#x}: all {size} bytes are used; a larger stack for it \
                 would help\n"
            ),
        ),
        Some(address) => io::print(2, format_args!("rt0: {name} in thread {thread}, at address {address:#x}\n")),
        None if sent => io::print(2, format_args!("rt0: {name} was sent to thread {thread}\n")),
        None => io::print(
            2,
            format_args!(
                "rt0: {name} in thread {thread}, at an address that the processor does not say, or the stack has no room for \
                 a signal's handler\n"
            ),
        ),
    }
}

/// The handler.
///
/// # Safety
///
/// The kernel calls it, in a thread of rt0's.
unsafe extern "C" fn handle(signal: i32, info: *const SigInfo, _: *mut ()) {
    // SAFETY: the kernel has written it.
    let SigInfo { code, address, .. } = unsafe { *info };
    let stack = thread::current().map_or(0..0, thread::Current::stack);
    let thread = thread::id().unwrap_or(0);
    let below = if thread == 0 { GAP } else { crate::page_size() };
    // Linux does not let the first thread's stack grow to its limit where something is in the way.
    let refused = thread == 0 && code == SEGV_MAPERR && stack.contains(&address);
    let overflow = refused || (stack.start.saturating_sub(below)..stack.start).contains(&address);
    // FreeBSD's SI_USER and its like are above all reasons, Linux's are 0 and below.
    let sent = !(1..=0xffff).contains(&code);
    let accessed = !sent && code != SI_KERNEL;
    let (address, overflow) = (accessed.then_some(address), accessed && overflow);
    let fault = Fault { signal, address, sent, thread, stack, overflow };
    let report = REPORT.load(Relaxed);
    if !report.is_null() {
        // SAFETY: `catch` has stored nothing but such functions.
        let report = unsafe { transmute::<*mut (), fn(&Fault)>(report) };
        report(&fault);
    }
    if overflow {
        sys::exit(2);
    }
    // The instruction faults again after this, and that ends the process. If no instruction has faulted, but somebody has sent
    // the signal or the kernel has another one and no room for it, this one is sent again.
    // SAFETY: the default is no handler.
    let _ = unsafe { sys::sigaction(signal, &SigAction::default_action()) };
    if fault.address.is_none() {
        let _ = sys::kill(sys::getpid(), signal);
    }
}

/// [`catch`] before `main`: ends the process with a line if that fails.
///
/// # Safety
///
/// As for `catch`.
#[doc(hidden)]
#[inline]
pub unsafe fn catch_or_exit(report: fn(&Fault)) {
    // SAFETY: this function's contract is the same.
    if let Err(errno) = unsafe { catch(report) } {
        io::print(2, format_args!("rt0: faults cannot be caught: {errno}\n"));
        sys::exit(2);
    }
}
