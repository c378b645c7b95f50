//! The kernels: numbers, constants, layouts and errors of each, and what each has its own way of doing.
//!
//! A folder for each kernel holds the same files: `nr.rs` the numbers of system calls, `futex.rs` sleeping at a word,
//! `membarrier.rs` the order of other threads' steps, `thread.rs` starting and ending threads, `mod.rs` the rest. Whoever uses one of them uses it by the same name on
//! either kernel. What both kernels hand over alike is in `initial_stack.rs` and
//! `program_headers.rs`.

pub(crate) mod initial_stack;
pub(crate) mod program_headers;

cfg_if::cfg_if! {
    if #[cfg(target_os = "linux")] {
        mod linux;
        pub use linux::*;
    } else if #[cfg(target_os = "freebsd")] {
        mod freebsd;
        pub use freebsd::*;
    }
}

pub use crate::arch::Errno;

/// Gives the numbers of [`Errno`] their names: a constant for each, and the way back from a number to its name.
macro_rules! errno {
    ($source:literal, $($name:ident = $number:literal,)*) => {
        #[doc = concat!("The kernel's errors. Source: ", $source, ".")]
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno($number);)*

            /// Every named number with its name, in the kernel's order.
            pub const ALL: &[(Errno, &str)] = &[$((Errno($number), stringify!($name)),)*];
        }

        impl Errno {
            /// The kernel's name for it, such as `ENOMEM`; `None` for a number without one.
            pub fn name(self) -> Option<&'static str> {
                // One string in place of a table of pointers: smaller, and without relocations.
                const NAMES: &str = concat!($(stringify!($number), " ", stringify!($name), " ",)*);
                let mut words = NAMES.split(' ');
                while let (Some(number), Some(name)) = (words.next(), words.next()) {
                    if number.parse() == Ok(self.0) {
                        return Some(name);
                    }
                }
                None
            }
        }

        /// `ENOMEM (12)`.
        impl core::fmt::Display for Errno {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name} ({})", self.0),
                    None => write!(f, "errno {}", self.0),
                }
            }
        }

        impl core::fmt::Debug for Errno {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }

        impl core::error::Error for Errno {}
    };
}
use errno;

/// The smallest page of the kernels here, bytes, and what [`page_size`](crate::page_size) is where the kernel does
/// not say (`arch/{x86,arm}/include/asm/page.h`; FreeBSD `sys/{i386,amd64}/include/param.h`, `PAGE_SIZE`).
pub const PAGE_SIZE_MIN: usize = 4096;

/// A time or a span of time, the same on every port: the kernel's structure where it has seconds of 64 bits (Linux
/// `include/uapi/linux/time_types.h`, `__kernel_timespec`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub seconds: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanoseconds: i64,
}

/// `struct timespec` with a word for each (Linux `include/uapi/linux/time.h`, `__kernel_old_timespec`; FreeBSD
/// `sys/sys/_timespec.h`, whose `time_t` is a word on 386 and amd64 alike).
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct WordTimespec {
    pub(crate) seconds: isize,
    pub(crate) nanoseconds: isize,
}

impl From<WordTimespec> for Timespec {
    fn from(time: WordTimespec) -> Self {
        Timespec { seconds: time.seconds as i64, nanoseconds: time.nanoseconds as i64 }
    }
}

impl From<Timespec> for WordTimespec {
    /// Seconds that a word cannot hold become the most or the least that it can.
    fn from(time: Timespec) -> Self {
        let word = |number: i64| number.clamp(isize::MIN as i64, isize::MAX as i64) as isize;
        WordTimespec { seconds: word(time.seconds), nanoseconds: word(time.nanoseconds) }
    }
}

/// An offset counts from the file's beginning (Linux `include/uapi/linux/fs.h`; FreeBSD `sys/sys/unistd.h`).
pub const SEEK_SET: i32 = 0;
/// An offset counts from where the descriptor is (same files).
pub const SEEK_CUR: i32 = 1;
/// An offset counts from the file's end (same files).
pub const SEEK_END: i32 = 2;

/// The path leads somewhere (Linux `include/linux/fs.h`, `MAY_*`; FreeBSD `sys/sys/unistd.h`).
pub const F_OK: i32 = 0;
/// The file may be executed, or the folder passed through (same files).
pub const X_OK: i32 = 1;
/// It may be written to (same files).
pub const W_OK: i32 = 2;
/// It may be read (same files).
pub const R_OK: i32 = 4;

/// The part of a mode that says what a file is (Linux `include/uapi/linux/stat.h`; FreeBSD `sys/sys/stat.h`).
pub const S_IFMT: u32 = 0o170_000;
/// A pipe (same files).
pub const S_IFIFO: u32 = 0o010_000;
/// A character device, as terminals are (same files).
pub const S_IFCHR: u32 = 0o020_000;
/// A folder (same files).
pub const S_IFDIR: u32 = 0o040_000;
/// A regular file (same files).
pub const S_IFREG: u32 = 0o100_000;

/// What [`fstat`](crate::sys::fstat) answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The device that the file is on. With [`inode`](Stat::inode) it names the file.
    pub device: u64,
    /// The file's number on its device.
    pub inode: u64,
    /// What it is, `S_IF*`, and its permissions.
    pub mode: u32,
    /// How many names it has.
    pub links: u64,
    /// Its size, bytes; of a device or a pipe it means nothing.
    pub size: u64,
    /// When it was last written to, since 1970. On `linux_386`, `linux_arm` and `freebsd_386` the kernel says the seconds
    /// in 32 bits; they are taken for positive on Linux, which is right until 2106, and for signed on FreeBSD.
    pub modified: Timespec,
}

impl Stat {
    /// Whether it is a regular file.
    pub const fn is_file(&self) -> bool {
        self.mode & S_IFMT == S_IFREG
    }

    /// Whether it is a folder.
    pub const fn is_dir(&self) -> bool {
        self.mode & S_IFMT == S_IFDIR
    }
}

/// How a part of a file is locked ([`Flock`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Others may have shared locks of it (`F_RDLCK`).
    Shared,
    /// Nobody else has a lock of it (`F_WRLCK`).
    Exclusive,
}

/// A lock of a part of a file, as [`fcntl_getlk`](crate::sys::fcntl_getlk) answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flock {
    /// How it is locked.
    pub kind: LockKind,
    /// Where the part begins, bytes from the file's beginning.
    pub start: u64,
    /// How long it is, bytes; 0: to the end, however far that moves.
    pub len: u64,
    /// The process that holds it; 0 or -1 if it is none of this system's.
    pub pid: i32,
}

/// The size of a terminal's window: `struct winsize` (Linux `include/uapi/asm-generic/termios.h`; FreeBSD
/// `sys/sys/_winsize.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Winsize {
    /// Rows of characters; 0 where nobody has said.
    pub rows: u16,
    /// Columns of characters; 0 where nobody has said.
    pub columns: u16,
    /// Pixels across, 0 on most terminals.
    pub width: u16,
    /// Pixels down, 0 on most terminals.
    pub height: u16,
}

/// A soft and a hard resource limit, in bytes; `None` is the kernel's "infinity".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// What the kernel enforces.
    pub soft: Option<u64>,
    /// The value up to which the soft limit may be raised.
    pub hard: Option<u64>,
}
