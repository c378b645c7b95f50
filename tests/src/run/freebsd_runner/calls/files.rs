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

/// The words of descriptor, memory, size and offset: the offset is one word or two, as Linux takes it on either CPU.
fn at_offset(arguments: &Arguments) -> [u64; 6] {
    [0, 1, 2, 3, 4]
        .map(|index| arguments.word(index))
        .into_iter()
        .chain([0])
        .collect::<Vec<_>>()
        .try_into()
        .expect("six")
}

pub(super) fn pread(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::PREAD, at_offset(arguments)))
}

pub(super) fn pwrite(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::PWRITE, at_offset(arguments)))
}

pub(super) fn ftruncate(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::FTRUNCATE, [arguments.word(0), arguments.word(1), arguments.word(2), 0, 0, 0]))
}

pub(super) fn fsync(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::FSYNC, [arguments.word(0), 0, 0, 0, 0, 0]))
}

pub(super) fn unlink(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::UNLINK, [arguments.word(0), 0, 0, 0, 0, 0]))
}

pub(super) fn access(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::ACCESS, [arguments.word(0), arguments.word(1), 0, 0, 0, 0]))
}

/// `struct freebsd11_stat` (`sys/sys/stat.h`), of which the size alone is filled in: behind three `struct timespec`, which
/// begin at 24.
pub(super) fn fstat(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let Context { tracee, class, .. } = context;
    let opened = format!("/proc/{}/fd/{}", tracee.0, arguments.int(0));
    let size = std::fs::metadata(opened).map_err(|_| Errno::EBADF)?.len();
    let size_at = 24 + 3 * 2 * class.word();
    let mut bytes = vec![0; size_at + 48];
    bytes[size_at..size_at + 8].copy_from_slice(&size.to_le_bytes());
    tracee.write(arguments.word(1), &bytes)?;
    Ok(Step::value(0))
}

/// Record locks alone: `F_SETLK` (12) is granted, since no other program has the file here, and `F_GETLK` (11) answers that
/// nobody holds one (`struct flock`, `sys/sys/fcntl.h`: the type lies behind two offsets and a process number; `F_UNLCK` is 2).
pub(super) fn fcntl(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    match arguments.int(1) {
        11 => {
            context.tracee.write(arguments.word(2) + 20, &2u16.to_le_bytes())?;
            Ok(Step::value(0))
        }
        12 => Ok(Step::value(0)),
        _ => Err(Errno::EINVAL),
    }
}

/// Nothing here is a terminal.
pub(super) fn ioctl(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Err(Errno::ENOTTY)
}
