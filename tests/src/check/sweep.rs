//! Limit sweeps: under which limits the program `limits` runs, and what must hold of what it reports.
//!
//! All ports and all machines share one table. The expectations come from the specification of the arena (what it may
//! take, what it must reach, how it is laid out), not from the library's own arithmetic.

use crate::port::Port;
use crate::run::job::{End, Job, Outcome, Stack};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Limits at which some rule changes, in MiB. Between 81 and 129 the code of Go's rule of 2012 wrapped around. From 256
/// on the default allowance is 64 MiB and no longer a quarter. From 576 and 640 on a full-size arena fits on 32-bit
/// ports, without and with the allowance; from 1088 on it fits on 64-bit ports by Go's rule.
const THRESHOLDS: [u64; 6] = [81 * MIB, 129 * MIB, 256 * MIB, 576 * MIB, 640 * MIB, 1088 * MIB];
/// Limits from which a full-size arena fits on 64-bit ports, without and with the allowance.
const THRESHOLDS_64: [u64; 2] = [17 * GIB, 17 * GIB + 64 * MIB];

/// How much of the sweep is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A selection that takes seconds.
    Thin,
    /// All of them.
    Whole,
}

/// The limits of a sweep, ascending, in bytes. The same `seed` gives the same limits.
pub fn limits(port: Port, extent: Extent, seed: u64) -> Vec<u64> {
    let whole = extent == Extent::Whole;
    let mut limits: BTreeSet<u64> =
        (1..=1100).filter(|&mib| whole || mib <= 8 || mib % 50 == 0).map(|mib| mib * MIB).collect();
    limits.extend([2, 3, 4, 8, 16, 18, 32].map(|gib| gib * GIB));

    let steps = if whole { 16 } else { 2 };
    let wide: &[u64] = if port.bits() == 64 { &THRESHOLDS_64 } else { &[] };
    for threshold in THRESHOLDS.iter().chain(wide) {
        limits.extend((0..=2 * steps).map(|step| threshold - 64 * KIB * steps + 64 * KIB * step));
    }

    let mut random = fastrand::Rng::with_seed(seed);
    for turn in 0..if whole { 500 } else { 20 } {
        // Most are no whole pages. Every fourth is up to 32 GiB, with each power of two equally likely.
        limits.insert(if turn % 4 == 0 {
            let power = random.u32(20..35);
            (1 << power) + random.u64(0..1 << power)
        } else {
            random.u64(MIB..=1100 * MIB)
        });
    }
    limits.into_iter().collect()
}

/// The options that `limits` gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flags {
    /// None: the default policy, with its allowance and a bitmap.
    Plain,
    /// No allowance: the whole limit is for arenas and their bitmaps, and the arenas are touched from end to end.
    Tight,
    /// No allowance and no bitmaps.
    Filled,
}

impl Flags {
    /// All of them.
    pub const ALL: [Flags; 3] = [Flags::Plain, Flags::Tight, Flags::Filled];

    fn args(self, limit: Option<u64>) -> Vec<String> {
        match self {
            Flags::Plain => vec![],
            Flags::Tight => vec!["--allowance=0".into(), format!("--fill={}", chunk(limit))],
            // Only the first and the last byte of each chunk are touched, since the machine may have less memory than
            // the limit.
            Flags::Filled => vec!["--allowance=0".into(), "--no-bitmap".into(), format!("--fill={}", chunk(limit))],
        }
    }

    fn bitmap(self) -> bool {
        self != Flags::Filled
    }
}

/// The chunk in which an arena under `limit` is filled, in bytes.
fn chunk(limit: Option<u64>) -> u64 {
    (limit.unwrap_or(4 * GIB) / 64).next_power_of_two().max(64 * KIB)
}

/// A stack limit below what the kernel maps for a stack by itself.
pub const TINY_STACK: Stack = Stack::Bytes(64 * KIB);

/// One run of `limits`.
#[derive(Clone, Debug)]
pub struct Run {
    /// The port of the program.
    pub port: Port,
    /// The options that it gets.
    pub flags: Flags,
    /// The command and its limits.
    pub job: Job,
}

impl Run {
    fn new(port: Port, program: &Path, flags: Flags, stack: Stack, limit: Option<u64>) -> Self {
        let stack_name = match stack {
            Stack::Inherited => "",
            Stack::Unlimited => "/stack=unlimited",
            Stack::Bytes(_) => "/stack=tiny",
        };
        let limit_name = limit.map_or("none".into(), |bytes| bytes.to_string());
        let name = format!("{port}/{flags:?}{stack_name}/{limit_name}");
        let job = Job { name, limit, stack, program: program.into(), args: flags.args(limit) };
        Run { port, flags, job }
    }
}

/// The whole sweep of a port: `program` is its `limits`.
pub fn runs(port: Port, program: &Path, extent: Extent, seed: u64) -> Vec<Run> {
    let limits = limits(port, extent, seed);
    let mut runs = Vec::new();
    for flags in Flags::ALL {
        for stack in [Stack::Inherited, Stack::Unlimited, TINY_STACK] {
            runs.push(Run::new(port, program, flags, stack, None));
            let every = if extent == Extent::Whole || stack == Stack::Inherited { 1 } else { 5 };
            let chosen = limits.iter().step_by(every);
            runs.extend(chosen.map(|&limit| Run::new(port, program, flags, stack, Some(limit))));
        }
    }
    runs
}

/// What `limits` printed: `key=value` lines.
pub struct Report<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Report<'a> {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// A line is of another kind, or a key is there twice.
    pub fn parse(output: &'a str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for line in output.lines() {
            let (key, value) = line.split_once('=').ok_or_else(|| format!("not key=value: {line:?}"))?;
            if values.insert(key, value).is_some() {
                return Err(format!("{key} is there twice"));
            }
        }
        Ok(Report(values))
    }

    /// The value of `key`.
    pub fn text(&self, key: &str) -> Result<&'a str, String> {
        self.0.get(key).copied().ok_or_else(|| format!("no line {key}="))
    }

    /// The value of `key`, decimal or with `0x`.
    pub fn number(&self, key: &str) -> Result<u64, String> {
        let text = self.text(key)?;
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.map_err(|_| format!("{key}={text} is not a number"))
    }
}

/// The size of an arena where the limit leaves room for it: 512 MiB, or 16 GiB on 64-bit ports.
fn full_arena(port: Port) -> u64 {
    if port.bits() == 64 { 16 * GIB } else { 512 * MIB }
}

/// How many bytes of arena a byte of bitmap covers, at four bits for a word.
fn ratio(port: Port) -> u64 {
    if port.bits() == 64 { 16 } else { 8 }
}

/// The limit as it counts for this port: a 32-bit port has 4 GiB, so a higher limit is none.
fn effective(port: Port, limit: Option<u64>) -> Option<u64> {
    limit.filter(|&bytes| port.bits() == 64 || bytes < u64::from(u32::MAX))
}

/// Describes everything that does not hold of one run of `limits`.
pub fn check(run: &Run, outcome: &Outcome) -> Vec<String> {
    let mut broken = Vec::new();
    if outcome.end != End::Exit(0) {
        broken.push(format!("{}, and it printed {:?}", outcome.end, outcome.output));
    } else if let Err(wrong) = check_report(run, &outcome.output, &mut broken) {
        broken.push(wrong);
    }
    broken.iter().map(|what| format!("{}: {what}", run.job.name)).collect()
}

fn check_report(run: &Run, output: &str, broken: &mut Vec<String>) -> Result<(), String> {
    let report = Report::parse(output)?;
    let port = run.port;
    let mut must = |holds: bool, what: String| {
        if !holds {
            broken.push(what);
        }
    };
    must(report.text("port")? == port.to_string(), format!("it says it is port {:?}", report.text("port")));

    let page = report.number("page")?;
    let (arena, bitmap, base) = (report.number("arena")?, report.number("bitmap")?, report.number("base")?);
    must(page.is_power_of_two() && page >= 4096, format!("a page of {page} bytes"));
    let multiple = |size: u64| size.is_multiple_of(page.max(1));
    must(
        multiple(arena) && multiple(bitmap) && multiple(base),
        format!("not whole pages: arena {arena}, bitmap {bitmap}, base {base:#x}"),
    );
    must(arena > 0, "no arena".into());
    must(
        if run.flags.bitmap() { bitmap >= arena.div_ceil(ratio(port)) } else { bitmap == 0 },
        format!("a bitmap of {bitmap} bytes for an arena of {arena}"),
    );

    let limit = effective(port, run.job.limit);
    let said = if report.text("limit")? == "none" { None } else { Some(report.number("limit")?) };
    must(said.filter(|_| limit.is_some()) == limit, format!("it reads the limit as {:?}", report.text("limit")));
    let (footprint, allowance) = (report.number("footprint")?, report.number("allowance")?);
    let (tries, calls) = (report.number("tries")?, report.number("calls")?);
    must(tries > 1 || calls == 2, format!("{calls} system calls before main, and only {tries} reservation was tried"));

    let total = arena + bitmap;
    match limit {
        None => {
            must(arena >= full_arena(port), format!("no limit, and an arena of {arena} bytes"));
        }
        Some(limit) => {
            if run.flags == Flags::Plain {
                must(
                    allowance == (limit / 4).min(64 * MIB),
                    format!("an allowance of {allowance} bytes under {limit}"),
                );
            } else {
                must(allowance == 0, format!("an allowance of {allowance} bytes where none was asked for"));
            }
            // A few hundred KiB at most are mapped before `main`.
            must(footprint > 0 && footprint <= 512 * KIB, format!("a footprint of {footprint} bytes"));
            let left = limit.saturating_sub(footprint + allowance);
            must(total <= left, format!("arena and bitmap are {total} bytes, and {left} are left"));
            let one_more = page * if run.flags.bitmap() { ratio(port) + 1 } else { 1 };
            let full = arena >= full_arena(port);
            must(full || tries > 1 || total + one_more > left, format!("{total} bytes, although {left} are left"));
            if let Some(least) = least_arena(port, run.flags, limit) {
                must(arena >= least, format!("{arena} bytes of arena under {limit}; {least} is the least"));
            }
        }
    }
    if run.flags != Flags::Plain {
        let filled = report.number("filled")?;
        must(filled == arena, format!("{filled} bytes filled of an arena of {arena}"));
    }
    Ok(())
}

/// How many bytes under a limit must be arena, in all regions together, if nothing is kept for stacks. Regions follow
/// one another until the limit or a 32-bit address space is used up.
fn least_arena(port: Port, flags: Flags, limit: u64) -> Option<u64> {
    let per_mille = match flags {
        Flags::Filled if limit >= 64 * MIB => 990,
        Flags::Filled if limit >= 2 * MIB => 880,
        Flags::Tight if limit >= 64 * MIB && port.bits() == 64 => 935,
        Flags::Tight if limit >= 64 * MIB => 880,
        _ => return None,
    };
    Some(limit.min(room(port)) / 1000 * per_mille)
}

/// The least address space that a port's kernels have for mappings, in bytes. Without a stack limit Linux starts at a
/// third of a 32-bit address space (`TASK_UNMAPPED_BASE`), which leaves nearly 2 of 3 GiB. FreeBSD on i386 has 2.4 GiB.
fn room(port: Port) -> u64 {
    if port.bits() == 64 { u64::MAX } else { 1792 * MIB }
}

/// Describes everything that does not hold of a sweep; `outcomes` are those of `runs`, in their order.
pub fn check_all(runs: &[Run], outcomes: &[Outcome]) -> Vec<String> {
    let mut broken = Vec::new();
    if runs.len() != outcomes.len() {
        broken.push(format!("{} outcomes of {} runs", outcomes.len(), runs.len()));
    }
    // By flags and stack, the limit and the arena of the previous run.
    let mut series: BTreeMap<(Flags, String), (u64, u64)> = BTreeMap::new();
    for (run, outcome) in runs.iter().zip(outcomes) {
        if run.job.name != outcome.name {
            broken.push(format!("the outcome of {} is in the place of {}", outcome.name, run.job.name));
            continue;
        }
        broken.extend(check(run, outcome));
        let arena = Report::parse(&outcome.output).and_then(|report| report.number("arena"));
        // If the address space is what bounds the arena, how much fits differs from run to run.
        let bound = run.job.limit.filter(|&limit| limit <= room(run.port));
        let (Ok(arena), Some(limit)) = (arena, bound) else { continue };
        let before = series.insert((run.flags, format!("{:?}", run.job.stack)), (limit, arena));
        if let Some((smaller, larger)) = before
            && larger > arena
        {
            broken.push(format!(
                "{}: an arena of {arena} bytes, and {larger} under the smaller limit {smaller}",
                run.job.name
            ));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome of a program that does everything as it should, with a footprint of 200 KiB.
    fn right(run: &Run) -> Outcome {
        let limit = effective(run.port, run.job.limit);
        let allowance =
            if run.flags == Flags::Plain { limit.map_or(64 * MIB, |limit| (limit / 4).min(64 * MIB)) } else { 0 };
        let footprint = 200 * KIB;
        let full = full_arena(run.port) + full_arena(run.port) / ratio(run.port);
        let left = limit.map_or(full, |limit| limit - footprint - allowance);
        let left = if run.flags == Flags::Plain { left.min(full) } else { left };
        let (bitmap, arena) = if run.flags.bitmap() {
            let bitmap = left / (ratio(run.port) + 1) / 4096 * 4096;
            (bitmap, bitmap * ratio(run.port))
        } else {
            (0, left / 4096 * 4096)
        };
        let filled = if run.flags == Flags::Plain { String::new() } else { format!("filled={arena}\n") };
        let limit = limit.map_or("none".into(), |limit| limit.to_string());
        let output = format!(
            "port={}\npage=4096\nlimit={limit}\nsource=rlimit\nfootprint={footprint}\nallowance={allowance}\n\
             policy=fit\narena={arena}\nbitmap={bitmap}\nbase=0x10000000\ntries=1\ncalls=2\n{filled}",
            run.port
        );
        Outcome { name: run.job.name.clone(), output, end: End::Exit(0) }
    }

    fn whole(port: Port) -> (Vec<Run>, Vec<Outcome>) {
        let runs = runs(port, Path::new("/limits"), Extent::Whole, 1);
        let outcomes = runs.iter().map(right).collect();
        (runs, outcomes)
    }

    #[test]
    fn the_table_holds_every_limit_that_is_asked_for() {
        let whole = limits(Port::linux_386, Extent::Whole, 7);
        assert!((1..=1100).all(|mib| whole.contains(&(mib * MIB))));
        for threshold in [81, 129, 256, 576, 1088] {
            assert!((0..32).all(|step| whole.contains(&(threshold * MIB - MIB + step * 64 * KIB))));
        }
        assert!([2, 3, 4, 8, 16, 18, 32].iter().all(|gib| whole.contains(&(gib * GIB))));
        assert!(whole.len() >= 1100 + 5 * 30 + 490);
        assert!(whole.is_sorted());
        assert_eq!(whole, limits(Port::linux_386, Extent::Whole, 7));
        assert_ne!(whole, limits(Port::linux_386, Extent::Whole, 8));
        let thin = limits(Port::linux_386, Extent::Thin, 7);
        assert!(thin.len() < 120, "{}", thin.len());
    }

    #[test]
    fn what_is_right_passes() {
        for port in Port::ALL {
            let (runs, outcomes) = whole(port);
            let broken = check_all(&runs, &outcomes);
            assert!(broken.is_empty(), "{:#?}", &broken[..broken.len().min(5)]);
        }
    }

    #[test]
    fn each_broken_promise_is_found() {
        let run = Run::new(Port::linux_386, Path::new("/limits"), Flags::Tight, Stack::Inherited, Some(100 * MIB));
        let good = right(&run);
        assert!(check(&run, &good).is_empty());
        let with = |key: &str, value: &str| {
            let lines: Vec<String> = good
                .output
                .lines()
                .map(|line| if line.split_once('=').unwrap().0 == key { format!("{key}={value}") } else { line.into() })
                .collect();
            Outcome { output: lines.join("\n"), ..good.clone() }
        };
        for (key, value) in [
            ("port", "linux_arm"),
            ("page", "4095"),
            ("page", "1"),
            ("limit", "1"),
            ("limit", "none"),
            ("footprint", "0"),
            ("footprint", "1000000"),
            ("allowance", "1"),
            ("arena", "0"),
            ("arena", "104857600"),
            ("arena", "50331648"),
            ("arena", "93057025"),
            ("bitmap", "0"),
            ("bitmap", "4096"),
            ("base", "0x10000001"),
            ("calls", "3"),
            ("tries", "x"),
        ] {
            assert!(!check(&run, &with(key, value)).is_empty(), "{key}={value}");
        }
        for key in ["port", "page", "limit", "footprint", "allowance", "arena", "bitmap", "base", "tries", "calls"] {
            let lines: Vec<&str> = good.output.lines().filter(|line| line.split_once('=').unwrap().0 != key).collect();
            assert!(!check(&run, &Outcome { output: lines.join("\n"), ..good.clone() }).is_empty(), "without {key}");
        }
        for output in ["", "noise\n", &format!("{0}{0}", good.output)] {
            assert!(!check(&run, &Outcome { output: output.into(), ..good.clone() }).is_empty(), "{output:?}");
        }
        for end in [End::Exit(2), End::Signal(11), End::Timeout, End::Missing("why".into())] {
            assert!(!check(&run, &Outcome { end, ..good.clone() }).is_empty());
        }
    }

    #[test]
    fn an_arena_that_shrinks_or_is_not_filled_or_too_small_is_found() {
        let (runs, outcomes) = whole(Port::linux_amd64);
        let spoil = |what: &dyn Fn(&Run) -> bool, from: &str, to: &str| {
            let at = runs.iter().position(what).unwrap();
            let mut spoiled = outcomes.clone();
            assert!(spoiled[at].output.contains(from), "{}", spoiled[at].output);
            spoiled[at].output = spoiled[at].output.replace(from, to);
            check_all(&runs, &spoiled)
        };
        let under = |flags, limit| move |run: &Run| run.flags == flags && run.job.limit == Some(limit);
        let shrunk = spoil(&under(Flags::Plain, 17 * GIB + 128 * KIB), "arena=17", "arena=1");
        assert!(shrunk.iter().any(|what| what.contains("under the smaller limit")), "{shrunk:?}");
        assert!(!spoil(&under(Flags::Filled, 64 * MIB), "filled=6", "filled=5").is_empty());
        assert!(!spoil(&under(Flags::Filled, 64 * MIB), "filled=6", "filled=7").is_empty());
        assert!(!spoil(&under(Flags::Filled, 32 * GIB), "filled=34", "filled=33").is_empty());
        assert!(check_all(&runs, &outcomes[1..]).len() >= runs.len());
        assert_eq!(check_all(&runs, &outcomes[..runs.len() - 1]).len(), 1);
    }
}
