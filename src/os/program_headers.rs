//! The program headers of this program, for what nobody else tells: where it is, what it has to relocate, its thread-local
//! variables.
//!
//! A C compiler links by a script of its own, so a program in C has no table of rt0's. All of this is done before such a
//! program is relocated: no address that the linker stored in memory may be used.

use super::initial_stack::{AT_PHDR, AT_PHNUM, Values};

/// Size of the file header, bytes (System V gABI, "ELF Header"); linkers put the program headers right behind it.
const EHDR: usize = if size_of::<usize>() == 8 { 64 } else { 52 };

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
const PT_TLS: usize = 7;

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
