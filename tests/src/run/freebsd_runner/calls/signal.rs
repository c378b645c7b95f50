//! Signals that an access raises: what is done at them, the stack their handlers run on, and the way into a handler and back
//! (`sys/kern/kern_sig.c`; `sendsig` in `sys/{amd64/amd64/exec_machdep.c,i386/i386/exec_machdep.c}` and
//! `sys/amd64/ia32/ia32_signal.c`, before FreeBSD 14 `machdep.c`).

use nix::sys::signal::Signal;

use super::super::abi::{Errno, signal_from_linux};
use super::super::kernel::{Context, GADGET, Kernel, Step};
use super::Arguments;
use crate::run::tracer::poison;
use crate::run::tracer::tracee::{BadAddress, Class, Registers};

const SIGBUS: i32 = 10;
const SIGSEGV: i32 = 11;
const SIGSYS: i32 = 12;

/// Flags of sigaction, `sys/sys/signal.h`.
const SA_ONSTACK: u32 = 1;
const SA_RESETHAND: u32 = 4;
const SA_NODEFER: u32 = 0x10;
const SA_SIGINFO: u32 = 0x40;
const SA_ALL: u32 = 0x7f;

/// `MINSIGSTKSZ`, `sys/{amd64,i386}/include/_limits.h`.
const LEAST_STACK: u64 = 512 * 4;

/// What a process does at a signal, if not the default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handler {
    function: u64,
    flags: u32,
}

/// A handler that runs: what it has interrupted, and the signal, which is blocked as long as it runs.
pub(crate) struct Interrupted {
    registers: Box<Registers>,
    signal: i32,
    /// The address of the `ucontext_t` that the handler was given.
    context: u64,
}

/// `sys_sigaction`, for SIGSYS, which can be ignored, and for SIGSEGV and SIGBUS, which can have a handler.
pub(super) fn sigaction(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let Context { tracee, class, .. } = context;
    let (signal, action) = (arguments.int(0), arguments.word(1));
    if action == 0 || arguments.word(2) != 0 {
        kernel.violation(context, "sigaction: the runner plays a new action alone");
        return Err(Errno::EINVAL);
    }
    let function = tracee.read_words(class, action, 1)?[0];
    let mut flags = [0; 4];
    tracee.read(action + class.word() as u64, &mut flags)?;
    let flags = u32::from_le_bytes(flags);
    let process = kernel.process(context);
    match (signal, function) {
        (SIGSYS, 0 | 1) => process.ignores_sigsys = function == 1,
        (SIGSEGV | SIGBUS, 0) => drop(process.handlers.remove(&signal)),
        (SIGSEGV | SIGBUS, 2..) if flags & !SA_ALL == 0 && flags & (SA_SIGINFO | SA_RESETHAND) == SA_SIGINFO => {
            process.handlers.insert(signal, Handler { function, flags });
        }
        _ => {
            let plays = "the runner plays handlers of SIGSEGV and SIGBUS with FreeBSD's flags, and ignoring SIGSYS";
            kernel.violation(context, format!("sigaction {signal}, {function:#x}, flags {flags:#x}: {plays}"));
            return Err(Errno::EINVAL);
        }
    }
    Ok(Step::value(0))
}

/// `sys_sigaltstack`.
pub(super) fn sigaltstack(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let Context { tracee, class, .. } = context;
    if arguments.word(0) == 0 || arguments.word(1) != 0 {
        kernel.violation(context, "sigaltstack: the runner plays a new stack alone");
        return Err(Errno::EINVAL);
    }
    let words = tracee.read_words(class, arguments.word(0), 3)?;
    let [low, size, flags] = words[..] else { return Err(Errno::EINVAL) };
    if flags & 0xffff_ffff != 0 {
        return Err(Errno::EINVAL);
    }
    if size < LEAST_STACK {
        return Err(Errno::ENOMEM);
    }
    if kernel.interrupted.contains_key(&tracee) {
        return Err(Errno::EPERM);
    }
    kernel.alternate.insert(tracee, (low, size));
    Ok(Step::value(0))
}

/// `sys_sigreturn`: the registers are again what they were. What the handler has written to its `ucontext_t` is not looked
/// at.
pub(super) fn sigreturn(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    match kernel.interrupted.remove(&context.tracee) {
        Some(Interrupted { registers, context: given, .. }) if given == arguments.word(0) => {
            Ok(Step::Registers(registers))
        }
        _ => {
            kernel.violation(context, "sigreturn: no handler was given this ucontext_t");
            Err(Errno::EINVAL)
        }
    }
}

/// The code that a handler returns to, in the page with the gadget; FreeBSD has it in the shared page (`sigcode` in
/// `sys/amd64/amd64/sigtramp.S`, `sys/i386/i386/sigtramp.s`). It calls sigreturn with the address that is on the stack.
pub(crate) fn trampoline(class: Class) -> &'static [[u8; 2]] {
    match class {
        // mov rdi, [rsp]; mov eax, 417; syscall; nop
        Class::Bits64 => &[[0x48, 0x8b], [0x3c, 0x24], [0xb8, 0xa1], [0x01, 0], [0, 0x0f], [0x05, 0x90]],
        // mov eax, [esp + 8]; push eax; push eax; mov eax, 417; int 0x80; nop
        Class::Bits32 => &[[0x8b, 0x44], [0x24, 0x08], [0x50, 0x50], [0xb8, 0xa1], [0x01, 0], [0, 0xcd], [0x80, 0x90]],
    }
}

/// Where that code is.
pub(crate) const TRAMPOLINE: u64 = GADGET + 16;

/// What the kernel tells of a signal.
pub(crate) struct Told {
    pub signal: Signal,
    pub code: i32,
    pub address: u64,
}

/// Begins the handler of a signal, if the process has one and it is not blocked: whether it does.
///
/// # Errors
/// The stack for it cannot be written; FreeBSD then ends the process by SIGILL (`sigexit`).
pub(crate) fn deliver(
    kernel: &mut Kernel,
    context: Context,
    told: &Told,
    registers: &Registers,
) -> Result<bool, BadAddress> {
    /// Bytes of the `siginfo_t` (`sys/sys/signal.h`), and more than those of a `ucontext_t`.
    const INFORMATION: u64 = 80;
    const STATE: u64 = 1200;
    let Context { tracee, class, .. } = context;
    let signal = signal_from_linux(told.signal);
    let Some(Handler { function, flags }) = kernel.process(context).handlers.get(&signal).copied() else {
        return Ok(false);
    };
    let running = kernel.interrupted.get(&tracee);
    if running.is_some_and(|running| running.signal == signal && flags & SA_NODEFER == 0) {
        return Ok(false);
    }
    let top = match kernel.alternate.get(&tracee) {
        Some((low, size)) if flags & SA_ONSTACK != 0 && running.is_none() => low + size,
        // Below what a leaf function may use without having taken it.
        _ => registers.rsp - 128,
    };
    let frame = (top - INFORMATION - STATE - 64) & !15;
    let (information, state) = (frame + 64, frame + 64 + INFORMATION);

    let mut bytes = Vec::new();
    // Sent by somebody: SI_USER, which is 0 on Linux.
    let code = if told.code <= 0 { 0x1_0001 } else { told.code };
    for word in [signal, 0, code, context.process, 0, 0] {
        bytes.extend(word.to_le_bytes());
    }
    class.push(&mut bytes, told.address);
    tracee.write(information, &bytes)?;
    // Nothing of it is promised here.
    tracee.write(state, &[0xa5; STATE as usize])?;

    let mut handler = *registers;
    poison::general(&mut handler, class);
    handler.eflags &= !poison::DIRECTION;
    handler.rip = function;
    handler.orig_rax = u64::MAX;
    handler.rsp = frame - class.word() as u64;
    let mut words = Vec::new();
    class.push(&mut words, TRAMPOLINE);
    match class {
        Class::Bits64 => {
            class.push(&mut words, state);
            (handler.rdi, handler.rsi, handler.rdx) = (signal as u64, information, state);
        }
        Class::Bits32 => {
            for word in [signal as u64, information, state, told.address] {
                class.push(&mut words, word);
            }
        }
    }
    tracee.write(handler.rsp, &words)?;
    if tracee.set_registers(handler).is_ok() {
        let interrupted = Interrupted { registers: Box::new(*registers), signal, context: state };
        kernel.interrupted.insert(tracee, interrupted);
    }
    Ok(true)
}
