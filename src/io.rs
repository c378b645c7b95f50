//! Printing, before and without a heap.
//!
//! ```
//! use rt0::io::Fd;
//!
//! rt0::print!("a line in two ");
//! rt0::println!("calls, {} pieces", 2);
//! rt0::eprint!("the same on ");
//! rt0::eprintln!("fd {}", 2);
//! // Other descriptors, and errors that are not dropped:
//! Fd(1).write_all(b"bytes\n")?;
//! write!(Fd(1), "{:?}\n", [1, 2])?;
//! # Ok::<(), rt0::sys::Errno>(())
//! ```

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

/// The lines that a file descriptor has, read through a buffer of the caller's.
///
/// A line that is longer than the buffer comes in pieces of the buffer's size; [`is_whole`](Lines::is_whole) tells.
///
/// ```no_run
/// let mut buffer = [0; 4096];
/// let mut lines = rt0::io::Lines::new(0, &mut buffer); // 0 is the standard input
/// while let Some(line) = lines.next() {
///     rt0::println!("{} bytes", line?.len());
/// }
/// # Ok::<(), rt0::sys::Errno>(())
/// ```
#[derive(Debug)]
pub struct Lines<'a> {
    fd: i32,
    buffer: &'a mut [u8],
    /// What of the buffer was read and not returned yet.
    start: usize,
    end: usize,
    whole: bool,
}

impl<'a> Lines<'a> {
    /// The lines of `fd` from where it is. Nothing else reads from it meanwhile: the buffer holds what follows a line.
    ///
    /// # Panics
    ///
    /// If the buffer is empty.
    pub fn new(fd: i32, buffer: &'a mut [u8]) -> Lines<'a> {
        assert!(!buffer.is_empty(), "lines need a buffer");
        Lines { fd, buffer, start: 0, end: 0, whole: true }
    }

    /// The next line without its newline, or the next piece of one; `None` at the end of the file. The last line may have
    /// no newline. A read that a signal interrupts is made again.
    ///
    /// # Errors
    ///
    /// The kernel's error other than `EINTR`; the next call reads on.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items could not borrow from the buffer")]
    pub fn next(&mut self) -> Option<Result<&[u8], Errno>> {
        let mut searched = self.start;
        loop {
            if let Some(found) = self.buffer[searched..self.end].iter().position(|byte| *byte == b'\n') {
                let line = self.start..searched + found;
                (self.start, self.whole) = (line.end + 1, true);
                return Some(Ok(&self.buffer[line]));
            }
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            searched = self.end;
            let count = if self.end < self.buffer.len() {
                match sys::read(self.fd, &mut self.buffer[self.end..]) {
                    Ok(count) => count,
                    Err(Errno::EINTR) => continue,
                    Err(errno) => return Some(Err(errno)),
                }
            } else {
                0
            };
            self.end += count;
            if count == 0 {
                // The buffer is full, or the file is at its end.
                self.whole = self.end < self.buffer.len();
                let piece = 0..core::mem::take(&mut self.end);
                return if piece.is_empty() { None } else { Some(Ok(&self.buffer[piece])) };
            }
        }
    }

    /// Whether what [`next`](Lines::next) returned last was a line to its end, and not a piece of one that goes on.
    ///
    /// ```
    /// let fd = rt0::sys::open(c"/proc/version", rt0::sys::O_RDONLY, 0)?;
    /// let mut buffer = [0; 8]; // less than the line
    /// let mut lines = rt0::io::Lines::new(fd, &mut buffer);
    /// assert!(lines.next().is_some() && !lines.is_whole());
    /// rt0::sys::close(fd)?;
    /// # Ok::<(), rt0::sys::Errno>(())
    /// ```
    pub fn is_whole(&self) -> bool {
        self.whole
    }
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
        let (tenth, rest) = div_rem_10(number);
        *digit = b'0' + rest;
        number = tenth;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

/// A tenth, and what is left. In parts of 16 bits: a division of 64 costs a 32-bit program half a kilobyte of code.
fn div_rem_10(number: u64) -> (u64, u8) {
    let (mut tenth, mut rest) = (0, 0);
    for shift in [48, 32, 16, 0] {
        let part = rest << 16 | u32::from((number >> shift) as u16);
        tenth = tenth << 16 | u64::from(part / 10);
        rest = part % 10;
    }
    (tenth, rest as u8)
}

#[doc(hidden)]
#[inline]
pub fn print(fd: i32, text: fmt::Arguments<'_>) {
    let _ = Fd(fd).write_fmt(text);
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::{DECIMAL, decimal};

    #[test]
    fn digits_are_those_of_the_standard_library() {
        let powers = (0..64).map(|bit| 1_u64 << bit);
        for number in powers.flat_map(|power| {
            [power - 1, power, power + 9, power ^ u64::MAX, power.wrapping_mul(0x9e37_79b9_7f4a_7c15)]
        }) {
            assert_eq!(decimal(number, &mut [0; DECIMAL]), number.to_string().as_bytes());
        }
    }
}
