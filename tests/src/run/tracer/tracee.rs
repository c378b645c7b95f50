//! One stopped thread of a traced program: its registers, its memory, and Linux calls made in its name.

use std::io::{IoSlice, IoSliceMut};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The registers of an x86 thread, as ptrace reads them; a 32-bit thread has the low halves.
pub type Registers = libc::user_regs_struct;

/// How wide the program's words are: which of the two x86 instruction sets it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// x86-32.
    Bits32,
    /// x86-64.
    Bits64,
}

impl Class {
    /// Bytes of a word, of a pointer and of a C `long`.
    #[must_use]
    pub fn word(self) -> usize {
        match self {
            Class::Bits32 => 4,
            Class::Bits64 => 8,
        }
    }

    /// `value` as a register of this class holds it.
    #[must_use]
    pub fn truncate(self, value: u64) -> u64 {
        match self {
            Class::Bits32 => value & 0xffff_ffff,
            Class::Bits64 => value,
        }
    }

    /// The instruction that enters the kernel: `int $0x80` or `syscall`. Both are two bytes long.
    #[must_use]
    pub fn system_call(self) -> [u8; 2] {
        match self {
            Class::Bits32 => [0xcd, 0x80],
            Class::Bits64 => [0x0f, 0x05],
        }
    }

    /// Appends `value` as a word.
    pub fn push(self, bytes: &mut Vec<u8>, value: u64) {
        bytes.extend_from_slice(&value.to_le_bytes()[..self.word()]);
    }
}

/// A Linux system call: its number in each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinuxCall {
    /// The number in `arch/x86/entry/syscalls/syscall_64.tbl`.
    pub amd64: u64,
    /// The number in `arch/x86/entry/syscalls/syscall_32.tbl`.
    pub i386: u64,
}

impl LinuxCall {
    /// The number that a program of `class` passes.
    #[must_use]
    pub fn number(self, class: Class) -> u64 {
        match class {
            Class::Bits32 => self.i386,
            Class::Bits64 => self.amd64,
        }
    }
}

/// An address at which the program's memory could not be read or written; a kernel returns EFAULT for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress(pub u64);

/// A traced thread. Everything here works only while the thread is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tracee(pub Pid);

impl Tracee {
    /// Reads the registers.
    ///
    /// # Errors
    /// ESRCH when the thread has been killed meanwhile.
    pub fn registers(self) -> nix::Result<Registers> {
        ptrace::getregs(self.0)
    }

    /// Sets the registers.
    ///
    /// # Errors
    /// ESRCH when the thread has been killed meanwhile; EIO for a value that no register may hold.
    pub fn set_registers(self, registers: Registers) -> nix::Result<()> {
        ptrace::setregs(self.0, registers)
    }

    /// The class of code the thread runs, from its code segment (`__USER_CS` is 0x33, `__USER32_CS` 0x23).
    ///
    /// # Errors
    /// Those of [`Tracee::registers`].
    pub fn class(self) -> nix::Result<Class> {
        Ok(if self.registers()?.cs == 0x23 { Class::Bits32 } else { Class::Bits64 })
    }

    /// Reads the program's memory with the program's own rights.
    ///
    /// # Errors
    /// [`BadAddress`] when not all of it can be read.
    pub fn read(self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        if into.is_empty() {
            return Ok(());
        }
        let bad = BadAddress(address);
        let base = usize::try_from(address).map_err(|_| bad)?;
        let length = into.len();
        let remote = [RemoteIoVec { base, len: length }];
        match process_vm_readv(self.0, &mut [IoSliceMut::new(into)], &remote) {
            Ok(n) if n == length => Ok(()),
            _ => Err(bad),
        }
    }

    /// Writes the program's memory with the program's own rights, so not to read-only pages.
    ///
    /// # Errors
    /// [`BadAddress`] when not all of it can be written.
    pub fn write(self, address: u64, bytes: &[u8]) -> Result<(), BadAddress> {
        if bytes.is_empty() {
            return Ok(());
        }
        let bad = BadAddress(address);
        let base = usize::try_from(address).map_err(|_| bad)?;
        let remote = [RemoteIoVec { base, len: bytes.len() }];
        match process_vm_writev(self.0, &[IoSlice::new(bytes)], &remote) {
            Ok(n) if n == bytes.len() => Ok(()),
            _ => Err(bad),
        }
    }

    /// Reads `count` words of `class`.
    ///
    /// # Errors
    /// Those of [`Tracee::read`].
    pub fn read_words(self, class: Class, address: u64, count: usize) -> Result<Vec<u64>, BadAddress> {
        let mut bytes = vec![0; count * class.word()];
        self.read(address, &mut bytes)?;
        Ok(bytes.chunks_exact(class.word()).map(word).collect())
    }

    /// Reads a string up to its NUL, at most 4096 bytes of it.
    ///
    /// # Errors
    /// Those of [`Tracee::read`].
    pub fn read_string(self, address: u64) -> Result<Vec<u8>, BadAddress> {
        let mut string = Vec::new();
        while string.len() < 4096 {
            let mut byte = [0];
            self.read(address + string.len() as u64, &mut byte)?;
            if byte[0] == 0 {
                break;
            }
            string.push(byte[0]);
        }
        Ok(string)
    }

    /// Reads a list of pointers to strings that ends with a null pointer.
    ///
    /// # Errors
    /// Those of [`Tracee::read`].
    pub fn read_strings(self, class: Class, address: u64) -> Result<Vec<Vec<u8>>, BadAddress> {
        let mut strings = Vec::new();
        loop {
            let at = address + (strings.len() * class.word()) as u64;
            match self.read_words(class, at, 1)?[0] {
                0 => return Ok(strings),
                pointer => strings.push(self.read_string(pointer)?),
            }
        }
    }

    /// The segment of a 32-bit thread that [`set_thread_area`](Tracee::set_thread_area) is about, as a register selects it:
    /// number 12 (`arch/x86/include/asm/segment.h`, `GDT_ENTRY_TLS_MIN` of a 64-bit kernel), user's privilege.
    pub const AREA_SELECTOR: u64 = 12 * 8 + 3;

    /// Sets the base of a 32-bit thread's segment.
    ///
    /// # Errors
    /// ESRCH when the thread has been killed meanwhile.
    pub fn set_thread_area(self, base: u64) -> nix::Result<()> {
        /// `arch/x86/include/uapi/asm/ptrace-abi.h`.
        const PTRACE_SET_THREAD_AREA: libc::c_uint = 26;
        // `struct user_desc`: 32 bits, limit in pages, usable.
        let segment = [(Self::AREA_SELECTOR / 8) as u32, base as u32, 0xf_ffff, 0x51];
        let number = Self::AREA_SELECTOR / 8;
        // SAFETY: the kernel reads the four words.
        let answer = unsafe { libc::ptrace(PTRACE_SET_THREAD_AREA, self.0.as_raw(), number, segment.as_ptr()) };
        Errno::result(answer).map(drop)
    }

    /// Overwrites two bytes of code, whatever the page's protection, and returns what stood there.
    ///
    /// # Errors
    /// EIO when nothing is mapped there.
    pub fn patch(self, address: u64, code: [u8; 2]) -> nix::Result<[u8; 2]> {
        let at = address as ptrace::AddressType;
        let [a, b, rest @ ..] = ptrace::read(self.0, at)?.to_le_bytes();
        let [c, d] = code;
        let [e, f, g, h, i, j] = rest;
        ptrace::write(self.0, at, i64::from_le_bytes([c, d, e, f, g, h, i, j]))?;
        Ok([a, b])
    }

    /// Makes one Linux call in the thread's name and returns its answer, -4095..-1 for an error.
    ///
    /// `gadget` is the address of a system call instruction in the program's memory. Afterwards the registers are
    /// as they were before. Do not use it between the entry and the exit of one of the program's own calls.
    ///
    /// # Errors
    /// ESRCH when the thread has been killed meanwhile.
    pub fn inject(self, gadget: u64, call: LinuxCall, arguments: [u64; 6]) -> nix::Result<i64> {
        let saved = self.registers()?;
        let class = self.class()?;
        let mut registers = saved;
        registers.rip = gadget;
        registers.orig_rax = u64::MAX;
        set_linux_call(&mut registers, class, call, arguments);
        self.set_registers(registers)?;
        for _entry_then_exit in 0..2 {
            ptrace::syscall(self.0, None)?;
            self.wait_for_call_stop()?;
        }
        let answer = linux_answer(&self.registers()?, class);
        self.set_registers(Registers { orig_rax: u64::MAX, ..saved })?;
        Ok(answer)
    }

    /// Waits for the next stop at a system call. Signals that arrive before it are held back, except those that end the
    /// thread.
    fn wait_for_call_stop(self) -> nix::Result<()> {
        loop {
            match waitpid(self.0, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))? {
                WaitStatus::PtraceSyscall(_) => return Ok(()),
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Err(Errno::ESRCH),
                _ => ptrace::syscall(self.0, None)?,
            }
        }
    }

    /// Lets the thread run to its next stop, with `signal` delivered to it first.
    ///
    /// # Errors
    /// ESRCH when the thread has been killed meanwhile.
    pub fn resume(self, signal: Option<Signal>) -> nix::Result<()> {
        ptrace::syscall(self.0, signal)
    }
}

/// A little-endian word of four or eight bytes.
#[must_use]
pub fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Sets the registers so that a system call instruction makes this Linux call. The kernel reads the number from
/// `orig_rax` at a stop at a call's entry, and from `rax` before the instruction; both are set.
pub fn set_linux_call(registers: &mut Registers, class: Class, call: LinuxCall, arguments: [u64; 6]) {
    let number = call.number(class);
    registers.rax = number;
    registers.orig_rax = number;
    set_linux_arguments(registers, class, arguments);
}

/// The registers of a Linux call's arguments, in order.
fn argument_registers(registers: &mut Registers, class: Class) -> [&mut u64; 6] {
    let Registers { rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, .. } = registers;
    match class {
        Class::Bits32 => [rbx, rcx, rdx, rsi, rdi, rbp],
        Class::Bits64 => [rdi, rsi, rdx, r10, r8, r9],
    }
}

/// The arguments of the Linux call at whose entry the thread is stopped.
#[must_use]
pub fn linux_arguments(registers: &Registers, class: Class) -> [u64; 6] {
    argument_registers(&mut registers.clone(), class).map(|register| class.truncate(*register))
}

/// Sets the arguments of a Linux call.
pub fn set_linux_arguments(registers: &mut Registers, class: Class, arguments: [u64; 6]) {
    for (register, value) in argument_registers(registers, class).into_iter().zip(arguments) {
        *register = class.truncate(value);
    }
}

/// The answer of the Linux call that has just ended.
#[must_use]
pub fn linux_answer(registers: &Registers, class: Class) -> i64 {
    match class {
        // The low half, sign-extended only if it is an error: an address above 2 GiB is not.
        Class::Bits32 => match registers.rax as u32 {
            error @ 0xffff_f001.. => i64::from(error.cast_signed()),
            value => i64::from(value),
        },
        Class::Bits64 => registers.rax.cast_signed(),
    }
}
