//! Signals: what Linux is told of a handler, and what a handler is told.

use super::nr;
use crate::arch::{Current, Errno, Port, syscall};

/// The user presses the key that interrupts (`include/uapi/asm-generic/signal.h`; ARM and x86 `asm/signal.h`).
pub const SIGINT: i32 = 2;
/// The end, which nothing can be done at (same source).
pub const SIGKILL: i32 = 9;
/// A signal that is the programs' own (same source).
pub const SIGUSR1: i32 = 10;
/// Another one (same source).
pub const SIGUSR2: i32 = 12;
/// A write to a pipe that nobody reads (same source).
pub const SIGPIPE: i32 = 13;
/// Somebody asks the program to end (same source).
pub const SIGTERM: i32 = 15;
/// A child has ended (same source).
pub const SIGCHLD: i32 = 17;
/// An access to memory that is there but cannot be had, as beyond the end of a mapped file
/// (`include/uapi/asm-generic/signal.h`; ARM and x86 `asm/signal.h`).
pub const SIGBUS: i32 = 7;
/// An access to memory that is not there, or forbidden (same files).
pub const SIGSEGV: i32 = 11;
/// The handler takes three arguments (`include/uapi/asm-generic/signal-defs.h`; ARM and x86 `asm/signal.h`).
pub const SA_SIGINFO: u32 = 4;
/// The handler runs on the thread's alternate stack, if there is one (same files).
pub const SA_ONSTACK: u32 = 0x0800_0000;
/// The signal is not blocked while its handler runs (same files).
pub const SA_NODEFER: u32 = 0x4000_0000;
/// There is a function that a handler returns to: amd64 delivers no signal without (`arch/x86/kernel/signal_64.c`,
/// `x64_setup_rt_frame`), 386 and ARM have others of their own.
const SA_RESTORER: u32 = 0x0400_0000;
/// `si_code` of an access to what is not mapped (`include/uapi/asm-generic/siginfo.h`).
pub const SEGV_MAPERR: i32 = 1;
/// `si_code` of a fault of which the processor does not say the address: an address that none can be, a privileged
/// instruction (same file; `arch/x86/kernel/traps.c`, `exc_general_protection`). A SIGSEGV has it too that comes in place of
/// a signal for whose handler the stack has no room (`kernel/signal.c`, `force_sigsegv`).
pub const SI_KERNEL: i32 = 0x80;

/// What is done at a signal: `struct sigaction` as the kernel has it (`include/linux/signal_types.h`).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SigAction {
    pub(crate) handler: usize,
    pub(crate) flags: usize,
    pub(crate) restorer: usize,
    pub(crate) mask: [u32; 2],
}

impl SigAction {
    /// `SIG_DFL`: what the kernel does by itself.
    pub const fn default_action() -> SigAction {
        SigAction { handler: 0, flags: 0, restorer: 0, mask: [0; 2] }
    }

    /// `SIG_IGN`: nothing.
    pub const fn ignore() -> SigAction {
        SigAction { handler: 1, ..SigAction::default_action() }
    }

    /// A handler, with `SA_*` and no signal blocked while it runs but its own.
    #[inline] // so that what it returns to is in programs that have a handler, and in no library
    pub fn handler(handler: Handler, flags: u32) -> SigAction {
        let flags = flags | SA_SIGINFO | SA_RESTORER;
        let restorer = Current::signal_return::<{ nr::RT_SIGRETURN }> as *const () as usize;
        SigAction { handler: handler as usize, flags: flags as usize, restorer, mask: [0; 2] }
    }
}

/// A function that is called at a signal: with its number, what the kernel knows of it, and the registers that it
/// interrupted, `ucontext_t`, which are restored when it returns.
pub type Handler = unsafe extern "C" fn(signal: i32, info: *const SigInfo, context: *mut ());

/// `siginfo_t` as far as it is the same for all signals that an access raises (`include/uapi/asm-generic/siginfo.h`).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SigInfo {
    /// The signal.
    pub signo: i32,
    pub(crate) errno: i32,
    /// Why it was raised; 0 and below: by another thread or process.
    pub code: i32,
    /// What was accessed.
    pub address: usize,
}

/// `stack_t` (`include/uapi/asm-generic/signal.h`; ARM and x86 `asm/signal.h`).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AltStack {
    pub(crate) sp: *mut u8,
    pub(crate) flags: i32,
    pub(crate) size: usize,
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
    let args = [signal.into(), (&raw const *action).into(), 0usize.into(), size_of_val(&action.mask).into()];
    // SAFETY: the kernel reads the structure; the caller answers for the handler.
    unsafe { syscall(nr::RT_SIGACTION, args) }.map(drop)
}

/// Makes `size` bytes at `low` the stack that handlers with [`SA_ONSTACK`] run on in the calling thread.
///
/// ```
/// use core::cell::UnsafeCell;
///
/// struct Stack(UnsafeCell<[u8; 16 << 10]>);
/// // SAFETY: the kernel alone uses it.
/// unsafe impl Sync for Stack {}
/// static STACK: Stack = Stack(UnsafeCell::new([0; 16 << 10]));
///
/// // SAFETY: the static is there for ever, and for this thread alone.
/// unsafe { rt0::sys::sigaltstack(STACK.0.get().cast(), 16 << 10) }?;
/// # Ok::<(), rt0::sys::Errno>(())
/// ```
///
/// # Errors
///
/// `ENOMEM`: it is too short for the registers of this CPU; `EPERM`: the thread runs on such a stack.
///
/// # Safety
///
/// It is the thread's alone as long as it runs.
pub unsafe fn sigaltstack(low: *mut u8, size: usize) -> Result<(), Errno> {
    let stack = AltStack { sp: low, flags: 0, size };
    // SAFETY: the kernel reads the structure; the caller answers for the memory.
    unsafe { syscall(nr::SIGALTSTACK, [(&raw const stack).into(), 0usize.into()]) }.map(drop)
}
