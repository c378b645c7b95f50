//! What the collector costs beside time: instructions of its questions, bytes beside objects, code, and the least limit
//! under which programs run.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::Verdicts;
use crate::heaps::{Boehm, Mode, base_and_size, rt0};
use crate::measure::{BOEHM, MALLOC, RT0, facts, run};
use crate::programs::{Heap, PROGRAMS};

const KIB: u64 = 1 << 10;

/// The questions that are counted: what is asked, and what at most it may cost, instructions.
const QUESTIONS: [(&str, &str, Option<f64>); 8] = [
    ("start", "find, start, of a word that points to an object of 24 bytes", Some(14.0)),
    ("start inside", "the same, of a word that points anywhere into one", None),
    ("whole", "find, start and length, of a word that points to an object of 24 bytes", Some(30.0)),
    ("whole inside", "the same, of a word that points anywhere into one", None),
    ("outside", "find, of a word outside of the heap", Some(5.0)),
    ("boehm", "GC_base and GC_size, of a word that points anywhere into an object of 24 bytes", None),
    ("boehm outside", "GC_base, of a word outside of the heap", None),
    ("nothing", "the loop without a question", None),
];

/// Asks a question about each of many words; run under callgrind.
pub(crate) fn ask(question: &str, count: usize, base: *const usize) {
    const OBJECTS: usize = 8192;
    fn addresses(heap: &mut impl Heap, question: &str) -> Vec<usize> {
        let mut random = 1_usize;
        let address = |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let start = heap.scan(3).addr();
            if question.contains("inside") || question == "boehm" { start + (random >> 33) % 24 } else { start }
        };
        let mut words: Vec<usize> = (0..OBJECTS).map(address).collect();
        if question.contains("outside") {
            words = (0..OBJECTS).map(|index| words.as_ptr().addr() + index).collect();
        }
        words
    }
    fn repeat(words: &[usize], count: usize, body: impl Fn(usize) -> usize) {
        for index in 0..count {
            black_box(body(words[index % OBJECTS]));
        }
    }
    if question.starts_with("boehm") {
        let words = addresses(&mut Boehm::new(Mode::Default, 0), question);
        return repeat(&words, count, |word| base_and_size(word).map_or(0, |(start, len)| start.addr() ^ len));
    }
    let mut heap = rt0(4 << 20, base);
    let words = addresses(&mut heap, question);
    let gc = &heap;
    if question == "nothing" {
        repeat(&words, count, |word| word);
        // The length comes of the start.
    } else if question.starts_with("whole") {
        repeat(&words, count, |word| gc.find(word).map_or(0, |object| object.len));
    } else {
        repeat(&words, count, |word| gc.find_start(word).map_or(0, |start| start.addr().get()));
    }
}

/// How many instructions a process of this program executes for a question.
fn instructions(question: &str, count: usize) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["--ask", question, &count.to_string()])
        .env("GC_MARKERS", "1")
        .output()
        .context("cannot run valgrind")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let line = errors.lines().find_map(|line| line.split_once("Collected : ")).context("callgrind says no sum")?;
    Ok(line.1.trim().parse()?)
}

pub(crate) fn judge(verdicts: &mut Verdicts) -> Result<()> {
    const COUNT: usize = 100_000;
    let each = |question| -> Result<f64> {
        Ok((instructions(question, 2 * COUNT)? - instructions(question, COUNT)?) / COUNT as f64)
    };
    let bare = each("nothing")?;
    println!("\nInstructions beside those of the loop:");
    for (question, what, most) in QUESTIONS.into_iter().filter(|question| question.0 != "nothing") {
        let figure = each(question)? - bare;
        println!("{figure:>9.1}  {what}");
        if let Some(most) = most {
            verdicts.at_most(&format!("instructions, {what}"), figure, most);
        }
    }

    println!("\nBytes beside an object of 24:");
    for heap in [RT0].into_iter().chain(BOEHM).chain([MALLOC]) {
        let facts = run(heap, "records", if heap == MALLOC { 0 } else { 6 << 20 })?.context("a heap of 6 MiB")?;
        let beside = facts["beside"] as f64 / 1000.0;
        println!("{beside:>9.2}  {heap}");
        if heap == RT0 {
            verdicts.at_most("bytes beside an object of 24", beside, 2.0);
        }
    }
    limits(verdicts)?;
    sizes(verdicts)
}

/// A program that `make dist` makes.
fn program(port: &str, name: &str) -> Result<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../dist/{port}/bin/{name}"));
    ensure!(file.exists(), "{} is not there; `make dist PORT={port}` makes it", file.display());
    Ok(file)
}

/// Whether a program ends well with so much address space, bytes.
fn runs(program: &Path, arguments: &[&str], limit: u64) -> Result<bool> {
    let mut command = Command::new(program);
    command.args(arguments).env("GC_MARKERS", "1").stdout(Stdio::null()).stderr(Stdio::null());
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    let set = move || {
        // SAFETY: `limit` is readable.
        if unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: between fork and exec it calls `setrlimit` alone.
    unsafe { command.pre_exec(set) };
    // Where not even exec has room, there is no process to wait for.
    Ok(command.status().is_ok_and(|status| status.success()))
}

/// The least limit under which a program ends well, to 64 KiB.
fn least_limit(program: &Path, arguments: &[&str]) -> Result<u64> {
    let (mut no, mut yes) = (2 * KIB * KIB, 34 * KIB * KIB);
    ensure!(runs(program, arguments, yes)?, "{} {arguments:?} does not run", program.display());
    while yes - no > 64 * KIB {
        let middle = no + (yes - no) / 2;
        if runs(program, arguments, middle)? { yes = middle } else { no = middle }
    }
    Ok(yes)
}

fn limits(verdicts: &mut Verdicts) -> Result<()> {
    println!("\nThe least address space (ulimit -v) for binary-trees of depth 16:");
    let show = |what: &str, limit: u64| println!("{:>9.2}  {what}", limit as f64 / (KIB * KIB) as f64);
    let this = std::env::current_exe()?;
    for heap in [BOEHM[0], BOEHM[1], MALLOC] {
        show(&format!("MiB, {heap}, on glibc"), least_limit(&this, &["--child", heap, "binary", "0"])?);
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/lisp/programs/binary-trees.lisp");
    let deep = this.with_file_name("binary-trees-16.lisp");
    std::fs::write(&deep, std::fs::read_to_string(source)?.replace("(define most 10)", "(define most 16)"))?;
    let source = deep.to_str().context("a path of characters")?;
    for (port, name, argument, most) in [
        ("linux_amd64", "collect", "binary", 6.0),
        ("linux_386", "collect", "binary", 4.0),
        ("linux_amd64", "lisp", source, 16.0),
        ("linux_386", "lisp", source, 16.0),
    ] {
        let limit = least_limit(&program(port, name)?, &[argument])?;
        show(&format!("MiB, {name} on {port}"), limit);
        verdicts.at_most(
            &format!("MiB of ulimit -v for binary-trees, {name} on {port}"),
            limit as f64 / (KIB * KIB) as f64,
            most,
        );
    }
    // The 32-bit half of what must finish: a program of its own, since this one has no 32-bit Boehm beside it.
    for port in ["linux_amd64", "linux_386"] {
        let collect = program(port, "collect")?;
        let mut finished = 0;
        for name in PROGRAMS {
            let live = facts(&collect, &[name])?.context("a run without a bound")?["live"];
            let bound = live * 3 / 2;
            let done = facts(&collect, &[name, &bound.to_string()])?;
            finished += usize::from(done.is_some_and(|facts| facts["footprint"] <= bound));
        }
        verdicts.at_least(
            &format!("at 1.5 x live, programs that finish on {port}"),
            finished as f64,
            PROGRAMS.len() as f64,
        );
    }
    Ok(())
}

/// Bytes of code and data of a program, as `size` of the binutils adds them up, without what begins as zeroes.
fn code(program: &Path) -> Result<f64> {
    let output = Command::new("size").arg(program).output().context("cannot run size")?;
    let text = String::from_utf8(output.stdout)?;
    let figures = text.lines().nth(1).context("size says nothing")?.split_whitespace();
    Ok(figures.take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?)
}

fn sizes(verdicts: &mut Verdicts) -> Result<()> {
    for port in ["linux_386", "linux_amd64", "linux_arm", "freebsd_386", "freebsd_amd64"] {
        let collector = code(&program(port, "pairs")?)? - code(&program(port, "vec")?)?;
        verdicts.at_most(&format!("KiB of code that a collector adds, {port}"), collector / KIB as f64, 10.0);
        let size = program(port, "lisp")?.metadata()?.len();
        verdicts.at_most(&format!("KiB of lisp's file on {port}"), size as f64 / KIB as f64, 256.0);
    }
    let lisp = program("linux_amd64", "lisp")?;
    let mut best = Duration::MAX;
    for _ in 0..50 {
        best = best.min(answer(&lisp)?);
    }
    verdicts.at_most("ms from before execve until the Lisp has answered (+ 1 2)", best.as_secs_f64() * 1e3, 2.0);
    Ok(())
}

/// How long it takes the Lisp to answer.
fn answer(lisp: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let mut child = Command::new(lisp).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("its input")?.write_all(b"(+ 1 2)\n")?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
    let took = begun.elapsed();
    child.wait()?;
    ensure!(line.trim_end().ends_with('3'), "the Lisp says {line:?}");
    Ok(took)
}
