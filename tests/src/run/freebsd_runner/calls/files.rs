//! Files: Linux does the work, with FreeBSD's flags and errors translated.

use super::super::abi::{Errno, open_flags_to_linux};
use super::super::kernel::{Context, Kernel, Step, from_linux};
use super::super::linux;
use super::Arguments;
use crate::run::tracer::tracee::Class;
use std::os::unix::fs::MetadataExt;

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
    // FreeBSD opens a file of any size; Linux does for a 32-bit program with O_LARGEFILE (0o100000).
    open_flags_to_linux(flags.cast_unsigned()).map(|flags| u64::from(flags) | 0o100_000).map_err(|bits| {
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

pub(super) fn readlink(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::READLINK, [arguments.word(0), arguments.word(1), arguments.word(2), 0, 0, 0]))
}

/// `struct freebsd11_stat` (`sys/sys/stat.h`) without owners and most times: device, number, mode and names begin it, the
/// time of the last write is the second of three `struct timespec` from 24 on, and behind those is the size.
pub(super) fn fstat(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let Context { tracee, class, .. } = context;
    let opened = format!("/proc/{}/fd/{}", tracee.0, arguments.int(0));
    let file = std::fs::metadata(opened).map_err(|_| Errno::EBADF)?;
    let timespec = 2 * class.word();
    let mut bytes = [file.dev() as u32, file.ino() as u32].map(u32::to_le_bytes).concat();
    bytes.extend([file.mode() as u16, file.nlink() as u16].map(u16::to_le_bytes).concat());
    bytes.resize(24 + timespec, 0);
    class.push(&mut bytes, file.mtime().cast_unsigned());
    class.push(&mut bytes, file.mtime_nsec().cast_unsigned());
    bytes.resize(24 + 3 * timespec, 0);
    bytes.extend(file.len().to_le_bytes());
    bytes.resize(24 + 3 * timespec + 48, 0);
    tracee.write(arguments.word(1), &bytes)?;
    Ok(Step::value(0))
}

/// `sys_lseek`: on 386 the answer is two words.
pub(super) fn lseek(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let fd = arguments.word(0);
    match context.class {
        Class::Bits64 => Ok(Step::linux(linux::LSEEK, [fd, arguments.word(1), arguments.word(2), 0, 0, 0])),
        // `_llseek` stores its answer. It goes where the arguments lay, above the call's number and a word.
        Class::Bits32 => {
            let place = context.tracee.registers().map_err(|_| Errno::EFAULT)?.rsp + 8;
            let words = [fd, arguments.word(2), arguments.word(1), place, arguments.word(3), 0];
            Ok(Step::linux_then(linux::LLSEEK, words, |_, context, _| {
                let answer = context
                    .tracee
                    .registers()
                    .ok()
                    .and_then(|it| context.tracee.read_words(Class::Bits32, it.rsp + 8, 2).ok());
                Step::Answer(answer.map(|words| (words[0], Some(words[1]))).ok_or(Errno::EFAULT))
            }))
        }
    }
}

/// A kind of lock: FreeBSD's number and Linux's, `F_RDLCK`, `F_UNLCK` and `F_WRLCK` (`sys/sys/fcntl.h`;
/// `include/uapi/asm-generic/fcntl.h`).
const LOCK_KINDS: [[u16; 2]; 3] = [[1, 0], [2, 2], [3, 1]];

/// Record locks alone, `F_GETLK` (11) and `F_SETLK` (12). For the time of the call the structure is Linux's: there the kind
/// comes first and not last.
pub(super) fn fcntl(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let Context { tracee, class, .. } = context;
    let command = match (arguments.int(1), class) {
        (11, Class::Bits64) => 5,
        (12, Class::Bits64) => 6,
        (11, Class::Bits32) => 12,
        (12, Class::Bits32) => 13,
        _ => return Err(Errno::EINVAL),
    };
    let (fd, place) = (arguments.word(0), arguments.word(2));
    // start, len, pid, kind, whence
    let mut lock = [0; 24];
    tracee.read(place, &mut lock)?;
    // Where the offsets lie behind the kind, and the pid behind the offsets.
    let start = if class == Class::Bits64 { 8 } else { 4 };
    let kind = u16::from_le_bytes([lock[20], lock[21]]);
    let [_, kind] = *LOCK_KINDS.iter().find(|kinds| kinds[0] == kind).ok_or(Errno::EINVAL)?;
    let mut linux = [0; 28];
    linux[..2].copy_from_slice(&kind.to_le_bytes());
    linux[2..4].copy_from_slice(&lock[22..]);
    linux[start..start + 20].copy_from_slice(&lock[..20]);
    let len = start + 20;
    // What is behind the shorter structure stays as it is.
    tracee.write(place, &linux[..len])?;
    let back = move |_: &mut Kernel, context: Context, answer: i64| {
        let done = from_linux(answer).and_then(|answer| {
            let mut linux = [0; 28];
            context.tracee.read(place, &mut linux[..len])?;
            let found = u16::from_le_bytes([linux[0], linux[1]]);
            let [kind, _] = *LOCK_KINDS.iter().find(|kinds| kinds[1] == found).ok_or(Errno::EINVAL)?;
            lock[..20].copy_from_slice(&linux[start..len]);
            lock[20..22].copy_from_slice(&kind.to_le_bytes());
            Ok(answer)
        });
        Step::Answer(context.tracee.write(place, &lock).map_err(Errno::from).and(done))
    };
    Ok(Step::Linux(linux::FCNTL, [fd, command, place, 0, 0, 0], Box::new(back)))
}

/// Nothing here is a terminal.
pub(super) fn ioctl(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let opened = format!("/proc/{}/fd/{}", context.tracee.0, arguments.int(0));
    Err(if std::fs::symlink_metadata(opened).is_ok() { Errno::ENOTTY } else { Errno::EBADF })
}
