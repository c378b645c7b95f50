//! Which calls led here: the chain of frame pointers, printed as addresses that `addr2line` takes.
//!
//! `rt0::entry!(main, panic_handler = rt0::backtrace::panic)` asks for it; a panic then prints one line more:
//!
//! ```text
//! panicked at src/main.rs:20:5:
//! no such word
//! backtrace: 0x400a1c 0x400bd2 0x40098e 0x4003f0 0x4001d6
//! ```
//!
//! Each address is one of a call instruction, the innermost call first, in `_start` or where the thread began the last one.
//! `addr2line -Cfipe PROGRAM 0x400a1c ...` says which functions and lines they are. In a static-PIE they are those of the file:
//! the place where the kernel put the program is subtracted.
//!
//! The chain is there if program and core are compiled with `-C force-frame-pointers=yes`. Without that it ends early, and
//! the line says so. It is followed with suspicion: each frame has to lie on the thread's stack, above the frame before, and
//! has to return into the program's code, so that a damaged chain ends and reads nothing that is not there.
//!
//! A program with a panic handler of its own, or one that wants to know without a panic:
//!
//! ```
//! use rt0::backtrace::Backtrace;
//!
//! let backtrace = Backtrace::capture();
//! rt0::eprintln!("{backtrace}");
//! // This test was started by std, whose stack rt0 knows nothing of.
//! assert!(backtrace.addresses().is_empty() && !backtrace.is_complete());
//! ```
//!
//! As a program's panic handler:
//!
//! ```no_run
//! #![no_main] // and #![no_std]
//! # rt0::entry!(main, panic_handler = none);
//! # macro_rules! shown { ($($program:tt)*) => {}; }
//! # shown! {
//! rt0::entry!(main, panic_handler = rt0::backtrace::panic);
//! # }
//! # const _: fn(&core::panic::PanicInfo<'_>) -> ! = rt0::backtrace::panic;
//!
//! fn main(args: rt0::Args) {
//!     assert!(args.len() > 1, "no word");
//! }
//! ```

use core::fmt;
use core::ops::Range;
use core::ptr::with_exposed_provenance;

use crate::arch::frame_pointer;
use crate::io;
use crate::os::program_headers::Code;
use crate::start;
use crate::sys;
use crate::thread;

/// The most calls that are kept.
const MOST: usize = 64;

/// How far in front of the address that a function returns to is surely the call: each call instruction has two bytes or more
/// (Intel's manual, "CALL"; Arm's, "BLX (register)", where the address of Thumb code is odd besides).
const INTO_CALL: usize = 2;

/// How near to the base of its stack the frame of a first function is, bytes: what `_start` and the kernels put in between
/// (the stack's alignment, a few words) is less. A frame elsewhere that has no caller is one whose caller has kept none.
const NEAR_BASE: usize = 64;

/// The two words that a frame pointer points to: the caller's frame pointer and the address that the function returns to.
type Frame = [usize; 2];

/// The calls that led to a place, the innermost first. It prints as one line, without a newline.
#[derive(Clone, Debug)]
pub struct Backtrace {
    addresses: [usize; MOST],
    len: usize,
    end: End,
}

/// Why a backtrace has no further call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// This is the first function of the process or the thread.
    Outermost,
    /// There is no room for more.
    Full,
    /// There is no frame where the chain says.
    Broken,
}

impl Backtrace {
    /// The calls that led to this one, up to 64.
    ///
    /// There are none in a program that rt0 did not start, on an alternate stack of signals, and on any other stack that is
    /// not the thread's own.
    #[inline(never)]
    pub fn capture() -> Backtrace {
        let mut calls = Backtrace { addresses: [0; MOST], len: 0, end: End::Broken };
        let here = 0u8;
        let here = (&raw const here).addr();
        if let (Some(thread), Some(code)) = (thread::current(), Code::of_this_process()) {
            let stack = thread.stack();
            if stack.contains(&here) {
                // SAFETY: this thread runs on its stack, and from here up to the base that is mapped.
                unsafe { calls.follow(frame_pointer(), here..thread.stack_base(), &code) };
            }
        }
        calls
    }

    /// Adds the calls of a chain of frames that begins with `frame` and ends at the base, which is the end of `stack`.
    ///
    /// # Safety
    ///
    /// `stack` can be read.
    unsafe fn follow(&mut self, mut frame: usize, stack: Range<usize>, code: &Code) {
        let mut low = stack.start;
        loop {
            let fits = low <= frame && frame <= stack.end.saturating_sub(size_of::<Frame>());
            if !fits || !frame.is_multiple_of(align_of::<Frame>()) {
                self.end = End::Broken;
                return;
            }
            // SAFETY: two words of the stack, aligned. Volatile, since they are nobody's variables.
            let [caller, return_address] = unsafe { with_exposed_provenance::<Frame>(frame).read_volatile() };
            let outermost = caller == 0 && stack.end - frame <= NEAR_BASE;
            let call = return_address.wrapping_sub(INTO_CALL);
            if code.addresses.contains(&call) {
                let Some(slot) = self.addresses.get_mut(self.len) else {
                    self.end = End::Full;
                    return;
                };
                *slot = call.wrapping_sub(code.bias);
                self.len += 1;
            } else if !outermost {
                // FreeBSD's kernel calls a thread's first function from nowhere; nobody else does.
                self.end = End::Broken;
                return;
            }
            if outermost {
                self.end = End::Outermost;
                return;
            }
            // A stack grows downwards: what called this is above.
            low = frame + size_of::<Frame>();
            frame = caller;
        }
    }

    /// An address within each call instruction, as the program was linked: the innermost call first.
    pub fn addresses(&self) -> &[usize] {
        self.addresses.get(..self.len).unwrap_or_default()
    }

    /// Whether the last call is one of the first function of the process or the thread. If not, the chain is broken there,
    /// as it is without frame pointers, or there are more calls than are kept.
    pub fn is_complete(&self) -> bool {
        self.end == End::Outermost
    }
}

/// `backtrace: 0x400a1c 0x400bd2`, and after that why it ends, if it is not complete.
impl fmt::Display for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("backtrace:")?;
        for address in self.addresses() {
            write!(f, " {address:#x}")?;
        }
        match self.end {
            End::Outermost => Ok(()),
            End::Full => f.write_str(" and more"),
            End::Broken => f.write_str(" and no further frame pointer"),
        }
    }
}

/// A panic handler, for [`entry!`](crate::entry): prints what [`start::panic`] prints and the backtrace on fd 2, and ends the
/// process with status 2.
pub fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    start::tell_panic(info);
    io::print(2, format_args!("{}\n", Backtrace::capture()));
    sys::exit(2)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::sys::{MAP_ANON, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, mprotect, munmap};

    const CODE: Range<usize> = 0x1000..0x2000;
    const BIAS: usize = 0x10;

    /// A stack of a page, between pages without access.
    struct Stack {
        mapping: *mut u8,
        page: usize,
    }

    impl Stack {
        /// With a chain of frames, two words each with one between, the last of them at the end. The functions return to 0x1100,
        /// 0x1101 and so on, the innermost first.
        fn with(frames: usize) -> Stack {
            let page = crate::page_size();
            // SAFETY: a new mapping replaces nothing, and the second of its three pages is within it.
            let mapping = unsafe {
                let mapping = mmap(core::ptr::null_mut(), 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0).unwrap();
                mprotect(mapping.add(page), page, PROT_READ | PROT_WRITE).unwrap();
                mapping
            };
            let stack = Stack { mapping, page };
            for above in 0..frames {
                let caller = if above == 0 { 0 } else { stack.frame(above - 1) };
                stack.set(above, [caller, 0x1100 + frames - 1 - above]);
            }
            stack
        }

        fn addresses(&self) -> Range<usize> {
            let low = self.mapping.expose_provenance() + self.page;
            low..low + self.page
        }

        /// The frame with that many above it.
        fn frame(&self, above: usize) -> usize {
            self.addresses().end - size_of::<Frame>() - 3 * above * size_of::<usize>()
        }

        fn set(&self, above: usize, frame: Frame) {
            let at = self.frame(above) - self.mapping.addr();
            assert!(at >= self.page);
            // SAFETY: it is within the page that can be written to.
            unsafe { self.mapping.add(at).cast::<Frame>().write(frame) };
        }

        fn follow(&self, frame: usize) -> Backtrace {
            let mut calls = Backtrace { addresses: [0; MOST], len: 0, end: End::Broken };
            // SAFETY: it is the page that can be read.
            unsafe { calls.follow(frame, self.addresses(), &Code { addresses: CODE, bias: BIAS }) };
            calls
        }
    }

    impl Drop for Stack {
        fn drop(&mut self) {
            // SAFETY: it is this value's, and nobody uses it.
            unsafe { munmap(self.mapping, 3 * self.page) }.unwrap();
        }
    }

    #[test]
    fn a_chain_is_followed_to_its_end() {
        let stack = Stack::with(3);
        let calls = stack.follow(stack.frame(2));
        assert_eq!(calls.addresses(), [0x10ee, 0x10ef, 0x10f0]);
        assert!(calls.is_complete());
        assert_eq!(std::format!("{calls}"), "backtrace: 0x10ee 0x10ef 0x10f0");
        // The kernel has called the first function, from nowhere.
        for nowhere in [0, 0x2002] {
            stack.set(0, [0, nowhere]);
            let calls = stack.follow(stack.frame(2));
            assert_eq!(calls.addresses(), [0x10ee, 0x10ef]);
            assert!(calls.is_complete());
        }
    }

    #[test]
    fn a_damaged_chain_ends_where_it_is_damaged() {
        let word = size_of::<usize>();
        let stack = Stack::with(40);
        let Range { start, end } = stack.addresses();
        let first = stack.frame(39);
        // A frame below, the same one, a part of it, one that is not aligned, half behind the end, beyond both ends, none.
        let [below, same] = [39, 38].map(|above| stack.frame(above));
        for damaged in [
            below,
            same,
            same + word,
            same + 3 * word + 1,
            end - word,
            end,
            start - 2 * word,
            0,
            1,
            usize::MAX,
            usize::MAX - word + 1,
        ] {
            stack.set(38, [damaged, 0x1101]);
            let calls = stack.follow(first);
            assert_eq!(calls.addresses(), [0x10ee, 0x10ef], "{damaged:#x}");
            assert!(!calls.is_complete());
            assert_eq!(std::format!("{calls}"), "backtrace: 0x10ee 0x10ef and no further frame pointer");
        }
        for nothing in [0, 1, start - word, end, first + 1] {
            let calls = stack.follow(nothing);
            assert!(calls.addresses().is_empty() && !calls.is_complete(), "{nothing:#x}");
        }
        for elsewhere in [0, 0x1001, 0x2002, usize::MAX] {
            stack.set(38, [stack.frame(37), elsewhere]);
            let calls = stack.follow(first);
            assert_eq!(calls.addresses(), [0x10ee], "{elsewhere:#x}");
            assert!(!calls.is_complete());
        }
    }

    #[test]
    fn a_long_chain_is_cut() {
        let stack = Stack::with(MOST + 1);
        assert!(stack.follow(stack.frame(MOST - 1)).is_complete());
        let calls = stack.follow(stack.frame(MOST));
        assert_eq!(calls.addresses().len(), MOST);
        assert!(!calls.is_complete() && std::format!("{calls}").ends_with(" and more"));
    }
}
