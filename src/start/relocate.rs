//! Relocation of a static-PIE by itself.
//!
//! Until it is done, nothing here may use an address that the linker stored in memory: no static that holds a
//! pointer, no table of functions, no formatted text; and no call of a function of another crate, which without
//! optimization goes by way of such a table. So this is inlined into the program, casts pointers with `as`, and uses of
//! `core` only what is always inlined. Locals are all there is.

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
/// program that cannot be moved asked for nothing. Answers type and place of a relocation that is not known, if there is one.
///
/// # Safety
///
/// Called once, first, with the table of this program's linker script.
#[inline(always)]
pub(super) unsafe fn relocate(image: *const Image) -> Option<(usize, usize)> {
    // SAFETY: the table is part of the image, aligned to 4 bytes by the script.
    let Image { linked_at, relocations, packed, end, .. } = unsafe { *image };
    let bias = (image as usize).wrapping_sub(linked_at as usize);
    let at = |distance: i32| image.wrapping_byte_offset(distance as isize);
    // SAFETY: the script measured the distances, in the image that it laid out.
    unsafe { apply_all(at(relocations).cast(), at(packed).cast(), at(packed).cast(), at(end).cast(), bias) }
}

/// Applies relocations and packed relocations. If there is one that is not known, answers its type and place when the
/// others are done.
///
/// # Safety
///
/// A linker made them for this image, which is `bias` bytes above the place that it was linked for.
#[inline(always)]
pub(super) unsafe fn apply_all(
    mut next: *const Relocation,
    end: *const Relocation,
    packed: *const usize,
    packed_end: *const usize,
    bias: usize,
) -> Option<(usize, usize)> {
    let mut unknown = None;
    while (next as usize) < end as usize {
        // SAFETY: this is not the end, so a relocation is here.
        let relocation = unsafe { *next };
        // The type without a symbol: nothing that is linked statically refers to one by name.
        if relocation[1] == Current::R_RELATIVE {
            let word = bias.wrapping_add(relocation[0]) as *mut usize;
            // SAFETY: the linker made this word for us to relocate; it is writable, and of no other type than a word.
            unsafe {
                let addend = if Current::RELA { relocation[relocation.len() - 1] } else { *word };
                *word = bias.wrapping_add(addend);
            }
        } else {
            unknown = Some((relocation[1], relocation[0]));
        }
        next = next.wrapping_add(1);
    }
    // SAFETY: this function's contract is the same.
    unsafe { apply_packed(packed, packed_end, bias) };
    unknown
}

/// Applies the packed relocations from `next` to `end`: an even word is the address of a word to relocate; in an odd
/// one each bit but the lowest stands for one of the words that follow (System V gABI, "Relative Relocation Table").
///
/// # Safety
///
/// A linker made them for this image, which is `bias` bytes above the place that it was linked for.
#[inline(always)]
unsafe fn apply_packed(mut next: *const usize, end: *const usize, bias: usize) {
    let mut place = bias as *mut usize;
    while (next as usize) < end as usize {
        // SAFETY: this is not the end, so an entry is here.
        let entry = unsafe { *next };
        let even = entry & 1 == 0;
        let mut bits = if even { 1 } else { entry >> 1 };
        if even {
            place = bias.wrapping_add(entry) as *mut usize;
        }
        let mut word = place;
        while bits != 0 {
            if bits & 1 != 0 {
                // SAFETY: the linker made this word for us to relocate; it is aligned and writable.
                unsafe { *word = bias.wrapping_add(*word) };
            }
            word = word.wrapping_add(1);
            bits >>= 1;
        }
        place = place.wrapping_add(if even { 1 } else { usize::BITS as usize - 1 });
        next = next.wrapping_add(1);
    }
}

/// Says on fd 2 which relocation is not one that can be applied here, and ends the process with status 2.
#[cold]
pub(super) fn refuse(what: usize, place: usize) -> ! {
    // Nothing that is linked statically refers to a symbol, so all that `what` holds is the type (System V gABI, `r_info`).
    say_with(b"rt0: unknown relocation 0x", what);
    say_with(b" at 0x", place);
    give_up(b"\n")
}

/// The same in a program in C, which has less room for it.
#[inline(always)]
pub(super) fn refuse_briefly() -> ! {
    give_up(b"rt0: relocation\n")
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

/// Writes text and the hexadecimal digits of `number` to fd 2, each by itself: this is seldom, and every program carries it.
#[inline(never)]
fn say_with(text: &[u8], number: usize) {
    say(text);
    let mut shift = usize::BITS;
    while shift > 0 {
        shift -= 4;
        let value = (number >> shift & 0xf) as u8;
        say(&[if value < 10 { b'0' + value } else { b'a' - 10 + value }]);
    }
}
