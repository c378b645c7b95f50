//! Putting the steps of a process's other threads in order: Linux's `membarrier` (membarrier(2)), since 4.14.

use super::nr;
use crate::arch::{Errno, syscall};

/// Between two steps of the caller every running thread of its process goes through a full barrier
/// (`include/uapi/linux/membarrier.h`).
const MEMBARRIER_CMD_PRIVATE_EXPEDITED: i32 = 1 << 3;
/// Says that this process is going to call that (same file).
const MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;

/// Says that this process is going to call [`order_others`].
///
/// # Errors
///
/// `ENOSYS` where the kernel does not have it; what a filter of system calls answers.
pub(crate) fn register() -> Result<(), Errno> {
    membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
}

/// Every other thread of this process goes through a full barrier before this returns, if it runs; one that does not run
/// has gone through one when it was stopped.
///
/// # Errors
///
/// What a filter of system calls answers that was set up after [`register`].
pub(crate) fn order_others() -> Result<(), Errno> {
    membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED).or_else(|error| match error {
        // A child that was forked may have to say it anew.
        Errno::EPERM => register().and_then(|()| membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)),
        error => Err(error),
    })
}

fn membarrier(command: i32) -> Result<(), Errno> {
    // SAFETY: the kernel reads and writes no memory of the caller's.
    unsafe { syscall(nr::MEMBARRIER, [command.into(), 0usize.into()]) }.map(drop)
}
