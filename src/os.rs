//! The kernel's own constants, layouts and error numbers: one file for each operating system.

cfg_if::cfg_if! {
    if #[cfg(target_os = "linux")] {
        #[path = "os/linux.rs"]
        mod kernel;
    } else if #[cfg(target_os = "freebsd")] {
        #[path = "os/freebsd.rs"]
        mod kernel;
    }
}

pub use kernel::*;

/// Makes [`Errno`] out of a kernel's list: a constant for each name, and the way back from a number to its name.
macro_rules! errno {
    ($source:literal, $($name:ident = $number:literal,)*) => {
        /// An error number of this kernel, as it came from a system call.
        #[doc = concat!("\n\nSource: ", $source, ".")]
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub struct Errno(u16);

        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno($number);)*

            /// Every named number with its name, in the kernel's order.
            pub const ALL: &[(Errno, &str)] = &[$((Errno($number), stringify!($name)),)*];
        }

        impl Errno {
            /// The number.
            pub const fn raw(self) -> u16 {
                self.0
            }

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
    /// As far as the soft limit may be raised.
    pub hard: Option<u64>,
}
