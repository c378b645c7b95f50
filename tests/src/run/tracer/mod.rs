//! Running a freestanding program under ptrace: what the FreeBSD runner and the Linux runner share.
//!
//! A traced program stops at its entry, before and after each of its system calls, and at each signal. The two runners
//! differ in what they do at those stops: [`freebsd_runner`](crate::run::freebsd_runner) plays a FreeBSD kernel,
//! [`linux_runner`](crate::run::linux_runner) leaves the work to the Linux kernel it runs on and injects failures.

pub mod faults;
pub mod launch;
pub mod poison;
pub mod report;
pub mod space;
pub mod stack;
pub mod tracee;
