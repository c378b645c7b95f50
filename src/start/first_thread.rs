//! What the first thread needs before `main`: thread-local variables and the stack protector's word, in programs that have
//! them. Others pay with a look at the linker script's table.

use core::ptr::null_mut;

use super::relocate::{Image, give_up};
use crate::os::initial_stack::InitialStack;
use crate::os::program_headers::Headers;
use crate::sys::{self, Errno, MAP_ANON, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use crate::thread::{self, First, GUARD_AT_POINTER, Template};

/// Prepares the first thread if the program has thread-local variables or a function with the stack protector.
///
/// # Safety
///
/// Called once, in a relocated program, with the table of its linker script, before there is another thread.
#[inline(always)]
pub(super) unsafe fn prepare(image: *const Image, stack: InitialStack) {
    // SAFETY: the table is part of the image, aligned to 4 bytes by the script.
    if unsafe { (*image).tls_size | (*image).protected } != 0 {
        // SAFETY: this function's contract is the same.
        unsafe { prepare_by(image, stack) };
    }
}

/// # Safety
///
/// As [`prepare`]; and the script has made room for the first thread.
#[cold]
#[inline]
unsafe fn prepare_by(image: *const Image, stack: InitialStack) {
    // SAFETY: the table is part of the image, aligned to 4 bytes by the script.
    let table = unsafe { &*image };
    // SAFETY: the script has measured the distance, within the image.
    let at = |place: i32| unsafe { image.cast_mut().cast::<u8>().byte_offset(place as isize) };
    let word = thread::random_guard_of(stack);
    if table.protected != 0 && !GUARD_AT_POINTER {
        // SAFETY: a program with protected functions has the variable, since they read it; it is the first in its section.
        unsafe { at(table.guard).cast::<usize>().write_volatile(word) };
    }
    let template = Template {
        image: at(table.tls),
        filled: table.tls_filled as usize,
        size: table.tls_size as usize,
        align: table.tls_align as usize,
        skew: 0,
    };
    // SAFETY: the script has made the room, for this; there is no other thread, and none has had a thread pointer.
    let begun = unsafe {
        let pointer = at(table.first_pointer);
        template.copy_to_thread(pointer);
        thread::begin_first(pointer, word)
    };
    or_exit(begun);
}

/// Prepares the first thread of a program that was linked without rt0's linker script: if it has thread-local variables,
/// or if the stack protector's word is at the thread pointer.
///
/// # Safety
///
/// Called once, in a relocated program, with its headers, the stack protector's word and memory for the thread's block that
/// stays, before there is another thread.
#[inline(always)]
pub(super) unsafe fn prepare_by_headers(headers: &Headers, guard: usize, first: &First) {
    let template = Template::of(headers);
    let pointer = if template.size != 0 {
        let room = template.room();
        // SAFETY: a new mapping of zeroes replaces nothing.
        let Ok(low) = (unsafe { sys::mmap(null_mut(), room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0) })
        else {
            no_tls()
        };
        let pointer = template.within(low);
        // SAFETY: there is as much memory as the template needs, which nobody else uses.
        unsafe { template.copy_to_thread(pointer) };
        pointer
    } else if GUARD_AT_POINTER {
        first.pointer()
    } else {
        return;
    };
    // SAFETY: there is memory for the block there, which nobody else uses; there is no other thread, and none has had a thread
    // pointer.
    or_exit(unsafe { thread::begin_first(pointer, guard) });
}

/// Ends the process with a line if the first thread could not be prepared.
#[inline(always)]
fn or_exit(prepared: Result<(), Errno>) {
    if prepared.is_err() {
        no_tls();
    }
}

/// Ends the process with a line: there is no memory for thread-local variables, or no thread pointer.
#[inline(always)]
fn no_tls() -> ! {
    give_up(b"rt0: no TLS\n")
}
