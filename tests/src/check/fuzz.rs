//! The bodies of the fuzz targets. Each takes any bytes and panics if something that must hold does not. `fuzz/` drives
//! them with libFuzzer, `tests/tests/fuzz.rs` with random bytes.

use std::ffi::CString;

use rt0::memlimit::{self, Headroom, Width};
use rt0::{Args, plan};

use crate::check::specification::{as_document, check_plan, document, document_sizes, specified_plan};

/// The memory functions as functions of this module: the program itself keeps its libc's.
mod ours {
    rt0::__memory_functions!();
}

/// Takes numbers and strings from the bytes; when those are used up, they are zero and empty.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..taken.len()].copy_from_slice(taken);
        bytes
    }

    fn number(&mut self) -> u64 {
        // The first byte says how many bits the number has, so that every magnitude is equally likely.
        let [bits] = self.bytes();
        u64::from_le_bytes(self.bytes()) >> (bits % 64)
    }

    fn string(&mut self) -> CString {
        let [len] = self.bytes();
        let (taken, rest) = self.0.split_at(self.0.len().min(usize::from(len)));
        self.0 = rest;
        CString::new(taken.iter().copied().filter(|&byte| byte != 0).collect::<Vec<u8>>()).expect("no NUL is left")
    }
}

/// Checks the limit rules and the plan for any limit, footprint, allowance, page and width.
pub fn rules(data: &[u8]) {
    let mut input = Input(data);
    let [width, page, fixed] = input.bytes();
    let width = if width % 2 == 0 { Width::Bits32 } else { Width::Bits64 };
    let page = 4096u64 << (page % 5);
    let (limit, footprint, allowance) = (input.number(), input.number(), input.number());
    let allowance = (fixed % 2 == 0).then_some(allowance);

    match memlimit::fit(Some(limit), footprint, allowance, width) {
        Headroom::Unlimited => assert!(limit > width.max()),
        left => {
            let bytes = if let Headroom::Bytes(bytes) = left { bytes } else { 0 };
            let kept = allowance.unwrap_or_else(|| memlimit::default_allowance(limit));
            let expected = i128::from(limit) - i128::from(footprint) - i128::from(kept);
            assert_eq!(i128::from(bytes), expected.max(0));
            let plan = plan::fit(left, page, width, true);
            assert_eq!(plan, specified_plan(bytes, page, width));
            if let Some(plan) = plan {
                check_plan(plan, bytes, page, width);
            }
        }
    }
    let go = document(limit, footprint >> 1, false);
    assert_eq!(as_document(memlimit::go(Some(limit), footprint >> 1)), go);
    let plan = plan::go(memlimit::go(Some(limit), footprint >> 1), page, width);
    assert_eq!((plan.bitmap, plan.arena), document_sizes(go, width, page));
}

/// Builds an initial stack with any arguments, environment and auxiliary vector, and checks that it is read back.
pub fn initial_stack(data: &[u8]) {
    let mut input = Input(data);
    let [argc, envc, auxc] = input.bytes::<3>().map(|count| usize::from(count % 32));
    let args: Vec<CString> = (0..argc).map(|_| input.string()).collect();
    let env: Vec<CString> = (0..envc).map(|_| input.string()).collect();
    let auxv: Vec<[usize; 2]> = (0..auxc)
        .map(|_| [usize::from(input.bytes::<1>()[0]), input.number() as usize])
        .take_while(|[kind, _]| *kind != 0)
        .collect();

    let address = |string: &CString| string.as_ptr().expose_provenance();
    let mut words = vec![argc];
    words.extend(args.iter().map(address));
    words.push(0);
    words.extend(env.iter().map(address));
    words.push(0);
    words.extend(auxv.iter().flatten());
    words.extend([0, 0]);

    // SAFETY: the words are laid out as an initial stack, and they and the strings outlive `read`.
    let read = unsafe { Args::from_initial_stack(words.as_ptr()) };
    assert_eq!(read.len(), args.len());
    assert!(read.iter().eq(args.iter().map(CString::as_c_str)));
    assert!(read.env().eq(env.iter().map(CString::as_c_str)));
    assert_eq!(read.get(argc), None);
    for kind in 1..=255 {
        let first = auxv.iter().find(|[found, _]| *found == kind).map(|[_, value]| *value);
        assert_eq!(read.auxv(kind), first, "auxv entry {kind}");
    }
}

/// Calls of the memory functions, on two ranges, each compared with what the standard library does.
pub fn memory(data: &[u8]) {
    const SIZE: usize = 8192;
    /// Bytes on either side that `memcmp`, `bcmp` and `strlen` may read; nothing may write them.
    const AROUND: usize = 64;
    let fresh: Vec<u8> = (0..SIZE + 2 * AROUND).map(|at| ((at * 167) >> 3) as u8).collect();
    let (mut x, mut y) = (fresh.clone(), fresh);
    let mut input = Input(data);
    while !input.0.is_empty() {
        let [function, low, high] = input.bytes();
        let len = input.number() as usize % (SIZE / 2);
        let [a, b] = [(); 2].map(|()| AROUND + input.number() as usize % (SIZE / 2));
        match function % 5 {
            0 | 1 => {
                let (from, copy): (_, unsafe extern "C" fn(*mut u8, *const u8, usize) -> *mut u8) = match function % 5 {
                    0 => (y[b..].as_ptr(), ours::memcpy),
                    _ => (x[b..].as_ptr(), ours::memmove),
                };
                let mut expected = x.clone();
                // SAFETY: `a + len` and `b + len` are within the vectors; memcpy's ranges are in two of them.
                let returned = unsafe {
                    expected[a..].as_mut_ptr().copy_from(from, len);
                    copy(x[a..].as_mut_ptr(), from, len)
                };
                assert_eq!(returned, x[a..].as_mut_ptr());
                assert!(x == expected, "{len} bytes from {b} to {a}");
            }
            2 => {
                let mut expected = x.clone();
                expected[a..a + len].fill(low);
                // Only the lowest byte of the argument counts.
                let byte = i32::from(low) | i32::from(high) << 8;
                // SAFETY: `a + len` is within the vector.
                let returned = unsafe { ours::memset(x[a..].as_mut_ptr(), byte, len) };
                assert_eq!(returned, x[a..].as_mut_ptr());
                assert!(x == expected, "{len} bytes at {a}");
            }
            3 => {
                // Alike, but perhaps for one byte.
                let range = b..b + len;
                y[range.clone()].copy_from_slice(&x[a..a + len]);
                if let Some(byte) = y[range.clone()].get_mut(usize::from(low)) {
                    *byte = high;
                }
                let (p, q) = (&x[a..a + len], &y[range]);
                // SAFETY: both slices have `len` bytes.
                let (order, differs) =
                    unsafe { (ours::memcmp(p.as_ptr(), q.as_ptr(), len), ours::bcmp(p.as_ptr(), q.as_ptr(), len)) };
                assert_eq!(order.cmp(&0), p.cmp(q), "{len} bytes at {a} and {b}");
                assert_eq!(differs != 0, p != q, "{len} bytes at {a} and {b}");
            }
            _ => {
                x[a + len] = 0;
                let expected = x[a..].iter().position(|&byte| byte == 0).expect("a NUL was written");
                // SAFETY: a NUL follows within the vector.
                assert_eq!(unsafe { ours::strlen(x[a..].as_ptr().cast()) }, expected, "at {a}");
            }
        }
    }
}
