//! The kernels: numbers, constants, layouts and errors of each, and what each has its own way of doing.
//!
//! A folder for each kernel holds the same files: `nr.rs` the numbers of system calls, `futex.rs` sleeping at a word,
//! `thread.rs` starting and ending threads, `mod.rs` the rest. Whoever uses one of them uses it by the same name on
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

/// `struct timespec` of every port: seconds and nanoseconds, a word each
/// (Linux `include/uapi/linux/time.h`, `__kernel_old_timespec`; FreeBSD `sys/sys/_timespec.h`, whose `time_t` is a
/// word on 386 and amd64 alike).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub seconds: isize,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanoseconds: isize,
}

/// A soft and a hard resource limit, in bytes; `None` is the kernel's "infinity".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// What the kernel enforces.
    pub soft: Option<u64>,
    /// The value up to which the soft limit may be raised.
    pub hard: Option<u64>,
}
