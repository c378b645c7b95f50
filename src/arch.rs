//! The port: the one place that chooses it, and the contract that each is held to.
//!
//! A port is a folder `arch/<os>_<cpu>/`. Its `mod.rs` begins with the table of what the kernel hands over and
//! what it hands back, then has the system call and the first instructions of a process. Nothing else in this
//! crate contains assembly.

use core::mem::MaybeUninit;

use crate::os::Errno;

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
    /// `number` is a system call of this kernel, `args` are what it takes, and what it does to memory agrees with
    /// what Rust believes of that memory.
    unsafe fn syscall(number: usize, args: [Arg; ARGS]) -> Result<usize, Errno>;

    /// Makes a thread by Linux's `clone`: with `stack` as its stack pointer, it calls `entry(stack)`, with no caller in
    /// its frame chain. FreeBSD's `thr_new` does all this by itself.
    ///
    /// # Safety
    ///
    /// `flags` make a thread, and are without `CLONE_SETTLS`, `CLONE_PARENT_SETTID` and others that take a further
    /// argument. Below `stack`, 16-byte aligned, is memory of the new thread's alone; `ended` is what
    /// `CLONE_CHILD_CLEARTID` writes to.
    #[cfg(target_os = "linux")]
    unsafe fn clone(flags: usize, stack: *mut (), ended: *mut u32, entry: ThreadEntry) -> Result<usize, Errno>;
}

/// The first function of a thread; it takes the stack that the thread was given.
pub(crate) type ThreadEntry = unsafe extern "C" fn(*mut ()) -> !;

/// Arguments that a system call can have. Linux stops at six; on FreeBSD/386 `mmap` has seven words.
pub(crate) const ARGS: usize = 7;

/// One argument of a system call, a machine word.
///
/// It is held as a pointer, so that a pointer's provenance survives the call. An argument that a call does not
/// have is [`Arg::NONE`]: its register keeps what it held and no instruction is spent on it.
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
    } else {
        compile_error!("rt0 has no port for this CPU under this kernel; PORTING.md says what one needs");
    }
}

pub(crate) use port::Port as Current;
pub use port::nr;
