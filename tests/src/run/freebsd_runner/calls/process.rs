//! Processes, their limits, time, and what the kernel reports about itself.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::super::abi::{Errno, rlimit, signal_from_linux, signal_to_linux};
use super::super::kernel::{Context, Kernel, Limit, Step, read_program};
use super::super::linux;
use super::{Arguments, read_timespec};
use crate::run::tracer::tracee::Class;

pub(super) fn exit(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::EXIT_GROUP, [arguments.word(0), 0, 0, 0, 0, 0]))
}

/// The child's own answer (0, and 1 as second result) is set when it first stops.
pub(super) fn fork(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::FORK, [0; 6]))
}

/// Refuses a file that FreeBSD refuses; the rest is done after Linux has executed the file.
pub(super) fn execve(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    use std::os::unix::ffi::OsStringExt;
    let path = std::ffi::OsString::from_vec(context.tracee.read_string(arguments.word(0))?);
    let root = PathBuf::from(format!("/proc/{}/cwd", context.process));
    let path = root.join(path);
    if path.is_file()
        && let Err(reason) = read_program(&path)
    {
        kernel.refused = Some(format!("{}: {reason}", path.display()));
        return Err(Errno::ENOEXEC);
    }
    Ok(Step::linux(linux::EXECVE, [arguments.word(0), arguments.word(1), arguments.word(2), 0, 0, 0]))
}

/// `kern_wait6`. Signals in the status are renumbered; the resources used are not reported.
pub(super) fn wait4(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let (pid, status, options) = (arguments.word(0), arguments.word(1), arguments.word(2));
    if arguments.word(3) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Step::linux_then(linux::WAIT4, [pid, status, options, 0, 0, 0], move |_, context, waited| {
        if waited == 0 || status == 0 {
            return Step::value(waited);
        }
        let mut bytes = [0; 4];
        let renumbered = context.tracee.read(status, &mut bytes).map_err(Errno::from).and_then(|()| {
            let value = u32::from_le_bytes(bytes);
            let signal = Signal::try_from((value & 0x7f).cast_signed()).map_or(0, signal_from_linux);
            Ok(context.tracee.write(status, &(value & !0x7f | signal.cast_unsigned()).to_le_bytes())?)
        });
        match renumbered {
            Ok(()) => Step::value(waited),
            Err(errno) => errno.into(),
        }
    }))
}

pub(super) fn getpid(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::GETPID, [0; 6]))
}

pub(super) fn getppid(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::GETPPID, [0; 6]))
}

pub(super) fn setsid(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::SETSID, [0; 6]))
}

pub(super) fn kill(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let signal = match arguments.int(1) {
        0 => 0,
        number => signal_to_linux(number).ok_or(Errno::EINVAL)? as u64,
    };
    Ok(Step::linux(linux::KILL, [arguments.word(0), signal, 0, 0, 0, 0]))
}

pub(super) fn nothing(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::value(0))
}

/// A call that only the superuser may make.
pub(super) fn refused(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Err(Errno::EPERM)
}

/// A call that is played only for a null pointer as its first argument, which the kernel cannot read or write.
pub(super) fn faults(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    pointer(kernel, context, arguments.word(0))
}

/// `getrusage`, whose second argument is the pointer.
pub(super) fn getrusage(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    pointer(kernel, context, arguments.word(1))
}

fn pointer(kernel: &mut Kernel, context: Context, address: u64) -> Result<Step, Errno> {
    if address != 0 {
        kernel.violation(context, "the runner plays this call for a null pointer alone");
    }
    Err(Errno::EFAULT)
}

/// `sys_sbrk`, which amd64 and i386 kernels have and do not support (`sys/vm/vm_mmap.c`).
pub(super) fn unsupported(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Err(Errno::EOPNOTSUPP)
}

pub(super) fn getuid(_: &mut Kernel, _: Context, _: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::GETUID, [0; 6]))
}

/// The resource that the call names.
fn resource(arguments: &Arguments) -> Result<usize, Errno> {
    usize::try_from(arguments.int(0)).ok().filter(|index| *index < rlimit::COUNT).ok_or(Errno::EINVAL)
}

/// Two signed 64-bit words, in 32-bit processes too.
pub(super) fn getrlimit(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let resource = resource(arguments)?;
    if resource == LINUX_RLIMIT_AS {
        kernel.violation(context, "getrlimit 9 is RLIMIT_AS on Linux; on FreeBSD it is 10");
    }
    let Limit { soft, hard } = kernel.process(context).limits[resource];
    context.tracee.write(arguments.word(1), &[soft.to_le_bytes(), hard.to_le_bytes()].concat())?;
    Ok(Step::value(0))
}

/// Linux's number of RLIMIT_AS. On FreeBSD this is RLIMIT_SBSIZE, which no program here uses.
const LINUX_RLIMIT_AS: usize = 9;

/// `kern_proc_setrlimit`, as an ordinary user.
pub(super) fn setrlimit(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let resource = resource(arguments)?;
    if resource == LINUX_RLIMIT_AS {
        kernel.violation(context, "setrlimit 9 is RLIMIT_AS on Linux; on FreeBSD it is 10");
    }
    let mut bytes = [0; 16];
    context.tracee.read(arguments.word(1), &mut bytes)?;
    let read = |from: usize| {
        let value = i64::from_le_bytes(bytes[from..from + 8].try_into().expect("eight bytes"));
        if value < 0 { rlimit::INFINITY } else { value }
    };
    let new = Limit { soft: read(0), hard: read(8) };
    let limit = &mut kernel.process(context).limits[resource];
    if new.soft > limit.hard || new.hard > limit.hard {
        return Err(Errno::EPERM);
    }
    *limit = Limit { soft: new.soft.min(new.hard), hard: new.hard };
    Ok(Step::value(0))
}

pub(super) fn nanosleep(_: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    read_timespec(context, arguments.word(0))?;
    Ok(Step::linux(linux::NANOSLEEP, [arguments.word(0), arguments.word(1), 0, 0, 0, 0]))
}

/// CLOCK_REALTIME is 0 on both. CLOCK_MONOTONIC is 4 on FreeBSD and 1 on Linux; FreeBSD's 1 is CLOCK_VIRTUAL.
pub(super) fn clock_gettime(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let clock = match arguments.int(0) {
        0 => 0,
        4 => 1,
        other => {
            kernel.violation(context, format!("clock {other}: the runner plays CLOCK_REALTIME (0) and CLOCK_MONOTONIC (4); 1 is Linux's number of the latter"));
            return Err(Errno::EINVAL);
        }
    };
    Ok(Step::linux(linux::CLOCK_GETTIME, [clock, arguments.word(1), 0, 0, 0, 0]))
}

pub(super) fn getrandom(_: &mut Kernel, _: Context, arguments: &Arguments) -> Result<Step, Errno> {
    Ok(Step::linux(linux::GETRANDOM, [arguments.word(0), arguments.word(1), arguments.word(2), 0, 0, 0]))
}

/// Bytes that are others each time; good enough for a test.
fn random() -> impl Iterator<Item = u8> {
    use std::hash::{BuildHasher, RandomState};
    std::iter::repeat_with(|| RandomState::new().hash_one(0)).flat_map(u64::to_le_bytes)
}

/// A few of sysctl's values, which can only be read.
pub(super) fn sysctl(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let Context { tracee, class, .. } = context;
    let count =
        usize::try_from(arguments.word(1)).ok().filter(|count| (1..=24).contains(count)).ok_or(Errno::EINVAL)?;
    let mut name = vec![0; count * 4];
    tracee.read(arguments.word(0), &mut name)?;
    let name: Vec<u32> = name.chunks_exact(4).map(|word| crate::run::tracer::tracee::word(word) as u32).collect();
    let (value_at, length_at, new) = (arguments.word(2), arguments.word(3), arguments.word(4));
    if new != 0 {
        return Err(Errno::EPERM);
    }
    let room = match length_at {
        0 => 0,
        _ => tracee.read_words(class, length_at, 1)?[0] as usize,
    };
    let value: Vec<u8> = match name.as_slice() {
        [1, 1] => b"FreeBSD\0".to_vec(),                            // kern.ostype
        [1, 24] => kernel.options.osreldate.to_le_bytes().to_vec(), // kern.osreldate
        [1, 37] => random().take(room.min(256)).collect(),          // kern.arandom
        [6, 3] => 2_u32.to_le_bytes().to_vec(),                     // hw.ncpu
        [6, 7] => 4096_u32.to_le_bytes().to_vec(),                  // hw.pagesize
        _ => return Err(Errno::ENOENT),
    };
    let mut length = Vec::new();
    class.push(&mut length, value.len() as u64);
    if value_at != 0 {
        if room < value.len() {
            return Err(Errno::ENOMEM);
        }
        tracee.write(value_at, &value)?;
    }
    if length_at != 0 {
        tracee.write(length_at, &length)?;
    }
    debug_assert!(class == Class::Bits64 || length.len() == 4);
    Ok(Step::value(0))
}
