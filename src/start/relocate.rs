//! Relocation of a static-PIE by itself.
//!
//! Until it is done, nothing here may use an address that the linker stored in memory: no static that holds a
//! pointer, no table of functions, no formatted text. Locals, constants that are bytes, and calls (which are relative)
//! are all there is.

use core::ptr::with_exposed_provenance_mut;

use crate::arch::{Current, Port};
use crate::sys;

/// What `linker/rt0.ld` says of the image. What is called a place is a distance in bytes from this table.
#[doc(hidden)]
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Image {
    /// The address that this table was linked for.
    linked_at: u32,
    /// The place of the first relocation.
    relocations: i32,
    /// The place behind the last of them, where packed ones begin.
    packed: i32,
    /// The place behind the last packed one.
    end: i32,
    /// The place of the thread-local variables as they are at first.
    pub(super) tls: i32,
    /// How many bytes of them are in the image.
    pub(super) tls_filled: u32,
    /// Their size, bytes.
    pub(super) tls_size: u32,
    /// Their alignment, bytes.
    pub(super) tls_align: u32,
    /// The place that the first thread's pointer points to, with room around it if there are variables or protected
    /// functions.
    pub(super) first_pointer: i32,
    /// The place of the stack protector's word, if the ABI has it in a variable.
    pub(super) guard: i32,
    /// 0 if no function has the stack protector.
    pub(super) protected: u32,
}

/// A relocation in words: where, what and, with `RELA`, the addend (System V gABI, "Relocation").
pub(super) type Relocation = [usize; if Current::RELA { 3 } else { 2 }];

/// Adds the distance between where the image was linked to be and where it is, wherever the linker asked for it. A
/// program that cannot be moved asked for nothing.
///
/// # Safety
///
/// Called once, first, with the table of this program's linker script.
#[inline(always)]
pub(crate) unsafe fn relocate(image: *const Image) {
    // SAFETY: the table is part of the image, aligned to 4 bytes by the script.
    let Image { linked_at, relocations, packed, end, .. } = unsafe { *image };
    if relocations == end {
        return;
    }
    let bias = image.addr().wrapping_sub(linked_at as usize);
    // SAFETY: the script measured the distances, in the image that it laid out.
    unsafe {
        apply(image.byte_offset(relocations as isize).cast(), image.byte_offset(packed as isize).cast(), bias);
        apply_packed(image.byte_offset(packed as isize).cast(), image.byte_offset(end as isize).cast(), bias);
    }
}

/// Applies the relocations from `next` to `end`.
///
/// # Safety
///
/// A linker made them for this image, which is `bias` bytes above the place that it was linked for.
pub(super) unsafe fn apply(mut next: *const Relocation, end: *const Relocation, bias: usize) {
    while next < end {
        // SAFETY: this is not the end, so a relocation is here.
        let relocation = unsafe { *next };
        let [place, what, ..] = relocation;
        // The type without a symbol: nothing that is linked statically refers to one by name.
        if what != Current::R_RELATIVE {
            refuse(what, place);
        }
        let word = with_exposed_provenance_mut::<usize>(bias.wrapping_add(place));
        // SAFETY: the linker made this word for us to relocate, and it is writable.
        unsafe {
            let addend = if Current::RELA { relocation[relocation.len() - 1] } else { word.read_unaligned() };
            word.write_unaligned(bias.wrapping_add(addend));
        }
        // SAFETY: the next one, or the end.
        next = unsafe { next.add(1) };
    }
}

/// Applies the packed relocations from `next` to `end`: an even word is the address of a word to relocate; in an odd
/// one each bit but the lowest stands for one of the words that follow (System V gABI, "Relative Relocation Table").
///
/// # Safety
///
/// A linker made them for this image, which is `bias` bytes above the place that it was linked for.
pub(super) unsafe fn apply_packed(mut next: *const usize, end: *const usize, bias: usize) {
    let mut place = with_exposed_provenance_mut::<usize>(0);
    while next < end {
        // SAFETY: this is not the end, so an entry is here.
        let entry = unsafe { *next };
        let (first, mut bits) = match entry & 1 {
            0 => (with_exposed_provenance_mut(bias.wrapping_add(entry)), 1),
            _ => (place, entry >> 1),
        };
        let mut word = first;
        while bits != 0 {
            if bits & 1 != 0 {
                // SAFETY: the linker made this word for us to relocate; it is aligned and writable.
                unsafe { *word = bias.wrapping_add(*word) };
            }
            word = word.wrapping_add(1);
            bits >>= 1;
        }
        place = first.wrapping_add(if entry & 1 == 0 { 1 } else { usize::BITS as usize - 1 });
        // SAFETY: the next one, or the end.
        next = unsafe { next.add(1) };
    }
}

/// Says on fd 2 which relocation is not one that can be applied here, and ends the process with status 2.
#[cold]
fn refuse(what: usize, place: usize) -> ! {
    // The type is the low byte with 32-bit words and the low half with 64-bit ones (System V gABI, `ELF32_R_TYPE`,
    // `ELF64_R_TYPE`).
    let kind = what & if size_of::<usize>() == 8 { u32::MAX as usize } else { 0xff };
    say(b"rt0: relocation type 0x");
    say_hexadecimal(kind);
    say(b" at 0x");
    say_hexadecimal(place);
    give_up(b" is unknown\n")
}

/// Writes the end of a line to fd 2, and ends the process with status 2.
#[cold]
#[inline(never)]
pub(super) fn give_up(text: &[u8]) -> ! {
    say(text);
    sys::exit(2)
}

/// Writes to fd 2. What cannot be written is lost: there is nobody to tell.
#[inline(never)]
fn say(text: &[u8]) {
    let _ = sys::write(2, text);
}

/// Writes the hexadecimal digits of `number` to fd 2, each by itself: this is seldom, and every program carries it.
#[inline(never)]
fn say_hexadecimal(number: usize) {
    let mut shift = usize::BITS;
    while shift > 0 {
        shift -= 4;
        let value = (number >> shift & 0xf) as u8;
        say(&[if value < 10 { b'0' + value } else { b'a' - 10 + value }]);
    }
}
