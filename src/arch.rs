//! The port: the one place that chooses it, and the contract that each is held to.
//!
//! A port is a folder `arch/<os>_<cpu>/`. Its `mod.rs` begins with the tables of what the kernel hands over and what
//! it hands back, then has the system call. What belongs to the CPU alone, whatever the kernel, is in
//! `arch/cpu/<cpu>/`: the first instructions of a process. Nothing outside `arch/` contains assembly, and nothing in
//! it knows a kernel's numbers: those come as arguments.

use core::mem::MaybeUninit;

/// What a port supplies.
pub(crate) trait Port {
    /// `<os>_<cpu>`, the name of the folder under `arch/`, of the target and of the linker script.
    const NAME: &'static str;

    /// The ELF relocation type that means "add the load address" (`R_<cpu>_RELATIVE` of the processor's ELF supplement).
    const R_RELATIVE: usize;

    /// Whether the dynamic relocations carry their addend (`Elf_Rela`) or keep it in place (`Elf_Rel`).
    const RELA: bool;

    /// Traps into the kernel.
    ///
    /// # Safety
    ///
    /// `number` is a system call of this kernel, `args` are what it takes, and what it does to memory agrees with what
    /// Rust assumes about that memory.
    unsafe fn syscall(number: usize, args: [Arg; ARGS]) -> Result<usize, Errno>;

    /// The same for a call whose answer is of 64 bits: the second word is its high half.
    ///
    /// # Safety
    ///
    /// As for [`syscall`](Port::syscall).
    #[cfg(all(target_os = "freebsd", target_pointer_width = "32"))]
    unsafe fn syscall_wide(number: usize, args: [Arg; ARGS]) -> Result<u64, Errno>;

    /// Makes a thread by Linux's `clone`, whose `number` is given: with `stack` as its stack pointer, the thread calls
    /// `entry(stack)`, with no caller in its frame chain. `tls` is what `clone` takes for the thread pointer on this CPU.
    /// FreeBSD's `thr_new` does all this by itself.
    ///
    /// # Safety
    ///
    /// `flags` make a thread, and are without `CLONE_PARENT_SETTID` and others that take a further argument. Below `stack`,
    /// 16-byte aligned, is memory of the new thread's alone; `ended` is what `CLONE_CHILD_CLEARTID` writes to; `tls` is
    /// right for `CLONE_SETTLS`, or the flag is not set.
    #[cfg(target_os = "linux")]
    unsafe fn clone(
        number: usize,
        flags: usize,
        stack: *mut (),
        ended: *mut u32,
        tls: *const (),
        entry: ThreadEntry,
    ) -> Result<usize, Errno>;

    /// What a signal handler returns to, on the frame that Linux has made for it: makes the call `NUMBER`, which is
    /// `rt_sigreturn` and restores the registers. FreeBSD has code of its own for that.
    #[cfg(target_os = "linux")]
    unsafe extern "C" fn signal_return<const NUMBER: usize>() -> !;
}

/// The first function of a thread; it takes the stack that the thread was given.
pub(crate) type ThreadEntry = unsafe extern "C" fn(*mut ()) -> !;

/// An error number of the kernel, as it came from a system call. `os` gives the numbers their names.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Errno(pub(crate) u16);

impl Errno {
    /// The number.
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// What Linux answered: -4095 to -1 is an error (`include/linux/err.h`, `MAX_ERRNO`).
    #[cfg(target_os = "linux")]
    #[inline(always)]
    fn check(result: usize) -> Result<usize, Errno> {
        if result > usize::MAX - 4095 { Err(Errno(result.wrapping_neg() as u16)) } else { Ok(result) }
    }

    /// What FreeBSD answered: with the carry set it is an error, and positive.
    #[cfg(target_os = "freebsd")]
    #[inline(always)]
    fn check(carry: bool, result: usize) -> Result<usize, Errno> {
        if carry { Err(Errno(result as u16)) } else { Ok(result) }
    }
}

/// Makes the system call `number` with up to seven arguments, each a machine word.
///
/// The module [`nr`](crate::sys::nr) has the numbers; a call that has no constant there can be made by its number.
///
/// # Errors
///
/// The kernel's error number.
///
/// # Safety
///
/// `number` is a system call of this kernel, `args` are what it takes, and what it does to memory agrees with what
/// Rust assumes about that memory.
///
/// A call that makes a thread of this process comes after
/// [`thread::assume_threads`](crate::thread::assume_threads): until then a [`Lock`](crate::lock::Lock) keeps out nobody.
#[inline(always)]
pub unsafe fn syscall<const N: usize>(number: usize, args: [Arg; N]) -> Result<usize, Errno> {
    const { assert!(N <= ARGS, "a system call has at most seven arguments") };
    let mut all = [Arg::NONE; ARGS];
    all[..N].copy_from_slice(&args);
    // SAFETY: the call, its arguments and its effect on memory are what this function's contract asks for.
    unsafe { Current::syscall(number, all) }
}

/// A call whose answer is of 64 bits, in two words.
///
/// # Safety
///
/// As for [`syscall`].
#[cfg(all(target_os = "freebsd", target_pointer_width = "32"))]
pub(crate) unsafe fn syscall_wide(number: usize, [a, b, c, d]: [Arg; 4]) -> Result<u64, Errno> {
    // SAFETY: the call, its arguments and its effect on memory are what this function's contract asks for.
    unsafe { Current::syscall_wide(number, [a, b, c, d, Arg::NONE, Arg::NONE, Arg::NONE]) }
}

/// The most arguments that a system call can have. Linux stops at six; on FreeBSD/386 `mmap` has seven words.
pub(crate) const ARGS: usize = 7;

/// One argument of a system call, a machine word.
///
/// It is held as a pointer, so that a pointer's provenance survives the call. [`Arg::NONE`] stands for an argument that a
/// call does not have: its register keeps what it held, and no instruction is spent on it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Arg(pub(crate) MaybeUninit<*mut ()>);

impl Arg {
    /// No argument.
    pub const NONE: Arg = Arg(MaybeUninit::uninit());
}

impl From<usize> for Arg {
    #[inline(always)]
    fn from(word: usize) -> Self {
        Arg(MaybeUninit::new(core::ptr::without_provenance_mut(word)))
    }
}

impl From<u32> for Arg {
    #[inline(always)]
    fn from(word: u32) -> Self {
        Arg::from(word as usize)
    }
}

/// Sign-extended to the machine word.
impl From<i32> for Arg {
    #[inline(always)]
    fn from(word: i32) -> Self {
        Arg::from(word as usize)
    }
}

impl<T> From<*const T> for Arg {
    #[inline(always)]
    fn from(pointer: *const T) -> Self {
        Arg(MaybeUninit::new(pointer.cast_mut().cast()))
    }
}

impl<T> From<*mut T> for Arg {
    #[inline(always)]
    fn from(pointer: *mut T) -> Self {
        Arg(MaybeUninit::new(pointer.cast()))
    }
}

cfg_if::cfg_if! {
    if #[cfg(all(target_os = "linux", target_arch = "x86"))] {
        #[path = "../arch/linux_386/mod.rs"]
        mod port;
    } else if #[cfg(all(target_os = "linux", target_arch = "x86_64", target_pointer_width = "64"))] {
        #[path = "../arch/linux_amd64/mod.rs"]
        mod port;
    } else if #[cfg(all(target_os = "linux", target_arch = "arm"))] {
        #[path = "../arch/linux_arm/mod.rs"]
        mod port;
    } else if #[cfg(all(target_os = "freebsd", target_arch = "x86"))] {
        #[path = "../arch/freebsd_386/mod.rs"]
        mod port;
    } else if #[cfg(all(target_os = "freebsd", target_arch = "x86_64"))] {
        #[path = "../arch/freebsd_amd64/mod.rs"]
        mod port;
    }
}

cfg_if::cfg_if! {
    if #[cfg(target_arch = "x86")] {
        #[path = "../arch/cpu/386/entry.rs"]
        mod entry;
        #[path = "../arch/cpu/386/frame.rs"]
        mod frame;
        #[path = "../arch/cpu/386/gc.rs"]
        mod gc;
        #[path = "../arch/cpu/386/thread_pointer.rs"]
        pub(crate) mod thread_pointer;
    } else if #[cfg(target_arch = "x86_64")] {
        #[path = "../arch/cpu/amd64/entry.rs"]
        mod entry;
        #[path = "../arch/cpu/amd64/frame.rs"]
        mod frame;
        #[path = "../arch/cpu/amd64/gc.rs"]
        mod gc;
        #[path = "../arch/cpu/amd64/thread_pointer.rs"]
        pub(crate) mod thread_pointer;
    } else if #[cfg(target_arch = "arm")] {
        #[path = "../arch/cpu/arm/entry.rs"]
        mod entry;
        #[path = "../arch/cpu/arm/frame.rs"]
        mod frame;
        #[path = "../arch/cpu/arm/gc.rs"]
        mod gc;
        #[path = "../arch/cpu/arm/thread_pointer.rs"]
        pub(crate) mod thread_pointer;
    }
}

pub(crate) use frame::frame_pointer;
pub(crate) use gc::{KeptRegisters, below_by_top_bit, keep_registers, prefetch};
pub(crate) use port::Port as Current;
