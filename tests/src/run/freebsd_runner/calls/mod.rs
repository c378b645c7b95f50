//! The system calls: the part of FreeBSD's table (`sys/kern/syscalls.master`) that is played here.

mod files;
mod memory;
mod process;
mod signal;
mod thread;

pub(super) use files::write_some;
pub(super) use memory::mmap_elsewhere;
pub(super) use signal::{Handler, Interrupted, TRAMPOLINE, Told, deliver, trampoline};
pub(super) use thread::Start;

use super::abi::Errno;
use super::kernel::{Context, Kernel, Step};
use crate::run::tracer::tracee::{BadAddress, Class, Registers};

/// A function that plays a call.
pub(super) type Play = fn(&mut Kernel, Context, &Arguments) -> Result<Step, Errno>;

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// The call's number.
    pub number: u64,
    /// Its name.
    pub name: &'static str,
    /// How many arguments it takes; a 64-bit argument counts as one.
    pub arguments: usize,
    /// What it does; `None` if it is not played here.
    pub play: Option<Play>,
}

const fn row(number: u64, name: &'static str, arguments: usize, play: Play) -> Row {
    Row { number, name, arguments, play: Some(play) }
}

/// A call that FreeBSD has and this runner does not play. It is no SIGSYS: the run ends with a message.
const fn unplayed(number: u64, name: &'static str) -> Row {
    Row { number, name, arguments: 6, play: None }
}

/// The table, by number.
pub(super) const TABLE: &[Row] = &[
    row(1, "exit", 1, process::exit),
    row(2, "fork", 0, process::fork),
    row(3, "read", 3, files::read),
    row(4, "write", 3, files::write),
    row(5, "open", 3, files::open),
    row(6, "close", 1, files::close),
    row(7, "wait4", 4, process::wait4),
    row(9, "link", 2, process::faults),
    row(10, "unlink", 1, files::unlink),
    unplayed(12, "chdir"),
    row(20, "getpid", 0, process::getpid),
    row(24, "getuid", 0, process::getuid),
    unplayed(28, "sendmsg"),
    row(33, "access", 2, files::access),
    row(37, "kill", 2, process::kill),
    row(39, "getppid", 0, process::getppid),
    row(36, "sync", 0, process::nothing),
    row(41, "dup", 1, files::dup),
    row(45, "ktrace", 4, process::faults),
    row(53, "sigaltstack", 2, signal::sigaltstack),
    row(54, "ioctl", 3, files::ioctl),
    row(55, "reboot", 1, process::refused),
    row(58, "readlink", 3, files::readlink),
    row(59, "execve", 3, process::execve),
    row(69, "sbrk", 1, process::unsupported),
    row(73, "munmap", 2, memory::munmap),
    row(74, "mprotect", 3, memory::mprotect),
    row(75, "madvise", 3, memory::madvise),
    row(78, "mincore", 3, memory::mincore),
    row(90, "dup2", 2, files::dup2),
    row(92, "fcntl", 3, files::fcntl),
    row(95, "fsync", 1, files::fsync),
    row(96, "setpriority", 3, process::nothing),
    unplayed(116, "gettimeofday"),
    row(117, "getrusage", 2, process::getrusage),
    row(128, "rename", 2, process::faults),
    row(147, "setsid", 0, process::setsid),
    row(165, "sysarch", 2, thread::sysarch),
    unplayed(183, "seteuid"),
    row(188, "stat", 2, process::faults),
    row(189, "fstat", 2, files::fstat),
    unplayed(192, "fpathconf"),
    row(194, "getrlimit", 2, process::getrlimit),
    row(195, "setrlimit", 2, process::setrlimit),
    row(202, "__sysctl", 6, process::sysctl),
    row(232, "clock_gettime", 2, process::clock_gettime),
    row(240, "nanosleep", 2, process::nanosleep),
    row(331, "sched_yield", 0, thread::sched_yield),
    unplayed(340, "sigprocmask"),
    row(378, "nmount", 3, process::refused),
    row(416, "sigaction", 3, signal::sigaction),
    row(417, "sigreturn", 1, signal::sigreturn),
    row(431, "thr_exit", 1, thread::exit),
    row(432, "thr_self", 1, thread::current),
    row(433, "thr_kill", 2, thread::kill),
    row(454, "_umtx_op", 5, thread::umtx_op),
    row(455, "thr_new", 2, thread::new),
    row(475, "pread", 4, files::pread),
    row(476, "pwrite", 4, files::pwrite),
    row(477, "mmap", 6, memory::mmap),
    row(478, "lseek", 3, files::lseek),
    row(480, "ftruncate", 2, files::ftruncate),
    row(499, "openat", 4, files::openat),
    unplayed(542, "pipe2"),
    row(563, "getrandom", 3, process::getrandom),
];

/// The row of a number, if a kernel of this `__FreeBSD_version` has it.
#[must_use]
pub(super) fn lookup(number: u64, osreldate: u32) -> Option<&'static Row> {
    // getrandom came with FreeBSD 12; before, it is SIGSYS. [run]
    let since = |row: &&Row| row.name != "getrandom" || osreldate >= 1_200_000;
    TABLE.iter().find(|row| row.number == number).filter(since)
}

/// A call's arguments, as the kernel fetches them (`cpu_fetch_syscall_args`): from registers and then the stack in a
/// 64-bit program, all from the stack in a 32-bit one. In both the first word on the stack, the return address, is
/// skipped.
#[derive(Clone, Debug)]
pub(super) struct Arguments {
    class: Class,
    words: Vec<u64>,
}

impl Arguments {
    /// Fetches the arguments of the call at which the thread has stopped.
    ///
    /// # Errors
    /// EFAULT if the stack cannot be read.
    pub(super) fn fetch(context: Context, registers: &Registers) -> Result<Arguments, BadAddress> {
        let Context { tracee, class, .. } = context;
        let on_stack = |count| tracee.read_words(class, registers.rsp + class.word() as u64, count);
        let words = match class {
            Class::Bits32 => on_stack(8)?,
            Class::Bits64 => {
                let Registers { rdi, rsi, rdx, r10, r8, r9, .. } = *registers;
                let mut words = vec![rdi, rsi, rdx, r10, r8, r9];
                words.extend(on_stack(1)?);
                words
            }
        };
        Ok(Arguments { class, words })
    }

    /// An address, a size or another word, counted from 0.
    #[must_use]
    pub(super) fn word(&self, index: usize) -> u64 {
        self.words[index]
    }

    /// A C `int`.
    #[must_use]
    pub(super) fn int(&self, index: usize) -> i32 {
        self.words[index] as u32 as i32
    }

    /// A 64-bit argument at `index`; a 32-bit program passes it as two words, the low one first.
    #[must_use]
    pub(super) fn wide(&self, index: usize) -> u64 {
        match self.class {
            Class::Bits32 => self.words[index] | self.words[index + 1] << 32,
            Class::Bits64 => self.words[index],
        }
    }

    /// The words that `row`'s call takes, for the record.
    #[must_use]
    pub(super) fn taken(&self, row: &Row) -> Vec<u64> {
        self.words.iter().copied().take(row.arguments).collect()
    }
}

/// A timespec at `address`: seconds and nanoseconds, each a word of the program's class.
fn read_timespec(context: Context, address: u64) -> Result<(u64, u64), Errno> {
    let words = context.tracee.read_words(context.class, address, 2)?;
    Ok((words[0], words[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_those_of_the_table() {
        for row in TABLE {
            assert_eq!(TABLE.iter().filter(|other| other.number == row.number).count(), 1, "{}", row.name);
        }
        let name = |number, osreldate| lookup(number, osreldate).map(|row| row.name);
        assert_eq!([name(477, 1_101_001), name(11, 1_101_001)], [Some("mmap"), None]);
        assert_eq!([name(563, 1_101_001), name(563, 1_200_000)], [None, Some("getrandom")]);
    }

    #[test]
    fn a_wide_argument_is_two_words_without_padding() {
        let arguments = Arguments { class: Class::Bits32, words: vec![0, 1, 2, 3, 4, 0x1000, 7, 0] };
        assert_eq!(arguments.wide(5), 0x7_0000_1000);
    }
}
