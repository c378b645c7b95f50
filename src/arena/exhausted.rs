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

/// Says the line, in pieces, text and perhaps a number after it: to format it would cost a small program two kilobytes of
/// code.
#[cold]
pub(crate) fn tell(say: &mut dyn FnMut(&'static str, Option<u64>)) {
    let limit = source().limit();
    let asked = ASKED.load(Relaxed) as u64;
    say("rt0: cannot reserve arena virtual address space: limit ", limit);
    say(if limit.is_some() { " (RLIMIT_AS), the heap holds " } else { "none, the heap holds " }, figure(&IN_USE));
    say(" bytes of ", figure(&RESERVED));
    say(", asked for ", Some(asked));
    if let Some(limit) = limit {
        // As much more as the block takes, and the heap's records of it, whole pages of any size.
        let enough = limit.saturating_add(asked + asked / 32 + 64 * 1024);
        say("; a limit of ", Some(enough));
        say(" bytes would do (ulimit -v ", Some(enough.div_ceil(1024)));
        say(")", None);
    }
    say("\n", None);
}

fn figure(figure: &AtomicUsize) -> Option<u64> {
    Some(figure.load(Relaxed) as u64)
}
