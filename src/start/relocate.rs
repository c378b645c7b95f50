//! Relocation of a static-PIE by itself.
//!
//! Until it is done, nothing here may use an address that the linker stored in memory: no static that holds a
//! pointer, no table of functions, no formatted text. Locals, and calls (which are relative), are all there is.

use crate::arch::{Current, Port};
use crate::os::initial_stack::{AT_PHDR, AT_PHNUM, InitialStack};
use crate::sys;

/// Size of the file header, bytes (System V gABI, "ELF Header"); linkers put the program headers right behind it.
const EHDR: usize = if size_of::<usize>() == 8 { 64 } else { 52 };

/// A program header in words (System V gABI, "Program Header"). The two layouts differ in where the flags are, but
/// in both the type is the low half of the first word, the file offset the second word, the address the third.
type Phdr = [usize; if size_of::<usize>() == 8 { 7 } else { 8 }];

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

/// Tags of the dynamic section: where the relocations are and how many bytes of them (System V gABI, "Dynamic
/// Section").
const DT_NULL: usize = 0;
const DT_TABLE: usize = if Current::RELA { 7 } else { 17 };
const DT_TABLE_SIZE: usize = if Current::RELA { 8 } else { 18 };

/// A relocation in words: where, what and, with `RELA`, the addend.
type Relocation = [usize; if Current::RELA { 3 } else { 2 }];

/// Adds the load address wherever the linker asked for it. A program without a dynamic section asked for nothing.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program.
#[inline(always)]
pub(crate) unsafe fn relocate(stack: InitialStack) {
    let (Some(phdrs), Some(count)) = (stack.auxv(AT_PHDR), stack.auxv(AT_PHNUM)) else { return };
    let (mut bias, mut dynamic) = (0, None);
    for index in 0..count {
        // SAFETY: the kernel says that `count` headers are mapped at `phdrs`.
        let header = unsafe { &*core::ptr::with_exposed_provenance::<Phdr>(phdrs).add(index) };
        match header[0] as u32 {
            PT_LOAD if header[1] == 0 => bias = phdrs.wrapping_sub(EHDR).wrapping_sub(header[2]),
            // A dynamic linker has been there before, and what it relocated it may have made read-only.
            PT_INTERP => return,
            PT_DYNAMIC => dynamic = Some(header[2]),
            _ => {}
        }
    }
    let Some(dynamic) = dynamic else { return };
    let at = |address: usize| core::ptr::with_exposed_provenance_mut::<usize>(bias.wrapping_add(address));

    let (mut table, mut size) = (0, 0);
    let mut entry = at(dynamic).cast::<[usize; 2]>();
    loop {
        // SAFETY: the dynamic section is mapped and ends with DT_NULL, where this stops.
        match unsafe { *entry } {
            [DT_NULL, _] => break,
            [DT_TABLE, address] => table = address,
            [DT_TABLE_SIZE, bytes] => size = bytes,
            _ => {}
        }
        // SAFETY: this was not DT_NULL, so another entry follows.
        entry = unsafe { entry.add(1) };
    }

    for index in 0..size / size_of::<Relocation>() {
        // SAFETY: the section says that there are `size` bytes of them.
        let relocation = unsafe { *at(table).cast::<Relocation>().add(index) };
        // The type is the low byte of the second word with 32-bit words, the low half with 64-bit ones; its values
        // are below 256 on every port.
        if relocation[1] & 0xff != Current::R_RELATIVE {
            // Nothing without symbols and without a dynamic linker has another kind.
            sys::exit(2);
        }
        let place = at(relocation[0]);
        // SAFETY: the linker made this word for us to relocate, and it is writable.
        unsafe {
            let addend = if Current::RELA { relocation[relocation.len() - 1] } else { *place };
            *place = bias.wrapping_add(addend);
        }
    }
}
