//! How much address space is left for an arena: pure arithmetic on what the kernel said.
//!
//! Sizes are bytes, as `u64` on every port, so that all of it can be checked on any machine for either width of a
//! word.
//!
//! ```
//! use rt0::memlimit::{Headroom, Width, fit, least_limit};
//!
//! // 64 MiB are allowed, 1 MiB is in use, and a quarter stays free.
//! let left = fit(Some(64 << 20), 1 << 20, None, Width::Bits64);
//! assert_eq!(left, Headroom::Bytes(47 << 20));
//! // So that 47 MiB are left, 64 MiB have to be allowed, or a byte less.
//! assert!(least_limit(47 << 20, 1 << 20, None) <= 64 << 20);
//! ```

#![forbid(unsafe_code)]

const MIB: u64 = 1 << 20;

/// Room for thread stacks in the document's rule, and the most that the default allowance is.
pub const STACKS: u64 = 64 * MIB;

/// The width of a word, which decides how large an address space can be and how much of an arena its bitmap is.
///
/// ```
/// use rt0::memlimit::{self, Headroom, Width};
///
/// assert_eq!(Width::Bits32.max(), 0xffff_ffff);
/// assert_eq!(memlimit::default_allowance(64 << 20), 16 << 20);
/// // The kernel granted less than the allowance is: half of that is kept.
/// assert!(memlimit::kept(8 << 20, 16 << 20) < 8 << 20);
/// // The Go runtime's rule of 2012 takes "nearly nothing left" for no limit.
/// assert_eq!(memlimit::go(Some(70 << 20), 1 << 20), Headroom::Unlimited);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 386 and ARM.
    Bits32,
    /// amd64.
    Bits64,
}

impl Width {
    /// This port's.
    pub const CURRENT: Width = if usize::BITS == 32 { Width::Bits32 } else { Width::Bits64 };

    /// The largest size that a word can say.
    #[inline]
    pub const fn max(self) -> u64 {
        match self {
            Width::Bits32 => u32::MAX as u64,
            Width::Bits64 => u64::MAX,
        }
    }
}

/// What is left for an arena and its bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headroom {
    /// There is no limit.
    Unlimited,
    /// This many bytes, at least one.
    Bytes(u64),
    /// Nothing: the limit is taken up by what there is already.
    Exhausted,
}

/// The document's rule, with the mistake of its code mended: what is left is `limit - used`, not `limit - used - used`.
///
/// `soft` is the soft limit, `None` where there is none or it cannot be had; `image` the size of the program from its
/// first byte of text to `end`. The rule takes limits from 2 GiB - 1 for none, and so it takes "nearly nothing left":
/// a program that trusts it asks for a full-size arena then, and fails. [`fit`] does not.
#[inline]
pub const fn go(soft: Option<u64>, image: u64) -> Headroom {
    let Some(limit) = soft else { return Headroom::Unlimited };
    if limit >= 0x7fff_ffff {
        return Headroom::Unlimited;
    }
    let used = image.saturating_add(STACKS);
    match limit.checked_sub(used) {
        Some(left) if left >= 16 * MIB => Headroom::Bytes(left),
        _ => Headroom::Unlimited,
    }
}

/// Room for the stacks under a limit, unless the program says otherwise: a quarter of the limit, 64 MiB at most.
///
/// The limit counts the stack as it grows. A heap that has taken everything turns the next page of stack into a
/// `SIGSEGV`.
#[inline]
pub const fn default_allowance(limit: u64) -> u64 {
    if limit / 4 < STACKS { limit / 4 } else { STACKS }
}

/// How much of `found`, the most that the kernel grants where it has refused more, is left for `allowance`: all of it,
/// but at least a quarter of what was found is taken.
///
/// What is taken never shrinks when more is found.
#[inline]
pub const fn kept(found: u64, allowance: u64) -> u64 {
    let most = found - found.div_ceil(4);
    if allowance < most { allowance } else { most }
}

/// What a limit leaves: the limit less `footprint` (what is mapped already) less the allowance (`None`: the default).
///
/// On a 32-bit port a limit that exceeds the address space is none. The answer never grows when the limit shrinks.
#[inline]
pub const fn fit(soft: Option<u64>, footprint: u64, allowance: Option<u64>, width: Width) -> Headroom {
    let Some(limit) = soft else { return Headroom::Unlimited };
    if limit > width.max() {
        return Headroom::Unlimited;
    }
    let allowance = match allowance {
        Some(bytes) => bytes,
        None => default_allowance(limit),
    };
    match limit.saturating_sub(footprint).saturating_sub(allowance) {
        0 => Headroom::Exhausted,
        left => Headroom::Bytes(left),
    }
}

/// The smallest limit under which [`fit`] leaves `wanted` bytes; saturates.
#[inline]
pub const fn least_limit(wanted: u64, footprint: u64, allowance: Option<u64>) -> u64 {
    let base = wanted.saturating_add(footprint);
    match allowance {
        Some(bytes) => base.saturating_add(bytes),
        // Three quarters of the limit, rounded up, are left, as long as a quarter is below the most: so the limit is
        // four thirds of `base - 1`, and one more.
        None if base.saturating_sub(1) / 3 < STACKS => base + base.saturating_sub(1) / 3,
        None => base.saturating_add(STACKS),
    }
}
