//! Putting the steps of a process's other threads in order: FreeBSD has a call for it since 14.1 only, and a number that a
//! kernel does not know ends the process (`SIGSYS`, sigaction(2)).

use crate::arch::Errno;

/// Says that this process is going to call [`order_others`].
///
/// # Errors
///
/// `ENOSYS`, always.
pub(crate) fn register() -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// Not there, and nobody has been told that it is.
///
/// # Errors
///
/// `ENOSYS`, always.
pub(crate) fn order_others() -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}
