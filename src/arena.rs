//! The arena: asks the limit, plans, reserves. The name is that of the step in a runtime's start, `mallocinit`.

use core::fmt;

use crate::memlimit::{self, Headroom, Width};
use crate::os::initial_stack::{InitialStack, page_size};
use crate::plan::{self, Plan};
use crate::sys::{self, Errno, MAPPED_AT_EXEC, RLIMIT_AS, STACK_AT_EXEC};
use crate::vm::{self, Attempts, Extent, ReserveError};

/// Which rule decides how large the arena is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// What is left is fitted into; where the kernel refuses that, the largest that it grants.
    #[default]
    Fit,
    /// The rule of the Go runtime of 2012, for comparison: [`memlimit::go`], [`plan::go`], one try.
    Go,
}

impl Policy {
    /// `fit` or `go`.
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Fit => "fit",
            Policy::Go => "go",
        }
    }
}

/// What a program wants of its arena.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The rule; [`Policy::Fit`] by default.
    pub policy: Policy,
    /// Bytes of the limit that are left for stacks to grow into and for other mappings;
    /// by default [`memlimit::default_allowance`]. 0 is right for a program with one thread whose stack stays within
    /// the 128 KiB that it begins with. [`Policy::Go`] has its own.
    pub allowance: Option<u64>,
    /// At most so many bytes, bitmap and arena together; by default no cap but the limit's. [`Policy::Go`] ignores it.
    pub cap: Option<u64>,
    /// Whether a collector's bitmap lies below the arena; it does by default.
    pub bitmap: bool,
}

impl Options {
    /// The defaults.
    pub const DEFAULT: Options = Options { policy: Policy::Fit, allowance: None, cap: None, bitmap: true };
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Where the limit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// The soft `RLIMIT_AS` is this many bytes.
    Rlimit(u64),
    /// The soft `RLIMIT_AS` is infinity.
    Infinity,
    /// The kernel would not say.
    Unknown(Errno),
}

impl LimitSource {
    /// The limit, bytes, if there is one.
    pub const fn limit(self) -> Option<u64> {
        match self {
            LimitSource::Rlimit(bytes) => Some(bytes),
            LimitSource::Infinity | LimitSource::Unknown(_) => None,
        }
    }
}

/// `RLIMIT_AS`, `RLIMIT_AS infinity`, `getrlimit: EPERM (1)`.
impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitSource::Rlimit(_) => f.write_str("RLIMIT_AS"),
            LimitSource::Infinity => f.write_str("RLIMIT_AS infinity"),
            LimitSource::Unknown(errno) => write!(f, "getrlimit: {errno}"),
        }
    }
}

/// How the size of an arena was decided. All sizes are bytes.
#[derive(Clone, Copy, Debug)]
pub struct Decision {
    /// What the program wanted.
    pub options: Options,
    /// The limit and where it came from.
    pub source: LimitSource,
    /// The size of a page.
    pub page: u64,
    /// The program's image, from its first byte to `end`.
    pub image: u64,
    /// What was mapped before the arena: the image, the initial stack and what the kernel maps of its own.
    pub footprint: u64,
    /// What was left for stacks and other mappings; 0 without a limit.
    pub allowance: u64,
    /// What the limit left.
    pub headroom: Headroom,
    /// What was asked for first; nothing if nothing could fit.
    pub asked: Option<Plan>,
    /// How often the kernel was asked for a reservation, and the system calls that all this took.
    pub attempts: Attempts,
}

/// A reservation: the collector's bitmap, if there is one, and the arena that it covers. Nothing is committed.
#[derive(Debug)]
pub struct Arena {
    /// Four bits for each word of the arena; empty (`len` 0) without one.
    pub bitmap: Extent,
    /// The arena.
    pub arena: Extent,
    /// What may still be reserved.
    pub(crate) budget: Budget,
    decision: Decision,
}

/// Bytes of address space that may still be reserved: what limit, allowance and cap leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget(u64);

impl Budget {
    /// Reserves `most` bytes or what there is, `least` at the least: multiples of the page.
    pub(crate) fn reserve(&mut self, least: u64, most: u64) -> Result<Extent, ReserveError> {
        let page = page_size() as u64;
        let most = most.min(self.0 & !(page - 1));
        if least > most || most > Width::CURRENT.max() & !(page - 1) {
            return Err(ReserveError::Kernel(Errno::ENOMEM));
        }
        let region = vm::reserve_largest(least as usize, most as usize).0?;
        self.0 -= region.len as u64;
        Ok(region)
    }

    /// Releases what was reserved, or a part of it.
    ///
    /// # Safety
    ///
    /// As [`vm::release`].
    pub(crate) unsafe fn release(&mut self, region: Extent) {
        // SAFETY: the caller's promise.
        unsafe { vm::release(region.base, region.len) };
        self.0 += region.len as u64;
    }
}

/// A further region: as the first, a bitmap (if the first has one) and the arena that it covers.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Four bits for each word of the arena; empty (`len` 0) without one.
    pub bitmap: Extent,
    /// The arena.
    pub arena: Extent,
}

/// Why there is no arena. It prints as the one line that says so.
#[derive(Clone, Copy, Debug)]
pub struct ArenaError {
    /// How the size was decided.
    pub decision: Decision,
    /// What the kernel said to the last try; nothing if there was none.
    pub error: Option<ReserveError>,
}

/// The limit of the address space as the kernel tells it.
pub fn source() -> LimitSource {
    match sys::getrlimit(RLIMIT_AS) {
        Ok(sys::Rlimit { soft: Some(bytes), .. }) => LimitSource::Rlimit(bytes),
        Ok(sys::Rlimit { soft: None, .. }) => LimitSource::Infinity,
        Err(errno) => LimitSource::Unknown(errno),
    }
}

unsafe extern "C" {
    /// First byte of the image; linkers define it (GNU ld and LLD, default scripts and ours).
    static __executable_start: u8;
    /// First byte behind the image, likewise.
    static _end: u8;
}

/// Size of the program in memory, from its first byte to its last, whole pages.
fn image(page: usize) -> u64 {
    let size = (&raw const _end).addr() - (&raw const __executable_start).addr();
    vm::round_up(size, page) as u64
}

/// The stack and what the kernel maps of its own: what the linker's symbols do not see.
fn kernel_part(page: usize) -> u64 {
    let stack = InitialStack::current().extent();
    let strings = vm::round_down(stack.strings, page);
    // The kernel extends the stack below the strings. The words lie there too, and take more if there are very many.
    let below = (strings.saturating_sub(vm::round_down(stack.words, page)) as u64).max(STACK_AT_EXEC);
    (vm::round_up(stack.top, page) - strings) as u64 + below + MAPPED_AT_EXEC
}

/// Asks the limit, plans, and makes the one reservation: two system calls where the kernel grants what was computed.
///
/// # Errors
///
/// [`ArenaError`] if nothing fits. Nothing is reserved then.
#[expect(clippy::result_large_err, reason = "there is no heap yet to put it in")]
pub fn mallocinit(options: &Options) -> Result<Arena, ArenaError> {
    let source = source();
    let limit = source.limit();
    let page = page_size();
    let image = image(page);
    let footprint = image + kernel_part(page);
    let page = page as u64;
    let width = Width::CURRENT;
    let (allowance, headroom, room, asked, least) = match options.policy {
        Policy::Fit => {
            let headroom = memlimit::fit(limit, footprint, options.allowance, width);
            let allowance = limit.map_or(0, |limit| options.allowance.unwrap_or(memlimit::default_allowance(limit)));
            let room = cap(headroom, options.cap);
            let asked = plan::fit(room, page, width, options.bitmap);
            (allowance, headroom, room, asked, plan::least(page, width, options.bitmap))
        }
        Policy::Go => {
            let headroom = memlimit::go(limit, image);
            let go = plan::go(headroom, page, width);
            let asked = if options.bitmap { go } else { Plan { bitmap: 0, arena: go.total() } };
            (memlimit::STACKS, headroom, headroom, Some(asked), asked)
        }
    };
    let mut decision = Decision {
        options: *options,
        source,
        page,
        image,
        footprint,
        allowance,
        headroom,
        asked,
        attempts: Attempts { tries: 0, calls: 0 },
    };
    let Some(asked) = asked else {
        decision.attempts.calls = 1;
        return Err(ArenaError { decision, error: None });
    };
    let (result, attempts) = vm::reserve_largest(least.total() as usize, asked.total() as usize);
    decision.attempts = Attempts { calls: attempts.calls + 1, ..attempts };
    match result {
        Ok(region) => {
            let mut budget = Budget(match room {
                Headroom::Unlimited => u64::MAX,
                Headroom::Bytes(bytes) => bytes.saturating_sub(region.len as u64),
                Headroom::Exhausted => 0,
            });
            let Region { bitmap, arena } = lay_out(region, &decision, &mut budget);
            Ok(Arena { bitmap, arena, budget, decision })
        }
        Err(error) => Err(ArenaError { decision, error: Some(error) }),
    }
}

fn cap(headroom: Headroom, cap: Option<u64>) -> Headroom {
    match (headroom, cap) {
        (_, Some(0)) => Headroom::Exhausted,
        (Headroom::Unlimited, Some(cap)) => Headroom::Bytes(cap),
        (Headroom::Bytes(bytes), Some(cap)) => Headroom::Bytes(bytes.min(cap)),
        (headroom, _) => headroom,
    }
}

/// Divides a reservation into bitmap and arena, and gives back what is too little for another page of bitmap.
fn lay_out(region: Extent, decision: &Decision, budget: &mut Budget) -> Region {
    let plan = match decision.asked {
        _ if !decision.options.bitmap => Plan { bitmap: 0, arena: region.len as u64 },
        Some(asked) if asked.total() == region.len as u64 => asked,
        _ => plan::fit(Headroom::Bytes(region.len as u64), decision.page, Width::CURRENT, decision.options.bitmap)
            .unwrap_or(Plan { bitmap: 0, arena: region.len as u64 }),
    };
    let (bitmap, arena) = (plan.bitmap as usize, plan.arena as usize);
    let at = |offset: usize| {
        // SAFETY: offsets are within the region, as the plan is.
        unsafe { region.base.add(offset) }
    };
    let rest = region.len - bitmap - arena;
    if rest > 0 {
        // SAFETY: the end of a reservation that nobody has seen yet.
        unsafe { budget.release(Extent { base: at(bitmap + arena), len: rest }) };
    }
    Region { bitmap: Extent { base: region.base, len: bitmap }, arena: Extent { base: at(bitmap), len: arena } }
}

impl Arena {
    /// How the size was decided.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Reserves a further region when the arena is used up: `want` bytes of arena if it can be, at least `min`.
    /// Limit, allowance and cap hold for all regions together.
    ///
    /// # Errors
    ///
    /// `ENOMEM` where the limit leaves less than `min`, or what the kernel said. Nothing is reserved then.
    pub fn grow(&mut self, min: usize, want: usize) -> Result<Region, ReserveError> {
        let Decision { options, page, .. } = self.decision;
        let whole = |arena: usize| {
            let arena = (arena.max(1) as u64).next_multiple_of(page);
            if options.bitmap {
                let bitmap = arena.div_ceil(plan::ratio(Width::CURRENT)).next_multiple_of(page);
                bitmap + bitmap * plan::ratio(Width::CURRENT)
            } else {
                arena
            }
        };
        let region = self.budget.reserve(whole(min), whole(want.max(min)))?;
        Ok(lay_out(region, &self.decision, &mut self.budget))
    }

    /// Gives a whole further region back.
    ///
    /// # Safety
    ///
    /// It came from [`grow`](Arena::grow) of this arena, and nobody uses it any more.
    pub unsafe fn shrink(&mut self, region: Region) {
        let region = Extent { base: region.bitmap.base, len: region.bitmap.len + region.arena.len };
        // SAFETY: the caller's promise; bitmap and arena are adjacent.
        unsafe { self.budget.release(region) };
    }
}

impl ArenaError {
    /// The smallest reservation that would have done.
    pub fn least_plan(&self) -> Plan {
        plan::least(self.decision.page, Width::CURRENT, self.decision.options.bitmap)
    }

    /// The smallest limit under which that would fit, bytes.
    pub fn least_limit(&self) -> u64 {
        memlimit::least_limit(self.least_plan().total(), self.decision.footprint, self.decision.options.allowance)
    }
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision { source, footprint, allowance, asked, attempts, options, .. } = self.decision;
        f.write_str("rt0: cannot reserve arena virtual address space: limit ")?;
        match source.limit() {
            Some(bytes) => write!(f, "{bytes}")?,
            None => f.write_str("none")?,
        }
        write!(f, " ({source}), footprint {footprint}, allowance {allowance}, policy {}; ", options.policy.name())?;
        match (asked, self.error) {
            (Some(asked), Some(error)) => {
                write!(f, "tried {} bytes, {} tries, {error}", asked.total(), attempts.tries)?
            }
            _ => f.write_str("nothing is left to try")?,
        }
        match source.limit() {
            Some(_) => write!(f, "; a limit of {} bytes would do", self.least_limit()),
            None => write!(f, "; {} bytes would do", self.least_plan().total()),
        }
    }
}

impl core::error::Error for ArenaError {}
