//! What runs a program: the machines, from the host's own kernel to real ones in QEMU, and what they share.
//!
//! - [`job`]: one run of one program, and how it ended
//! - [`machine`]: the choice between the machines, and the folder of the programs
//! - [`native`]: jobs on the host's own kernel
//! - [`qemu`]: jobs on real Linux and FreeBSD kernels in QEMU
//! - [`freebsd_runner`]: a test double of FreeBSD's kernel, under ptrace
//! - [`linux_runner`]: the host's kernel under ptrace, with injected failures
//! - [`tracer`]: ptrace, as both runners use it
//! - [`make`]: the repository's own `make`
//! - [`project`]: what `make new` makes, and cargo in it

pub mod freebsd_runner;
pub mod job;
pub mod linux_runner;
pub mod machine;
pub mod make;
pub mod native;
pub mod project;
pub mod qemu;
pub mod tracer;
