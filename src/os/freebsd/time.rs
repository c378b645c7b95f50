//! The clocks. A `time_t` is a word on either CPU.

use super::nr;
use crate::arch::{Errno, syscall};
use crate::os::{Timespec, WordTimespec};

/// `clock_gettime`.
pub(crate) fn get(clock: i32) -> Result<Timespec, Errno> {
    let mut time = WordTimespec::default();
    // SAFETY: the kernel writes one `struct timespec`.
    unsafe { syscall(nr::CLOCK_GETTIME, [clock.into(), (&raw mut time).into()]) }.map(|_| time.into())
}

/// `nanosleep`. The remaining time is not asked for.
pub(crate) fn sleep(time: Timespec) -> Result<(), Errno> {
    let time = WordTimespec::from(time);
    // SAFETY: the kernel only reads `time`.
    unsafe { syscall(nr::NANOSLEEP, [(&raw const time).into(), 0usize.into()]) }.map(drop)
}
