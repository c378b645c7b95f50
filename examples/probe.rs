//! Finds out how the kernel that runs it behaves where rt0 depends on that, one question at a time.
//!
//! `probe calls` makes the typed calls and checks the registers that they must keep; the other questions are about
//! memory and its limits, where kernels differ. The probe only reports: whether an answer is right for a kernel is for
//! the caller to judge.

#![no_std]
#![no_main]

use core::ffi::CStr;
use core::hint::black_box;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};

use rt0::sys::{self, Arg, Errno, LockKind, SigAction, WaitStatus};
use rt0::sys::{MAP_ANON, MAP_FIXED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE};
use rt0::{Args, eprintln, println};

rt0::entry!(main);

const USAGE: &str = "\
usage: probe calls               every typed call, and the registers they keep
       probe files PATH          the calls on a file that it creates and removes, and on a terminal
       probe refit               an arena whose program raises its limit
       probe cgroup BYTES        what decides an arena in a control group of v2 with this limit, which it makes: for the
                                 first root file system of a machine that has mounted nothing (Linux)
       probe handler             a signal with a handler, and one that is ignored
       probe lines SIZE          how long the lines of its input are, through a buffer of SIZE bytes
       probe fixed BYTES         MAP_FIXED over BYTES reserved before, then mprotect
       probe guard BYTES         MAP_GUARD of BYTES, and what can be made of it (FreeBSD)
       probe dontneed            whether MADV_DONTNEED keeps what was written
       probe touch               reads a page without access
       probe stack BYTES         uses so much stack
       probe number NUMBER       makes the system call NUMBER without arguments
       probe flags FLAGS         mmap of one page with these flags
       probe rlimit RESOURCE     getrlimit
       probe table               what FreeBSD's kernels differ in, a line for each question (FreeBSD)
       probe env NAME            the value of the variable NAME
       probe print FD            prints 600 bytes in three pieces, and says what came of it by its status";

const PAGE: usize = 4096;

fn main(args: Args) -> i32 {
    let mut words = args.iter().skip(1).map(|word| word.to_str().unwrap_or("?"));
    let question = words.next().unwrap_or_default();
    let number = words.next().map(parse);
    match (question, number) {
        ("calls", None) => calls(args),
        ("files", Some(_)) => match args.get(2) {
            Some(path) => files(path),
            None => return 2,
        },
        ("refit", None) => must("refit", refit()),
        ("cgroup", Some(Some(_))) => return args.get(2).map_or(2, cgroup),
        ("handler", None) => must("handler", handler()),
        ("lines", Some(Some(size))) => return lines(size),
        ("fixed", Some(Some(bytes))) => fixed(bytes),
        ("guard", Some(Some(bytes))) => guard(bytes),
        ("dontneed", None) => dontneed(),
        ("touch", None) => touch(),
        ("stack", Some(Some(bytes))) => println!("stack={}", use_stack(bytes)),
        ("number", Some(Some(number))) => report("number", number_without_arguments(number)),
        ("flags", Some(Some(flags))) => report("flags", map(PAGE, PROT_NONE, flags as i32).map(drop)),
        ("table", None) => table(args),
        ("env", Some(_)) => match args.get(2).and_then(|name| rt0::env(name.to_str().unwrap_or_default())) {
            Some(value) => println!("env={value:?}"),
            None => println!("env=none"),
        },
        ("print", Some(Some(fd))) => return print(fd as i32),
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

/// Prints `key=ok` or `key=WRONG`, for the test that compares the output.
fn must(key: &str, holds: bool) {
    println!("{key}={}", if holds { "ok" } else { "WRONG" });
}

fn map(length: usize, protection: i32, flags: i32) -> Result<*mut u8, Errno> {
    // SAFETY: without MAP_FIXED the kernel picks unused address space. `probe flags` with MAP_FIXED may replace a
    // mapping: a test that asks for that wants to see what happens.
    unsafe { sys::mmap(ptr::null_mut(), length, protection, flags, -1, 0) }
}

fn unmap(base: *mut u8, length: usize) {
    // SAFETY: each caller passes what it has mapped itself and no longer uses.
    let _ = unsafe { sys::munmap(base, length) };
}

fn number_without_arguments(number: usize) -> Result<(), Errno> {
    // SAFETY: nothing is known of the call, whose number comes from the command line. Tests pass numbers that change no
    // memory of this program.
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
    must("random", random());
    must("limits", limits());
    must("pid", sys::getpid() > 0);
}

/// Makes the same call twice with arguments that the compiler cannot see through. It leaves them in registers that it
/// believes unchanged, so a register that the kernel destroys and the port does not list makes the second call wrong.
fn kept() -> bool {
    let length = black_box(2 * PAGE);
    let protection = black_box(PROT_READ | PROT_WRITE);
    let flags = black_box(MAP_PRIVATE | MAP_ANON);
    let descriptor = black_box(-1);
    let offset = black_box(0);
    let mut bases = [ptr::null_mut(); 4];
    for base in &mut bases {
        // SAFETY: without MAP_FIXED the kernel picks unused address space.
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

/// Errors and results are told apart, whether results are small or large.
fn carry() -> bool {
    let mut byte = [MaybeUninit::uninit()];
    let bad = [sys::read_uninit(-1, &mut byte).err(), sys::close(-1).err(), sys::write(-1, b"x").err()];
    let none = sys::write(1, b"");
    bad.iter().all(|error| *error == Some(Errno::EBADF)) && none == Ok(0)
}

/// mmap's last argument, the offset: the second page of this program's own file, mapped, is what `read` reads there.
fn offset(args: Args) -> bool {
    let Some(path) = args.iter().next() else { return false };
    let Ok(file) = sys::open(path, sys::O_RDONLY, 0) else { return false };
    let mut content = [MaybeUninit::new(0); PAGE + 16];
    let mut length = 0;
    while let Ok(count @ 1..) = sys::read_uninit(file, &mut content[length..]) {
        length += count;
    }
    // SAFETY: without MAP_FIXED the kernel picks unused address space; nobody writes to the file.
    let mapped = unsafe { sys::mmap(ptr::null_mut(), PAGE, PROT_READ, MAP_PRIVATE, file, PAGE as u64) };
    let Ok(mapped) = mapped else { return false };
    let same = (0..16).all(|i| {
        // SAFETY: every byte of the buffer is initialised, and the page is mapped.
        unsafe { content[PAGE + i].assume_init() == mapped.add(i).read() }
    });
    unmap(mapped, PAGE);
    length == PAGE + 16 && same && sys::close(file).is_ok() && sys::close(file) == Err(Errno::EBADF)
}

/// Pages that gave no access become writable and read as zeroes.
fn protect() -> bool {
    let Ok(base) = map(64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANON) else { return false };
    // SAFETY: these pages are ours; what is read was made readable.
    let zero = unsafe {
        sys::mprotect(base.add(PAGE), PAGE, PROT_READ | PROT_WRITE).is_ok()
            && base.add(2 * PAGE - 8).cast::<u64>().read() == 0
    };
    // SAFETY: the page is ours, and what it holds is not needed any more.
    let advised = unsafe { sys::madvise(base.add(PAGE), PAGE, sys::MADV_DONTNEED) } == Ok(());
    // SAFETY: the advice does not exist, so the kernel does nothing to memory.
    let refused = unsafe { sys::madvise(base, PAGE, 9999) } == Err(Errno::EINVAL);
    unmap(base, 64 * PAGE);
    zero && advised && refused
}

/// How a child ends that does this.
fn ended(work: impl FnOnce()) -> Option<WaitStatus> {
    // SAFETY: this process has one thread, so no lock is held by another.
    match unsafe { sys::fork() } {
        Ok(0) => {
            work();
            sys::exit(99)
        }
        Ok(child) => sys::wait4(child, 0).ok().filter(|(pid, _)| *pid == child).map(|(_, status)| status),
        Err(_) => None,
    }
}

/// Waits for a child that exits, for one that is killed, for one that fails to execute a file, and for none.
fn children() -> bool {
    let exited = ended(|| sys::exit(7)).and_then(|status| status.exited());
    let killed = ended(|| sys::kill(sys::getpid(), 9).unwrap_or(())).and_then(|status| status.signaled());
    let missing = ended(|| {
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

/// The calls on files, each compared with what the others say of the same file.
fn files(path: &CStr) {
    let Ok(fd) = sys::open(path, sys::O_RDWR | sys::O_CREAT | sys::O_TRUNC, 0o640) else {
        return println!("open=WRONG");
    };
    let mut four = [0; 4];
    must("empty", sys::fstat(fd).is_ok_and(|it| it.is_file() && !it.is_dir() && it.size == 0));
    // 6 GiB into the file: an offset that a word of 32 bits does not hold.
    let far = 6u64 << 30;
    must("seek", sys::lseek(fd, far as i64, sys::SEEK_SET) == Ok(far));
    must("write", sys::write(fd, b"abcd") == Ok(4));
    must("where", sys::lseek(fd, 0, sys::SEEK_CUR) == Ok(far + 4));
    must("end", sys::lseek(fd, -4, sys::SEEK_END) == Ok(far));
    must("read", sys::read(fd, &mut four) == Ok(4) && four == *b"abcd");
    must("pwrite", sys::pwrite(fd, b"xy", far + 1) == Ok(2));
    must("pread", sys::pread(fd, &mut four, far) == Ok(4) && four == *b"axyd");
    must("hole", sys::pread(fd, &mut four, 1 << 32) == Ok(4) && four == [0; 4]);
    must("kept", sys::lseek(fd, 0, sys::SEEK_CUR) == Ok(far + 4));
    must("behind", sys::pread(fd, &mut four, far + 4) == Ok(0));
    must("before", sys::lseek(fd, -1, sys::SEEK_SET) == Err(Errno::EINVAL));
    must("near", sys::lseek(fd, 7, sys::SEEK_SET) == Ok(7));
    must("sync", sys::fsync(fd) == Ok(()) && sys::fsync(-1) == Err(Errno::EBADF));
    must("truncate", truncate(fd, far));
    must("lock", lock(fd, far));
    must("access", access(path));
    must("link", link(path));
    must("stat", stat(fd, far + 4));
    must("folder", folder(path));
    must("terminal", !sys::isatty(fd) && sys::winsize(-1) == Err(Errno::EBADF));
    must("unlink", sys::unlink(path) == Ok(()) && sys::unlink(path) == Err(Errno::ENOENT));
    must("nameless", sys::fstat(fd).is_ok_and(|it| it.links == 0));
    must("closed", sys::close(fd).is_ok() && sys::fstat(fd) == Err(Errno::EBADF));
    match sys::winsize(0) {
        Ok(size) => println!("input={}x{}", size.rows, size.columns),
        Err(errno) => println!("input={errno}"),
    }
}

/// What is cut off is zero when it comes back.
fn truncate(fd: i32, far: u64) -> bool {
    let mut four = [1; 4];
    let shorter = sys::ftruncate(fd, far + 2) == Ok(()) && sys::fstat(fd).is_ok_and(|it| it.size == far + 2);
    let longer = sys::ftruncate(fd, far + 4) == Ok(()) && sys::pread(fd, &mut four, far) == Ok(4);
    shorter && longer && four == *b"ax\0\0" && sys::ftruncate(-1, 0) == Err(Errno::EBADF)
}

/// Another process meets a lock, and none beside it.
fn lock(fd: i32, far: u64) -> bool {
    let taken = sys::fcntl_setlk(fd, Some(LockKind::Exclusive), far, 2) == Ok(());
    let parent = sys::getpid();
    let met = ended(|| {
        let refused = sys::fcntl_setlk(fd, Some(LockKind::Shared), far + 1, 0);
        let holder = sys::fcntl_getlk(fd, LockKind::Shared, 0, 0);
        let beside = sys::fcntl_setlk(fd, Some(LockKind::Exclusive), far + 2, 0) == Ok(());
        let right = holder.is_ok_and(|it| {
            it.is_some_and(|it| (it.kind, it.start, it.len, it.pid) == (LockKind::Exclusive, far, 2, parent))
        });
        sys::exit(i32::from(!(matches!(refused, Err(Errno::EAGAIN | Errno::EACCES)) && right && beside)))
    });
    let nobody = sys::fcntl_getlk(fd, LockKind::Exclusive, 0, 0) == Ok(None);
    let given = sys::fcntl_setlk(fd, None, 0, 0) == Ok(());
    let wrong = sys::fcntl_setlk(fd, Some(LockKind::Shared), 1 << 63, 1) == Err(Errno::EINVAL);
    taken && met.and_then(|status| status.exited()) == Some(0) && nobody && given && wrong
}

fn access(path: &CStr) -> bool {
    let may = sys::access(path, sys::F_OK).and(sys::access(path, sys::R_OK | sys::W_OK)) == Ok(());
    let may_not = sys::access(path, sys::X_OK) == Err(Errno::EACCES);
    may && may_not && sys::access(c"/no/such/file", sys::F_OK) == Err(Errno::ENOENT)
}

/// Where there is `/proc`, one leads to this program.
fn link(path: &CStr) -> bool {
    let (mut whole, mut one) = ([0; 256], [0; 1]);
    let leads = match sys::readlink(c"/proc/self/exe", &mut whole) {
        Ok(len) => len > 1 && whole[0] == b'/' && sys::readlink(c"/proc/self/exe", &mut one) == Ok(1) && one == *b"/",
        Err(errno) => errno == Errno::ENOENT,
    };
    leads && sys::readlink(path, &mut one) == Err(Errno::EINVAL)
}

/// Two descriptors of a file have the same numbers; it was written to just now, by the clock of the day.
fn stat(fd: i32, size: u64) -> bool {
    let (Ok(it), Ok(now)) = (sys::fstat(fd), sys::clock_gettime(sys::CLOCK_REALTIME)) else { return false };
    let age = now.seconds - it.modified.seconds;
    let mode = it.mode & 0o777;
    it.size == size && it.links == 1 && it.inode != 0 && mode == mode & 0o640 && (-1..60).contains(&age)
}

/// The folder that the path is in, which is a folder and no file.
fn folder(path: &CStr) -> bool {
    let mut name = [0; 256];
    let Some(end) = path.to_bytes().iter().rposition(|byte| *byte == b'/') else { return false };
    name[..end.max(1)].copy_from_slice(&path.to_bytes()[..end.max(1)]);
    let Ok(name) = CStr::from_bytes_until_nul(&name) else { return false };
    let Ok(fd) = sys::open(name, sys::O_RDONLY, 0) else { return false };
    sys::fstat(fd).is_ok_and(|it| it.is_dir() && !it.is_file()) && sys::close(fd).is_ok()
}

/// 32 bytes are not those of before; more than FreeBSD has at once are answered by how many there are.
fn random() -> bool {
    let (mut first, mut second, mut many) = ([0; 32], [0; 32], [0; 1000]);
    let filled = sys::getrandom(&mut first) == Ok(32) && first != [0; 32] && sys::getrandom(&mut second) == Ok(32);
    filled && sys::getrandom(&mut many).is_ok_and(|count| (256..=1000).contains(&count))
}

/// A handler is called with its signal, and not when the signal is ignored.
fn handler() -> bool {
    static CALLED: AtomicI32 = AtomicI32::new(0);
    unsafe extern "C" fn note(signal: i32, _: *const sys::SigInfo, _: *mut ()) {
        CALLED.fetch_add(signal, Ordering::Relaxed);
    }
    let raise = |action: SigAction| {
        // SAFETY: the handler adds to an atomic, which any code can be interrupted for.
        let set = unsafe { sys::sigaction(sys::SIGUSR1, &action) };
        set.is_ok() && sys::kill(sys::getpid(), sys::SIGUSR1).is_ok()
    };
    let called = raise(SigAction::handler(note, 0)) && CALLED.load(Ordering::Relaxed) == sys::SIGUSR1;
    let ignored = raise(SigAction::ignore()) && CALLED.load(Ordering::Relaxed) == sys::SIGUSR1;
    // SAFETY: nothing is called.
    let refused = unsafe { sys::sigaction(sys::SIGKILL, &SigAction::ignore()) } == Err(Errno::EINVAL);
    called && ignored && refused
}

/// Under a limit of 64 MiB an arena takes what there is; under 128 MiB it can grow by more than half of that again.
fn refit() -> bool {
    use rt0::arena::{Options, mallocinit};
    let limit = |bytes| {
        let Ok(before) = sys::getrlimit(sys::RLIMIT_AS) else { return false };
        sys::setrlimit(sys::RLIMIT_AS, sys::Rlimit { soft: Some(bytes), ..before }).is_ok()
    };
    if !limit(64 << 20) {
        return false;
    }
    let Ok(mut arena) = mallocinit(&Options::new()) else { return false };
    let full = arena.grow(1 << 20, 1 << 20).is_err();
    let raised = limit(128 << 20) && arena.grow(1 << 20, 1 << 20).is_err();
    let told = arena.refit(None).source.limit() == Some(128 << 20);
    let Ok(more) = arena.grow(32 << 20, 32 << 20) else { return false };
    // Lowered again, it can grow by nothing, and by what is given back neither.
    let lowered = limit(64 << 20) && arena.refit(None).source.limit() == Some(64 << 20);
    arena.release(more);
    full && raised && told && lowered && arena.grow(1 << 20, 1 << 20).is_err()
}

/// Mounts `/proc` and the control groups, makes a group with this memory limit and one below it without a limit, and enters
/// that one. Before and afterwards it prints what decides the size of an arena.
#[cfg(target_os = "linux")]
fn cgroup(limit: &CStr) -> i32 {
    use rt0::arena::{Options, mallocinit};
    use rt0::sys::nr;
    // `mkdir`: arch/x86/entry/syscalls/syscall_64.tbl, syscall_32.tbl, arch/arm/tools/syscall.tbl.
    const MKDIR: usize = if cfg!(target_arch = "x86_64") { 83 } else { 39 };
    let folder = |path: &CStr| {
        // SAFETY: mkdir(path, mode) reads the path.
        unsafe { sys::syscall(MKDIR, [path.as_ptr().into(), 0o755usize.into()]) }.map(drop)
    };
    let mount = |path: &CStr, kind: &CStr| {
        let words = [kind, path, kind].map(|text| Arg::from(text.as_ptr()));
        // SAFETY: mount(source, target, type, flags, data) reads the three texts; there is no data.
        unsafe { sys::syscall(nr::MOUNT, [words[0], words[1], words[2], 0usize.into(), 0usize.into()]) }.map(drop)
    };
    let put = |path: &CStr, text: &[u8]| {
        let fd = sys::open(path, sys::O_WRONLY, 0)?;
        let written = sys::write(fd, text);
        sys::close(fd)?;
        written.map(drop)
    };
    let tell = |when: &str| match mallocinit(&Options::new().capped(rt0::limits::smallest())) {
        Ok(arena) => {
            let decision = arena.decision();
            println!("{when}: cgroup={:?} decided-by={}", rt0::limits::cgroup(), decision.decided_by());
        }
        Err(error) => println!("{when}: {error:?}"),
    };
    let enter = || {
        for path in [c"/proc", c"/sys", c"/sys/fs", c"/sys/fs/cgroup"] {
            folder(path)?;
        }
        mount(c"/proc", c"proc")?;
        mount(c"/sys/fs/cgroup", c"cgroup2")?;
        put(c"/sys/fs/cgroup/cgroup.subtree_control", b"+memory")?;
        folder(c"/sys/fs/cgroup/outer")?;
        folder(c"/sys/fs/cgroup/outer/inner")?;
        put(c"/sys/fs/cgroup/outer/inner/cgroup.procs", b"0")?;
        tell("max");
        put(c"/sys/fs/cgroup/outer/memory.max", limit.to_bytes())
    };
    if let Err(errno) = enter() {
        println!("cgroup: {errno}");
        return 1;
    }
    tell("limited");
    0
}

#[cfg(not(target_os = "linux"))]
fn cgroup(_: &CStr) -> i32 {
    2
}

/// Prints `length` for each line and `length+` for a piece of one that goes on; an error is the status.
fn lines(size: usize) -> i32 {
    let mut buffer = [0; 64];
    let Some(buffer) = buffer.get_mut(..size) else { return 2 };
    let mut lines = rt0::io::Lines::new(0, buffer);
    while let Some(line) = lines.next() {
        match line.map(<[u8]>::len) {
            Ok(length) => println!("{length}{}", if lines.is_whole() { "" } else { "+" }),
            Err(errno) => return i32::from(errno.raw()),
        }
    }
    0
}

fn time() -> bool {
    let now = || sys::clock_gettime(sys::CLOCK_MONOTONIC).map(|time| (time.seconds, time.nanoseconds));
    let before = now();
    let slept = sys::nanosleep(sys::Timespec { seconds: 0, nanoseconds: 1_000_000 });
    // Later than 2026 began.
    let day = sys::clock_gettime(sys::CLOCK_REALTIME).is_ok_and(|time| time.seconds > 1_767_225_600);
    let refused = sys::nanosleep(sys::Timespec { seconds: 0, nanoseconds: 1_000_000_000 }) == Err(Errno::EINVAL);
    slept.is_ok()
        && day
        && refused
        && before.is_ok()
        && now().is_ok_and(|after| before.is_ok_and(|before| after > before))
}

/// A limit that has been set is read back, and the hard limit stays when the soft one is lowered.
fn limits() -> bool {
    let Ok(before) = sys::getrlimit(sys::RLIMIT_STACK) else { return false };
    let lower = sys::Rlimit { soft: Some(1 << 20), ..before };
    sys::setrlimit(sys::RLIMIT_STACK, lower).is_ok()
        && sys::getrlimit(sys::RLIMIT_STACK).is_ok_and(|limit| limit.soft == Some(1 << 20) && limit.hard == before.hard)
        && sys::getrlimit(9999).err() == Some(Errno::EINVAL)
}

/// Whether mapping over a reservation counts twice against the limit, and whether mprotect does.
fn fixed(bytes: usize) {
    let base = match map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON) {
        Ok(base) => base,
        Err(errno) => return println!("reserve={errno}"),
    };
    println!("reserve=ok");
    // SAFETY: the range is ours, and nothing is in it.
    let over = unsafe { sys::mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_FIXED, -1, 0) };
    report("fixed", over.map(drop));
    // SAFETY: the range is ours, and nothing is in it; it only gains access.
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
    // SAFETY: where mprotect has not made memory of the guard, the write faults and ends the program; that is the
    // answer.
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

/// Writes more than a buffer holds: 0 if the kernel took it, the errno's number if not.
fn print(fd: i32) -> i32 {
    match rt0::io::Fd(fd).write_fmt(format_args!("{:a<200}{:b<200}{:c<200}", "", "", "")) {
        Ok(()) => 0,
        Err(errno) => i32::from(errno.raw()),
    }
}

#[cfg(not(target_os = "freebsd"))]
fn table(_: Args) {
    println!("table=no such thing");
}

/// Asks what `tests/src/check/freebsd_answers.rs` has the answers to, in its order.
#[cfg(target_os = "freebsd")]
fn table(args: Args) {
    use rt0::sys::nr;
    const TIMEKEEP: usize = 22;
    for (key, kind) in [("canarylen", 17), ("pagesizeslen", 21), ("stackprot", 23)] {
        match args.auxv(kind) {
            Some(value) => println!("{key}={value}"),
            None => println!("{key}=absent"),
        }
    }
    for (key, kind) in [("timekeep", TIMEKEEP), ("hwcap", 25)] {
        println!("{key}={}", if args.auxv(kind).is_some() { "present" } else { "absent" });
    }
    if let Ok(stack) = sys::getrlimit(sys::RLIMIT_STACK) {
        println!("stack-soft={}\nstack-hard={}", stack.soft.unwrap_or(0) >> 20, stack.hard.unwrap_or(0) >> 20);
    }
    if let Ok(data) = sys::getrlimit(sys::RLIMIT_DATA) {
        println!("data-soft={}", data.soft.unwrap_or(0) >> 20);
    }
    for resource in 5..=8 {
        let finite = sys::getrlimit(resource).is_ok_and(|limit| limit.soft.is_some());
        println!("rlimit-{resource}={}", if finite { "finite" } else { "infinite" });
    }
    for (key, flags) in [
        ("map-0x20", MAP_PRIVATE | MAP_ANON | 0x20),
        ("map-0x40", MAP_PRIVATE | MAP_ANON | 0x40),
        ("map-32bit", MAP_PRIVATE | MAP_ANON | 0x8_0000),
        ("map-aligned-16", MAP_PRIVATE | MAP_ANON | 16 << 24),
        ("map-aligned-40", MAP_PRIVATE | MAP_ANON | 40 << 24),
        ("map-aligned-70", MAP_PRIVATE | MAP_ANON | 70 << 24),
    ] {
        report(key, map(PAGE, PROT_NONE, flags).map(drop));
    }
    println!("map-hint={}", hint());
    let Ok(base) = map(PAGE, PROT_READ, MAP_PRIVATE | MAP_ANON) else { return println!("no memory") };
    // SAFETY: the range is empty.
    report("mprotect-nothing", unsafe { sys::mprotect(base, 0, PROT_READ) });
    let mut byte = 0u8;
    // SAFETY: of no page there is nothing to answer; the byte is there all the same.
    let incore = unsafe { sys::syscall(nr::MINCORE, [base.into(), 0usize.into(), (&raw mut byte).into()]) }.map(drop);
    report("mincore-nothing", incore);
    for (key, number) in [("thr_exit", nr::THR_EXIT), ("_umtx_op-0", nr::UMTX_OP), ("getrandom", nr::GETRANDOM)] {
        child(key, &|| report(key, number_without_arguments(number)));
    }
    let nowhere: *const usize = ptr::null();
    // SAFETY: the kernel cannot read the structure that describes the thread, and makes none.
    let none = unsafe { sys::syscall(nr::THR_NEW, [nowhere.into(), (8 * size_of::<usize>()).into()]) };
    report("thr_new-null", none.map(drop));
    for (key, number) in [
        ("link", 9),
        ("getuid", 24),
        ("ktrace", 45),
        ("sbrk", 69),
        ("setpriority", 96),
        ("getrusage", 117),
        ("rename", 128),
        ("stat", 188),
    ] {
        child(key, &|| {
            let _ = number_without_arguments(number);
            println!("{key}=exists");
        });
    }
    child("stack-3-mib", &|| println!("stack-3-mib={}", use_stack(3 << 20) / (3 << 20)));
    child("stack-9-mib", &|| println!("stack-9-mib={}", use_stack(9 << 20) / (9 << 20)));
}

/// Does something in a child, and prints the signal if one ends it.
#[cfg(target_os = "freebsd")]
fn child(key: &str, work: &dyn Fn()) {
    match ended(work) {
        Some(status) => {
            if let Some(signal) = status.signaled() {
                println!("{key}=signal {signal}");
            }
        }
        None => println!("{key}=no child"),
    }
}

/// Whether a hint in the text is moved to where a mapping without a hint goes.
#[cfg(target_os = "freebsd")]
fn hint() -> &'static str {
    let at = |hint: *mut u8| {
        // SAFETY: without MAP_FIXED the kernel picks unused address space.
        let base = unsafe { sys::mmap(hint, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0) };
        base.map(|base| {
            unmap(base, PAGE);
            base.addr()
        })
    };
    let text = ((hint as fn() -> &'static str as usize) + PAGE) & !(PAGE - 1);
    let hinted = at(ptr::without_provenance_mut(text));
    if hinted.is_ok() && hinted == at(ptr::null_mut()) { "moved" } else { "taken" }
}

/// Uses at least `bytes` of stack, page by page.
#[inline(never)]
fn use_stack(bytes: usize) -> usize {
    let page = black_box([1u8; PAGE]);
    let below = if bytes > PAGE { use_stack(bytes - PAGE) } else { 0 };
    below + black_box(page).len()
}
