//! The clocks. On 32-bit ports the calls with 64-bit seconds are made first; a kernel before 5.1 answers `ENOSYS`, and then
//! those with a word.

use super::nr;
use crate::arch::{Errno, syscall};
use crate::os::Timespec;
#[cfg(target_pointer_width = "32")]
use crate::os::WordTimespec;

/// `clock_gettime`.
pub(crate) fn get(clock: i32) -> Result<Timespec, Errno> {
    #[cfg(target_pointer_width = "64")]
    use nr::CLOCK_GETTIME as WIDE;
    #[cfg(target_pointer_width = "32")]
    use nr::CLOCK_GETTIME64 as WIDE;
    let mut time = Timespec::default();
    // SAFETY: the kernel writes one `struct __kernel_timespec`, which amd64's `struct timespec` is too.
    let answer = unsafe { syscall(WIDE, [clock.into(), (&raw mut time).into()]) };
    #[cfg(target_pointer_width = "32")]
    if answer == Err(Errno::ENOSYS) {
        let mut time = WordTimespec::default();
        // SAFETY: the kernel writes one `struct timespec` of two words.
        return unsafe { syscall(nr::CLOCK_GETTIME, [clock.into(), (&raw mut time).into()]) }.map(|_| time.into());
    }
    answer.map(|_| time)
}

/// `nanosleep`, which sleeps by the monotonic clock (`kernel/time/hrtimer.c`). The remaining time is not asked for.
pub(crate) fn sleep(time: Timespec) -> Result<(), Errno> {
    #[cfg(target_pointer_width = "64")]
    // SAFETY: the kernel only reads `time`.
    return unsafe { syscall(nr::NANOSLEEP, [(&raw const time).into(), 0usize.into()]) }.map(drop);
    #[cfg(target_pointer_width = "32")]
    {
        let args = [super::CLOCK_MONOTONIC.into(), 0usize.into(), (&raw const time).into(), 0usize.into()];
        // SAFETY: the kernel only reads `time`.
        let answer = unsafe { syscall(nr::CLOCK_NANOSLEEP_TIME64, args) };
        if answer != Err(Errno::ENOSYS) {
            return answer.map(drop);
        }
        let time = WordTimespec::from(time);
        // SAFETY: the kernel only reads `time`.
        unsafe { syscall(nr::NANOSLEEP, [(&raw const time).into(), 0usize.into()]) }.map(drop)
    }
}
