//! Printing, before and without a heap.

use core::fmt::{self, Write};

use heapless::Vec;

use crate::sys::{self, Errno};

/// Prints to fd 1, formatted as [`core::fmt`] does. An error is dropped, as most callers of C's `printf` drop it;
/// `Fd(1).write_fmt` returns it.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::io::print(1, ::core::format_args!($($arg)*)) };
}

/// [`print!`](crate::print) and a newline.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::print!("{}\n", ::core::format_args!($($arg)*)) };
}

/// Prints to fd 2, formatted as [`core::fmt`] does; an error is dropped.
#[macro_export]
macro_rules! eprint {
    ($($arg:tt)*) => { $crate::io::print(2, ::core::format_args!($($arg)*)) };
}

/// [`eprint!`](crate::eprint) and a newline.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($arg:tt)*) => { $crate::eprint!("{}\n", ::core::format_args!($($arg)*)) };
}

/// Text collected on the stack, so that a line is one system call and appears whole.
const BUFFER: usize = 256;

/// A file descriptor to write to.
#[derive(Clone, Copy, Debug)]
pub struct Fd(pub i32);

impl Fd {
    /// Writes all of `bytes`, even if the kernel takes them in parts or a signal interrupts it.
    ///
    /// # Errors
    ///
    /// The kernel's error other than `EINTR`; `EIO` if the kernel takes no byte at all.
    pub fn write_all(self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match sys::write(self.0, bytes) {
                Ok(0) => return Err(Errno::EIO),
                Ok(taken) => bytes = &bytes[taken.min(bytes.len())..],
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Writes formatted text, in pieces of up to 256 bytes.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Fd::write_all); the text up to there has been written.
    #[inline]
    pub fn write_fmt(self, text: fmt::Arguments<'_>) -> Result<(), Errno> {
        match text.as_str() {
            Some(text) => self.write_all(text.as_bytes()),
            None => self.write_pieces(text),
        }
    }

    fn write_pieces(self, text: fmt::Arguments<'_>) -> Result<(), Errno> {
        let mut out = Buffered::new(self);
        // An error of the kernel is what `finish` answers; one of a `Display` has nothing to say.
        let _ = out.write_fmt(text);
        out.finish()
    }
}

/// Text on its way to a file descriptor. After an error of the kernel the rest is dropped.
pub(crate) struct Buffered {
    fd: Fd,
    pending: Vec<u8, BUFFER>,
    result: Result<(), Errno>,
}

impl Buffered {
    pub(crate) const fn new(fd: Fd) -> Self {
        Buffered { fd, pending: Vec::new(), result: Ok(()) }
    }

    pub(crate) fn write_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.pending.push(*byte).is_err() {
                self.flush();
                let _ = self.pending.push(*byte);
            }
        }
    }

    /// Writes what is pending; the kernel's first error, if there was one.
    pub(crate) fn finish(mut self) -> Result<(), Errno> {
        self.flush();
        self.result
    }

    fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.fd.write_all(&self.pending);
        }
        self.pending.clear();
    }
}

impl Write for Buffered {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes());
        self.result.map_err(|_| fmt::Error)
    }
}

/// The most digits that a number of 64 bits has.
pub(crate) const DECIMAL: usize = 20;

/// The digits of `number`.
pub(crate) fn decimal(mut number: u64, digits: &mut [u8; DECIMAL]) -> &[u8] {
    let mut first = DECIMAL;
    for digit in digits.iter_mut().rev() {
        first -= 1;
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

#[doc(hidden)]
#[inline]
pub fn print(fd: i32, text: fmt::Arguments<'_>) {
    let _ = Fd(fd).write_fmt(text);
}
