//! Threads, and the words that they sleep on.

use super::super::abi::Errno;
use super::super::kernel::{Context, Kernel, Step};
use super::super::linux;
use super::Arguments;
use crate::run::tracer::poison;
use crate::run::tracer::tracee::{Class, Registers};

/// FreeBSD's thread ids begin where its process ids end.
const FIRST_TID: u64 = 100_000;

pub(super) fn sched_yield(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::SCHED_YIELD, [0; 6]))
}

/// Writes FreeBSD's id of a thread to a word of the program's.
fn tid_bytes(class: Class, tid: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    class.push(&mut bytes, tid + FIRST_TID);
    bytes
}

pub(super) fn current(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let tid = u64::from(context.tracee.0.as_raw().cast_unsigned());
    context.tracee.write(arguments.word(0), &tid_bytes(context.class, tid))?;
    Ok(Step::value(0))
}

pub(super) fn kill(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let tid = arguments.word(0).checked_sub(FIRST_TID).ok_or(Errno::ESRCH)?;
    let signal = super::super::abi::signal_to_linux(arguments.int(1)).ok_or(Errno::EINVAL)? as u64;
    Ok(Step::linux(linux::TGKILL, [u64::from(context.process.cast_unsigned()), tid, signal, 0, 0, 0]))
}

/// The fields of `struct thr_param` (`sys/sys/thr.h`) that are played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    function: u64,
    argument: u64,
    stack_end: u64,
    tls_base: u64,
}

impl Start {
    /// Sets a new thread's registers as `cpu_set_upcall` does, and poison in all others.
    ///
    /// # Errors
    /// The stack that was given cannot be written, or the thread is gone.
    pub(crate) fn begin(self, context: Context) -> Result<(), Errno> {
        let Context { tracee, class, .. } = context;
        let mut registers: Registers = tracee.registers().map_err(|_| Errno::ESRCH)?;
        poison::general(&mut registers, class);
        // The new thread has the flags of the old one (`cpu_copy_thread`, before FreeBSD 12 `cpu_set_upcall`), which
        // had this clear, as every function expects.
        registers.eflags &= !poison::DIRECTION;
        registers.orig_rax = u64::MAX;
        registers.rip = self.function;
        registers.rbp = 0;
        match class {
            Class::Bits64 => {
                registers.rsp = (self.stack_end & !15) - 8;
                registers.rdi = self.argument;
                registers.fs_base = self.tls_base;
            }
            Class::Bits32 => {
                registers.rsp = ((self.stack_end - 4) & !15) - 4;
                tracee.write(registers.rsp + 4, &(self.argument as u32).to_le_bytes())?;
                tracee.set_thread_area(self.tls_base).map_err(|_| Errno::ESRCH)?;
                registers.gs_base = self.tls_base;
            }
        }
        tracee.set_registers(registers).map_err(|_| Errno::ESRCH)
    }
}

/// `sys_thr_new`. The new thread begins when it first stops.
pub(super) fn new(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    // CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM
    const FLAGS: u64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;
    /// Words of a `struct thr_param`; words that a caller's shorter one lacks are zero.
    const WORDS: usize = 13;
    let Context { tracee, class, .. } = context;
    let length = usize::try_from(arguments.int(1)).map_err(|_| Errno::EINVAL)?;
    if length > WORDS * class.word() {
        return Err(Errno::EINVAL);
    }
    let mut words = tracee.read_words(class, arguments.word(0), length / class.word())?;
    words.resize(WORDS, 0);
    let [function, argument, stack, size, tls_base, _, ref rest @ ..] = words[..] else { return Err(Errno::EINVAL) };
    if rest.iter().any(|word| *word != 0) || length % class.word() != 0 {
        kernel.violation(context, "thr_new: the runner only plays a function, an argument and a stack");
        return Err(Errno::EINVAL);
    }
    // What a real kernel makes of a thread without a function or a stack is not recorded; the runner makes none.
    if function == 0 || stack.wrapping_add(size) < 16 {
        return Err(Errno::EFAULT);
    }
    kernel.starting.insert(tracee, Start { function, argument, stack_end: stack.wrapping_add(size), tls_base });
    Ok(Step::linux_then(linux::CLONE, [FLAGS, 0, 0, 0, 0, 0], |_, _, _| Step::value(0)))
}

/// `sys_sysarch`, as far as it sets the base of %fs (`AMD64_SET_FSBASE`, 129) and that of %gs (`I386_SET_GSBASE`, 10; in a
/// 32-bit process of an amd64 kernel `sys/amd64/amd64/sys_machdep.c` plays it too).
pub(super) fn sysarch(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    /// `ARCH_SET_FS`.
    const SET_FS: u64 = 0x1002;
    let Context { tracee, class, .. } = context;
    let base = tracee.read_words(class, arguments.word(1), 1)?[0];
    match (arguments.int(0), class) {
        (129, Class::Bits64) if base >= 1 << 47 => Err(Errno::EINVAL),
        (129, Class::Bits64) => Ok(Step::linux(linux::ARCH_PRCTL, [SET_FS, base, 0, 0, 0, 0])),
        (10, Class::Bits32) => {
            tracee.set_thread_area(base).map_err(|_| Errno::EINVAL)?;
            Ok(Step::value(0))
        }
        (other, _) => {
            kernel.violation(context, format!("sysarch {other}: the runner plays 129 (amd64) and 10 (386)"));
            Err(Errno::EINVAL)
        }
    }
}

/// `sys_thr_exit`: the word at `state` becomes 1, and threads that wait for it are woken (`kern_umtx_wake`, not
/// private). To the only thread of a process the call returns 0 (`kern_thr_exit`). [run]
pub(super) fn exit(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let state = arguments.word(0);
    let threads = std::fs::read_dir(format!("/proc/{}/task", context.process)).map_or(1, Iterator::count);
    let leave = if threads == 1 { Step::value(0) } else { Step::linux(linux::EXIT, [0; 6]) };
    if state == 0 {
        return Ok(leave);
    }
    let mut one = Vec::new();
    context.class.push(&mut one, 1);
    context.tracee.write(state, &one)?;
    let everyone = i32::MAX.unsigned_abs().into();
    Ok(Step::linux_then(linux::FUTEX, [state, FUTEX_WAKE, everyone, 0, 0, 0], |_, _, _| leave))
}

/// `FUTEX_WAIT | FUTEX_PRIVATE_FLAG` and `FUTEX_WAKE | FUTEX_PRIVATE_FLAG`, for FreeBSD's private and shared operations
/// alike: on FreeBSD a shared wake reaches a private sleeper, except in memory that is inherited shared
/// (`sys/kern/kern_umtx.c`, `umtx_key_get`); on Linux it never does.
const FUTEX_WAIT: u64 = 128;
const FUTEX_WAKE: u64 = 129;

/// `UMTX_OP_WAIT` (2, a `long`), `UMTX_OP_WAIT_UINT_PRIVATE` (15) and `UMTX_OP_WAKE_PRIVATE` (16). If the
/// word has not the expected value, the wait returns 0 at once (`do_wait`); a wake does not return how many it woke.
/// A real kernel rounds a timeout up to ticks of its clock (`tstohz`: 1 ms becomes 2 ms at 1000 Hz and 20 ms at 100 Hz
/// [run]); here it is as long as it says, so that tests do not wait.
pub(super) fn umtx_op(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let (object, value) = (arguments.word(0), arguments.word(2));
    let timeout = arguments.word(4);
    let operation = arguments.int(1);
    match operation {
        2 | 15 => {
            if timeout != 0 {
                super::read_timespec(context, timeout)?;
            }
            // Linux compares 32 bits only: it would miss a change of a `long`'s other half between this check and the
            // sleep.
            let is_long = operation == 2 && context.class == Class::Bits64;
            if is_long && context.tracee.read_words(context.class, object, 1)?[0] >> 32 != value >> 32 {
                return Ok(Step::value(0));
            }
            let wait = [object, FUTEX_WAIT, value & 0xffff_ffff, timeout, 0, 0];
            Ok(Step::Linux(
                linux::FUTEX,
                wait,
                Box::new(|_, _, answer| match super::super::kernel::from_linux(answer) {
                    Err(Errno::EAGAIN) => Step::value(0),
                    other => Step::Answer(other),
                }),
            ))
        }
        // UMTX_OP_LOCK of FreeBSD 10 (`do_lock_umtx`), which later kernels do not have any more. [run]
        0 if object == 0 => Err(if kernel.options.is_10() { Errno::EFAULT } else { Errno::EOPNOTSUPP }),
        0 if !kernel.options.is_10() => Err(Errno::EOPNOTSUPP),
        16 => Ok(Step::linux_then(linux::FUTEX, [object, FUTEX_WAKE, value, 0, 0, 0], |_, _, _| Step::value(0))),
        other => {
            let plays = "the runner plays 2 and 15 (wait) and 16 (wake)";
            kernel.violation(context, format!("_umtx_op {other}: {plays}"));
            Err(Errno::EINVAL)
        }
    }
}
