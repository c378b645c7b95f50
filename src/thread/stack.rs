//! Stacks: memory for a thread to run on, and how far a running thread's stack reaches.

use core::ops::Range;
use core::ptr::{NonNull, null_mut};

use super::control::Current;
use super::{ALTERNATE_SIZE, Template};
use crate::os::initial_stack::{InitialStack, page_size};
use crate::os::{Errno, MAP_ANON, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, RLIMIT_STACK};
use crate::sys;

/// A stack of its own mapping, with a page below it that nobody has access to: a thread that uses more than the stack has
/// faults there and damages nothing. With frames that are larger than a page this holds where compiled code touches each page
/// of a frame as it makes it: Rust's on x86 does; Rust's on ARM does not, nor C's without `-fstack-clash-protection`.
///
/// ```text
///     page without access | stack | alternate stack, thread-local variables, control block
/// ```
///
/// Dropping it unmaps it.
#[derive(Debug)]
pub struct Stack {
    usable: NonNull<[u8]>,
}

// SAFETY: it owns memory that no thread runs on.
unsafe impl Send for Stack {}
// SAFETY: nothing can be done by a shared reference.
unsafe impl Sync for Stack {}

impl Stack {
    /// A stack of at least this many bytes, beside what rt0 itself keeps at its end.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: there is not as much memory or address space.
    pub fn new(bytes: usize) -> Result<Stack, Errno> {
        let (page, template) = (page_size(), Template::of_this_process());
        // Whether an alternate stack is to be there as well is known when the thread starts.
        let kept = template.room() + ALTERNATE_SIZE;
        let whole = bytes.checked_add(kept + super::STACK_MIN + 2 * page).ok_or(Errno::ENOMEM)? & !(page - 1);
        let usable = whole - page;
        // SAFETY: a new mapping replaces nothing.
        let base = unsafe { sys::mmap(null_mut(), whole, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0) }?;
        // SAFETY: the mapping is longer than a page.
        let low = unsafe { base.add(page) };
        // SAFETY: it is ours, and nobody uses it yet.
        if let Err(errno) = unsafe { sys::mprotect(low, usable, PROT_READ | PROT_WRITE) } {
            // SAFETY: nobody has seen it.
            let _ = unsafe { sys::munmap(base, whole) };
            return Err(errno);
        }
        let low = NonNull::new(low).ok_or(Errno::ENOMEM)?;
        Ok(Stack { usable: NonNull::slice_from_raw_parts(low, usable) })
    }

    /// The stack as [`start`](super::start) takes it. Nothing unmaps it then but [`from_raw`](Stack::from_raw).
    pub fn into_raw(self) -> NonNull<[u8]> {
        let usable = self.usable;
        core::mem::forget(self);
        usable
    }

    /// What [`into_raw`](Stack::into_raw) was, such as [`Thread::join`](super::Thread::join) returns it.
    ///
    /// # Safety
    ///
    /// `usable` came from `into_raw`, has not been given to this since, and nobody uses it.
    pub unsafe fn from_raw(usable: NonNull<[u8]>) -> Stack {
        Stack { usable }
    }

    /// How many bytes there are, with those that rt0 keeps.
    #[allow(clippy::len_without_is_empty, reason = "no stack is empty")]
    pub fn len(&self) -> usize {
        self.usable.len()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let page = page_size();
        // SAFETY: the mapping of `new`, a page longer, which nobody uses. What the kernel does not unmap stays.
        let _ = unsafe { sys::munmap(self.usable.cast::<u8>().as_ptr().sub(page), self.usable.len() + page) };
    }
}

/// How far the first thread's stack may be thought to grow where nothing limits it, bytes: less than what the kernels keep
/// free for it.
const UNLIMITED: usize = if usize::BITS == 64 { 1 << 30 } else { 64 << 20 };

/// The first thread's stack: from the lowest address that RLIMIT_STACK lets it grow to, up to its end. Growing there can
/// still fail: RLIMIT_AS counts the stack, and somebody may have mapped something into its way.
pub(super) fn of_first_thread(initial: InitialStack) -> Range<usize> {
    let page = page_size();
    let high = initial.extent().top.max(initial.extent().words).next_multiple_of(page);
    let limit = sys::getrlimit(RLIMIT_STACK).ok().and_then(|limit| usize::try_from(limit.soft?).ok());
    // The kernels round the limit down to pages (Linux `mm/mmap.c`, `acct_stack_growth`; FreeBSD `sys/vm/vm_map.c`,
    // `vm_map_growstack`).
    let size = limit.unwrap_or(UNLIMITED).min(high / 2) & !(page - 1);
    high - size..high
}

impl Current {
    /// The addresses of its stack, from the lowest that can be used up to its end; what rt0 keeps at the end is not in it.
    ///
    /// For the first thread this is as far as `RLIMIT_STACK` lets its stack grow, read by a system call the first time.
    pub fn stack(self) -> Range<usize> {
        let (mut low, mut high) = self.bounds();
        if low == 0 {
            let stack = of_first_thread(InitialStack::current());
            (low, high) = (stack.start, stack.end);
            self.set_bounds(low, high);
        }
        low..high
    }

    /// The address that its first function's frame is right below: where the kernel put the arguments of the program, or
    /// the end of the stack.
    pub(crate) fn stack_base(self) -> usize {
        if self.id() == 0 { InitialStack::current().extent().words } else { self.stack().end }
    }

    /// How many bytes of its stack the thread has not used yet. Signal handlers and system calls need some of them.
    #[inline]
    pub fn stack_left(self) -> usize {
        let here = 0u8;
        let low = match self.bounds().0 {
            0 => self.stack().start,
            low => low,
        };
        (&raw const here).addr().saturating_sub(low)
    }
}
