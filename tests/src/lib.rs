//! Host tools and tests of rt0.

pub mod freebsd;
pub mod linux_runner;
pub mod tracer;
