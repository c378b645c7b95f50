//! The limit of the address space, the decision that was made on it, and the line that says why there is no arena.

use core::ffi::{c_char, c_int};
use core::fmt::Write;

use rt0::arena::{ArenaError, Decision, LimitSource};
use rt0::memlimit::Headroom;
use rt0::plan::Plan;
use rt0::vm::ReserveError;

use crate::error::{copy_text, negated};

/// There is no such value: in `rt0_decision`, and wherever else it is said.
pub const RT0_NONE: u64 = u64::MAX;

/// The soft limit is `limit` bytes.
pub const RT0_LIMIT_BYTES: u32 = 0;
/// There is no limit.
pub const RT0_LIMIT_INFINITY: u32 = 1;
/// The kernel would not say; `limit_error` is why.
pub const RT0_LIMIT_UNKNOWN: u32 = 2;

/// How the size of a heap's arena was decided. All sizes are bytes.
///
/// A library that is newer than the program may have more to say than this structure has room for: set `size` to
/// `sizeof(struct rt0_decision)` before the call, and nothing behind it is written.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rt0_decision {
    /// `sizeof(struct rt0_decision)`, set by the caller.
    pub size: usize,
    /// Where the limit came from: `RT0_LIMIT_BYTES`, `RT0_LIMIT_INFINITY` or `RT0_LIMIT_UNKNOWN`.
    pub limit_source: u32,
    /// The error number of `getrlimit`; 0 if it succeeded.
    pub limit_error: u32,
    /// The soft limit of the address space (`RLIMIT_AS`); `RT0_NONE` without one.
    pub limit: u64,
    /// The size of a page.
    pub page: u64,
    /// The program's image, from its first byte to its last.
    pub image: u64,
    /// What was mapped before: the image, the initial stack and what the kernel maps of its own.
    pub footprint: u64,
    /// The allowance that the program asked for; `RT0_NONE` for the default.
    pub allowance_asked: u64,
    /// What was left for stacks and other mappings; 0 without a limit.
    pub allowance: u64,
    /// The cap that the program asked for; `RT0_NONE` without one.
    pub cap: u64,
    /// What the limit leaves: 0 if nothing, `RT0_NONE` without a limit.
    pub headroom: u64,
    /// What was asked for first; 0 if nothing could fit.
    pub asked: u64,
    /// How often the kernel was asked for a reservation.
    pub tries: u32,
    /// System calls that this took.
    pub calls: u32,
    /// The error number of the last try; 0 if it succeeded or nothing was tried.
    pub error: u32,
    /// 1 if the kernel answered an address that is not a multiple of the page, else 0.
    pub unaligned: u32,
    /// That address.
    pub unaligned_address: u64,
    /// 1 if there is no arena, else 0.
    pub failed: u32,
    /// The library's, for `rt0_failure_line`.
    pub private_words: [u64; 32],
}

/// Room for an `ArenaError`.
const WORDS: usize = 32; // the header shows a number, not a name

const _: () = assert!(size_of::<ArenaError>() <= size_of::<[u64; WORDS]>());

impl rt0_decision {
    /// What C is told of an arena that could not be had.
    pub(crate) fn failed(failure: &ArenaError) -> Self {
        let (error, unaligned) = match failure.error {
            Some(ReserveError::Kernel(errno)) => (errno.raw(), None),
            Some(ReserveError::Unaligned(address)) => (0, Some(address as u64)),
            _ => (0, None),
        };
        let mut told = rt0_decision {
            error: error.into(),
            unaligned: unaligned.is_some().into(),
            unaligned_address: unaligned.unwrap_or(0),
            failed: 1,
            ..rt0_decision::new(&failure.decision)
        };
        // SAFETY: there is room for it, as asserted above.
        unsafe { (&raw mut told.private_words).cast::<ArenaError>().write_unaligned(*failure) };
        told
    }

    /// What C is told of a decision.
    pub(crate) fn new(decision: &Decision) -> Self {
        let Decision { options, source, page, image, footprint, allowance, headroom, asked, attempts, .. } = *decision;
        let (limit_source, limit, limit_error) = match source {
            LimitSource::Rlimit(bytes) => (RT0_LIMIT_BYTES, bytes, 0),
            LimitSource::Infinity => (RT0_LIMIT_INFINITY, RT0_NONE, 0),
            LimitSource::Unknown(errno) => (RT0_LIMIT_UNKNOWN, RT0_NONE, errno.raw()),
        };
        rt0_decision {
            size: size_of::<rt0_decision>(),
            limit_source,
            limit_error: limit_error.into(),
            limit,
            page,
            image,
            footprint,
            allowance_asked: options.allowance.unwrap_or(RT0_NONE),
            allowance,
            cap: options.cap.unwrap_or(RT0_NONE),
            headroom: match headroom {
                Headroom::Unlimited => RT0_NONE,
                Headroom::Bytes(bytes) => bytes,
                Headroom::Exhausted => 0,
            },
            asked: asked.map_or(0, Plan::total),
            tries: attempts.tries,
            calls: attempts.calls,
            error: 0,
            unaligned: 0,
            unaligned_address: 0,
            failed: 0,
            private_words: [0; WORDS],
        }
    }

    /// Writes as much of it as the caller's structure has room for, and its `size` as it was.
    ///
    /// # Safety
    ///
    /// `to` is null or points to as many writable bytes as its `size` says.
    pub(crate) unsafe fn store(self, to: *mut rt0_decision) {
        if !to.is_null() {
            // SAFETY: the caller says so; `size` is the first field of every version.
            unsafe { store_sized(self, to.cast()) };
        }
    }
}

/// Copies a structure that begins with its size into the caller's, which may be a shorter version, and leaves the
/// caller's size as it was.
///
/// # Safety
///
/// `to` points to as many writable bytes as the `size_t` at its start says, and `T` begins with a `size_t`.
pub(crate) unsafe fn store_sized<T: Copy>(from: T, to: *mut u8) {
    const FIRST: usize = size_of::<usize>();
    // SAFETY: the caller says so; both have `len` bytes.
    unsafe {
        let len = to.cast::<usize>().read_unaligned().min(size_of::<T>());
        if len > FIRST {
            to.add(FIRST).copy_from_nonoverlapping((&raw const from).cast::<u8>().add(FIRST), len - FIRST);
        }
    }
}

/// The soft limit of this process's address space (`RLIMIT_AS`).
///
/// Answers 1 and stores its bytes where `bytes` points, 0 if there is none, or the negated error number of `getrlimit`.
/// `bytes` may be null.
///
/// # Safety
///
/// `bytes` is null or points to a writable `uint64_t`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_limit(bytes: *mut u64) -> c_int {
    match rt0::arena::source() {
        LimitSource::Rlimit(limit) => {
            if !bytes.is_null() {
                // SAFETY: the caller says so.
                unsafe { bytes.write(limit) };
            }
            1
        }
        LimitSource::Infinity => 0,
        LimitSource::Unknown(errno) => negated(errno),
    }
}

/// Writes the line that says why there is no arena, without a newline, to the `size` bytes at `buffer`, as `snprintf`
/// does: cut where there is no room, ended by a NUL unless `size` is 0.
///
/// `decision` is what `rt0_heap_create` stored when it failed. The line begins with
/// `rt0: cannot reserve arena virtual address space` and names the limit, what was tried and the least that would do; it
/// is at most 400 bytes long. Answers the length of the whole line, without the NUL; 0 if `decision` is null, its `size` is
/// another than this library's, or it is not a failure.
///
/// # Safety
///
/// `decision` is null or points to a structure that `rt0_heap_create` has written; `buffer` is null or has `size`
/// writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rt0_failure_line(decision: *const rt0_decision, buffer: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller says that it is null or a structure; one of this library's size has all fields.
    let failed =
        !decision.is_null() && unsafe { (*decision).size == size_of::<rt0_decision>() && (*decision).failed == 1 };
    if !failed {
        return 0;
    }
    // SAFETY: the caller says that `rt0_heap_create` wrote it, which puts the error there.
    let failure = unsafe { (&raw const (*decision).private_words).cast::<ArenaError>().read_unaligned() };
    let mut line = heapless::String::<400>::new();
    // A line that is longer is cut.
    let _ = write!(line, "{failure}");
    // SAFETY: the buffer is the caller's.
    unsafe { copy_text(&line, buffer, size) }
}
