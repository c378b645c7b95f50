//! The program headers of this program, for what nobody else tells: where it is, what it has to relocate, its thread-local
//! variables.
//!
//! A C compiler links by a script of its own, so a program in C has no table of rt0's. All of this is done before such a
//! program is relocated: no address that the linker stored in memory may be used.

use core::ops::Range;

use super::initial_stack::{AT_PHDR, AT_PHNUM, InitialStack, Values};

/// Size of the file header, bytes (System V gABI, "ELF Header"); linkers put the program headers right behind it.
pub(crate) const EHDR: usize = if size_of::<usize>() == 8 { 64 } else { 52 };

/// A program header in words (System V gABI, "Program Header"). The two layouts differ in where the flags are, but
/// in both the type is the low half of the first word, the file offset the second word, the address the third, the size in
/// memory the sixth.
pub(crate) type Phdr = [usize; if size_of::<usize>() == 8 { 7 } else { 8 }];

/// How far an image is above where it was linked to be, by where its headers are and by the segment that has them.
#[inline(always)]
pub(crate) fn bias(headers: usize, load: &Phdr) -> usize {
    headers.wrapping_sub(EHDR).wrapping_sub(load[2])
}

pub(crate) const PT_LOAD: usize = 1;
const PT_DYNAMIC: usize = 2;
const PT_INTERP: usize = 3;
pub(crate) const PT_TLS: usize = 7;

/// What the headers say.
pub(crate) struct Headers {
    /// How far the image is above where it was linked to be; the addresses below are as it was linked.
    pub(crate) bias: usize,
    /// Where the dynamic section is; 0 in a program that cannot be moved.
    pub(crate) dynamic: usize,
    pub(crate) tls: Option<Tls>,
}

/// The segment of the thread-local variables.
pub(crate) struct Tls(&'static Phdr);

impl Tls {
    /// Where it was linked to be.
    #[inline(always)]
    pub(crate) fn address(&self) -> usize {
        self.0[2]
    }

    /// How many bytes of it are in the image, how many there are in all, and their alignment.
    #[inline(always)]
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.0[4], self.0[5], self.0[self.0.len() - 1]]
    }
}

impl Headers {
    /// Reads the program headers by what the auxiliary vector says of them. `None` if that is nothing, and in a program that a
    /// dynamic linker has prepared: all of this is its business, and what it relocated it may have made read-only.
    #[inline(always)]
    pub(crate) fn read(auxv: &Values) -> Option<Headers> {
        let first = core::ptr::with_exposed_provenance::<Phdr>(auxv.of::<AT_PHDR>());
        let mut found = [None::<&'static Phdr>; 8];
        for index in (0..auxv.of::<AT_PHNUM>()).rev() {
            // SAFETY: the kernel says that this many headers are mapped there.
            let header = unsafe { &*first.wrapping_add(index) };
            // The type is the low half of a word.
            if let Some(slot) = found.get_mut(header[0] as u32 as usize) {
                *slot = Some(header);
            }
        }
        // The first segment is the one with the file header (System V gABI: "PT_LOAD entries appear in ascending order").
        let load = found[PT_LOAD]?;
        if found[PT_INTERP].is_some() {
            return None;
        }
        Some(Headers {
            bias: bias(first.addr(), load),
            dynamic: found[PT_DYNAMIC].map_or(0, |header| header[2]),
            tls: found[PT_TLS].map(Tls),
        })
    }
}

/// A segment can be executed, or written (System V gABI, "Segment Flag Bits").
const PF_X: u32 = 1;
pub(crate) const PF_W: u32 = 2;

/// The segments of a program that are in memory.
pub(crate) struct Segments(&'static [Phdr]);

impl Segments {
    /// `None` if the kernel did not tell of the program's headers.
    pub(crate) fn of(stack: InitialStack) -> Option<Segments> {
        let (headers, count) = (stack.auxv(AT_PHDR).filter(|at| *at != 0)?, stack.auxv(AT_PHNUM)?);
        // SAFETY: the kernel says that this many headers are mapped there.
        Some(Segments(unsafe {
            core::slice::from_raw_parts(core::ptr::with_exposed_provenance::<Phdr>(headers), count)
        }))
    }

    fn loaded(&self) -> impl Iterator<Item = &'static Phdr> + use<> {
        self.0.iter().filter(|header| header[0] as u32 as usize == PT_LOAD)
    }

    /// How far they are above where the program was linked to be: 0 unless it is a static-PIE. `None` if no segment has the
    /// start of the file, where the headers are.
    pub(crate) fn bias(&self) -> Option<usize> {
        let first = self.loaded().find(|header| header[1] == 0)?;
        Some(bias(self.0.as_ptr().addr(), first))
    }

    /// Where those are that have the flag, as the program was linked.
    pub(crate) fn with(&self, flag: u32) -> impl Iterator<Item = Range<usize>> + use<> {
        let chosen = self.loaded().filter(move |header| flags(header) & flag != 0);
        chosen.map(|header| header[2]..header[2].wrapping_add(header[5]))
    }
}

/// Where the code of this process's program is.
pub(crate) struct Code {
    /// Its addresses, from the lowest executable segment to the highest.
    pub(crate) addresses: Range<usize>,
    /// How far they are above where the program was linked to be: 0 unless it is a static-PIE.
    pub(crate) bias: usize,
}

impl Code {
    /// `None` in a program that rt0 did not start, or if the kernel did not tell of its headers.
    pub(crate) fn of_this_process() -> Option<Code> {
        let segments = Segments::of(InitialStack::of_this_process()?)?;
        let bias = segments.bias()?;
        let code = segments.with(PF_X).reduce(|all, one| all.start.min(one.start)..all.end.max(one.end))?;
        Some(Code { addresses: code.start.wrapping_add(bias)..code.end.wrapping_add(bias), bias })
    }
}

/// A segment's flags: behind the type, in the upper half of the first word, or in a word of their own.
fn flags(header: &Phdr) -> u32 {
    if cfg!(target_pointer_width = "64") { (header[0] as u64 >> 32) as u32 } else { header[6] as u32 }
}
