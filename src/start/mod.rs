//! From the kernel's hand-over to `main`, and from `main` to the exit.
//!
//! A program, with all that [`entry!`](crate::entry) takes. It has `#![no_std]` at its top too, and the panic handler of its
//! own that `panic_handler = none` is for.
//!
//! ```no_run
//! #![no_main]
//!
//! use rt0::arena::{Arena, Options};
//! use rt0::start::{Main, MainWithArena, Termination};
//!
//! static HEAP: rt0::Heap = rt0::Heap::new();
//!
//! rt0::entry!(main, arena = options, heap = HEAP, faults = rt0::fault::report, panic_handler = none);
//!
//! fn options(_: rt0::Args) -> Options {
//!     Options::new().cap(1 << 20)
//! }
//!
//! fn main(_: rt0::Args, arena: Arena) -> i32 {
//!     rt0::println!("{} bytes", arena.extent().len());
//!     // What `main` may be, and what it may return, these traits say; `run` and `status` are what `entry!` makes of them.
//!     let _status = (|| 0).run(rt0::args());
//!     let _: fn(fn(rt0::Args, Arena) -> i32, rt0::Args, Arena) -> i32 = MainWithArena::run;
//!     ().status()
//! }
//!
//! // #[panic_handler]
//! fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
//!     rt0::eprint!("this program is sorry: ");
//!     rt0::start::panic(info)
//! }
//! ```

use core::fmt::Write;

mod args;
mod dynamic;
mod first_thread;
mod relocate;
mod stack_protector;

use crate::arena::exhausted;
use crate::io;
use crate::lock;
use crate::os::AT_RANDOM_BYTES;
use crate::os::initial_stack::Values;
use crate::os::program_headers::Headers;
use crate::sys;
use crate::thread::{First, random_guard};

pub use args::{Args, Strings, args, env};
#[doc(hidden)]
pub use relocate::Image;

/// Makes the program: `_start`, which calls the function given, and a panic handler.
///
/// ```no_run
/// #![no_main] // and #![no_std]
/// # rt0::entry!(main, panic_handler = none);
/// # macro_rules! shown { ($($program:tt)*) => {}; }
/// # shown! {
/// rt0::entry!(main);
/// # }
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
/// With a heap, `entry!(main, heap = HEAP)` takes its first region before `main` and ends the process in the same way if
/// nothing fits. Without that the first allocation takes it, and fails.
///
/// `entry!(main, arena = options, heap = HEAP)` does both, the arena first: its options have to leave something for
/// the heap ([`Options::cap`](crate::arena::Options::cap), [`Options::allowance`](crate::arena::Options::allowance)).
///
/// With `faults = rt0::fault::report` a stack that overflows ends the process with one line that says so and status 2, and
/// any other fault is said in a line too. A function of the program's own is handed to [`fault::catch`](crate::fault::catch),
/// which is unsafe.
///
/// The panic handler prints message and place on fd 2 and exits with 2. `panic_handler = function` at the end names another
/// one, a `fn(&PanicInfo<'_>) -> !`: with `panic_handler = rt0::backtrace::panic` the calls that led there are printed too;
/// see [`backtrace`](crate::backtrace). `panic_handler = none` leaves it to the program.
///
/// In a test harness (`cfg(test)`), whose start is std's, all of this is left out. A harness cannot be linked as the
/// program is: say `test = false` and `bench = false` for it in `Cargo.toml`, and keep what is to be tested in a library.
#[macro_export]
macro_rules! entry {
    ($main:path $(, arena = $options:path)? $(, heap = $heap:path)? $(, faults = rt0::fault::$faults:ident)? , panic_handler = none $(,)?) => {
        #[cfg(not(test))]
        const _: () = {
            unsafe extern "C" fn start(stack: *const usize, image: *const $crate::start::Image) -> ! {
                // SAFETY: this is called by `_start` alone, with the stack that the kernel made and the linker script's
                // table. What reports faults is rt0's own.
                unsafe {
                    $crate::start::run(stack, image, |args| {
                        $($crate::fault::catch_or_exit($crate::fault::$faults);)?
                        $crate::start::call($crate::__program!($main $(, arena = $options)? $(, heap = $heap)?), args)
                    })
                }
            }
            $crate::__entry_point!(start);
            $crate::__abi_note!();
            $crate::__memory_functions!(#[unsafe(no_mangle)]);
            $crate::__thread_pointer_function!();
            $crate::__stack_protector!();
            $crate::__unwinder!();
        };
        #[cfg(test)]
        const _: () = {
            let _ = $crate::__program!($main $(, arena = $options)? $(, heap = $heap)?);
            $(let _: fn(&$crate::fault::Fault) = $crate::fault::$faults;)?
        };
    };
    ($main:path $(, arena = $options:path)? $(, heap = $heap:path)? $(, faults = rt0::fault::$faults:ident)? , panic_handler = $handler:path $(,)?) => {
        $crate::entry!($main $(, arena = $options)? $(, heap = $heap)? $(, faults = rt0::fault::$faults)?, panic_handler = none);

        #[cfg(not(test))]
        #[panic_handler]
        fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
            $handler(info)
        }
        #[cfg(test)]
        const _: fn(&::core::panic::PanicInfo<'_>) -> ! = $handler;
    };
    ($main:path $(, arena = $options:path)? $(, heap = $heap:path)? $(, faults = rt0::fault::$faults:ident)? $(,)?) => {
        $crate::entry!($main $(, arena = $options)? $(, heap = $heap)? $(, faults = rt0::fault::$faults)?, panic_handler = $crate::start::panic);
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "rt0::entry! takes the function to begin with and, in this order, each of which may be left out: arena = function, \
            heap = STATIC, faults = rt0::fault::report, panic_handler = function or none"
        );

        // Without it the compiler would miss one, and say so too.
        #[cfg(not(test))]
        #[panic_handler]
        fn panic(_: &::core::panic::PanicInfo<'_>) -> ! {
            loop {}
        }
    };
}

/// What comes between the start and `main`: a function from [`Args`] to an exit status.
#[doc(hidden)]
#[macro_export]
macro_rules! __program {
    ($main:path) => {
        |args| $crate::start::Main::run($main, args)
    };
    ($main:path, arena = $options:path) => {
        |args| {
            $crate::start::run_with_arena(args, $options(args), |args, arena| {
                $crate::start::MainWithArena::run($main, args, arena)
            })
        }
    };
    ($main:path, heap = $heap:path) => {
        |args| $crate::start::run_with_heap($heap.reserve(), || $crate::start::Main::run($main, args))
    };
    ($main:path, arena = $options:path, heap = $heap:path) => {
        |args| {
            $crate::start::run_with_arena(args, $options(args), |args, arena| {
                $crate::start::run_with_heap($heap.reserve(), || $crate::start::MainWithArena::run($main, args, arena))
            })
        }
    };
}

/// A function that a program can begin with: [`entry!`](crate::entry) takes one.
///
/// `Arguments` only tells the two shapes apart, with and without [`Args`].
#[diagnostic::on_unimplemented(
    message = "a program of rt0 cannot begin with `{Self}`",
    label = "this is no `main` of rt0's",
    note = "`main` takes nothing or `rt0::Args`, and returns `()`, `i32` or `!`"
)]
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

/// A function that a program can begin with if it is handed an arena: `entry!(main, arena = options)`.
#[diagnostic::on_unimplemented(
    message = "a program of rt0 that is handed an arena cannot begin with `{Self}`",
    label = "this is no `main` of rt0's with an arena",
    note = "with `arena = options`, `main` takes `rt0::Args` and `rt0::arena::Arena`, and returns `()`, `i32` or `!`"
)]
pub trait MainWithArena<Arguments> {
    /// Calls it and makes an exit status of what it returns.
    fn run(self, args: Args, arena: crate::arena::Arena) -> i32;
}

impl<F: FnOnce(Args, crate::arena::Arena) -> T, T: Termination> MainWithArena<(Args, crate::arena::Arena)> for F {
    #[inline(always)]
    fn run(self, args: Args, arena: crate::arena::Arena) -> i32 {
        self(args, arena).status()
    }
}

/// What `main` can return.
#[diagnostic::on_unimplemented(
    message = "`main` cannot return `{Self}`",
    label = "a `main` that returns `{Self}`",
    note = "`main` returns `()` (exit status 0), `i32` (the exit status) or `!`"
)]
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
/// Called once, first, with the stack that the kernel made for this program and the table of its linker script.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn run(stack: *const usize, image: *const Image, program: impl FnOnce(Args) -> i32) -> ! {
    // SAFETY: `image` is the linker script's table, and nothing has been relocated yet.
    if let Some((what, place)) = unsafe { relocate::relocate(image) } {
        relocate::refuse(what, place);
    }
    // SAFETY: this function's contract is the same.
    unsafe { run_relocated(stack, image, program) }
}

/// [`run`] of a program in C, which has less room.
///
/// # Safety
///
/// As [`run`].
#[doc(hidden)]
#[inline(always)]
pub unsafe fn run_briefly(stack: *const usize, image: *const Image, program: impl FnOnce(Args) -> i32) -> ! {
    // SAFETY: `image` is the linker script's table, and nothing has been relocated yet.
    if unsafe { relocate::relocate(image) }.is_some() {
        relocate::refuse_briefly();
    }
    // SAFETY: this function's contract is the same.
    unsafe { run_relocated(stack, image, program) }
}

/// [`run`] when the program has been relocated.
///
/// # Safety
///
/// As [`run`].
#[inline(always)]
unsafe fn run_relocated(stack: *const usize, image: *const Image, program: impl FnOnce(Args) -> i32) -> ! {
    // SAFETY: `stack` is the kernel's, which nobody changes or frees.
    let args = unsafe { Args::from_initial_stack(stack) };
    // SAFETY: it is the script's table, and nothing else has run yet.
    unsafe { first_thread::prepare(image, args.initial_stack()) };
    // SAFETY: it is the kernel's stack, and nothing else has run yet.
    unsafe { relocated(args, program) }
}

/// [`run`] in a program that was not linked by rt0's linker script: a program in C. It is also told the word of the stack
/// protector, for the variable that has it where it is not at the thread pointer.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn run_without_script(stack: *const usize, program: impl FnOnce(Args, usize) -> i32) -> ! {
    // The thread's block stays, since this does not return.
    let first = First::new();
    // SAFETY: `stack` is the kernel's, which nobody changes or frees.
    let args = unsafe { Args::from_initial_stack(stack) };
    let mut room = Values::room();
    let auxv = args.initial_stack().auxv_values(&mut room);
    let random = auxv.of::<{ AT_RANDOM_BYTES }>();
    // SAFETY: it is the auxiliary vector that has the address.
    let guard = if random == 0 { 0 } else { unsafe { random_guard(random) } };
    if let Some(headers) = Headers::read(auxv) {
        // SAFETY: these are the program's headers, nothing else has run yet, and the block stays.
        unsafe {
            dynamic::relocate(&headers);
            first_thread::prepare_by_headers(&headers, guard, &first);
        }
    }
    // SAFETY: it is the kernel's stack, and nothing else has run yet.
    unsafe { relocated(args, |args| program(args, guard)) }
}

/// What a start does in any program when it has been relocated.
///
/// # Safety
///
/// Called once, first, with the stack that the kernel made for this program.
#[inline(always)]
unsafe fn relocated(args: Args, program: impl FnOnce(Args) -> i32) -> ! {
    args.initial_stack().publish();
    // SAFETY: the kernel has just started this process; `thread::start` and the contract of `sys::syscall` see to what
    // comes before its second thread.
    unsafe { lock::begin_with_one_thread() };
    sys::exit(program(args))
}

/// Calls the program; that it is one tells the compiler what its argument is.
#[doc(hidden)]
#[inline(always)]
pub fn call(program: impl FnOnce(Args) -> i32, args: Args) -> i32 {
    program(args)
}

/// Reserves the arena and runs `main` with it.
#[doc(hidden)]
#[inline(always)]
pub fn run_with_arena(
    args: Args,
    options: crate::arena::Options,
    main: impl FnOnce(Args, crate::arena::Arena) -> i32,
) -> i32 {
    match crate::arena::mallocinit(&options) {
        Ok(arena) => main(args, arena),
        Err(failure) => refuse(&failure),
    }
}

/// Runs `main` if the heap has its first region.
#[doc(hidden)]
#[inline(always)]
pub fn run_with_heap(reserved: Result<(), crate::arena::ArenaError>, main: impl FnOnce() -> i32) -> i32 {
    match reserved {
        Ok(()) => main(),
        Err(failure) => refuse(&failure),
    }
}

/// The one line of a start that failed; the exit status.
#[cold]
fn refuse(failure: &crate::arena::ArenaError) -> i32 {
    io::print(2, format_args!("{failure}\n"));
    2
}

/// Prints the panic's message and place on fd 2 and ends the process with status 2. Where `alloc` panics because there is
/// no memory, one line says the limit, what the heap holds, what was asked for and what limit would do.
pub fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    tell_panic(info);
    sys::exit(2)
}

/// What [`panic`] prints.
#[inline]
pub(crate) fn tell_panic(info: &core::panic::PanicInfo<'_>) {
    // In pieces: to format the place would cost a small program a kilobyte of code.
    let mut out = io::Buffered::new(io::Fd(2));
    let place = info.location().map(|place| (place.file(), [place.line(), place.column()]));
    let (file, numbers) = place.unwrap_or_default();
    // `alloc` panics so where an allocation fails for good; the heap knows more of it.
    // Compared from the end: that takes no function of memory.
    let of_alloc = b"alloc/src/alloc.rs".iter().rev().zip(file.as_bytes().iter().rev()).all(|(a, b)| a == b);
    if of_alloc && exhausted::is_noted() {
        exhausted::tell(&mut |text, number| piece(&mut out, text, number));
        let _ = out.finish();
        return;
    }
    out.write_bytes(b"panicked at ");
    out.write_bytes(file.as_bytes());
    for number in numbers {
        piece(&mut out, ":", Some(u64::from(number)));
    }
    // What cannot be written is lost: there is nobody to tell.
    let _ = out.write_fmt(format_args!(":\n{}\n", info.message()));
    let _ = out.finish();
}

/// Writes text, and perhaps a number after it.
#[inline(never)]
fn piece(out: &mut io::Buffered, text: &str, number: Option<u64>) {
    out.write_bytes(text.as_bytes());
    if let Some(number) = number {
        out.write_bytes(io::decimal(number, &mut [0; io::DECIMAL]));
    }
}
