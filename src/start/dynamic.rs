//! Relocation of a program that was linked without rt0's linker script: what a C compiler links by itself.
//!
//! Nothing tells such a program where its relocations are but its dynamic section, which linkers write into static-PIEs alone.
//! The rules of `relocate` hold here too: no address that the linker stored in memory.

use super::relocate::{self, Relocation, refuse_briefly};
use crate::arch::{Current, Port};
use crate::os::initial_stack::Values;
use crate::os::program_headers::Headers;

/// Tags of the dynamic section: where relocations and packed relocations are and how many bytes of them (System V gABI,
/// "Dynamic Section").
const DT_TABLE: usize = if Current::RELA { 7 } else { 17 };
const DT_TABLE_SIZE: usize = if Current::RELA { 8 } else { 18 };
const DT_RELRSZ: usize = 35;
const DT_RELR: usize = 36;

/// Adds the load address wherever the linker asked for it. A program without a dynamic section asked for nothing.
///
/// # Safety
///
/// Called once, first, with this program's headers.
#[inline(always)]
pub(super) unsafe fn relocate(headers: &Headers) {
    let Headers { bias, dynamic, .. } = *headers;
    if dynamic == 0 {
        return;
    }
    let at = |address: usize| core::ptr::with_exposed_provenance::<()>(bias.wrapping_add(address));

    let mut room = Values::room();
    // SAFETY: the dynamic section is mapped and ends with DT_NULL.
    let section = unsafe { Values::read(&mut room, at(dynamic).cast()) };
    // SAFETY: the section says how many bytes of each there are and where.
    unsafe {
        let table = at(section.of::<DT_TABLE>()).cast::<Relocation>();
        let packed = at(section.of::<DT_RELR>()).cast::<usize>();
        let ends = (table.byte_add(section.of::<DT_TABLE_SIZE>()), packed.byte_add(section.of::<DT_RELRSZ>()));
        if relocate::apply_all(table, ends.0, packed, ends.1, bias).is_some() {
            refuse_briefly();
        }
    }
}
