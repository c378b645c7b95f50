//! Thread-local variables: what each thread begins with a copy of, and where the copy lies.
//!
//! A linker lays the variables out once, as a segment of the image (PT_TLS): first the bytes that are not zero, then room
//! for those that are. Compiled code finds a variable at a fixed distance from the thread pointer, and that distance
//! depends on the segment's size and alignment alone (Drepper, "ELF Handling For Thread-Local Storage", 3):
//!
//! ```text
//!     x86, variant II                                    ARM, variant I
//!
//!     variables | pointer -> control block               control block | pointer -> two words | variables
//! ```
//!
//! The two words are the ABI's. The control block is rt0's own, and on x86 begins with the words that the ABI wants there.

use crate::arch::thread_pointer::VARIABLES_BELOW;
use crate::os::initial_stack::{InitialStack, Values};
use crate::os::program_headers::Headers;

/// The variables of a program as its linker laid them out; none at all is right too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template {
    /// The bytes that are not all zero.
    pub(crate) image: *const u8,
    /// How many there are.
    pub(crate) filled: usize,
    /// Size of all variables, bytes.
    pub(crate) size: usize,
    /// Their alignment, bytes: a power of two.
    pub(crate) align: usize,
    /// How far the image was linked to be above a multiple of the alignment: not at all, if the linker script is rt0's. Each
    /// thread's variables are as far above one, wherever a static-PIE has been moved to.
    pub(crate) skew: usize,
}

// SAFETY: nobody writes to the image once the program has been relocated.
unsafe impl Send for Template {}
// SAFETY: nobody writes to the image once the program has been relocated.
unsafe impl Sync for Template {}

/// Where things of one thread lie, as addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) pointer: usize,
    pub(super) control: usize,
    pub(super) variables: usize,
}

/// Size of a control block, bytes.
pub(super) const CONTROL_SIZE: usize = if size_of::<usize>() == 8 { 80 } else { 48 };
/// Alignment of a control block, bytes: as aligned as any ABI here wants a stack.
pub(super) const CONTROL_ALIGN: usize = 16;

/// What the ABI keeps for itself where the variables are above the thread pointer.
pub(super) const ABI_WORDS: usize = 2 * size_of::<usize>();

/// How far below the thread pointer the control block begins.
pub(super) const CONTROL_BELOW: usize = if VARIABLES_BELOW { 0 } else { CONTROL_SIZE };

impl Template {
    /// That of a program without thread-local variables.
    pub(crate) const NONE: Template = Template { image: core::ptr::null(), filled: 0, size: 0, align: 1, skew: 0 };

    /// That of a program with these headers.
    #[inline(always)]
    pub(crate) fn of(headers: &Headers) -> Template {
        let Some(tls) = &headers.tls else { return Template::NONE };
        let image = core::ptr::with_exposed_provenance::<u8>(headers.bias.wrapping_add(tls.address()));
        let [filled, size, align] = tls.sizes();
        let align = align.max(1);
        Template { image, filled, size, align, skew: tls.address() & (align - 1) }
    }

    /// That of this program; none where rt0 did not start it.
    pub(super) fn of_this_process() -> Template {
        let headers =
            InitialStack::of_this_process().and_then(|stack| Headers::read(stack.auxv_values(&mut Values::room())));
        headers.map_or(Template::NONE, |headers| Template::of(&headers))
    }

    /// The distance from the thread pointer to the variables. No `%` here and no `next_multiple_of`, which could divide by 0
    /// and so would bring what panics into programs that do not.
    #[inline(always)]
    pub(super) fn distance(&self) -> isize {
        let (mask, skew) = (self.align - 1, self.skew);
        if VARIABLES_BELOW {
            -((self.size + ((self.size + skew).wrapping_neg() & mask)) as isize)
        } else {
            (ABI_WORDS + (skew.wrapping_sub(ABI_WORDS) & mask)) as isize
        }
    }

    /// What the thread pointer is a multiple of.
    const fn aligned(&self) -> usize {
        if self.align > CONTROL_ALIGN { self.align } else { CONTROL_ALIGN }
    }

    /// How many bytes are enough for control block and variables, wherever they begin and end.
    pub(crate) const fn room(&self) -> usize {
        CONTROL_SIZE + ABI_WORDS + self.size + 3 * self.aligned()
    }

    /// Places control block and variables as high below `end` as they may be.
    #[inline(always)]
    pub(super) fn place(&self, end: usize) -> Placement {
        let distance = self.distance();
        let above = if VARIABLES_BELOW { CONTROL_SIZE } else { distance as usize + self.size };
        let pointer = (end - above) & !(self.aligned() - 1);
        Placement { pointer, control: pointer - CONTROL_BELOW, variables: pointer.wrapping_add_signed(distance) }
    }

    /// The thread pointer in as much memory as there has to be [`room`](Template::room).
    #[inline(always)]
    pub(crate) fn within(&self, low: *mut u8) -> *mut u8 {
        let placement = self.place(low.addr() + self.room());
        low.wrapping_add(placement.pointer - low.addr())
    }

    /// Writes those bytes of the variables of the thread with this pointer that are not all zero.
    ///
    /// # Safety
    ///
    /// Where that pointer says is room for the variables, the caller's alone.
    #[inline(always)]
    pub(crate) unsafe fn copy_to_thread(&self, pointer: *mut u8) {
        // SAFETY: the caller says that there is room.
        unsafe { self.copy(pointer.byte_offset(self.distance())) };
    }

    /// Writes those bytes of the variables that are not all zero.
    ///
    /// # Safety
    ///
    /// At `to` are as many bytes as the variables have, the caller's alone.
    #[inline(always)]
    pub(super) unsafe fn copy(&self, to: *mut u8) {
        // One by one, and volatile so that it stays so: a program that needs no memcpy is not to get one by this.
        for at in 0..self.filled {
            // SAFETY: the linker laid the image out; the caller says that there is room, and it is not within the image.
            unsafe { to.add(at).write_volatile(self.image.add(at).read_volatile()) };
        }
    }
}

impl Placement {
    /// The lowest address of it.
    pub(super) fn low(&self) -> usize {
        self.variables.min(self.control)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance from the thread pointer to the first variable, as LLD has it (`ELF/Symbols.cpp`, `getSymVA`, and
    /// `ELF/InputSection.cpp`, `getTlsTpOffset`).
    fn lld(address: usize, size: usize, align: usize) -> isize {
        if VARIABLES_BELOW {
            -((size + (address.wrapping_neg().wrapping_sub(size) & (align - 1))) as isize)
        } else {
            (ABI_WORDS + (address.wrapping_sub(ABI_WORDS) & (align - 1))) as isize
        }
    }

    /// A kernel moves a static-PIE by whole pages (Linux before 6.10), or by what its first segment alone makes of the
    /// alignment; what its code says of the variables stays.
    #[test]
    fn a_program_that_was_moved_finds_its_variables_where_it_was_linked_to() {
        use crate::os::initial_stack::{AT_PHDR, AT_PHNUM};
        use crate::os::program_headers::{EHDR, PT_LOAD, PT_TLS, Phdr};

        extern crate std;

        let (align, size, linked) = (0x1_0000, 0x124, 0x20_0000);
        for bias in [0, 0x1000, 0x8000, 0x1_0000] {
            let headers = std::boxed::Box::leak(std::boxed::Box::new([Phdr::default(), Phdr::default()]));
            let at = headers.as_ptr().expose_provenance();
            let [load, tls] = headers;
            (load[0], load[2]) = (PT_LOAD, at.wrapping_sub(EHDR).wrapping_sub(bias));
            (tls[0], tls[2], tls[5]) = (PT_TLS, linked, size);
            *tls.last_mut().unwrap() = align;
            let vector = [[AT_PHDR, at], [AT_PHNUM, 2], [0, 0]];
            let mut room = Values::room();
            // SAFETY: a pair of zeroes ends the vector.
            let headers = Headers::read(unsafe { Values::read(&mut room, vector.as_ptr()) }).unwrap();
            let template = Template::of(&headers);
            assert_eq!(template.image.addr(), linked + bias);
            assert_eq!(template.distance(), lld(linked, size, align), "{bias:#x}");
        }
    }

    #[test]
    fn variables_are_where_the_linker_takes_them_to_be() {
        for shift in 0..13 {
            let align = 1 << shift;
            for size in [0, 1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 4095, 4096, 4097] {
                for address in [0x10_0000, 0x10_0001, 0x10_0010, 0x10_0ff8] {
                    let image = core::ptr::without_provenance(address);
                    let template = Template { image, filled: 0, size, align, skew: address % align };
                    for end in 0x7000_0000_usize..0x7000_0041 {
                        let Placement { pointer, control, variables } = template.place(end);
                        assert_eq!(variables.wrapping_sub(pointer) as isize, lld(address, size, align), "{template:?}");
                        assert_eq!((variables - address) % align, 0, "{template:?}");
                        assert_eq!(control % CONTROL_ALIGN, 0);
                        let top = (variables + size).max(control + CONTROL_SIZE);
                        assert!(top <= end && end - template.place(end).low() <= template.room(), "{template:?}");
                        // One follows the other.
                        assert!(variables + size <= control || control + CONTROL_SIZE <= variables);
                    }
                }
            }
        }
    }
}
