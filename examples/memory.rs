//! Compares the memory functions that this program has with loops over single bytes: every length from 0 to 600 at every
//! offset, every overlap of it, and longer ones; between two pages without access, so that a byte too far is a fault.
//!
//! Prints a line for each function, `NAME=ok` or what is wrong, and exits with 1 if anything is.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::ptr;

use rt0::sys::{self, MAP_ANON, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use rt0::{Args, eprintln, println};

rt0::entry!(main);

unsafe extern "C" {
    fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8;
    fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32;
    fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32;
    fn strlen(string: *const core::ffi::c_char) -> usize;
}

const PAGE: usize = 4096;
/// What lies between two guards.
const SIZE: usize = 4 * PAGE;
const LENGTHS: usize = 600;
/// Offsets from either guard: as many as the widest register has bytes.
const OFFSETS: usize = 16;
/// Around the lengths where the classes of long ones begin and end.
const LONG: [usize; 12] = [601, 1023, 1024, 1087, 2046, 2047, 2048, 2049, 2111, 2176, 4095, 9000];

/// Bytes between two guards, and the same number of others that say what they began as.
struct Range {
    base: *mut u8,
    began: *mut u8,
}

fn main(_: Args) -> i32 {
    let ranges = match (Range::new(1), Range::new(2)) {
        (Some(a), Some(b)) => [a, b],
        _ => {
            eprintln!("memory: no memory");
            return 2;
        }
    };
    let checks = [
        ("memcpy", copies(&ranges, memcpy)),
        ("memmove", copies(&ranges, memmove)),
        ("overlap", overlaps(&ranges[0])),
        ("memset", fills(&ranges[0])),
        ("memcmp", comparisons(&ranges, memcmp, true)),
        ("bcmp", comparisons(&ranges, bcmp, false)),
        ("strlen", lengths(&ranges[0])),
    ];
    let mut status = 0;
    for (name, check) in checks {
        match check {
            Ok(()) => println!("{name}=ok"),
            Err(wrong) => {
                println!("{name}=WRONG len {} at {} and {}", wrong.len, wrong.to, wrong.from);
                status = 1;
            }
        }
    }
    status
}

/// A call that did something else than the loop.
struct Wrong {
    len: usize,
    to: usize,
    from: usize,
}

type Checked = Result<(), Wrong>;

impl Range {
    /// Bytes that differ from their neighbours and from those of another seed.
    fn new(seed: usize) -> Option<Range> {
        let length = 2 * SIZE + 3 * PAGE;
        // SAFETY: without MAP_FIXED the kernel takes address space that nobody has.
        let base = unsafe { sys::mmap(ptr::null_mut(), length, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0) }.ok()?;
        let [first, second] = [PAGE, 2 * PAGE + SIZE].map(|at| base.wrapping_add(at));
        for part in [first, second] {
            // SAFETY: pages of the mapping above.
            unsafe { sys::mprotect(part, SIZE, PROT_READ | PROT_WRITE) }.ok()?;
            for at in 0..SIZE {
                let byte = (at.wrapping_mul(167) >> 3) ^ at ^ (seed * 85);
                // SAFETY: within the pages that are writable now.
                unsafe { part.add(at).write_volatile(byte as u8) };
            }
        }
        Some(Range { base: first, began: second })
    }

    fn get(&self, at: usize) -> u8 {
        assert!(at < SIZE);
        // SAFETY: within the range; volatile, or the compiler makes the caller's loop into a call of what is tested.
        unsafe { self.base.add(at).read_volatile() }
    }

    fn set(&self, at: usize, byte: u8) {
        assert!(at < SIZE);
        // SAFETY: as in `get`.
        unsafe { self.base.add(at).write_volatile(byte) }
    }

    fn began(&self, at: usize) -> u8 {
        assert!(at < SIZE);
        // SAFETY: as in `get`.
        unsafe { self.began.add(at).read_volatile() }
    }

    /// Whether `len` bytes at `at` are those that `other` began with at `from`, and the 16 on either side as they were; puts
    /// them back.
    fn became(&self, at: usize, other: &Range, from: usize, len: usize) -> bool {
        let mut right = self.is_as_it_began(at, len);
        for i in 0..len {
            right &= self.get(at + i) == other.began(from + i);
            self.set(at + i, self.began(at + i));
        }
        right
    }

    fn is_as_it_began(&self, at: usize, len: usize) -> bool {
        let (below, above) = (at.saturating_sub(16), (at + len + 16).min(SIZE));
        (below..at).chain(at + len..above).all(|i| self.get(i) == self.began(i))
    }
}

/// A place for `len` bytes, `offset` away from the first guard or from the last.
fn place(len: usize, offset: usize, last: bool) -> usize {
    if last { SIZE - len - offset } else { offset }
}

/// Every length with the offsets of two places.
fn everywhere(mut call: impl FnMut(usize, usize, usize) -> bool) -> Checked {
    for len in (0..=LENGTHS).chain(LONG) {
        let step = if len > LENGTHS { 5 } else { 1 };
        for last in [false, true] {
            for to in (0..OFFSETS).step_by(step).map(|offset| place(len, offset, last)) {
                for from in (0..OFFSETS).step_by(step).map(|offset| place(len, offset, last)) {
                    if !call(len, to, from) {
                        return Err(Wrong { len, to, from });
                    }
                }
            }
        }
    }
    Ok(())
}

fn copies([a, b]: &[Range; 2], copy: unsafe extern "C" fn(*mut u8, *const u8, usize) -> *mut u8) -> Checked {
    let copy = black_box(copy);
    everywhere(|len, to, from| {
        // SAFETY: both places have room for `len` bytes.
        let returned = unsafe { copy(a.base.add(to), b.base.add(from), len) };
        returned == a.base.wrapping_add(to) && a.became(to, b, from, len)
    })
}

/// Every distance at which `len` bytes overlap themselves, and both of the guards' sides.
fn overlaps(range: &Range) -> Checked {
    let memmove = black_box(memmove as unsafe extern "C" fn(*mut u8, *const u8, usize) -> *mut u8);
    for len in (0..=LENGTHS).chain(LONG) {
        // Each distance at one offset of the lower place, another one at the next length: after 16 lengths it has had all.
        let distances = if len > LENGTHS { 1..=130 } else { 0..=len + 1 };
        for distance in distances {
            for last in [false, true] {
                let low = place(len + distance, (len + distance) % OFFSETS, last);
                for (to, from) in [(low, low + distance), (low + distance, low)] {
                    // SAFETY: both places have room for `len` bytes.
                    let returned = unsafe { memmove(range.base.add(to), range.base.add(from), len) };
                    if returned != range.base.wrapping_add(to) || !range.became(to, range, from, len) {
                        return Err(Wrong { len, to, from });
                    }
                }
            }
        }
    }
    Ok(())
}

fn fills(range: &Range) -> Checked {
    let memset = black_box(memset as unsafe extern "C" fn(*mut u8, i32, usize) -> *mut u8);
    everywhere(|len, to, from| {
        let byte = (from as u8).wrapping_mul(77);
        // Only the lowest byte counts.
        let argument = i32::from(byte) | (from as i32) << 8;
        // SAFETY: the place has room for `len` bytes.
        let returned = unsafe { memset(range.base.add(to), argument, len) };
        let mut right = returned == range.base.wrapping_add(to) && range.is_as_it_began(to, len);
        for at in to..to + len {
            right &= range.get(at) == byte;
            range.set(at, range.began(at));
        }
        right
    })
}

/// Bytes that are alike, and bytes of which one differs: the first, the last, one between; upward and downward, by one and
/// by most of a byte, for the order is that of unsigned bytes.
fn comparisons(
    [a, b]: &[Range; 2],
    compare: unsafe extern "C" fn(*const u8, *const u8, usize) -> i32,
    ordered: bool,
) -> Checked {
    let compare = black_box(compare);
    everywhere(|len, at, bt| {
        // SAFETY: both places have `len` bytes.
        let order = || unsafe { compare(a.base.add(at), b.base.add(bt), len) };
        for i in 0..len {
            b.set(bt + i, a.get(at + i));
        }
        let mut right = order() == 0;
        for i in [0, len / 2, len.saturating_sub(1), (at * 16 + bt) % len.max(1)] {
            if i >= len {
                continue;
            }
            let same = b.get(bt + i);
            for other in [same.wrapping_add(1), same ^ 0x80, !same] {
                b.set(bt + i, other);
                let answer = order();
                right &= if ordered { answer.signum() == sign(same, other) } else { answer != 0 };
            }
            // What follows a difference does not change the answer.
            if i + 1 < len {
                let next = b.get(bt + i + 1);
                b.set(bt + i + 1, !next);
                let answer = order();
                right &= if ordered { answer.signum() == sign(same, !same) } else { answer != 0 };
                b.set(bt + i + 1, next);
            }
            b.set(bt + i, same);
        }
        // The bytes behind the end do not count: neither if the first of them differs, nor if it is alike and a later one differs.
        right &= order() == 0;
        if at.max(bt) + len < SIZE {
            b.set(bt + len, a.get(at + len));
            right &= order() == 0;
            b.set(bt + len, b.began(bt + len));
        }
        for i in 0..len {
            b.set(bt + i, b.began(bt + i));
        }
        right
    })
}

fn sign(a: u8, b: u8) -> i32 {
    i32::from(a > b) - i32::from(a < b)
}

/// Strings of every length that end at the last guard, and before it; with a NUL in front, and without another one behind.
fn lengths(range: &Range) -> Checked {
    let strlen = black_box(strlen as unsafe extern "C" fn(*const core::ffi::c_char) -> usize);
    for at in 0..SIZE {
        range.set(at, if range.began(at) == 0 { 0x80 } else { range.began(at) });
    }
    for len in (0..=LENGTHS).chain(LONG) {
        for offset in 0..64 {
            let at = place(len + 1, offset, true);
            let kept = [at - 1, at + len].map(|i| (i, range.get(i)));
            for (i, _) in kept {
                range.set(i, 0);
            }
            // SAFETY: there is a NUL `len` bytes on.
            let answer = unsafe { strlen(range.base.add(at).cast()) };
            for (i, byte) in kept {
                range.set(i, byte);
            }
            if answer != len {
                return Err(Wrong { len, to: at, from: answer });
            }
        }
    }
    Ok(())
}
