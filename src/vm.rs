//! Address space and memory: reserve, commit, reset, release.
//!
//! Reserved address space counts against `RLIMIT_AS` in full but holds no memory and gives no access. Committed
//! pages can be read and written. All addresses and sizes are multiples of the page.
//!
//! An [`Extent`] owns what it names: there is no copy of it, and two of them never overlap, so its methods are safe.
//! The functions below it take bare addresses and are unsafe: they are for whoever keeps an extent in pieces, or
//! across a foreign interface.
//!
//! Committing is `mprotect`, on either kernel: it is not charged against the limit a second time, where `mmap` with
//! `MAP_FIXED` over one's own reservation is on FreeBSD (`sys/vm/vm_mmap.c`, `vm_mmap_object`), and it cannot
//! replace somebody else's mapping.
//!
//! ```
//! let extent = rt0::vm::reserve(1 << 30)?; // address space, and no memory
//! extent.commit(0..4096).unwrap();
//! // SAFETY: the page is committed, and nobody else has it.
//! unsafe { extent.base().write(1) };
//! extent.release().unwrap();
//! # Ok::<(), rt0::vm::ReserveError>(())
//! ```

use core::fmt;
use core::ops::Range;
use core::ptr::{self, NonNull};
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use crate::os::initial_stack::page_size;
use crate::sys::{self, Errno, MADV_RESET, MAP_RESERVE, PROT_NONE, PROT_READ, PROT_WRITE};

/// A range of address space that belongs to whoever holds this value: whole pages, mapped, and nobody else's.
///
/// Dropping it does not give it back: what it names stays reserved for as long as the process lives, and pointers
/// into it stay good. [`release`](Extent::release) gives it back.
///
/// What is in the range is reached by pointers that come from [`base`](Extent::base); whoever makes a reference
/// from one, which takes `unsafe`, sees to it that neither [`reset`](Extent::reset) nor `release` is called before
/// the reference's end.
///
/// ```
/// use rt0::vm::{self, Extent};
///
/// let page = rt0::page_size();
/// let extent: Extent = vm::reserve(4 * page)?;
/// assert!(extent.len() == 4 * page && !extent.is_empty() && extent.contains(extent.base().addr().get()));
/// let (first, mut rest) = extent.split(page);
/// first.commit(0..page).expect("a page");
/// rest.commit(page..2 * page).expect("a page");
/// rest.reset(0..3 * page);
/// // Across a foreign interface it is an address and a length, and its pages have functions of their own.
/// let (base, len) = first.into_raw();
/// // SAFETY: the page is the extent's, which is nobody else's; nothing in it is needed.
/// let first = unsafe {
///     vm::commit(base, len).expect("it is committed");
///     vm::populate(base, len);
///     vm::prefer_huge(base, len);
///     vm::reset(base, len);
///     Extent::from_raw(base, len)
/// };
/// first.release().expect("the kernel takes it back");
/// let (base, len) = rest.into_raw();
/// // SAFETY: as it came, and nobody uses it any more.
/// unsafe { vm::release(base, len) }.expect("the kernel takes it back");
/// # Ok::<(), vm::ReserveError>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping an extent keeps it reserved for ever"]
pub struct Extent {
    base: NonNull<u8>,
    len: usize,
    /// Whether some of it may have been written.
    used: AtomicBool,
}

impl PartialEq for Extent {
    fn eq(&self, other: &Extent) -> bool {
        (self.base, self.len) == (other.base, other.len)
    }
}

impl Eq for Extent {}

// SAFETY: an extent owns address space, which no thread has for itself.
unsafe impl Send for Extent {}
// SAFETY: a shared extent can be asked where it is, and made accessible; the kernel orders the latter.
unsafe impl Sync for Extent {}

impl Extent {
    /// The extent of the `len` bytes at `base`.
    ///
    /// # Safety
    ///
    /// - Both are multiples of the page, and the range is mapped, private and anonymous, or `len` is 0.
    /// - Nobody else has it: no other extent overlaps it, and nobody uses, protects, unmaps or maps over any of it
    ///   but through this extent and pointers that come from it, for as long as it is reserved.
    /// - `base` may be used to reach every byte of it.
    pub const unsafe fn from_raw(base: NonNull<u8>, len: usize) -> Extent {
        Extent { base, len, used: AtomicBool::new(true) }
    }

    /// Base and length, for [`from_raw`](Extent::from_raw): the range is the caller's without this value.
    pub const fn into_raw(self) -> (NonNull<u8>, usize) {
        (self.base, self.len)
    }

    /// Its first byte; the pointer is good for the whole extent.
    pub const fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Its size, bytes, a multiple of the page.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: usize) -> bool {
        address.wrapping_sub(self.base.addr().get()) < self.len
    }

    /// Divides it in two: the first `len` bytes and the rest. Either can be empty.
    ///
    /// # Panics
    ///
    /// If `len` is not a multiple of the page or more than there is.
    pub fn split(self, len: usize) -> (Extent, Extent) {
        assert!(len <= self.len && len == round_down(len, page_size()), "an extent is divided between two pages");
        // SAFETY: `len` is at most the extent's.
        let rest = unsafe { self.base.add(len) };
        let used = AtomicBool::new(!self.is_fresh());
        (Extent { len, used, ..self }, Extent { base: rest, len: self.len - len, used: self.used })
    }

    /// Takes the extent that begins where this one ends into it.
    ///
    /// # Panics
    ///
    /// If it begins elsewhere.
    pub(crate) fn join(&mut self, next: Extent) {
        assert!(
            next.base.addr().get() == self.base.addr().get() + self.len,
            "an extent is joined to the one behind it"
        );
        self.len += next.len;
        if !next.is_fresh() {
            self.used.store(true, Relaxed);
        }
    }

    /// Whether nobody can have written into it, so that all of it will read as zeroes.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.used.load(Relaxed)
    }

    /// Makes the pages readable and writable that hold the bytes `range`, offsets from the base: its ends are rounded
    /// outward to whole pages. Pages that are committed for the first time read as zeroes; what is committed already
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// `ENOMEM`: overcommit, or the kernel has no more mappings. The pages stay as they were.
    ///
    /// # Panics
    ///
    /// If the range is not within the extent.
    pub fn commit(&self, range: Range<usize>) -> Result<(), Errno> {
        assert!(range.start <= range.end && range.end <= self.len, "committing beyond an extent");
        let page = page_size();
        let (start, end) = (round_down(range.start, page), round_up(range.end, page));
        if range.is_empty() {
            return Ok(());
        }
        self.used.store(true, Relaxed);
        // SAFETY: whole pages of this extent, which is nobody else's.
        unsafe { commit(self.base.add(start), end - start) }
    }

    /// Gives the memory of the whole pages in `range` back, offsets from the base: its ends are rounded inward. The
    /// pages stay committed, but what they held is lost: they may or may not read as zeroes. Pages that were never
    /// committed stay as they are.
    ///
    /// # Panics
    ///
    /// If the range is not within the extent.
    pub fn reset(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len, "resetting beyond an extent");
        let page = page_size();
        let (start, end) = (round_up(range.start, page), round_down(range.end, page));
        if start < end {
            // SAFETY: whole pages of this extent, which is nobody else's; who has pointers into it has seen to it that
            // this is not called too early.
            unsafe { reset(self.base.add(start), end - start) };
        }
    }

    /// Gives the address space back.
    ///
    /// # Errors
    ///
    /// The extent, which is still reserved, and what the kernel said: it refuses to split a mapping where it has too
    /// many.
    pub fn release(self) -> Result<(), (Extent, Errno)> {
        if self.len == 0 {
            return Ok(());
        }
        // SAFETY: the extent is nobody else's and ends here; who has pointers into it has seen to it that this is not
        // called too early.
        unsafe { release(self.base, self.len) }.map_err(|errno| (self, errno))
    }
}

/// Why a reservation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReserveError {
    /// The kernel refused.
    Kernel(Errno),
    /// The kernel answered an address that is not a multiple of the page. What is there stays mapped.
    Unaligned(usize),
}

impl ReserveError {
    /// What the kernel refused with; nothing if it did not refuse.
    pub const fn errno(self) -> Option<Errno> {
        match self {
            ReserveError::Kernel(errno) => Some(errno),
            ReserveError::Unaligned(_) => None,
        }
    }
}

impl fmt::Display for ReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReserveError::Kernel(errno) => write!(f, "mmap: {errno}"),
            ReserveError::Unaligned(address) => write!(f, "mmap returned the unaligned address {address:#x}"),
        }
    }
}

impl core::error::Error for ReserveError {}

/// `bytes` down to whole pages. A page is a power of two: a mask does it, where a division could fail.
#[inline]
pub(crate) const fn round_down(bytes: usize, page: usize) -> usize {
    bytes & !(page - 1)
}

/// A huge page, where the kernel has them: 2 MiB on x86, and on ARM with long descriptors.
pub(crate) const HUGE: usize = 2 << 20;

/// `bytes` up to whole pages; there is room for that.
#[inline]
pub(crate) const fn round_up(bytes: usize, page: usize) -> usize {
    round_down(bytes + (page - 1), page)
}

/// How many bytes lie between an address and the next multiple of `align`, a power of two. Near the end of all addresses the
/// multiple itself may be 0.
#[inline]
pub(crate) const fn gap_before(address: usize, align: usize) -> usize {
    address.wrapping_neg() & (align - 1)
}

/// Reserves `len` bytes of address space, a multiple of the page, wherever the kernel has them, without access.
///
/// # Errors
///
/// [`ReserveError`]: `EINVAL` for no bytes at all, `ENOMEM` where there is no room for them or the limit forbids it. Nothing
/// is reserved then.
pub fn reserve(len: usize) -> Result<Extent, ReserveError> {
    reserve_near(0, len)
}

/// As [`reserve`], at the address `hint` if the kernel likes: it may choose another, as it does where something is.
pub(crate) fn reserve_near(hint: usize, len: usize) -> Result<Extent, ReserveError> {
    let hint = ptr::without_provenance_mut(hint);
    // SAFETY: without MAP_FIXED the kernel takes address space that nobody has.
    let base = unsafe { sys::mmap(hint, len, PROT_NONE, MAP_RESERVE, -1, 0) }.map_err(ReserveError::Kernel)?;
    match NonNull::new(base) {
        Some(base) if round_down(base.addr().get(), page_size()) == base.addr().get() => {
            Ok(Extent { base, len, used: AtomicBool::new(false) })
        }
        _ => {
            // It is not given back: FreeBSD rounds what munmap is told outward to whole pages (`sys/vm/vm_mmap.c`,
            // `kern_munmap`), and the last of those would be somebody else's.
            Err(ReserveError::Unaligned(base.addr()))
        }
    }
}

/// Keeps a new reservation only if the kernel has `guard` bytes more: they are reserved and given back at once.
///
/// # Errors
///
/// What the kernel said to the guard. The reservation has been released.
pub(crate) fn beside(extent: Extent, guard: u64) -> Result<Extent, ReserveError> {
    if guard == 0 {
        return Ok(extent);
    }
    // What the kernel does not take back stays reserved; there is no other use for it.
    match reserve(round_up(guard.min(usize::MAX as u64 / 2) as usize, page_size())) {
        Ok(probe) => {
            let _ = probe.release();
            Ok(extent)
        }
        Err(error) => {
            let _ = extent.release();
            Err(error)
        }
    }
}

/// What the search for the largest reservation took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempts {
    /// How often the kernel was asked for a reservation.
    pub tries: u32,
    /// System calls, those that gave a reservation back with them.
    pub calls: u32,
}

impl Attempts {
    // It stands three times in a search that is made once: a function of its own is less code.
    #[inline(never)]
    fn reserve(&mut self, len: usize) -> Result<Extent, ReserveError> {
        self.tries += 1;
        self.calls += 1;
        reserve(len)
    }
}

/// The largest reservation that the kernel grants, at most `max` bytes and at least `min`, to the page. Both are
/// multiples of the page; nothing less than a page is tried.
///
/// In the common case the kernel is asked once. Only when it refuses is the size searched for, by halving the
/// interval. Then all that there is would be taken, and `keep` says how much of it is not: it is told the largest
/// size that was granted and answers a number of bytes.
///
/// ```
/// use rt0::vm::{Attempts, ReserveError, reserve_largest};
///
/// // As much as there is up to 1 GiB; where the kernel grants less, a quarter of that is left to others.
/// let (extent, attempts): (_, Attempts) = reserve_largest(1 << 20, 1 << 30, |found| found / 4);
/// assert!(attempts.tries >= 1);
/// match extent {
///     Ok(extent) => assert!(extent.len() <= 1 << 30),
///     Err(error @ ReserveError::Kernel(_)) => panic!("{}", error.errno().unwrap()),
///     Err(error) => panic!("{error:?}"),
/// }
/// ```
///
/// # Errors
///
/// `EINVAL` if `max` is less than `min`, or what the kernel said to the smallest size that was tried. Nothing is reserved
/// then.
pub fn reserve_largest(
    min: usize,
    max: usize,
    keep: impl FnMut(usize) -> usize,
) -> (Result<Extent, ReserveError>, Attempts) {
    let mut attempts = Attempts { tries: 0, calls: 0 };
    if max < min {
        return (Err(ReserveError::Kernel(Errno::EINVAL)), attempts);
    }
    let page = page_size();
    let min = min.max(page);
    let result = match attempts.reserve(max) {
        Err(ReserveError::Kernel(errno)) => largest_below(max, min, page, errno, keep, &mut attempts),
        answer => answer,
    };
    (result, attempts)
}

/// The search, after `refused` bytes have been refused.
#[cold]
fn largest_below(
    mut refused: usize,
    min: usize,
    page: usize,
    errno: Errno,
    mut keep: impl FnMut(usize) -> usize,
    attempts: &mut Attempts,
) -> Result<Extent, ReserveError> {
    let mut error = ReserveError::Kernel(errno);
    loop {
        // `granted` is the largest size that succeeded. It has been given back, since it would count against a larger
        // one. `refused` is the smallest that did not.
        let mut granted = min - page;
        while refused.saturating_sub(granted) > page {
            let middle = granted + round_down((refused - granted) / 2, page);
            match attempts.reserve(middle) {
                Ok(extent) => {
                    attempts.calls += 1;
                    if let Err((kept, _)) = extent.release() {
                        // The kernel does not take it back, so this is what there is.
                        return Ok(kept);
                    }
                    granted = middle;
                }
                Err(refusal) => {
                    error = refusal;
                    refused = middle;
                }
            }
        }
        if granted >= min {
            granted = round_down(granted.saturating_sub(keep(granted)), page);
        }
        if granted < min {
            return Err(error);
        }
        match attempts.reserve(granted) {
            Ok(extent) => return Ok(extent),
            // Another thread has taken some of it meanwhile.
            Err(refusal) => (error, refused) = (refusal, granted),
        }
    }
}

/// Makes pages of a reservation readable and writable. Pages committed for the first time read as zeroes.
///
/// # Errors
///
/// `ENOMEM`: overcommit, or the kernel has no more mappings. The pages stay as they were.
///
/// # Safety
///
/// `base` and `len` are multiples of the page, and the range lies in an extent that is the caller's. Its [`Extent`], if
/// there is one, does not learn that pages of it may have been written to, as it does by [`Extent::commit`]: nothing is
/// written to them before it goes to a heap that relies on zeroes
/// ([`SystemMemory::in_arena`](crate::heap::SystemMemory::in_arena), [`Memory::reserve`](crate::heap::Memory::reserve)).
pub unsafe fn commit(base: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: access is added, to pages that nobody else has.
    unsafe { sys::mprotect(base.as_ptr(), len, PROT_READ | PROT_WRITE) }
}

/// Gives the memory of committed pages back; the pages can still be used, and what they hold is lost: it may or may
/// not read as zeroes.
///
/// # Safety
///
/// As for [`commit`]; nobody needs what is in the range.
pub unsafe fn reset(base: NonNull<u8>, len: usize) {
    // A refusal leaves the memory where it is, and nothing is lost.
    // SAFETY: what the advice gives up is not needed.
    let _ = unsafe { sys::madvise(base.as_ptr(), len, MADV_RESET) };
}

/// Gives address space back, a whole reservation or pages of one, committed or not.
///
/// # Errors
///
/// `ENOMEM`: a mapping would have to be split, and the kernel has too many. The range stays reserved.
///
/// # Safety
///
/// As for [`commit`]; nobody uses the range any more.
pub unsafe fn release(base: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: the range is the caller's, and not used any more.
    unsafe { sys::munmap(base.as_ptr(), len) }
}

/// Makes committed pages resident, which saves a page fault for each. What is in them stays. Does nothing where the
/// kernel cannot (Linux before 5.14, FreeBSD).
///
/// # Safety
///
/// As for [`commit`]; the pages are committed.
pub unsafe fn populate(base: NonNull<u8>, len: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the pages stay as they are, but resident.
    let _ = unsafe { sys::madvise(base.as_ptr(), len, sys::MADV_POPULATE_WRITE) };
    #[cfg(not(target_os = "linux"))]
    let _ = (base, len);
}

/// Whether the page at an address, a multiple of the page size, is there and resident (`mincore`).
pub(crate) fn is_resident(page: usize) -> bool {
    let mut answer = 0u8;
    // SAFETY: the kernel writes one byte for each page, and there is one.
    let known = unsafe { sys::syscall(sys::nr::MINCORE, [page.into(), 1usize.into(), (&raw mut answer).into()]) };
    known.is_ok() && answer & 1 != 0
}

/// Asks for huge pages in a range, where the kernel has them and this program may choose (Linux).
///
/// # Safety
///
/// As for [`commit`].
pub unsafe fn prefer_huge(base: NonNull<u8>, len: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: advice that changes nothing of what the pages hold.
    let _ = unsafe { sys::madvise(base.as_ptr(), len, sys::MADV_HUGEPAGE) };
    #[cfg(not(target_os = "linux"))]
    let _ = (base, len);
}
