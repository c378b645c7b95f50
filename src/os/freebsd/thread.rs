//! Threads: FreeBSD's `thr_new`, and the word that `thr_exit` sets when the thread has left its stack for good.

use core::ptr::NonNull;
use core::sync::atomic::AtomicUsize;

use super::nr;
use crate::arch::{Errno, ThreadEntry, syscall};

/// Sleep while the `long` has the value that is given, whoever shares the memory (`sys/sys/umtx.h`).
const UMTX_OP_WAIT: i32 = 2;

/// The word that tells whether a thread still runs: a `long`, which becomes 1 (`sys/kern/kern_thr.c`, `sys_thr_exit`).
pub(crate) type State = AtomicUsize;
/// Its value while the thread runs.
pub(crate) const RUNNING: usize = 0;

/// `struct thr_param` (`sys/sys/thr.h`) as far as it is not zero; the kernel takes a shorter one and zeroes for the
/// rest (`sys/kern/kern_thr.c`, `sys_thr_new`): no ids, no flags, no priority. The thread pointer is
/// `tls_base`, a null one too (`kern_thr.c`, `thr_new_initthr`; `cpu_set_user_tls` in `sys/{i386,amd64}/*/vm_machdep.c`).
#[repr(C)]
struct ThrParam {
    start_func: ThreadEntry,
    arg: NonNull<()>,
    stack_base: NonNull<u8>,
    stack_size: usize,
    tls_base: *mut (),
    tls_size: usize,
}

/// Starts a thread that calls `entry(top)` on the stack between `low` and `top`, with the thread pointer `pointer`, if it is to
/// have one.
///
/// # Safety
///
/// The stack is the new thread's alone and 16-byte aligned at `top`; `entry` may be called with `top`, once.
pub(crate) unsafe fn start(
    low: NonNull<u8>,
    top: NonNull<()>,
    _state: NonNull<State>,
    pointer: Option<NonNull<()>>,
    entry: ThreadEntry,
) -> Result<(), Errno> {
    let stack_size = top.addr().get() - low.addr().get();
    let tls_base = pointer.map_or(core::ptr::null_mut(), NonNull::as_ptr);
    let param = ThrParam { start_func: entry, arg: top, stack_base: low, stack_size, tls_base, tls_size: 0 };
    // SAFETY: stack and entry are what this function's contract asks for. The kernel reads `param` before it answers,
    // and calls the function as the ABI has it: argument, stack alignment and an end of the frame chain
    // (`cpu_set_upcall` in `sys/{i386,amd64}/*/vm_machdep.c`, before FreeBSD 12 `cpu_set_upcall_kse`).
    unsafe { syscall(nr::THR_NEW, [(&raw const param).into(), size_of::<ThrParam>().into()]) }.map(drop)
}

/// Sleeps while the state is [`RUNNING`], perhaps shorter. `thr_exit` wakes as if the word were shared with other
/// processes, so this is not a private sleep.
pub(crate) fn wait(state: &State) {
    let none = 0usize;
    let args = [state.as_ptr().into(), UMTX_OP_WAIT.into(), RUNNING.into(), none.into(), none.into()];
    // SAFETY: the kernel reads the word, which lives as long as this call.
    let _ = unsafe { syscall(nr::UMTX_OP, args) };
}

/// Ends the calling thread, which sets its state.
pub(crate) fn leave(state: &State) -> ! {
    // SAFETY: this ends the calling thread alone, whose stack nobody else uses yet.
    let _ = unsafe { syscall(nr::THR_EXIT, [state.as_ptr().into()]) };
    // It returns only to the last thread of a process (`kern_thr_exit`), and then the process is at its end.
    loop {
        // SAFETY: exit touches no memory of a process that goes on.
        let _ = unsafe { syscall(nr::EXIT, [0usize.into()]) };
    }
}
