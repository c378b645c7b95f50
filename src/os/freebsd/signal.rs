//! Signals: what FreeBSD is told of a handler, and what a handler is told. A handler returns to code of the kernel's own, in
//! the shared page.

use super::nr;
use crate::arch::{Errno, syscall};

/// The user presses the key that interrupts (`sys/sys/signal.h`).
pub const SIGINT: i32 = 2;
/// The end, which nothing can be done at (same source).
pub const SIGKILL: i32 = 9;
/// A signal that is the programs' own (same source).
pub const SIGUSR1: i32 = 30;
/// Another one (same source).
pub const SIGUSR2: i32 = 31;
/// A write to a pipe that nobody reads (same source).
pub const SIGPIPE: i32 = 13;
/// Somebody asks the program to end (same source).
pub const SIGTERM: i32 = 15;
/// A child has ended (same source).
pub const SIGCHLD: i32 = 20;
/// An access to memory that is there but cannot be had, as beyond the end of a mapped file (`sys/sys/signal.h`).
pub const SIGBUS: i32 = 10;
/// An access to memory that is not there, or forbidden (same file).
pub const SIGSEGV: i32 = 11;
/// The handler takes three arguments (same file).
pub const SA_SIGINFO: u32 = 0x40;
/// The handler runs on the thread's alternate stack, if there is one (same file).
pub const SA_ONSTACK: u32 = 1;
/// The signal is not blocked while its handler runs (same file).
pub const SA_NODEFER: u32 = 0x10;
/// `si_code` of an access to what is not mapped (same file).
pub const SEGV_MAPERR: i32 = 1;
/// `si_code` of a signal that the kernel itself has sent (same file). For a fault of which the processor does not say the
/// address it has a code like any other, and the instruction's address (`sys/amd64/amd64/trap.c`, `T_PROTFLT`).
pub const SI_KERNEL: i32 = 0x1_0006;

/// What is done at a signal: `struct sigaction` (same file).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SigAction {
    pub(crate) handler: usize,
    pub(crate) flags: u32,
    pub(crate) mask: [u32; 4],
}

impl SigAction {
    /// `SIG_DFL`: what the kernel does by itself.
    pub const fn default_action() -> SigAction {
        SigAction { handler: 0, flags: 0, mask: [0; 4] }
    }

    /// `SIG_IGN`: nothing.
    pub const fn ignore() -> SigAction {
        SigAction { handler: 1, ..SigAction::default_action() }
    }

    /// A handler, with `SA_*` and no signal blocked while it runs but its own.
    pub fn handler(handler: Handler, flags: u32) -> SigAction {
        SigAction { handler: handler as usize, flags: flags | SA_SIGINFO, mask: [0; 4] }
    }
}

/// A function that is called at a signal: with its number, what the kernel knows of it, and the registers that it
/// interrupted, `ucontext_t`, which are restored when it returns.
pub type Handler = unsafe extern "C" fn(signal: i32, info: *const SigInfo, context: *mut ());

/// `siginfo_t` as far as it is the same for all signals that an access raises (same file).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SigInfo {
    /// The signal.
    pub signo: i32,
    pub(crate) errno: i32,
    /// Why it was raised; 0 and below, and `SI_USER` (0x10001) and above: by another thread or process.
    pub code: i32,
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) status: i32,
    /// What was accessed.
    pub address: usize,
}

/// `stack_t` (same file).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AltStack {
    pub(crate) sp: *mut u8,
    pub(crate) size: usize,
    pub(crate) flags: i32,
}

/// Sets what is done at a signal.
///
/// # Errors
///
/// `EINVAL`: there is no such signal, or nothing else can be done at it.
///
/// # Safety
///
/// The handler may be called wherever the signal can come, with what that has interrupted.
pub unsafe fn sigaction(signal: i32, action: &SigAction) -> Result<(), Errno> {
    // SAFETY: the kernel reads the structure; the caller answers for the handler.
    unsafe { syscall(nr::SIGACTION, [signal.into(), (&raw const *action).into(), 0usize.into()]) }.map(drop)
}

/// Makes `size` bytes at `low` the stack that handlers with [`SA_ONSTACK`] run on in the calling thread.
///
/// # Errors
///
/// `ENOMEM`: it is shorter than `MINSIGSTKSZ` (2048; 4096 on some CPUs); `EPERM`: the thread runs on such a stack.
///
/// # Safety
///
/// It is the thread's alone as long as it runs.
pub unsafe fn sigaltstack(low: *mut u8, size: usize) -> Result<(), Errno> {
    let stack = AltStack { sp: low, size, flags: 0 };
    // SAFETY: the kernel reads the structure; the caller answers for the memory.
    unsafe { syscall(nr::SIGALTSTACK, [(&raw const stack).into(), 0usize.into()]) }.map(drop)
}
