//! How an arena and its bitmap share what there is: pure arithmetic.
//!
//! A collector's bitmap has four bits for each word of the arena, and lies below it in one reservation.
//!
//! ```
//! use rt0::memlimit::{Headroom, Width};
//! use rt0::plan;
//!
//! let plan = plan::fit(Headroom::Bytes(17 << 20), 4096, Width::Bits64, true).unwrap();
//! assert_eq!((plan.bitmap, plan.arena), (1 << 20, 16 << 20));
//! ```

#![forbid(unsafe_code)]

use crate::memlimit::{Headroom, Width};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Sizes of a reservation, bytes, each a multiple of the page.
///
/// ```
/// use rt0::memlimit::{Headroom, Width};
/// use rt0::plan::{self, Plan};
///
/// let full: Plan = plan::full(Width::Bits64);
/// assert_eq!((full.arena, full.total()), (16 << 30, 17 << 30));
/// assert_eq!(full.arena / full.bitmap, plan::ratio(Width::Bits64));
/// // A page of bitmap and what it covers is the least.
/// assert_eq!(plan::least(4096, Width::Bits64, true).bitmap, 4096);
/// // The Go runtime's rule of 2012 takes no limit for a full arena.
/// assert_eq!(plan::go(Headroom::Unlimited, 4096, Width::Bits64), full);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The bitmap, at the start; 0 without one.
    pub bitmap: u64,
    /// The arena, behind it.
    pub arena: u64,
}

impl Plan {
    /// The size of the reservation.
    #[inline]
    pub const fn total(self) -> u64 {
        self.bitmap + self.arena
    }
}

/// Bytes of arena for which one byte of bitmap is needed: 8 bits are for two words.
#[inline]
pub const fn ratio(width: Width) -> u64 {
    match width {
        Width::Bits32 => 8,
        Width::Bits64 => 16,
    }
}

/// The plan where there is room for it: 512 MiB of arena on 32-bit ports, 16 GiB on 64-bit ones, and the bitmap.
#[inline]
pub const fn full(width: Width) -> Plan {
    let arena = match width {
        Width::Bits32 => 512 * MIB,
        Width::Bits64 => 16 * GIB,
    };
    Plan { bitmap: arena / ratio(width), arena }
}

/// The smallest plan: one page of bitmap and the arena that it covers, or a page of arena without a bitmap.
#[inline]
pub const fn least(page: u64, width: Width, bitmap: bool) -> Plan {
    if bitmap { Plan { bitmap: page, arena: page * ratio(width) } } else { Plan { bitmap: 0, arena: page } }
}

/// The largest plan that fits into what is left, [`full`] at most; `None` if not even [`least`] does.
///
/// `page` is the size of a page, a power of two. Without a bitmap the arena has all of it.
#[inline]
pub const fn fit(left: Headroom, page: u64, width: Width, bitmap: bool) -> Option<Plan> {
    let full = full(width);
    let bytes = match left {
        Headroom::Exhausted => return None,
        Headroom::Bytes(bytes) if bytes < full.total() => bytes,
        _ => full.total(),
    };
    let plan = if bitmap { with_bitmap(bytes, page, width) } else { Plan { bitmap: 0, arena: bytes & !(page - 1) } };
    if plan.arena == 0 { None } else { Some(plan) }
}

/// The largest arena with its bitmap that `bytes` hold, an address space at most.
#[inline]
pub(crate) const fn with_bitmap(bytes: u64, page: u64, width: Width) -> Plan {
    // A 32-bit port divides what has 32 bits in a few instructions.
    let share = match width {
        Width::Bits32 => (bytes as u32 / (ratio(width) as u32 + 1)) as u64,
        Width::Bits64 => bytes / (ratio(width) + 1),
    };
    let bitmap = share & !(page - 1);
    Plan { bitmap, arena: bitmap * ratio(width) }
}

/// The document's plan, for what [`memlimit::go`](crate::memlimit::go) leaves.
///
/// It has a full-size arena on 64-bit ports unless a limit of at most 1 GiB is left, and with one divides by 9 there
/// too, which leaves an eighteenth unused. `page` is the size of a page, a power of two.
#[inline]
pub const fn go(left: Headroom, page: u64, width: Width) -> Plan {
    let small = 512 * MIB;
    let small = Plan { bitmap: small / ratio(width), arena: small };
    match (width, left) {
        (Width::Bits64, Headroom::Bytes(bytes)) if bytes > GIB => full(width),
        (Width::Bits64, Headroom::Unlimited) => full(width),
        (_, Headroom::Bytes(bytes)) if small.total() > bytes => with_bitmap(bytes, page, Width::Bits32),
        _ => small,
    }
}
