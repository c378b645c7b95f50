//! Asks the kernel that runs it for what rt0 stands on, one question at a time, and prints what it does.
//!
//! `probe calls` goes through the typed calls and the registers they must keep; the other questions are about memory and its
//! limits, on which kernels differ. A probe has no opinion: what is right for a kernel is for those who ask.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ptr;

use rt0::sys::{self, Arg, Errno, MAP_ANON, MAP_FIXED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use rt0::{Args, eprintln, println};

rt0::entry!(main);

const USAGE: &str = "\
usage: probe calls               every typed call, and the registers they keep
       probe fixed BYTES         MAP_FIXED over BYTES reserved before, then mprotect
       probe guard BYTES         MAP_GUARD of BYTES, and what can be made of it (FreeBSD)
       probe dontneed            whether MADV_DONTNEED keeps what was written
       probe touch               reads a page without access
       probe stack BYTES         uses so much stack
       probe number NUMBER       makes the system call NUMBER without arguments
       probe flags FLAGS         mmap of one page with these flags
       probe rlimit RESOURCE     getrlimit";

const PAGE: usize = 4096;

fn main(args: Args) -> i32 {
    let mut words = args.iter().skip(1).map(|word| word.to_str().unwrap_or("?"));
    let question = words.next().unwrap_or_default();
    let number = words.next().map(parse);
    match (question, number) {
        ("calls", None) => calls(args),
        ("fixed", Some(Some(bytes))) => fixed(bytes),
        ("guard", Some(Some(bytes))) => guard(bytes),
        ("dontneed", None) => dontneed(),
        ("touch", None) => touch(),
        ("stack", Some(Some(bytes))) => println!("stack={}", use_stack(bytes)),
        ("number", Some(Some(number))) => report("number", number_without_arguments(number)),
        ("flags", Some(Some(flags))) => report("flags", map(PAGE, PROT_NONE, flags as i32).map(drop)),
        ("rlimit", Some(Some(resource))) => match sys::getrlimit(resource as i32) {
            Ok(limit) => println!("soft={:?} hard={:?}", limit.soft, limit.hard),
            Err(errno) => println!("rlimit={errno}"),
        },
        _ => {
            eprintln!("{USAGE}");
            return 2;
        }
    }
    0
}

fn parse(word: &str) -> Option<usize> {
    match word.strip_prefix("0x") {
        Some(digits) => usize::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

fn report(key: &str, result: Result<(), Errno>) {
    match result {
        Ok(()) => println!("{key}=ok"),
        Err(errno) => println!("{key}={errno}"),
    }
}

/// Prints `key=ok` or `key=WRONG`; a wrong one is for whoever compares the output.
fn must(key: &str, holds: bool) {
    println!("{key}={}", if holds { "ok" } else { "WRONG" });
}

fn map(length: usize, protection: i32, flags: i32) -> Result<*mut u8, Errno> {
    // SAFETY: without MAP_FIXED the kernel takes address space that nobody has; `probe flags` with it is the asker's risk.
    unsafe { sys::mmap(ptr::null_mut(), length, protection, flags, -1, 0) }
}

fn unmap(base: *mut u8, length: usize) {
    // SAFETY: the callers give back what they have mapped and no longer use.
    let _ = unsafe { sys::munmap(base, length) };
}

fn number_without_arguments(number: usize) -> Result<(), Errno> {
    // SAFETY: none that the program could speak of: whoever asks for this number takes what it does.
    unsafe { sys::syscall(number, [Arg::from(0usize); 6]) }.map(drop)
}

/// Every typed call once, with its result and its error where it has one.
fn calls(args: Args) {
    must("kept", kept());
    must("carry", carry());
    must("offset", offset(args));
    must("protect", protect());
    must("children", children());
    must("descriptors", descriptors());
    must("signals", signals());
    must("time", time());
    must("limits", limits());
    must("pid", sys::getpid() > 0);
}

/// The same call twice with words that the compiler cannot see through: it will pass on what it believes to be in registers
/// still, so a register that the kernel destroys and the port does not list gives a wrong second call.
fn kept() -> bool {
    let length = black_box(2 * PAGE);
    let protection = black_box(PROT_READ | PROT_WRITE);
    let flags = black_box(MAP_PRIVATE | MAP_ANON);
    let descriptor = black_box(-1);
    let offset = black_box(0);
    let mut bases = [ptr::null_mut(); 4];
    for base in &mut bases {
        // SAFETY: without MAP_FIXED the kernel takes address space that nobody has.
        match unsafe { sys::mmap(ptr::null_mut(), length, protection, flags, descriptor, offset) } {
            Ok(mapped) => *base = mapped,
            Err(_) => return false,
        }
    }
    let distinct = (1..4).all(|i| (0..i).all(|j| bases[i] != bases[j]));
    let writable = bases.iter().all(|base| {
        // SAFETY: two pages were mapped there just now, readable and writable.
        unsafe {
            base.write_volatile(1);
            base.add(length - 1).write_volatile(2);
            base.read_volatile() == 1
        }
    });
    bases.into_iter().for_each(|base| unmap(base, length));
    distinct && writable
}

/// An error is told from a result, small results and large.
fn carry() -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let bad = [sys::read_uninit(-1, &mut byte).err(), sys::close(-1).err(), sys::write(-1, b"x").err()];
    let none = sys::write(1, b"");
    bad.iter().all(|error| *error == Some(Errno::EBADF)) && none == Ok(0)
}

/// mmap's last argument: the second page of this program's own file is what reading the file gives.
fn offset(args: Args) -> bool {
    let Some(path) = args.iter().next() else { return false };
    let Ok(file) = sys::open(path, sys::O_RDONLY, 0) else { return false };
    let mut content = [MaybeUninit::new(0); PAGE + 16];
    let mut length = 0;
    while let Ok(count @ 1..) = sys::read_uninit(file, &mut content[length..]) {
        length += count;
    }
    // SAFETY: without MAP_FIXED the kernel takes address space that nobody has; nobody writes to the file.
    let mapped = unsafe { sys::mmap(ptr::null_mut(), PAGE, PROT_READ, MAP_PRIVATE, file, PAGE as u64) };
    let Ok(mapped) = mapped else { return false };
    let same = (0..16).all(|i| {
        // SAFETY: all of it was initialised; a page is mapped there.
        unsafe { content[PAGE + i].assume_init() == mapped.add(i).read() }
    });
    unmap(mapped, PAGE);
    length == PAGE + 16 && same && sys::close(file).is_ok() && sys::close(file) == Err(Errno::EBADF)
}

/// Pages without access become writable, and read as zeroes.
fn protect() -> bool {
    let Ok(base) = map(64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANON) else { return false };
    // SAFETY: these pages are ours; what is read was made readable.
    let zero = unsafe {
        sys::mprotect(base.add(PAGE), PAGE, PROT_READ | PROT_WRITE).is_ok()
            && base.add(2 * PAGE - 8).cast::<u64>().read() == 0
    };
    // SAFETY: as above.
    let advised = unsafe { sys::madvise(base.add(PAGE), PAGE, sys::MADV_DONTNEED) } == Ok(());
    // SAFETY: nothing is done to memory, since the advice is none.
    let refused = unsafe { sys::madvise(base, PAGE, 9999) } == Err(Errno::EINVAL);
    unmap(base, 64 * PAGE);
    zero && advised && refused
}

/// A child that exits, one that is killed, one that executes; and no child.
fn children() -> bool {
    let ended = |work: &dyn Fn()| {
        // SAFETY: there is one thread.
        match unsafe { sys::fork() } {
            Ok(0) => {
                work();
                sys::exit(99)
            }
            Ok(child) => sys::wait4(child, 0).ok().filter(|(pid, _)| *pid == child).map(|(_, status)| status),
            Err(_) => None,
        }
    };
    let exited = ended(&|| sys::exit(7)).and_then(|status| status.exited());
    let killed = ended(&|| sys::kill(sys::getpid(), 9).unwrap_or(())).and_then(|status| status.signaled());
    let missing = ended(&|| {
        let nothing = [ptr::null()];
        // SAFETY: both arrays end with a null pointer.
        let errno = unsafe { sys::execve(c"/no/such/program", nothing.as_ptr(), nothing.as_ptr()) };
        sys::exit(if errno == Errno::ENOENT { 5 } else { 6 })
    });
    let childless = sys::wait4(-1, 0) == Err(Errno::ECHILD);
    exited == Some(7) && killed == Some(9) && missing.and_then(|status| status.exited()) == Some(5) && childless
}

fn descriptors() -> bool {
    let copied = sys::dup2(2, 17) == Ok(17) && sys::close(17).is_ok();
    copied && sys::dup2(-1, 17) == Err(Errno::EBADF) && sys::open(c"/no/such/file", 0, 0) == Err(Errno::ENOENT)
}

fn signals() -> bool {
    sys::kill(sys::getpid(), 0).is_ok() && sys::kill(sys::getpid(), 9999) == Err(Errno::EINVAL)
}

fn time() -> bool {
    let now = || sys::clock_gettime(sys::CLOCK_MONOTONIC).map(|time| (time.seconds, time.nanoseconds));
    let before = now();
    let slept = sys::nanosleep(sys::Timespec { seconds: 0, nanoseconds: 1_000_000 });
    slept.is_ok() && before.is_ok() && now().is_ok_and(|after| before.is_ok_and(|before| after > before))
}

/// A limit that is set is read back; the soft one may be lowered and raised up to the hard one.
fn limits() -> bool {
    let Ok(before) = sys::getrlimit(sys::RLIMIT_STACK) else { return false };
    let lower = sys::Rlimit { soft: Some(1 << 20), ..before };
    sys::setrlimit(sys::RLIMIT_STACK, lower).is_ok()
        && sys::getrlimit(sys::RLIMIT_STACK).is_ok_and(|limit| limit.soft == Some(1 << 20) && limit.hard == before.hard)
        && sys::getrlimit(9999).err() == Some(Errno::EINVAL)
}

/// What mapping over one's own reservation costs.
fn fixed(bytes: usize) {
    let base = match map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON) {
        Ok(base) => base,
        Err(errno) => return println!("reserve={errno}"),
    };
    println!("reserve=ok");
    // SAFETY: the range is ours, and nothing is in it.
    let over = unsafe { sys::mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0) };
    report("fixed", over.map(drop));
    // SAFETY: as above.
    report("protect", unsafe { sys::mprotect(base, bytes, PROT_READ | PROT_WRITE) });
    report("again", map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON).map(drop));
}

/// Guards: whether they can be made, whether they leave room for others, and whether mprotect makes memory of them.
#[cfg(target_os = "freebsd")]
fn guard(bytes: usize) {
    let base = match map(bytes, PROT_NONE, sys::MAP_GUARD) {
        Ok(base) => base,
        Err(errno) => return println!("guard={errno}"),
    };
    println!("guard=ok");
    report("beside", map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON).map(drop));
    // SAFETY: the range is ours, and nothing is in it.
    report("protect", unsafe { sys::mprotect(base, PAGE, PROT_READ | PROT_WRITE) });
    // SAFETY: this ends the program where the kernel has made no memory of the page.
    unsafe { base.write_volatile(1) };
    println!("written=ok");
}

#[cfg(not(target_os = "freebsd"))]
fn guard(_: usize) {
    println!("guard=no such thing");
}

fn dontneed() {
    let Ok(base) = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON) else {
        return println!("dontneed=no memory");
    };
    // SAFETY: the page is ours, readable and writable.
    let value = unsafe {
        base.write_volatile(42);
        let _ = sys::madvise(base, PAGE, sys::MADV_DONTNEED);
        base.read_volatile()
    };
    println!("dontneed={}", if value == 42 { "kept" } else { "lost" });
}

fn touch() {
    let Ok(base) = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANON) else { return println!("touch=no memory") };
    println!("touch=now");
    // SAFETY: a fault is what this is for: the page is mapped, and gives no access.
    let value = unsafe { base.read_volatile() };
    println!("touch={value}");
}

/// Uses at least this much stack, page after page.
#[inline(never)]
fn use_stack(bytes: usize) -> usize {
    let page = black_box([1u8; PAGE]);
    let below = if bytes > PAGE { use_stack(bytes - PAGE) } else { 0 };
    below + black_box(page).len()
}
