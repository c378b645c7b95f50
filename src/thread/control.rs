//! What rt0 keeps of each thread, and the way to it: the thread pointer.
//!
//! The first thread of a program that rt0 started gets its block before `main` if the program has thread-local variables
//! or a stack protector; else when it first asks for [`current`], or starts another thread: a program that does neither
//! makes no system call for it. Every other thread has its block from its first instruction on.

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use super::template::{ABI_WORDS, CONTROL_ALIGN, CONTROL_BELOW, CONTROL_SIZE, Placement, Template};
use crate::arch::thread_pointer;
use crate::os::initial_stack::InitialStack;
use crate::os::{AT_RANDOM_BYTES, Errno, thread as kernel, tls};

/// What rt0 keeps of a thread. On x86 the thread pointer points to it, on ARM to its end.
#[repr(C, align(16))]
pub(super) struct ControlBlock {
    /// Where it is: x86 has no other way to read the thread pointer.
    this: *const ControlBlock,
    /// The embedder's.
    local: Cell<*mut ()>,
    id: usize,
    /// The lowest address of the stack and its end; 0 before anybody has asked for the first thread's.
    bounds: [Cell<usize>; 2],
    /// The stack protector's word: Linux has it here on x86.
    guard: usize,
    pub(super) state: kernel::State,
    /// What the thread calls; the first thread calls nothing by it.
    pub(super) entry: Option<fn(*mut ())>,
    pub(super) argument: *mut (),
    /// Where the alternate stack begins; null if there is none.
    pub(super) alternate: *mut u8,
}

/// Whether the stack protector's word is at the thread pointer, and not in a variable.
pub(crate) const GUARD_AT_POINTER: bool =
    cfg!(all(target_os = "linux", any(target_arch = "x86", target_arch = "x86_64")));

/// What `linker/rt0.ld` has beside the variables.
const _: () = assert!(CONTROL_SIZE <= 128);
const _: () = assert!(size_of::<ControlBlock>() == CONTROL_SIZE && align_of::<ControlBlock>() == CONTROL_ALIGN);
const _: () = assert!(offset_of!(ControlBlock, guard) == if size_of::<usize>() == 8 { 0x28 } else { 0x14 });

impl ControlBlock {
    /// Writes the block of a new thread and its variables to where they are to be.
    ///
    /// # Safety
    ///
    /// `low` is the lowest address of `placement`, which is one of `template`, and all of it is writable and the caller's
    /// alone.
    pub(super) unsafe fn write(
        placement: Placement,
        template: &Template,
        low: NonNull<u8>,
        [id, guard]: [usize; 2],
        stack: [usize; 2],
        alternate: *mut u8,
        (entry, argument): (fn(*mut ()), *mut ()),
    ) -> NonNull<ControlBlock> {
        // SAFETY: both are within what is placed, which the caller says is writable and its own.
        unsafe {
            let control = low.add(placement.control - placement.low()).cast::<ControlBlock>();
            control.write(ControlBlock {
                this: control.as_ptr(),
                local: Cell::new(ptr::null_mut()),
                id,
                bounds: stack.map(Cell::new),
                guard,
                state: kernel::State::new(kernel::RUNNING),
                entry: Some(entry),
                argument,
                alternate,
            });
            let variables = low.add(placement.variables - placement.low());
            template.copy(variables.as_ptr());
            variables.add(template.filled).write_bytes(0, template.size - template.filled);
            control
        }
    }

    /// The calling thread's.
    ///
    /// # Safety
    ///
    /// The calling thread has a thread pointer of rt0's.
    #[inline]
    pub(super) unsafe fn of_caller<'a>() -> &'a ControlBlock {
        // SAFETY: the caller says that the thread pointer is rt0's, and rt0's points to a block or its end.
        unsafe {
            let pointer = thread_pointer::read().cast::<ControlBlock>();
            &*pointer.byte_sub(CONTROL_BELOW)
        }
    }
}

/// Memory for the first thread's block in a program without thread-local variables.
#[repr(align(16))]
pub(crate) struct First(UnsafeCell<[u8; CONTROL_SIZE + ABI_WORDS]>);

// SAFETY: the first thread alone writes to it, once.
unsafe impl Sync for First {}

impl First {
    pub(crate) const fn new() -> First {
        First(UnsafeCell::new([0; CONTROL_SIZE + ABI_WORDS]))
    }

    /// The thread pointer in it.
    #[inline(always)]
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.0.get().cast::<u8>().wrapping_add(CONTROL_BELOW)
    }
}

/// Where nobody has other memory for it.
static FIRST: First = First::new();

/// Whether the first thread has its thread pointer, and so every thread of rt0's.
static SET: AtomicBool = AtomicBool::new(false);

/// What the stack protector's word is to be: the kernel's random bytes, which are at this address. The one that an
/// overflowing string meets first is the one that ends strings.
///
/// # Safety
///
/// The auxiliary vector has the address.
#[inline(always)]
pub(crate) unsafe fn random_guard(bytes: usize) -> usize {
    // SAFETY: the kernel says that there are random bytes, more than a word of them.
    unsafe { ptr::with_exposed_provenance::<usize>(bytes).read_unaligned() & !0xff }
}

/// The same, by the initial stack; 0 if the kernel gave no random bytes.
#[inline(always)]
pub(crate) fn random_guard_of(stack: InitialStack) -> usize {
    // SAFETY: it is the auxiliary vector that has the address.
    stack.auxv(AT_RANDOM_BYTES).map_or(0, |bytes| unsafe { random_guard(bytes) })
}

/// Makes `pointer` the first thread's thread pointer, with its block where that says.
///
/// A program has this code whether or not it needs it, so it does no more than it has to: of the block, what is not zero.
///
/// # Safety
///
/// This is the first thread, which has none, and there is no other. The pointer is aligned to 16 bytes; where the block is to
/// be is memory of zeroes, writable and nobody else's for ever. The thread-local variables are where the pointer says.
#[inline(always)]
pub(crate) unsafe fn begin_first(pointer: *mut u8, guard: usize) -> Result<(), Errno> {
    // SAFETY: there is no other thread; the caller says that there is memory.
    unsafe {
        let control = pointer.byte_sub(CONTROL_BELOW).cast::<ControlBlock>();
        if thread_pointer::VARIABLES_BELOW {
            (*control).this = control;
        }
        if GUARD_AT_POINTER {
            (*control).guard = guard;
        }
        tls::set(pointer.cast())?;
    }
    SET.store(true, Relaxed);
    Ok(())
}

/// The calling thread.
///
/// It is cheap to have and to copy, and stays on its thread.
#[derive(Clone, Copy)]
pub struct Current {
    control: &'static ControlBlock,
    stays: PhantomData<*mut ()>,
}

/// The calling thread; `None` in a program that rt0 did not start, where the thread pointer is somebody else's.
///
/// In a program that rt0 started the caller is the first thread or one that [`start`](super::start) made. The first thread's first call is a
/// system call if the program has no thread-local variables; after that this reads a register.
#[inline]
pub fn current() -> Option<Current> {
    if !SET.load(Relaxed) && !set_late() {
        return None;
    }
    // SAFETY: the first thread has its pointer, so every thread of rt0's has. The block stays while its thread runs, and
    // a `Current` does not leave that.
    Some(Current { control: unsafe { ControlBlock::of_caller() }, stays: PhantomData })
}

/// Gives the first thread its thread pointer if this is a program of rt0's; whether it has one now.
#[cold]
#[inline(never)]
fn set_late() -> bool {
    let Some(stack) = InitialStack::of_this_process() else { return false };
    // SAFETY: nothing was set before `main`, and `start` sees to this before it makes the second thread. The static is as
    // much memory as a program without variables needs, and nobody else uses it.
    unsafe { begin_first(FIRST.pointer(), random_guard_of(stack)) }.is_ok()
}

/// The number of the calling thread: see [`Current::id`].
pub fn id() -> Option<usize> {
    current().map(Current::id)
}

impl Current {
    /// Its number: 0 is the first thread, the others count up as they are started, and no number comes twice.
    #[inline]
    pub fn id(self) -> usize {
        self.control.id
    }

    /// The embedder's own pointer; null at first.
    #[inline]
    pub fn local(self) -> *mut () {
        self.control.local.get()
    }

    /// Sets the embedder's own pointer, for this thread alone.
    #[inline]
    pub fn set_local(self, pointer: *mut ()) {
        self.control.local.set(pointer);
    }

    /// The stack's bounds as far as they are known.
    #[inline]
    pub(super) fn bounds(self) -> (usize, usize) {
        let [low, high] = &self.control.bounds;
        (low.get(), high.get())
    }

    /// Keeps the first thread's bounds.
    pub(super) fn set_bounds(self, low: usize, high: usize) {
        let [own_low, own_high] = &self.control.bounds;
        own_low.set(low);
        own_high.set(high);
    }

    /// The stack protector's word, which new threads have from the one that starts them.
    pub(super) fn guard(self) -> usize {
        self.control.guard
    }
}

impl core::fmt::Debug for Current {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Current").field("id", &self.id()).field("local", &self.local()).finish()
    }
}
