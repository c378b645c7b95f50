//! Relocation and thread-local variables of a program that was linked without rt0's linker script: what a C compiler links
//! by itself.
//!
//! Nothing tells such a program where its relocations are but its program headers and its dynamic section. The rules of
//! `relocate` hold here too: no address that the linker stored in memory.

use super::relocate::{self, Relocation};
use crate::arch::{Current, Port};
use crate::os::initial_stack::{AT_PHDR, AT_PHNUM, InitialStack};
use crate::thread::Template;

/// Size of the file header, bytes (System V gABI, "ELF Header"); linkers put the program headers right behind it.
const EHDR: usize = if size_of::<usize>() == 8 { 64 } else { 52 };

/// A program header in words (System V gABI, "Program Header"). The two layouts differ in where the flags are, but
/// in both the type is the low half of the first word, the file offset the second word, the address the third.
type Phdr = [usize; if size_of::<usize>() == 8 { 7 } else { 8 }];

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_TLS: u32 = 7;

/// Tags of the dynamic section: where relocations and packed relocations are and how many bytes of them (System V gABI,
/// "Dynamic Section").
const DT_NULL: usize = 0;
const DT_TABLE: usize = if Current::RELA { 7 } else { 17 };
const DT_TABLE_SIZE: usize = if Current::RELA { 8 } else { 18 };
const DT_RELRSZ: usize = 35;
const DT_RELR: usize = 36;

/// What the headers say.
pub(super) struct Headers {
    /// How far the image is above where it was linked to be; the addresses below are as it was linked.
    bias: usize,
    dynamic: Option<usize>,
    tls: Option<&'static Phdr>,
}

impl Headers {
    /// Reads the program headers. `None` if the kernel does not tell where they are, and in a program that a dynamic linker
    /// has prepared: all of this is its business, and what it relocated it may have made read-only.
    ///
    /// # Safety
    ///
    /// The stack is the one that the kernel made for this program.
    #[inline(always)]
    pub(super) unsafe fn read(stack: InitialStack) -> Option<Headers> {
        let (phdrs, count) = (stack.auxv(AT_PHDR)?, stack.auxv(AT_PHNUM)?);
        let mut headers = Headers { bias: 0, dynamic: None, tls: None };
        for index in 0..count {
            // SAFETY: the kernel says that `count` headers are mapped at `phdrs`.
            let header = unsafe { &*core::ptr::with_exposed_provenance::<Phdr>(phdrs).add(index) };
            match header[0] as u32 {
                PT_LOAD if header[1] == 0 => headers.bias = phdrs.wrapping_sub(EHDR).wrapping_sub(header[2]),
                PT_INTERP => return None,
                PT_DYNAMIC => headers.dynamic = Some(header[2]),
                PT_TLS => headers.tls = Some(header),
                _ => {}
            }
        }
        Some(headers)
    }

    /// The program's thread-local variables.
    #[inline(always)]
    pub(super) fn template(&self) -> Template {
        let Some(header) = self.tls else { return Template::NONE };
        let image = core::ptr::with_exposed_provenance::<u8>(self.bias.wrapping_add(header[2]));
        let align = header[header.len() - 1].max(1);
        Template { image, filled: header[4], size: header[5], align, skew: image.addr() & (align - 1) }
    }
}

/// Adds the load address wherever the linker asked for it. A program without a dynamic section asked for nothing.
///
/// # Safety
///
/// Called once, first, with this program's headers.
#[inline(always)]
pub(super) unsafe fn relocate(headers: &Headers) {
    let Headers { bias, dynamic, .. } = *headers;
    let Some(dynamic) = dynamic else { return };
    let at = |address: usize| core::ptr::with_exposed_provenance::<()>(bias.wrapping_add(address));

    let (mut table, mut size, mut packed, mut packed_size) = (0, 0, 0, 0);
    let mut entry = at(dynamic).cast::<[usize; 2]>();
    loop {
        // SAFETY: the dynamic section is mapped and ends with DT_NULL, where this stops.
        match unsafe { *entry } {
            [DT_NULL, _] => break,
            [DT_TABLE, address] => table = address,
            [DT_TABLE_SIZE, bytes] => size = bytes,
            [DT_RELR, address] => packed = address,
            [DT_RELRSZ, bytes] => packed_size = bytes,
            _ => {}
        }
        // SAFETY: this was not DT_NULL, so another entry follows.
        entry = unsafe { entry.add(1) };
    }
    // SAFETY: the section says how many bytes of each there are and where.
    unsafe {
        let (table, packed) = (at(table).cast::<Relocation>(), at(packed).cast::<usize>());
        relocate::apply_all(table, table.byte_add(size), packed, packed.byte_add(packed_size), bias);
    }
}
