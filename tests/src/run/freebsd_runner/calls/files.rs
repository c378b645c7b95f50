//! Files: Linux does the work, with FreeBSD's flags and errors translated.

use super::super::abi::{Errno, open_flags_to_linux};
use super::super::kernel::{Context, Kernel, Step};
use super::super::linux;
use super::Arguments;

pub(super) fn read(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::READ, [arguments.word(0), arguments.word(1), arguments.word(2), 0, 0, 0]))
}

pub(super) fn write(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::WRITE, [arguments.word(0), arguments.word(1), arguments.word(2), 0, 0, 0]))
}

/// A write that takes at most `most` bytes.
pub(crate) fn write_some(arguments: &Arguments, most: u64) -> Step {
    Step::linux(linux::WRITE, [arguments.word(0), arguments.word(1), arguments.word(2).min(most), 0, 0, 0])
}

pub(super) fn open(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let flags = flags(kernel, context, arguments.int(1))?;
    Ok(Step::linux(linux::OPEN, [arguments.word(0), flags, arguments.word(2), 0, 0, 0]))
}

/// Played only for a path that is absolute or relative to the current directory (AT_FDCWD, -100).
pub(super) fn openat(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let flags = flags(kernel, context, arguments.int(2))?;
    let absolute = context.tracee.read_string(arguments.word(1))?.first() == Some(&b'/');
    if arguments.int(0) != -100 && !absolute {
        return Err(Errno::EINVAL);
    }
    Ok(Step::linux(linux::OPEN, [arguments.word(1), flags, arguments.word(3), 0, 0, 0]))
}

fn flags(kernel: &mut Kernel, context: Context, flags: i32) -> Result<u64, Errno> {
    open_flags_to_linux(flags.cast_unsigned()).map(u64::from).map_err(|bits| {
        kernel.violation(context, format!("open flags {flags:#x}: {bits:#x} are not FreeBSD's"));
        Errno::EINVAL
    })
}

pub(super) fn close(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::CLOSE, [arguments.word(0), 0, 0, 0, 0, 0]))
}

pub(super) fn dup(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::DUP, [arguments.word(0), 0, 0, 0, 0, 0]))
}

pub(super) fn dup2(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::DUP2, [arguments.word(0), arguments.word(1), 0, 0, 0, 0]))
}

/// Nothing here is a terminal.
pub(super) fn ioctl(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Err(Errno::ENOTTY)
}
