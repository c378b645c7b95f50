//! Limits on memory beside that of the address space, for a program that chooses to heed them.
//!
//! A program does so in the function that says what its arena is to be: then the arena is no larger than the smallest of
//! them, and [`Decision`](crate::arena::Decision) names which that was. A program that does not has none of this in it.
//!
//! ```no_run
//! fn options(_: rt0::Args) -> rt0::arena::Options {
//!     rt0::arena::Options::new().capped(rt0::limits::smallest())
//! }
//! ```
//!
//! None of them counts address space. A control group counts what is resident, of all its processes and with their
//! files' pages, and kills where a limit of the address space refuses; so an arena within it is no promise that it can be
//! filled, but one beyond it cannot.
//!
//! ```
//! use rt0::limits;
//!
//! // Bytes, or `None`; what is not set, or is not there on this system, limits nothing.
//! let least = [limits::environment(), limits::data(), limits::cgroup()].into_iter().flatten().min();
//! assert_eq!(limits::smallest().map(|cap| cap.bytes), least);
//! ```

use core::fmt::Write;

use heapless::String;

use crate::arena::{Cap, CapSource};
use crate::io::Lines;
use crate::sys;

/// The smallest of [`environment`], [`data`] and [`cgroup`]; `None` where there is none.
pub fn smallest() -> Option<Cap> {
    [(environment(), CapSource::Environment), (data(), CapSource::Data), (cgroup(), CapSource::Cgroup)]
        .into_iter()
        .filter_map(|(bytes, source)| Some(Cap { bytes: bytes?, source }))
        .min_by_key(|cap| cap.bytes)
}

/// What the variable `RT0_HEAP_MAX` says, bytes: a number, with `K`, `M` or `G` behind it for KiB, MiB or GiB. `None` where
/// it is not set, or is no such number.
pub fn environment() -> Option<u64> {
    size(crate::env("RT0_HEAP_MAX")?.to_str().ok()?)
}

/// A number with or without a unit.
fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The soft `RLIMIT_DATA` where it binds, bytes. Linux counts private writable mappings against it, committed arenas among
/// them (4.7 and later; `mm/mmap.c`, `may_expand_vm`), and the program's own data. FreeBSD does not: `None`.
pub fn data() -> Option<u64> {
    if cfg!(target_os = "linux") { sys::getrlimit(sys::RLIMIT_DATA).ok()?.soft } else { None }
}

/// The smallest memory limit of this process's control group and those above it, bytes: `memory.max` (v2) or
/// `memory.limit_in_bytes` (v1) under `/sys/fs/cgroup`. `None` where there is none, or no such folder; always on FreeBSD.
pub fn cgroup() -> Option<u64> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let fd = sys::open(c"/proc/self/cgroup", sys::O_RDONLY | sys::O_CLOEXEC, 0).ok()?;
    let mut buffer = [0; PATH];
    let mut lines = Lines::new(fd, &mut buffer);
    let mut smallest: Option<u64> = None;
    while let Some(Ok(line)) = lines.next() {
        // `number:controllers:path`; that of v2 is `0::path` (cgroups(7)).
        let Ok(line) = core::str::from_utf8(line) else { continue };
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let limit = if controllers.is_empty() {
            along("/sys/fs/cgroup", path, "memory.max")
        } else if controllers.split(',').any(|it| it == "memory") {
            along("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
        } else {
            None
        };
        smallest = smallest.into_iter().chain(limit).min();
    }
    let _ = sys::close(fd);
    smallest
}

/// The longest path that is looked at, bytes; one that is longer has no limit that this finds.
const PATH: usize = 512;

/// v1's word for no limit: the largest number of pages, in bytes (`mm/memcontrol.c`, `PAGE_COUNTER_MAX`), or more.
const UNLIMITED: u64 = 1 << 62;

/// The smallest number in the file of this name, in the group `path` and those above it. In a container the group's own
/// folder may lie elsewhere, and then it is the container's that is found.
fn along(mount: &str, path: &str, file: &str) -> Option<u64> {
    let mut group = path.trim_end_matches('/');
    let mut smallest: Option<u64> = None;
    loop {
        let mut name = String::<PATH>::new();
        if write!(name, "{mount}{group}/{file}\0").is_ok() {
            smallest = smallest.into_iter().chain(number_in(&name).filter(|bytes| *bytes < UNLIMITED)).min();
        }
        match group.rfind('/') {
            Some(end) => group = &group[..end],
            None => return smallest,
        }
    }
}

/// The number that a file begins with; `max` is none.
fn number_in(name: &str) -> Option<u64> {
    let name = core::ffi::CStr::from_bytes_with_nul(name.as_bytes()).ok()?;
    let fd = sys::open(name, sys::O_RDONLY | sys::O_CLOEXEC, 0).ok()?;
    let mut text = [0; 24];
    let count = sys::read(fd, &mut text);
    let _ = sys::close(fd);
    core::str::from_utf8(text.get(..count.ok()?)?).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("0", Some(0)), ("4096", Some(4096)), ("3K", Some(3072)), ("64M", Some(64 << 20)), ("2G", Some(2 << 30))]
        {
            assert_eq!(size(text), bytes, "{text}");
        }
        for text in ["", "K", "-1", "1.5G", "1 M", "1m", "99999999999G"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
