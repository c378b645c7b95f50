//! From the kernel's hand-over to `main`, and from `main` to the exit.

use core::fmt::Write;

mod args;
mod relocate;

use crate::io;
use crate::sys;

pub use args::{Args, Strings, args, env};

/// Makes the program: `_start`, which calls the function given, and a panic handler.
///
/// ```ignore
/// #![no_std]
/// #![no_main]
/// rt0::entry!(main);
///
/// fn main(args: rt0::Args) -> i32 {
///     rt0::println!("hello, {}", args.len());
///     0
/// }
/// ```
///
/// The function takes nothing or [`Args`](crate::Args) and returns nothing (exit status 0), an `i32` (the exit
/// status) or `!`. See [`Main`].
///
/// A language runtime wants its arena before `main`. `entry!(main, arena = options)` calls `options`, a
/// `fn(Args) -> arena::Options`, reserves what it asks for and hands it to `main(Args, arena::Arena)`. If nothing
/// fits, the process ends with the one line that says so on fd 2 and status 2.
///
/// With a heap, `entry!(main, heap = HEAP)` reserves its arena before `main` and ends the process in the same way if
/// nothing fits. Without that the first allocation reserves it, and fails.
///
/// The panic handler prints message and place on fd 2 and exits with 2. `panic_handler = none` at the end leaves it
/// to the program.
#[macro_export]
macro_rules! entry {
    ($main:path $(, arena = $options:path)? $(, heap = $heap:path)? , panic_handler = none) => {
        const _: () = {
            unsafe extern "C" fn start(stack: *const usize) -> ! {
                // SAFETY: this is called by `_start` alone, with the stack that the kernel made.
                unsafe { $crate::__run!(stack, $main $(, arena = $options)? $(, heap = $heap)?) }
            }
            $crate::__entry_point!(start);
            $crate::__abi_note!();
            $crate::__memory_functions!(#[unsafe(no_mangle)]);
            $crate::__unwinder!();
        };
    };
    ($main:path $(, arena = $options:path)? $(, heap = $heap:path)?) => {
        $crate::entry!($main $(, arena = $options)? $(, heap = $heap)?, panic_handler = none);

        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::start::panic(info)
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __run {
    ($stack:ident, $main:path) => {
        $crate::start::run($stack, |args| $crate::start::Main::run($main, args))
    };
    ($stack:ident, $main:path, arena = $options:path) => {
        $crate::start::run($stack, |args| $crate::start::run_with_arena(args, $options(args), $main))
    };
    ($stack:ident, $main:path, heap = $heap:path) => {
        $crate::start::run($stack, |args| $crate::start::run_with_heap($heap.reserve(), args, $main))
    };
}

/// A function that a program can begin with: [`entry!`](crate::entry) takes one.
///
/// `Arguments` only tells the two shapes apart, with and without [`Args`].
pub trait Main<Arguments> {
    /// Calls it and makes an exit status of what it returns.
    fn run(self, args: Args) -> i32;
}

impl<F: FnOnce() -> T, T: Termination> Main<()> for F {
    #[inline(always)]
    fn run(self, _: Args) -> i32 {
        self().status()
    }
}

impl<F: FnOnce(Args) -> T, T: Termination> Main<(Args,)> for F {
    #[inline(always)]
    fn run(self, args: Args) -> i32 {
        self(args).status()
    }
}

/// What `main` can return.
pub trait Termination {
    /// The exit status that it stands for.
    fn status(self) -> i32;
}

impl Termination for () {
    fn status(self) -> i32 {
        0
    }
}

impl Termination for i32 {
    fn status(self) -> i32 {
        self
    }
}

/// `!`, which has no name of its own yet outside a function's signature.
type Never = <fn() -> ! as Returns>::Type;

#[doc(hidden)]
pub trait Returns {
    type Type;
}

impl<T> Returns for fn() -> T {
    type Type = T;
}

impl Termination for Never {
    fn status(self) -> i32 {
        self
    }
}

/// The first Rust of a process: relocates the program, runs it and exits with its status.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn run(stack: *const usize, program: impl FnOnce(Args) -> i32) -> ! {
    // SAFETY: this function's contract says that `stack` is the initial stack.
    let args = unsafe { Args::from_initial_stack(stack) };
    // SAFETY: this function's contract says that this is the first call, with the initial stack.
    unsafe { relocate::relocate(args.initial_stack()) };
    args.initial_stack().publish();
    sys::exit(program(args))
}

/// Reserves the arena and runs `main` with it.
#[doc(hidden)]
#[inline(always)]
pub fn run_with_arena<T: Termination>(
    args: Args,
    options: crate::arena::Options,
    main: impl FnOnce(Args, crate::arena::Arena) -> T,
) -> i32 {
    match crate::arena::mallocinit(&options) {
        Ok(arena) => main(args, arena).status(),
        Err(failure) => refuse(&failure),
    }
}

/// Runs `main` if the heap has its arena.
#[doc(hidden)]
#[inline(always)]
pub fn run_with_heap<A>(reserved: Result<(), crate::arena::ArenaError>, args: Args, main: impl Main<A>) -> i32 {
    match reserved {
        Ok(()) => main.run(args),
        Err(failure) => refuse(&failure),
    }
}

/// The one line of a start that failed; the exit status.
#[cold]
fn refuse(failure: &crate::arena::ArenaError) -> i32 {
    io::print(2, format_args!("{failure}\n"));
    2
}

/// Prints the panic's message and place on fd 2 and ends the process with status 2.
pub fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // In pieces: to format the place would cost a small program a kilobyte of code.
    let mut out = io::Buffered::new(io::Fd(2));
    let place = info.location().map(|place| (place.file(), [place.line(), place.column()]));
    let (file, numbers) = place.unwrap_or_default();
    out.write_bytes(b"panicked at ");
    out.write_bytes(file.as_bytes());
    for number in numbers {
        out.write_bytes(b":");
        out.write_bytes(io::decimal(number, &mut [0; io::DECIMAL]));
    }
    // What cannot be written is lost: there is nobody to tell.
    let _ = out.write_fmt(format_args!(":\n{}\n", info.message()));
    let _ = out.finish();
    sys::exit(2)
}
