//! What the memory functions cost: rt0's beside those of glibc, of musl and of `compiler_builtins`, all in this process and in
//! turns, over the lengths that programs call them with.
//!
//! musl's and `compiler_builtins`' come from their archives, by way of a shared library that `cc` makes of them:
//! `programs/memory.c`. Who has no `musl-gcc` does without musl.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

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

/// Calls of one run of the short lengths; so many that the processor cannot learn their order by heart.
const CALLS: usize = 10_000;
/// Where the ranges of short lengths begin at most: within the first-level cache.
const NEAR: usize = 16 << 10;
const LARGEST: usize = 16 << 20;
const ROUNDS: usize = 41;

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
    for (name, archive) in [("musl", musl()), ("builtins", builtins(root)?)] {
        match archive {
            Some(archive) => libraries.push(linked(root, name, &archive)?),
            None => eprintln!("memory: {name} is not here; it is left out"),
        }
    }
    let names: Vec<&str> = libraries.iter().map(|library| library.name).collect();
    println!("Nanoseconds a call, the lower quartile of {ROUNDS} rounds; in brackets, rt0's time over that one's");
    println!("{:<26}{}", "", names.iter().map(|name| format!("{name:>20}")).collect::<String>());

    let (mut a, mut b) = (vec![1u8; LARGEST + NEAR], vec![1u8; LARGEST + NEAR]);
    let (x, y) = (a.as_mut_ptr(), b.as_mut_ptr());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for (name, lengths) in &LENGTHS {
        let mut calls = random.calls(lengths);
        let label = format!("{name}, as programs do");
        match *name {
            "memcpy" => row(&label, &libraries, CALLS, |library| copy(library.memcpy, x, y, &calls)),
            "memmove" => {
                // Less than 64 bytes up or down, so that most overlap.
                for (to, from, _) in &mut calls {
                    let near = *to + *from % 64;
                    if *from & 64 == 0 {
                        *from = near;
                    } else {
                        *from = std::mem::replace(to, near);
                    }
                }
                row(&label, &libraries, CALLS, |library| copy(library.memmove, x, x, &calls));
            }
            "memset" => row(&label, &libraries, CALLS, |library| fill(library.memset, x, &calls)),
            _ => {
                let pick = |library: &Library| if *name == "bcmp" { library.bcmp } else { library.memcmp };
                a.fill(1);
                b.fill(1);
                row(&format!("{name}, alike"), &libraries, CALLS, |library| compare(pick(library), x, y, &calls));
                for byte in &mut b[..2 * NEAR] {
                    *byte += u8::from(random.below(64) == 0);
                }
                row(&format!("{name}, one in 64 differs"), &libraries, CALLS, |library| {
                    compare(pick(library), x, y, &calls);
                });
            }
        }
    }
    // Strings one behind the other, of the lengths that are compared.
    a.fill(1);
    let mut end = 0;
    let strings: Vec<Call> = random
        .calls(&LENGTHS[3].1)
        .into_iter()
        .map(|(_, _, len)| {
            let start = end;
            end += len + 1;
            a[end as usize - 1] = 0;
            (start, 0, len)
        })
        .collect();
    row("strlen, as memcmp", &libraries, CALLS, |library| length(library.strlen, x, &strings));

    for len in [64 << 10, 1 << 20, LARGEST] {
        let calls = vec![(5, 11, len as u32); (4 << 20) / len + 1];
        let size = format!("{} KiB", len >> 10);
        row(&format!("memcpy {size}"), &libraries, calls.len(), |library| copy(library.memcpy, x, y, &calls));
        row(&format!("memmove {size} down"), &libraries, calls.len(), |library| copy(library.memmove, x, x, &calls));
        let up = vec![(11, 5, len as u32); calls.len()];
        row(&format!("memmove {size} up"), &libraries, calls.len(), |library| copy(library.memmove, x, x, &up));
        row(&format!("memset {size}"), &libraries, calls.len(), |library| fill(library.memset, x, &calls));
        a.fill(1);
        b.fill(1);
        row(&format!("memcmp {size}"), &libraries, calls.len(), |library| compare(library.memcmp, x, y, &calls));
    }
    Ok(())
}

/// Measures `run` with each library in turns and prints a line.
fn row(label: &str, libraries: &[Library], calls: usize, run: impl Fn(&Library)) {
    let mut times = vec![Vec::with_capacity(ROUNDS); libraries.len()];
    libraries.iter().for_each(&run);
    for round in 0..ROUNDS {
        for turn in 0..libraries.len() {
            // Each follows another one each time.
            let which = (turn + round) % libraries.len();
            let start = Instant::now();
            run(&libraries[which]);
            times[which].push(start.elapsed().as_secs_f64() * 1e9 / calls as f64);
        }
    }
    let times: Vec<f64> = times
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[ROUNDS / 4]
        })
        .collect();
    print!("{label:<26}");
    for time in &times {
        print!("{:>20}", format!("{time:.2} ({:.2})", times[0] / time));
    }
    println!();
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

/// The functions of an archive, by way of a shared library.
fn linked(root: &Path, name: &'static str, archive: &Path) -> Result<Library> {
    let output = root.join(format!("target/bench/memory-{name}.so"));
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-fno-builtin", "-nostdlib", "-Wl,--gc-sections", "-o"])
        .args([&output, &root.join("bench/programs/memory.c"), archive])
        .status()
        .context("cannot run cc")?;
    ensure!(status.success(), "cc could not link {}", archive.display());
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

/// musl's libc.a.
fn musl() -> Option<PathBuf> {
    let output = Command::new("musl-gcc").arg("-print-file-name=libc.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}

/// The newest `compiler_builtins` that `make dist` has built for linux_amd64.
fn builtins(root: &Path) -> Result<Option<PathBuf>> {
    let dir = root.join("target/linux_amd64/release/deps");
    let mut newest = None;
    for entry in std::fs::read_dir(&dir).with_context(|| format!("{}; `make dist` makes it", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("libcompiler_builtins-") && name.ends_with(".rlib") {
            newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
        }
    }
    Ok(newest.map(|(_, path)| path))
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

    fn calls(&mut self, lengths: &[u32; 64]) -> Vec<Call> {
        let mut one = || {
            let len = lengths[self.below(64) as usize];
            (self.below(NEAR as u64), self.below(NEAR as u64), len)
        };
        (0..CALLS).map(|_| one()).collect()
    }
}
