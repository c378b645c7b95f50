//! What it costs to start: rt0's programs beside others that do the same, on this machine's kernel.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A program: what it is, and the command that makes it, `$SRC` and `$OUT` set; nothing if `make dist` does.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("exit, bare", "bare", "gcc -O2 -static -nostdlib -nostartfiles $SRC/bare.c -o $OUT"),
    ("C, no libc", "nolibc", "gcc -O2 -static -nostdlib -nostartfiles $SRC/nolibc.c -o $OUT"),
    ("rt0 hello", "../dist/linux_amd64/bin/hello", ""),
    ("rt0 vec (heap)", "../dist/linux_amd64/bin/vec", ""),
    ("C, musl, static", "musl", "musl-gcc -O2 -static $SRC/hello.c -o $OUT"),
    ("C, glibc, static", "glibc-static", "gcc -O2 -static $SRC/hello.c -o $OUT"),
    ("C, glibc", "glibc", "gcc -O2 $SRC/hello.c -o $OUT"),
    ("Rust, std", "rust", "rustc -O -C strip=symbols $SRC/hello.rs -o $OUT"),
    ("Go", "go", "go build -ldflags=-s -o $OUT $SRC/hello.go"),
];

const PAGE: u64 = 4096;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = root.join("../target/startup");
    std::fs::create_dir_all(&out)?;
    println!("{:<18} {:>8} {:>7} {:>12} {:>9} {:>12}", "", "syscalls", "faults", "instructions", "size", "ulimit -v");
    for (name, file, make) in PROGRAMS {
        let program = if make.is_empty() { root.join(file) } else { out.join(file) };
        if !make.is_empty() {
            let made = Command::new("sh")
                .args(["-c", make])
                .env("SRC", root.join("programs"))
                .env("OUT", &program)
                .stderr(Stdio::null())
                .status()
                .context("cannot run sh")?;
            if !made.success() {
                println!("{name:<18} {:>8}", "not here");
                continue;
            }
        }
        ensure!(program.exists(), "{} is not there; `make dist PORT=linux_amd64` makes it", program.display());
        let show = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        println!(
            "{name:<18} {:>8} {:>7} {:>12} {:>9} {:>8} KiB",
            show(calls(&program)),
            show(Some(faults(&program)?)),
            show(instructions(&program)),
            program.metadata()?.len(),
            lowest(&program)? / 1024,
        );
    }
    Ok(())
}

/// A command in an environment that is the same for everyone: its variables are part of what a start costs, and a
/// library path that is set for this program would be searched by that one.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    command
}

/// System calls, execve not counted.
fn calls(program: &Path) -> Option<u64> {
    let output = command("strace").arg("-f").arg(program).stderr(Stdio::piped()).output().ok()?;
    let lines = String::from_utf8_lossy(&output.stderr).lines().filter(|l| l.contains('(')).count() as u64;
    output.status.success().then(|| lines - 1)
}

/// Page faults of the process, those of exec with it.
fn faults(program: &Path) -> Result<u64> {
    // vfork and exec: what the child does before exec is the parent's memory.
    let child = command(program).spawn()?;
    // SAFETY: all zeroes is a value of this plain structure, which wait4 fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let mut status = 0;
    // SAFETY: our own child, waited for once.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    ensure!(waited > 0 && status == 0, "{} fails", program.display());
    Ok(usage.ru_minflt as u64)
}

fn instructions(program: &Path) -> Option<u64> {
    let output = command("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .stderr(Stdio::piped())
        .output()
        .ok()?;
    rt0_bench::collected(&output)
}

/// The lowest RLIMIT_AS, to the page, under which it runs.
fn lowest(program: &Path) -> Result<u64> {
    let runs = |limit: u64| {
        let mut command = command(program);
        let set = move || {
            let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
            // SAFETY: a plain system call.
            unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
            Ok(())
        };
        // SAFETY: between fork and exec only setrlimit is called.
        unsafe { command.pre_exec(set) };
        command.status().is_ok_and(|status| status.success())
    };
    let (mut fails, mut works) = (0, (16u64 << 30) / PAGE);
    while works - fails > 1 {
        let middle = (fails + works) / 2;
        if runs(middle * PAGE) { works = middle } else { fails = middle }
    }
    Ok(works * PAGE)
}
