//! Host side of rt0's proof: what runs a program under a limit, and what must then hold.

pub mod freebsd;
pub mod job;
pub mod kernel;
pub mod linux_runner;
pub mod native;
pub mod port;
pub mod sweep;
pub mod tracer;
