//! The arena: reads the limit, plans, reserves. The name is that of the step in a runtime's start, `mallocinit`.
//!
//! ```text
//!   Arena     the first region, what may still be reserved, and how all of it was decided
//!   Region    a bitmap (if wanted) and the arena that it covers, in one reservation
//!   Extent    each of the two: address space that has one owner (vm.rs)
//! ```
//!
//! Nothing here can be copied: who holds an arena or a region owns its address space, and who hands it to a heap or a
//! collector has it no longer.
//!
//! ```
//! use rt0::arena::{self, Arena, Cap, CapSource, Decision, DecidedBy, LimitSource, Options, Policy, Region};
//!
//! let options = Options::new().policy(Policy::FIT).allowance(1 << 20).cap(64 << 20).bitmap(true);
//! let mut arena: Arena = arena::mallocinit(&options).expect("64 MiB fit");
//! // How the size came about.
//! let decision: &Decision = arena.decision();
//! assert_eq!((decision.options.policy.name(), decision.decided_by()), ("fit", DecidedBy::Cap(None)));
//! assert_eq!(arena::source(), LimitSource::Infinity);
//! assert_eq!(arena::source().limit(), rt0::address_space_limit());
//! // Used from its start upwards, with four bits for each word.
//! arena.commit_to(100_000)?;
//! let first = arena.extent().base();
//! // SAFETY: the first word is committed, and nobody else has the arena.
//! unsafe { first.cast::<usize>().write(1) };
//! let region: &mut Region = arena.region_mut();
//! region.set_bits(first.addr().get(), 0b0101);
//! assert_eq!(region.bits(first.addr().get()), Some(0b0101));
//! assert_eq!(region.bits_at(first.addr().get()).unwrap().0, region.bitmap().base());
//! // Or any pages of it, and back to the kernel.
//! region.commit(1 << 20..2 << 20)?;
//! region.commit_bitmap(0..4096)?;
//! region.reset(1 << 20..2 << 20);
//! region.reset_bitmap(0..4096);
//! let size = arena.bitmap().len() + arena.region().extent().len();
//! assert!(size > 63 << 20 && size <= 64 << 20); // whole pages of bitmap
//! // The cap is used up. Where a limit decided, and the program has raised it, there is more, which can be given back.
//! assert!(arena.grow(1 << 20, 8 << 20).map(|more| arena.release(more)).is_err());
//! // A smaller cap, which has a name, holds for what is reserved from now on.
//! let cap = Cap { bytes: 32 << 20, source: CapSource::Environment };
//! assert_eq!(arena.refit(Some(cap)).decided_by(), DecidedBy::Cap(Some(CapSource::Environment)));
//! // At last its parts have owners of their own.
//! let mut region = arena.into_region();
//! let bitmap = region.take_bitmap();
//! let (none, extent) = region.into_parts();
//! assert!(none.is_empty() && !bitmap.is_empty() && !extent.is_empty());
//! # Ok::<(), rt0::sys::Errno>(())
//! ```

pub(crate) mod exhausted;

use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;

use crate::memlimit::{self, Headroom, Width};
use crate::os::initial_stack::{InitialStack, page_size};
use crate::plan::{self, Plan};
use crate::sys::{self, Errno, MAPPED_AT_EXEC, RLIMIT_AS, STACK_AT_EXEC};
use crate::vm::{self, Attempts, Extent, ReserveError};

/// Which rule decides how large the arena is. A program that does not name a rule does not carry it.
#[derive(Clone, Copy)]
pub struct Policy(&'static Rule);

struct Rule {
    name: &'static str,
    decide: fn(&Inputs<'_>) -> Choice,
}

/// What a rule decides by.
struct Inputs<'a> {
    options: &'a Options,
    source: LimitSource,
    image: u64,
    footprint: u64,
    page: u64,
}

impl Inputs<'_> {
    /// What the kernel and the linker say of this process.
    fn read(options: &Options) -> Inputs<'_> {
        let page = page_size();
        let image = image(page);
        Inputs { options, source: source(), image, footprint: image + kernel_part(page), page: page as u64 }
    }

    /// The decision that a rule's choice makes, before anything was tried.
    fn decision(&self, choice: &Choice, attempts: Attempts) -> Decision {
        let Inputs { options, source, image, footprint, page } = *self;
        let Choice { allowance, headroom, asked, .. } = *choice;
        Decision { options: *options, source, page, image, footprint, allowance, headroom, asked, attempts }
    }
}

/// What a rule decides.
struct Choice {
    allowance: u64,
    headroom: Headroom,
    /// What may be reserved in all.
    room: Headroom,
    asked: Option<Plan>,
    /// The least that will do.
    least: Plan,
}

impl Policy {
    /// What is left is fitted into; where the kernel refuses that, the largest that it grants, less the allowance.
    pub const FIT: Policy = Policy(&Rule { name: "fit", decide: fit });

    /// The rule of the Go runtime of 2012, for comparison: [`memlimit::go`], [`plan::go`], one try.
    pub const GO: Policy = Policy(&Rule { name: "go", decide: go });

    /// `fit` or `go`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }
}

fn fit(inputs: &Inputs<'_>) -> Choice {
    let Inputs { options, source, footprint, page, .. } = *inputs;
    let limit = source.limit();
    let width = Width::CURRENT;
    let allowance = limit.map_or(0, |limit| options.allowance.unwrap_or(memlimit::default_allowance(limit)));
    let headroom = memlimit::fit(limit, footprint, Some(allowance), width);
    let room = cap(headroom, options.cap);
    Choice {
        allowance,
        headroom,
        room,
        asked: plan::fit(room, page, width, options.bitmap),
        least: plan::least(page, width, options.bitmap),
    }
}

fn go(inputs: &Inputs<'_>) -> Choice {
    let headroom = memlimit::go(inputs.source.limit(), inputs.image);
    let go = plan::go(headroom, inputs.page, Width::CURRENT);
    let asked = if inputs.options.bitmap { go } else { Plan { bitmap: 0, arena: go.total() } };
    Choice { allowance: memlimit::STACKS, headroom, room: headroom, asked: Some(asked), least: asked }
}

impl Default for Policy {
    fn default() -> Self {
        Policy::FIT
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Policy) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Policy {}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a program wants of its arena: `Options::new().cap(1 << 30)`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The rule; [`Policy::FIT`] by default.
    pub policy: Policy,
    /// Bytes of the limit that are left for stacks to grow into and for other mappings;
    /// by default [`memlimit::default_allowance`]. 0 is right for a program with one thread whose stack stays within
    /// the 128 KiB that it begins with. [`Policy::GO`] has its own.
    pub allowance: Option<u64>,
    /// At most this many bytes, bitmap and arena together; by default no cap but the limit's. [`Policy::GO`] ignores
    /// it.
    pub cap: Option<u64>,
    /// Where the cap came from, if not from the program itself.
    pub cap_source: Option<CapSource>,
    /// Whether a collector's bitmap lies below the arena; it does by default.
    pub bitmap: bool,
}

impl Options {
    /// The defaults.
    pub const DEFAULT: Options =
        Options { policy: Policy::FIT, allowance: None, cap: None, cap_source: None, bitmap: true };

    /// The defaults.
    pub const fn new() -> Options {
        Options::DEFAULT
    }

    /// Sets [`policy`](Options::policy).
    pub const fn policy(self, policy: Policy) -> Options {
        Options { policy, ..self }
    }

    /// Sets [`allowance`](Options::allowance), bytes.
    pub const fn allowance(self, bytes: u64) -> Options {
        Options { allowance: Some(bytes), ..self }
    }

    /// Sets [`cap`](Options::cap), bytes.
    pub const fn cap(self, bytes: u64) -> Options {
        Options { cap: Some(bytes), cap_source: None, ..self }
    }

    /// Lowers the cap to this one, where it is the smaller: [`limits::smallest`](crate::limits::smallest).
    ///
    /// ```
    /// let options = rt0::arena::Options::new().capped(rt0::limits::smallest());
    /// assert_eq!(options.cap, rt0::limits::smallest().map(|cap| cap.bytes));
    /// ```
    pub const fn capped(self, cap: Option<Cap>) -> Options {
        match (cap, self.cap) {
            (None, _) => self,
            (Some(cap), Some(own)) if own <= cap.bytes => self,
            (Some(Cap { bytes, source }), _) => Options { cap: Some(bytes), cap_source: Some(source), ..self },
        }
    }

    /// Sets [`bitmap`](Options::bitmap).
    pub const fn bitmap(self, wanted: bool) -> Options {
        Options { bitmap: wanted, ..self }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A cap that did not come from the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Bytes.
    pub bytes: u64,
    /// Where it came from.
    pub source: CapSource,
}

/// Where a cap came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CapSource {
    /// The variable `RT0_HEAP_MAX`.
    Environment,
    /// `RLIMIT_DATA`.
    Data,
    /// A control group's memory limit.
    Cgroup,
}

/// `RT0_HEAP_MAX`, `RLIMIT_DATA`, `cgroup`.
impl fmt::Display for CapSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CapSource::Environment => "RT0_HEAP_MAX",
            CapSource::Data => "RLIMIT_DATA",
            CapSource::Cgroup => "cgroup",
        })
    }
}

/// What an arena's size was decided by: [`Decision::decided_by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecidedBy {
    /// The limit of the address space.
    Limit,
    /// The program's cap, or one from elsewhere.
    Cap(Option<CapSource>),
    /// Neither: it is of full size, or what the kernel granted.
    Nothing,
}

/// `RLIMIT_AS`, `cap`, the name of the cap's source, or `none`.
impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecidedBy::Limit => f.write_str("RLIMIT_AS"),
            DecidedBy::Cap(None) => f.write_str("cap"),
            DecidedBy::Cap(Some(source)) => source.fmt(f),
            DecidedBy::Nothing => f.write_str("none"),
        }
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
#[non_exhaustive]
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

impl Decision {
    /// Which of limit and cap is the smaller, if it is smaller than the arena of full size. [`Policy::GO`] knows no cap.
    pub fn decided_by(&self) -> DecidedBy {
        let full = plan::full(Width::CURRENT).total();
        let cap = if self.options.policy == Policy::GO { None } else { self.options.cap };
        match (self.headroom, cap) {
            (Headroom::Bytes(left), cap) if left < full.min(cap.unwrap_or(full)) => DecidedBy::Limit,
            (Headroom::Exhausted, _) => DecidedBy::Limit,
            (_, Some(cap)) if cap < full => DecidedBy::Cap(self.options.cap_source),
            _ => DecidedBy::Nothing,
        }
    }
}

/// What [`mallocinit`] reserved, and what may be reserved further. Nothing is committed at first.
///
/// It owns its address space. Dropping it gives nothing back.
#[derive(Debug)]
#[must_use = "dropping an arena keeps it reserved for ever"]
pub struct Arena {
    region: Region,
    budget: Budget,
    decision: Decision,
    /// The bytes of all regions, and how many of them limit and cap allow. They can be more where the program has lowered its
    /// limit.
    reserved: u64,
    room: Option<u64>,
}

/// One reservation: the collector's bitmap, if there is one, and behind it the arena that it covers.
///
/// It owns both. Dropping it gives nothing back. The safe methods commit and reset what their owner says; whoever
/// keeps references into the arena, which takes `unsafe`, lets nobody else have the region.
#[derive(Debug)]
#[must_use = "dropping a region keeps it reserved for ever"]
pub struct Region {
    /// Four bits for each word of the arena; empty without one.
    bitmap: Extent,
    arena: Extent,
    /// How far `commit_to` has committed the arena, bytes from its start.
    committed: usize,
}

/// How much `commit_to` commits at once at first, bytes; each further time as much as it has committed, up to the
/// second, so that an arena takes few system calls.
const COMMIT_MIN: usize = 64 * 1024;
const COMMIT_MAX: usize = 32 * 1024 * 1024;

impl Region {
    /// The arena. For a collector: every word of it has four bits in the bitmap.
    pub const fn extent(&self) -> &Extent {
        &self.arena
    }

    /// The bitmap: four bits for each word of the arena, from the first on. Empty where none was wanted.
    pub const fn bitmap(&self) -> &Extent {
        &self.bitmap
    }

    /// The size of both, bytes.
    fn len(&self) -> u64 {
        (self.bitmap.len() + self.arena.len()) as u64
    }

    /// Makes the bytes `range` of the arena readable and writable: [`Extent::commit`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`: overcommit, or the kernel has no more mappings. The pages stay as they were.
    ///
    /// # Panics
    ///
    /// If the range is not within the arena.
    pub fn commit(&self, range: Range<usize>) -> Result<(), Errno> {
        self.arena.commit(range)
    }

    /// Makes the bytes `range` of the bitmap readable and writable: [`Extent::commit`].
    ///
    /// # Errors
    ///
    /// As for [`commit`](Region::commit).
    ///
    /// # Panics
    ///
    /// If the range is not within the bitmap.
    pub fn commit_bitmap(&self, range: Range<usize>) -> Result<(), Errno> {
        self.bitmap.commit(range)
    }

    /// Makes at least the first `bytes` of the arena readable and writable, and of the bitmap what covers them; what
    /// was committed by this before costs a comparison. For an allocator that uses the arena from its start upwards.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: `bytes` is more than there is, or as for [`commit`](Region::commit).
    #[inline]
    pub fn commit_to(&mut self, bytes: usize) -> Result<(), Errno> {
        if bytes <= self.committed { Ok(()) } else { self.commit_further(bytes) }
    }

    #[cold]
    fn commit_further(&mut self, bytes: usize) -> Result<(), Errno> {
        if bytes > self.arena.len() {
            return Err(Errno::ENOMEM);
        }
        let step = self.committed.clamp(COMMIT_MIN, COMMIT_MAX);
        let generous = self.committed.saturating_add(step).min(self.arena.len());
        let mut commit = |to: usize| {
            let covers = |arena: usize| arena.div_ceil(plan::ratio(Width::CURRENT) as usize).min(self.bitmap.len());
            self.bitmap.commit(covers(self.committed)..covers(to))?;
            self.arena.commit(self.committed..to)?;
            self.committed = vm::round_up(to, page_size());
            Ok(())
        };
        if generous > bytes && commit(generous).is_ok() { Ok(()) } else { commit(bytes) }
    }

    /// Where the four bits of the word at `address` are: the byte of the bitmap, and by how much they are shifted to the
    /// left in it, 0 or 4. `None` for an address outside the arena, or without a bitmap. The byte can be used where
    /// [`commit_to`](Region::commit_to) or [`commit_bitmap`](Region::commit_bitmap) has made it usable.
    #[inline]
    pub fn bits_at(&self, address: usize) -> Option<(NonNull<u8>, u32)> {
        let word = address.wrapping_sub(self.arena.base().addr().get()) / size_of::<usize>();
        if !self.arena.contains(address) || word / 2 >= self.bitmap.len() {
            return None;
        }
        // SAFETY: the byte lies in the bitmap, as was just compared.
        Some((unsafe { self.bitmap.base().add(word / 2) }, word as u32 % 2 * 4))
    }

    /// The four bits of the word at `address`; `None` where there is no such word, or beyond what
    /// [`commit_to`](Region::commit_to) has committed.
    ///
    /// ```no_run
    /// # fn mark(arena: &mut rt0::arena::Arena) -> Option<()> {
    /// let region = arena.region_mut();
    /// region.commit_to(1 << 20).ok()?;
    /// let object = region.extent().base().addr().get() + 64;
    /// region.set_bits(object, 0b0001)?;
    /// assert_eq!(region.bits(object), Some(0b0001));
    /// # Some(())
    /// # }
    /// ```
    #[inline]
    pub fn bits(&self, address: usize) -> Option<u8> {
        let (byte, shift) = self.committed_bits(address)?;
        // SAFETY: `commit_to` has made the byte readable; the region owns it.
        Some(unsafe { byte.read() } >> shift & 0xf)
    }

    /// Sets the four bits of the word at `address` to the lowest four of `bits`; `None`, and nothing is set, where
    /// [`bits`](Region::bits) has none.
    #[inline]
    pub fn set_bits(&mut self, address: usize, bits: u8) -> Option<()> {
        let (byte, shift) = self.committed_bits(address)?;
        // SAFETY: `commit_to` has made the byte usable; the region owns it, and is borrowed exclusively.
        unsafe { byte.write(byte.read() & !(0xf << shift) | (bits & 0xf) << shift) };
        Some(())
    }

    fn committed_bits(&self, address: usize) -> Option<(NonNull<u8>, u32)> {
        let place = self.bits_at(address)?;
        (address - self.arena.base().addr().get() < self.committed).then_some(place)
    }

    /// Gives the memory of the whole pages among the bytes `range` of the arena back: [`Extent::reset`].
    ///
    /// # Panics
    ///
    /// If the range is not within the arena.
    pub fn reset(&mut self, range: Range<usize>) {
        self.arena.reset(range);
    }

    /// Gives the memory of the whole pages among the bytes `range` of the bitmap back: [`Extent::reset`].
    ///
    /// # Panics
    ///
    /// If the range is not within the bitmap.
    pub fn reset_bitmap(&mut self, range: Range<usize>) {
        self.bitmap.reset(range);
    }

    /// Divides the region into bitmap and arena, each of which is its own owner then.
    pub fn into_parts(self) -> (Extent, Extent) {
        (self.bitmap, self.arena)
    }

    /// Takes the bitmap out of the region, which has none afterwards: to keep it where the arena goes to a heap.
    pub fn take_bitmap(&mut self) -> Extent {
        // SAFETY: an extent of nothing owns nothing.
        let none = unsafe { Extent::from_raw(self.bitmap.base(), 0) };
        core::mem::replace(&mut self.bitmap, none)
    }

    /// Bitmap and arena as the one extent that they were. It is as fresh as both are.
    fn into_whole(self) -> Extent {
        if self.bitmap.is_empty() {
            // What stands for a bitmap that was taken out is no part of the reservation.
            return self.arena;
        }
        let mut whole = self.bitmap;
        whole.join(self.arena);
        whole
    }
}

/// Bytes of address space that may still be reserved, as limit, allowance and cap leave them: none is no end but the
/// kernel's.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Option<u64>,
    /// What is kept free where the kernel refuses what is left.
    allowance: Allowance,
    /// The kernel has refused what the budget allows, since others have mapped something, and the search for what
    /// there is left this much free.
    kept: Option<usize>,
}

/// What is kept free where the kernel grants less than was computed.
#[derive(Clone, Copy, Debug)]
enum Allowance {
    /// What the program said, in full.
    Exact(u64),
    /// What the limit says, as [`memlimit::kept`] has it. Nothing without a limit: what refuses then (a full address
    /// space, overcommit) does not count the stack.
    Limit(u64),
}

impl Allowance {
    fn of(options: &Options, limit: Option<u64>) -> Allowance {
        match (options.allowance, limit) {
            (Some(bytes), _) => Allowance::Exact(bytes),
            (None, limit) => Allowance::Limit(limit.map_or(0, memlimit::default_allowance)),
        }
    }

    /// How much of the largest reservation that is granted is not taken.
    fn keep(self, found: usize) -> usize {
        let found = found as u64;
        let kept = match self {
            Allowance::Exact(bytes) => bytes.min(found),
            Allowance::Limit(bytes) => memlimit::kept(found, bytes),
        };
        kept as usize
    }
}

impl Budget {
    /// What may still be reserved, if that has an end but the kernel's.
    pub(crate) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Reserves `most` bytes or what there is, `least` at the least: multiples of the page.
    pub(crate) fn reserve(&mut self, least: u64, most: u64) -> Result<Extent, ReserveError> {
        let page = page_size() as u64;
        let whole = |bytes: u64| bytes & !(page - 1);
        let most = most.min(whole(self.left.unwrap_or(u64::MAX))).min(whole(Width::CURRENT.max()));
        if least > most {
            return Err(ReserveError::Kernel(Errno::ENOMEM));
        }
        let (extent, _) = self.search(least as usize, most as usize);
        let extent = extent?;
        self.left = self.left.map(|left| left - extent.len() as u64);
        Ok(extent)
    }

    /// The largest that the kernel grants beside what is kept free.
    fn search(&mut self, least: usize, most: usize) -> (Result<Extent, ReserveError>, Attempts) {
        let (before, mut now) = (self.kept, None);
        let allowance = self.allowance;
        let (result, attempts) = vm::reserve_largest(least, most, |found| {
            let kept = before.unwrap_or_else(|| allowance.keep(found)).min(found);
            now = Some(kept);
            kept
        });
        self.kept = before.or(now);
        let result = match (result, before) {
            // It was granted at once, but not as the budget says: is there still what is to be kept?
            (Ok(extent), Some(kept)) if now.is_none() => vm::beside(extent, kept as u64),
            (result, _) => result,
        };
        (result, attempts)
    }

    /// Releases what was reserved, or a part of it. What the kernel does not take back stays reserved, and counts; the
    /// answer is whether it has taken it.
    pub(crate) fn release(&mut self, extent: Extent) -> bool {
        let len = extent.len() as u64;
        let released = extent.release().is_ok();
        if released {
            self.left = self.left.map(|left| left.saturating_add(len));
        }
        released
    }
}

/// Why there is no arena. It prints as the one line that says so.
///
/// ```
/// use rt0::arena::{ArenaError, Options, mallocinit};
///
/// let error: ArenaError = mallocinit(&Options::new().cap(4096)).expect_err("a page is too little");
/// assert!(error.to_string().starts_with("rt0: cannot reserve arena virtual address space"));
/// // What would do: this arena, under this limit.
/// assert!(error.least_limit() > error.least_plan().total());
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
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

/// Reads the limit, plans, and makes the one reservation: two system calls where the kernel grants what was computed.
///
/// ```
/// use rt0::arena::{Options, mallocinit};
///
/// let mut arena = mallocinit(&Options::new().cap(16 << 20))?;
/// arena.commit_to(100_000).unwrap();
/// // SAFETY: that much of the arena is committed, and it is this program's.
/// unsafe { arena.extent().base().add(99_999).write(1) };
/// assert!(arena.decision().asked.is_some());
/// # Ok::<(), rt0::arena::ArenaError>(())
/// ```
///
/// # Errors
///
/// [`ArenaError`] if nothing fits. Nothing is reserved then.
#[expect(clippy::result_large_err, reason = "there is no heap yet to put it in")]
pub fn mallocinit(options: &Options) -> Result<Arena, ArenaError> {
    let inputs = Inputs::read(options);
    let limit = inputs.source.limit();
    let choice = (options.policy.0.decide)(&inputs);
    let mut decision = inputs.decision(&choice, Attempts { calls: 1, ..Attempts::default() });
    let Choice { room, asked, least, .. } = choice;
    let Some(asked) = asked else {
        return Err(ArenaError { decision, error: None });
    };
    let left = bytes_of(room);
    let mut budget = Budget { left, allowance: Allowance::of(options, limit), kept: None };
    let (result, attempts) = budget.search(least.total() as usize, asked.total() as usize);
    decision.attempts = Attempts { calls: attempts.calls + 1, ..attempts };
    match result {
        Ok(extent) => {
            budget.left = left.map(|left| left.saturating_sub(extent.len() as u64));
            let region = lay_out(extent, &decision, &mut budget);
            let reserved = region.len();
            Ok(Arena { region, budget, decision, reserved, room: left })
        }
        Err(error) => Err(ArenaError { decision, error: Some(error) }),
    }
}

fn bytes_of(room: Headroom) -> Option<u64> {
    match room {
        Headroom::Unlimited => None,
        Headroom::Bytes(bytes) => Some(bytes),
        Headroom::Exhausted => Some(0),
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
fn lay_out(extent: Extent, decision: &Decision, budget: &mut Budget) -> Region {
    let len = extent.len() as u64;
    let plan = match decision.asked {
        _ if !decision.options.bitmap => Plan { bitmap: 0, arena: len },
        Some(asked) if asked.total() == len => asked,
        // As for any reservation, but with no full size: a further region can be larger.
        _ => plan::with_bitmap(len, decision.page, Width::CURRENT),
    };
    let (bitmap, rest) = extent.split(plan.bitmap as usize);
    let (arena, rest) = rest.split(plan.arena as usize);
    budget.release(rest);
    Region { bitmap, arena, committed: 0 }
}

impl Arena {
    /// How the size was decided.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The first region.
    pub const fn region(&self) -> &Region {
        &self.region
    }

    /// The first region, to commit and reset. Replacing it by another one is nobody's harm but the owner's.
    pub const fn region_mut(&mut self) -> &mut Region {
        &mut self.region
    }

    /// The first region by itself, where no further ones are wanted.
    pub fn into_region(self) -> Region {
        self.region
    }

    /// The first region's arena: [`Region::extent`].
    pub const fn extent(&self) -> &Extent {
        self.region.extent()
    }

    /// The first region's bitmap: [`Region::bitmap`].
    pub const fn bitmap(&self) -> &Extent {
        self.region.bitmap()
    }

    /// Makes at least the first `bytes` of the first region usable: [`Region::commit_to`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn commit_to(&mut self, bytes: usize) -> Result<(), Errno> {
        self.region.commit_to(bytes)
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
            let ratio = plan::ratio(Width::CURRENT);
            let unit = if options.bitmap { page * ratio } else { page };
            // More than there can be is as good as the most that there can be.
            let arena = (arena.max(1) as u64).min(Width::CURRENT.max() / 2).next_multiple_of(unit);
            if options.bitmap { arena + arena / ratio } else { arena }
        };
        if min as u64 > Width::CURRENT.max() / 2 {
            return Err(ReserveError::Kernel(Errno::ENOMEM));
        }
        let extent = self.budget.reserve(whole(min), whole(want.max(min)))?;
        let region = lay_out(extent, &self.decision, &mut self.budget);
        self.reserved += region.len();
        Ok(region)
    }

    /// Gives a region back that came from [`grow`](Arena::grow) of this arena; what it counted may be reserved again.
    /// The region is lost, and still counts, where the kernel does not take it: it has too many mappings then.
    pub fn release(&mut self, region: Region) {
        let len = region.len();
        if self.budget.release(region.into_whole()) {
            self.reserved = self.reserved.saturating_sub(len);
            self.budget.left = self.left();
        }
    }

    /// Reads the limit anew, for a program that has changed it, and takes a cap that is lower or none: what may still be
    /// reserved is then what both leave beside what is reserved already, which stays as it is. Answers the new decision, in
    /// which `asked` and `attempts` are those of before.
    pub fn refit(&mut self, cap: Option<Cap>) -> &Decision {
        let options = self.decision.options.capped(cap);
        let inputs = Inputs::read(&options);
        let choice = (options.policy.0.decide)(&inputs);
        let Decision { asked, attempts, .. } = self.decision;
        self.room = bytes_of(choice.room);
        self.budget =
            Budget { left: self.left(), allowance: Allowance::of(&options, inputs.source.limit()), kept: None };
        self.decision = Decision { asked, ..inputs.decision(&choice, attempts) };
        &self.decision
    }

    /// What may still be reserved.
    fn left(&self) -> Option<u64> {
        self.room.map(|room| room.saturating_sub(self.reserved))
    }

    /// Divides the arena into the address space of its first region and what reserves further ones.
    pub(crate) fn into_extents(self) -> (Extent, Budget) {
        (self.region.into_whole(), self.budget)
    }
}

impl ArenaError {
    /// That of a heap which wants a region and no arena.
    pub(crate) fn of_region(options: &Options, error: Option<ReserveError>) -> ArenaError {
        let inputs = Inputs::read(options);
        let choice = fit(&inputs);
        let choice = Choice { asked: Some(choice.least), ..choice };
        ArenaError { decision: inputs.decision(&choice, Attempts { tries: 1, calls: 2 }), error }
    }

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
                write!(f, "tried {} bytes, {} tries, {error}", asked.total(), attempts.tries)?;
            }
            _ => f.write_str("nothing is left to try")?,
        }
        match source.limit() {
            Some(_) => {
                let least = self.least_limit();
                write!(f, "; a limit of {least} bytes would do (ulimit -v {})", least.div_ceil(1024))
            }
            None => write!(f, "; {} bytes would do", self.least_plan().total()),
        }
    }
}

impl core::error::Error for ArenaError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A heap gives back and reserves anew what may have been written to. Between the two another thread may take the
    /// space, so nothing else goes that way.
    #[test]
    fn an_arena_is_fresh_until_something_of_it_is_committed() {
        type Step = fn(&mut Arena);
        let steps: [(bool, Step); 6] = [
            (true, |_| ()),
            (true, |arena| drop(arena.region_mut().take_bitmap().release())),
            (false, |arena| arena.commit_to(1).unwrap()),
            (false, |arena| arena.region().commit(4096..4097).unwrap()),
            (false, |arena| arena.region().commit_bitmap(0..1).unwrap()),
            (false, |arena| {
                drop(arena.region_mut().take_bitmap().release());
                arena.commit_to(1).unwrap();
            }),
        ];
        for (number, (fresh, step)) in steps.into_iter().enumerate() {
            let mut arena = mallocinit(&Options::new().cap(16 << 20)).unwrap();
            step(&mut arena);
            let (whole, mut budget) = arena.into_extents();
            assert_eq!(whole.is_fresh(), fresh, "step {number}");
            budget.release(whole);
        }
        let (whole, mut budget) = mallocinit(&Options::new().cap(16 << 20).bitmap(false)).unwrap().into_extents();
        assert!(whole.is_fresh());
        budget.release(whole);
    }
}
