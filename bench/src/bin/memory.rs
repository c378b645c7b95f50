//! What the memory functions cost: rt0's beside those of glibc, of musl and of `compiler_builtins`, all in this process and in
//! turns, over the calls of programs that were recorded, in their order, and over lengths at random.
//!
//! musl's and `compiler_builtins`' come from their archives, by way of a shared library that is made of them:
//! `programs/memory.c`. Without `musl-gcc`, musl is left out.

use std::ffi::{CString, OsStr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rt0_bench::programs::{PROGRAMS, record};

type Copy = unsafe extern "C" fn(*mut u8, *const u8, usize) -> *mut u8;
type Fill = unsafe extern "C" fn(*mut u8, i32, usize) -> *mut u8;
type Compare = unsafe extern "C" fn(*const u8, *const u8, usize) -> i32;
type Length = unsafe extern "C" fn(*const libc::c_char) -> usize;

/// rt0's, as functions of this module; the program itself has glibc's.
mod rt0 {
    ::rt0::__memory_functions!();
}

/// The lengths of calls in Google's data centres, quantiles (i + 1/2) / 64: fleetbench, commit 703e5e55,
/// `fleetbench/libc/distributions/{Memcpy,Memmove,Memset,Memcmp,Bcmp}_Fleet.csv`, <https://github.com/google/fleetbench>.
const LENGTHS: [(&str, [u32; 64]); 5] = [
    // mean 64
    (
        "memcpy",
        [
            0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 4, 5, 6, 6, 7, 7, 8, 8, 8, 8, 8, 8, 8, 9, 9, 10, 10, 11,
            12, 13, 14, 16, 16, 16, 18, 19, 21, 23, 24, 26, 28, 31, 32, 34, 36, 40, 44, 49, 56, 64, 73, 90, 117, 159,
            256, 566, 2046,
        ],
    ),
    // mean 24
    (
        "memmove",
        [
            0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9,
            10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 21, 23, 25, 28, 30, 32, 33, 38, 43, 48, 57, 66, 80, 99,
            171, 400,
        ],
    ),
    // mean 217
    (
        "memset",
        [
            1, 1, 1, 2, 4, 4, 4, 4, 4, 4, 6, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 12, 16, 16, 16, 16, 16, 17, 17, 17, 19,
            19, 19, 23, 23, 24, 24, 31, 32, 32, 32, 32, 32, 40, 47, 48, 60, 64, 72, 80, 96, 112, 128, 160, 224, 256,
            272, 320, 512, 624, 1022, 2046, 7088,
        ],
    ),
    // mean 41
    (
        "memcmp",
        [
            0, 0, 1, 2, 2, 3, 4, 4, 6, 6, 7, 7, 8, 8, 9, 10, 12, 13, 15, 16, 16, 17, 18, 19, 21, 21, 21, 21, 22, 24,
            24, 26, 27, 27, 28, 28, 28, 29, 30, 32, 32, 32, 33, 36, 38, 42, 43, 44, 48, 51, 52, 54, 59, 63, 67, 70, 75,
            81, 88, 110, 138, 174, 219, 332,
        ],
    ),
    // mean 22
    (
        "bcmp",
        [
            0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 10, 11, 12, 12, 13, 14,
            15, 16, 17, 17, 18, 20, 20, 21, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 33, 35, 36, 39, 41, 43, 48, 53,
            60, 72, 99, 193,
        ],
    ),
];

/// Calls of one list of short lengths. Each round has a list of its own: what a processor has learned by heart of one does
/// not help it with the next.
const CALLS: usize = 2_000;
/// Where the ranges of short lengths begin at most: within the first-level cache.
const NEAR: usize = 16 << 10;
const LARGEST: usize = 16 << 20;
const ROUNDS: usize = 101;

/// One library's functions.
struct Library {
    name: &'static str,
    memcpy: Copy,
    memmove: Copy,
    memset: Fill,
    memcmp: Compare,
    bcmp: Compare,
    strlen: Length,
}

/// The functions whose calls are recorded, as `memory-recorder` numbers them.
const RECORDED: [&str; 4] = ["memcpy", "memmove", "memset", "memcmp"];

/// A program and its calls of each of these.
type Recorded = (&'static str, [Vec<Call>; 4]);

/// A call: two offsets, or an offset and a byte, and a length.
type Call = (u32, u32, u32);

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the bench lies in the workspace")?;
    let mut libraries = vec![
        Library {
            name: "rt0",
            memcpy: rt0::memcpy,
            memmove: rt0::memmove,
            memset: rt0::memset,
            memcmp: rt0::memcmp,
            bcmp: rt0::bcmp,
            strlen: rt0::strlen,
        },
        glibc()?,
    ];
    match linked(root, "musl", "musl-gcc", "-l:libc.a".as_ref()) {
        Ok(musl) => libraries.push(musl),
        Err(error) => eprintln!("memory: musl is left out: {error:#}"),
    }
    libraries.push(linked(root, "builtins", "cc", builtins(root)?.as_ref())?);
    let names: Vec<&str> = libraries.iter().map(|library| library.name).collect();
    println!("Nanoseconds a call, the lower quartile of {ROUNDS} rounds; in brackets, rt0's time over that one's");
    println!("{:<30}{}", "", names.iter().map(|name| format!("{name:>20}")).collect::<String>());

    let (mut a, mut b) = (vec![1u8; LARGEST + 2 * NEAR], vec![1u8; LARGEST + 2 * NEAR]);
    let (x, y) = (a.as_mut_ptr(), b.as_mut_ptr());
    let mut means: [Vec<Vec<f64>>; 4] = Default::default();
    for (program, calls) in recorded(root)? {
        for (function, calls) in calls.into_iter().enumerate() {
            // A list of successive calls for each round; who makes fewer is left out.
            let lists: Vec<Vec<Call>> = calls.chunks_exact(CALLS).map(<[Call]>::to_vec).collect();
            if lists.len() < 10 {
                continue;
            }
            let mean = calls.iter().map(|call| f64::from(call.2)).sum::<f64>() / calls.len() as f64;
            let label = format!("{} {program}, mean {mean:.0}", RECORDED[function]);
            means[function].push(row(&label, &libraries, &lists, |library, calls| match function {
                0 => copy(library.memcpy, x, y, calls),
                1 => copy(library.memmove, x, x, calls),
                2 => fill(library.memset, x, calls),
                _ => compare(library.memcmp, x, y, calls),
            }));
            a.fill(1);
        }
    }
    for (name, rows) in RECORDED.iter().zip(&means).filter(|(_, rows)| !rows.is_empty()) {
        print!("{:<30}", format!("{name}, geometric mean"));
        for which in 0..libraries.len() {
            let logarithms = rows.iter().map(|times| (times[0] / times[which]).ln()).sum::<f64>();
            print!("{:>20}", format!("({:.2})", (logarithms / rows.len() as f64).exp()));
        }
        println!();
    }

    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (name, lengths) in &LENGTHS {
        let mut lists = random.lists(lengths);
        let label = format!("{name}, at random");
        match *name {
            "memcpy" => {
                row(&label, &libraries, &lists, |library, calls| copy(library.memcpy, x, y, calls));
            }
            "memmove" => {
                // Less than 64 bytes up or down, so that most overlap.
                for (to, from, _) in lists.iter_mut().flatten() {
                    let near = *to + *from % 64;
                    if *from & 64 == 0 {
                        *from = near;
                    } else {
                        *from = std::mem::replace(to, near);
                    }
                }
                row(&label, &libraries, &lists, |library, calls| copy(library.memmove, x, x, calls));
            }
            "memset" => {
                row(&label, &libraries, &lists, |library, calls| fill(library.memset, x, calls));
            }
            _ => {
                let run = |library: &Library, calls: &[Call]| {
                    compare(if *name == "bcmp" { library.bcmp } else { library.memcmp }, x, y, calls);
                };
                a.fill(1);
                b.fill(1);
                row(&format!("{name}, alike"), &libraries, &lists, run);
                for byte in &mut b[..2 * NEAR] {
                    *byte += u8::from(random.below(64) == 0);
                }
                row(&format!("{name}, one in 64 differs"), &libraries, &lists, run);
            }
        }
    }
    // Strings one behind the other, of the lengths that are compared, called in any order.
    a.fill(1);
    let mut starts = vec![0];
    while starts[starts.len() - 1] < NEAR as u32 {
        let end = starts[starts.len() - 1] + LENGTHS[3].1[random.below(64) as usize];
        a[end as usize] = 0;
        starts.push(end + 1);
    }
    let mut lists = random.lists(&LENGTHS[3].1);
    for (start, ..) in lists.iter_mut().flatten() {
        *start = starts[*start as usize % (starts.len() - 1)];
    }
    row("strlen, at random", &libraries, &lists, |library, calls| length(library.strlen, x, calls));

    for len in [64 << 10, 1 << 20, LARGEST] {
        let (down, up) = ([vec![(5, 11, len as u32)]], [vec![(11, 5, len as u32)]]);
        let size = format!("{} KiB", len >> 10);
        row(&format!("memcpy {size}"), &libraries, &down, |library, calls| copy(library.memcpy, x, y, calls));
        row(&format!("memmove {size} down"), &libraries, &down, |library, calls| copy(library.memmove, x, x, calls));
        row(&format!("memmove {size} up"), &libraries, &up, |library, calls| copy(library.memmove, x, x, calls));
        row(&format!("memset {size}"), &libraries, &down, |library, calls| fill(library.memset, x, calls));
        a.fill(1);
        b.fill(1);
        row(&format!("memcmp {size}"), &libraries, &down, |library, calls| compare(library.memcmp, x, y, calls));
    }
    Ok(())
}

/// Measures `run` with each library in turns, each round with another list of calls if there is one, and prints a line.
fn row(label: &str, libraries: &[Library], lists: &[Vec<Call>], run: impl Fn(&Library, &[Call])) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(ROUNDS); libraries.len()];
    for round in 0..ROUNDS {
        let calls = &lists[round % lists.len()];
        for turn in 0..libraries.len() {
            // Each follows another one each time.
            let which = (turn + round) % libraries.len();
            let start = Instant::now();
            run(&libraries[which], calls);
            times[which].push(start.elapsed().as_secs_f64() * 1e9 / calls.len() as f64);
        }
    }
    let times: Vec<f64> = times
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 4]
        })
        .collect();
    print!("{label:<30}");
    for time in &times {
        print!("{:>20}", format!("{time:.2} ({:.2})", times[0] / time));
    }
    println!();
    times
}

#[inline(never)]
fn copy(function: Copy, to: *mut u8, from: *const u8, calls: &[Call]) {
    for &(a, b, len) in calls {
        // SAFETY: the offsets are less than NEAR, and the ranges have as much more than the longest length.
        unsafe { function(to.add(a as usize), from.add(b as usize), len as usize) };
    }
}

#[inline(never)]
fn fill(function: Fill, to: *mut u8, calls: &[Call]) {
    for &(a, byte, len) in calls {
        // SAFETY: as in `copy`.
        unsafe { function(to.add(a as usize), byte as i32, len as usize) };
    }
}

#[inline(never)]
fn compare(function: Compare, a: *const u8, b: *const u8, calls: &[Call]) {
    for &(x, y, len) in calls {
        // SAFETY: as in `copy`.
        unsafe { function(a.add(x as usize), b.add(y as usize), len as usize) };
    }
}

#[inline(never)]
fn length(function: Length, strings: *const u8, calls: &[Call]) {
    for &(at, ..) in calls {
        // SAFETY: a string begins there.
        unsafe { function(strings.add(at as usize).cast()) };
    }
}

fn glibc() -> Result<Library> {
    let find = |name: &str| -> Result<*mut libc::c_void> {
        let name = CString::new(name)?;
        // SAFETY: a string that ends with a NUL.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        ensure!(!found.is_null(), "there is no {name:?}");
        Ok(found)
    };
    let functions = ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"].map(find);
    let [memcpy, memmove, memset, memcmp, bcmp, strlen] = functions;
    // SAFETY: these names are functions of these types in every C library.
    Ok(unsafe { library("glibc", [memcpy?, memmove?, memset?, memcmp?, bcmp?, strlen?]) })
}

/// # Safety
///
/// The pointers are to the functions of these names.
unsafe fn library(name: &'static str, functions: [*mut libc::c_void; 6]) -> Library {
    let [memcpy, memmove, memset, memcmp, bcmp, strlen] = functions;
    // SAFETY: the caller says that they are functions of these types.
    unsafe {
        Library {
            name,
            memcpy: std::mem::transmute::<*mut libc::c_void, Copy>(memcpy),
            memmove: std::mem::transmute::<*mut libc::c_void, Copy>(memmove),
            memset: std::mem::transmute::<*mut libc::c_void, Fill>(memset),
            memcmp: std::mem::transmute::<*mut libc::c_void, Compare>(memcmp),
            bcmp: std::mem::transmute::<*mut libc::c_void, Compare>(bcmp),
            strlen: std::mem::transmute::<*mut libc::c_void, Length>(strlen),
        }
    }
}

/// The functions of an archive, by way of a shared library that this compiler makes.
fn linked(root: &Path, name: &'static str, compiler: &str, archive: &OsStr) -> Result<Library> {
    let output = root.join(format!("target/bench/memory-{name}.so"));
    let status = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-fno-builtin", "-nostdlib", "-Wl,--gc-sections,-Bsymbolic", "-o"])
        .args([output.as_os_str(), root.join("bench/programs/memory.c").as_os_str(), archive])
        .status()
        .with_context(|| format!("cannot run {compiler}"))?;
    ensure!(status.success(), "{compiler} could not link {name}");
    let path = CString::new(output.into_os_string().into_encoded_bytes())?;
    // SAFETY: the library has no code that runs when it is loaded; it stays loaded.
    let table = unsafe {
        let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        ensure!(!handle.is_null(), "cannot load {path:?}");
        libc::dlsym(handle, c"table".as_ptr()).cast::<[*mut libc::c_void; 6]>()
    };
    ensure!(!table.is_null(), "{path:?} has no table");
    // SAFETY: `programs/memory.c` has the functions in this order.
    Ok(unsafe { library(name, *table) })
}

/// The calls of each recorded program, those of each function apart, in the order in which they were made. They are moved to
/// within NEAR bytes, those of memmove at their distance if they overlap.
fn recorded(root: &Path) -> Result<Vec<Recorded>> {
    let dir = root.join(".cache/memory");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut found = Vec::new();
    for (program, command) in PROGRAMS {
        let path = dir.join(program);
        if !path.exists() {
            let Some(raw) = record(root, "rt0-bench-memory-recorder", command, &path.with_extension("scratch"))? else {
                eprintln!("memory: {program} cannot be recorded here; it is left out");
                continue;
            };
            std::fs::write(&path, raw).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let raw = std::fs::read(&path)?;
        let words: Vec<u32> =
            raw.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
        let mut calls: [Vec<Call>; 4] = Default::default();
        for call in words.chunks_exact(3) {
            let (function, len) = (call[0] as usize % 4, (call[0] >> 2).min(NEAR as u32));
            let (to, from) = (NEAR as u32 + call[1] % NEAR as u32, NEAR as u32 + call[2] % NEAR as u32);
            let distance = call[2].wrapping_sub(call[1]).cast_signed();
            let from = if distance.unsigned_abs() < len { to.wrapping_add_signed(distance) } else { from };
            calls[function].push((to, from, len));
        }
        found.push((*program, calls));
    }
    Ok(found)
}

/// The newest `compiler_builtins` that `make dist` has built for linux_amd64.
fn builtins(root: &Path) -> Result<PathBuf> {
    let dir = root.join("target/linux_amd64/release/deps");
    let mut newest = None;
    for entry in std::fs::read_dir(&dir).with_context(|| format!("{}; `make dist` makes it", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("libcompiler_builtins-") && name.ends_with(".rlib") {
            newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
        }
    }
    newest.map(|(_, path)| path).with_context(|| format!("no compiler_builtins in {}", dir.display()))
}

/// xorshift64*, from a seed that is always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % end) as u32
    }

    fn lists(&mut self, lengths: &[u32; 64]) -> Vec<Vec<Call>> {
        let mut one = || {
            let len = lengths[self.below(64) as usize];
            (self.below(NEAR as u64), self.below(NEAR as u64), len)
        };
        (0..ROUNDS).map(|_| (0..CALLS).map(|_| one()).collect()).collect()
    }
}
