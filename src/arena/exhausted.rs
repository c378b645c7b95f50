//! What a heap was refused last, for the line that a program ends with whose allocation fails for good.
//!
//! `alloc` ends a program without memory by a panic that names a file of the standard library and no limit. The heap
//! notes here what it could not serve, and rt0's panic handler says that in place of the panic.

use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::Relaxed;

use super::source;

/// The length of the block, or 0: nothing was refused yet.
static ASKED: AtomicUsize = AtomicUsize::new(0);
/// What the heap had in use then, and what it had reserved.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// Notes a refusal. All sizes are bytes.
pub(crate) fn note(asked: usize, in_use: usize, reserved: usize) {
    IN_USE.store(in_use, Relaxed);
    RESERVED.store(reserved, Relaxed);
    ASKED.store(asked, Relaxed);
}

/// Whether anything was refused.
#[inline]
pub(crate) fn is_noted() -> bool {
    ASKED.load(Relaxed) != 0
}

/// A part of the line: text, and perhaps a number after it.
pub(crate) type Piece = (&'static str, Option<u64>);

/// The line, in pieces: to format it would cost a small program two kilobytes of code.
#[cold]
#[inline(never)]
pub(crate) fn line() -> [Piece; 8] {
    let number = |figure: &AtomicUsize| Some(figure.load(Relaxed) as u64);
    let limit = source().limit();
    let (from, would, unit, end) = match limit {
        Some(_) => (" (RLIMIT_AS)", "; a limit of ", " bytes would do (ulimit -v ", ")\n"),
        None => ("none", "", "", "\n"),
    };
    // As much more as the block takes, and the heap's records of it, whole pages of any size.
    let asked = ASKED.load(Relaxed);
    let enough = limit.map(|limit| limit.saturating_add((asked + asked / 32 + 64 * 1024) as u64));
    [
        ("rt0: cannot reserve arena virtual address space: limit ", limit),
        (from, None),
        (", the heap holds ", number(&IN_USE)),
        (" bytes of ", number(&RESERVED)),
        (", asked for ", Some(asked as u64)),
        (would, enough),
        (unit, enough.map(|bytes| bytes.div_ceil(1024))),
        (end, None),
    ]
}
