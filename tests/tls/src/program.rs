// The program itself. It is aligned as its name says.
//
// The first thread and four others, twice over on the same stacks, find the variables as they are at first, at aligned
// addresses of their own, write to them, and find what they wrote when all others have written too.

use core::cell::{Cell, UnsafeCell};
use core::hint::black_box;
use core::ptr::{self, NonNull};
use core::sync::atomic::AtomicUsize;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use rt0::thread::{self, current};
use rt0::{eprintln, println, sys};

rt0::entry!(main);

/// The number behind the dash of the program's name.
const ALIGN: usize = {
    let mut number = 0;
    let name = env!("CARGO_BIN_NAME").as_bytes();
    let mut at = 4;
    while at < name.len() {
        number = number * 10 + (name[at] - b'0') as usize;
        at += 1;
    }
    number
};

struct Align<const BYTES: usize>;

trait Aligned {
    type Byte: Byte;
}

/// A byte that is aligned.
trait Byte: Copy {
    fn value(self) -> u8;
    fn set(value: u8) -> Self;
}

macro_rules! aligned {
    ($($align:literal $name:ident),*) => {$(
        #[derive(Clone, Copy)]
        #[repr(align($align))]
        struct $name(u8);

        impl $name {
            #[allow(dead_code, reason = "one alignment is this program's")]
            const FIRST: $name = $name(FIRST);
        }

        impl Byte for $name {
            fn value(self) -> u8 {
                self.0
            }
            fn set(value: u8) -> Self {
                $name(value)
            }
        }

        impl Aligned for Align<$align> {
            type Byte = $name;
        }
    )*};
}

aligned!(1 A0, 2 A1, 4 A2, 8 A3, 16 A4, 32 A5, 64 A6, 128 A7, 256 A8, 512 A9, 1024 A10, 2048 A11, 4096 A12);

/// What the aligned byte is at first. Where it is not zero, the segment ends with zeroes that are not as aligned, so that its
/// length is no multiple of the alignment; where it is, a linker may put it at the end.
const FIRST: u8 = (ALIGN.trailing_zeros() % 2) as u8;

type This = <Align<ALIGN> as Aligned>::Byte;

// An odd number of bytes that are not zero, and of bytes that are.
#[thread_local]
static FILLED: Cell<[u8; 3]> = Cell::new(*b"tls");
#[thread_local]
static NUMBER: Cell<u64> = Cell::new(0x0123_4567_89ab_cdef);
#[thread_local]
static ZEROES: Cell<[u8; 5]> = Cell::new([0; 5]);
#[thread_local]
static ALIGNED: Cell<This> = Cell::new(This::FIRST);
#[thread_local]
static LAST: Cell<u16> = Cell::new(0);

const THREADS: usize = 4;
const STACK: usize = 64 << 10;

#[repr(align(4096))]
struct Stacks(UnsafeCell<[[u8; STACK]; THREADS]>);

// SAFETY: each stack belongs to one thread at a time.
unsafe impl Sync for Stacks {}

/// What is not zero shows whether zeroes are written.
static STACKS: Stacks = Stacks(UnsafeCell::new([[0; STACK]; THREADS]));

/// How many threads have written what they have to write, in all; how many found something wrong.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);
static WRONG: AtomicUsize = AtomicUsize::new(0);

fn expect(holds: bool, what: &str) {
    if !holds {
        eprintln!("{}: thread {:?}: {what}", env!("CARGO_BIN_NAME"), thread::id());
        WRONG.fetch_add(1, Relaxed);
    }
}

fn addresses() -> [usize; 5] {
    [
        (&raw const FILLED).addr(),
        (&raw const NUMBER).addr(),
        (&raw const ZEROES).addr(),
        (&raw const ALIGNED).addr(),
        (&raw const LAST).addr(),
    ]
}

fn as_at_first() {
    expect(black_box(&FILLED).get() == *b"tls", "bytes that are not zero");
    expect(black_box(&NUMBER).get() == 0x0123_4567_89ab_cdef, "a number");
    expect(black_box(&ZEROES).get() == [0; 5], "zeroes");
    expect(black_box(&ALIGNED).get().value() == FIRST, "an aligned byte");
    expect(black_box(&LAST).get() == 0, "the last zero");
    let [_, number, _, aligned, last] = black_box(addresses());
    expect(aligned.is_multiple_of(ALIGN), "alignment");
    expect(number.is_multiple_of(align_of::<u64>()) && last.is_multiple_of(2), "alignment of a number");
}

fn write(mark: u8) {
    FILLED.set([mark; 3]);
    NUMBER.set(mark.into());
    ZEROES.set([mark; 5]);
    ALIGNED.set(This::set(mark));
    LAST.set(mark.into());
}

fn as_written(mark: u8) {
    expect(black_box(&FILLED).get() == [mark; 3], "bytes as written");
    expect(black_box(&NUMBER).get() == mark.into(), "a number as written");
    expect(black_box(&ZEROES).get() == [mark; 5], "zeroes as written");
    expect(black_box(&ALIGNED).get().value() == mark, "an aligned byte as written");
    expect(black_box(&LAST).get() == mark.into(), "the last number as written");
}

/// What each thread does; the argument says after how many writers all have written.
fn work(all: *mut ()) {
    as_at_first();
    let Some(this) = current() else { return expect(false, "a thread of rt0's") };
    let mark = this.id() as u8 + 0x40;
    expect(this.local().is_null(), "a null pointer at first");
    this.set_local(ptr::without_provenance_mut(usize::from(mark)));
    write(mark);
    WRITTEN.fetch_add(1, AcqRel);
    while WRITTEN.load(Acquire) < all.addr() {
        sys::sched_yield();
    }
    as_written(mark);
    expect(thread::id() == Some(usize::from(mark - 0x40)), "the same number");
    expect(current().is_some_and(|this| this.local().addr() == usize::from(mark)), "the same pointer");
}

fn main() -> i32 {
    as_at_first();
    expect(thread::id() == Some(0), "number 0");
    write(0x7f);
    for round in 0..2 {
        let all = ptr::without_provenance_mut((round + 1) * THREADS);
        let threads: [_; THREADS] = core::array::from_fn(|index| {
            // SAFETY: the stack is nobody's: the threads of the last round have been joined.
            unsafe {
                let stack = STACKS.0.get().cast::<[u8; STACK]>().add(index).cast::<u8>();
                stack.write_bytes(0xa5, STACK);
                thread::start(NonNull::slice_from_raw_parts(NonNull::new_unchecked(stack), STACK), work, all)
            }
        });
        for thread in threads {
            match thread {
                Ok(thread) => drop(thread.join()),
                Err(errno) => expect(false, errno.name().unwrap_or("?")),
            }
        }
        // Numbers go on.
        expect(WRITTEN.load(Relaxed) == (round + 1) * THREADS, "all threads");
    }
    as_written(0x7f);
    println!("align={ALIGN} wrong={}", WRONG.load(Relaxed));
    i32::from(WRONG.load(Relaxed) != 0)
}
