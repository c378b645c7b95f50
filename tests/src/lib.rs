//! Host tools and tests of rt0.

pub mod freebsd;
pub mod tracer;
