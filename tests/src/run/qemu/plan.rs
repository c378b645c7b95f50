//! The plan: a list of jobs in the language of the program `init`, which runs them on a booted kernel.
//!
//! The language is described at the head of `examples/init.rs`.

use crate::run::job::{Job, Stack};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The longest line that `init` reads, in bytes.
const LINE_MAX: usize = 4095;
/// The most words on a line.
const WORDS_MAX: usize = 62;

/// A plan as text, and the programs it names, with the files that are their arguments.
pub struct Plan {
    /// The content of `/plan` on the machine.
    pub text: String,
    /// Pairs of a path on the machine and a file here.
    pub programs: Vec<(String, PathBuf)>,
}

/// The plan for `jobs` on another machine. Each may take `timeout` seconds.
pub fn plan(jobs: &[Job], timeout: u64) -> Result<Plan> {
    let mut programs = Vec::new();
    let mut places: HashMap<PathBuf, String> = HashMap::new();
    let mut place = |file: &Path| {
        let next = programs.len();
        let place = places.entry(file.into()).or_insert_with(|| {
            let place = format!("/t/{next}/{}", file.file_name().unwrap_or_default().to_string_lossy());
            programs.push((place.clone(), file.into()));
            place
        });
        place.clone()
    };
    let text = write(jobs, timeout, &mut place)?;
    Ok(Plan { text, programs })
}

/// Writes a plan; `place` returns where a program is on the machine that runs it.
pub fn write(jobs: &[Job], timeout: u64, place: &mut dyn FnMut(&Path) -> String) -> Result<String> {
    let mut text = format!("!timeout {timeout}\n");
    let mut names = HashSet::new();
    let mut stack = Stack::Inherited;
    for job in jobs {
        ensure!(names.insert(&job.name), "two jobs are named {:?}", job.name);
        ensure!(
            !job.name.is_empty()
                && !job.name.contains(char::is_whitespace)
                && !job.name.starts_with(['#', '!', '\'', '"']),
            "{:?} cannot name a job: white space, or a first character with a meaning of its own",
            job.name
        );
        if job.stack != stack {
            stack = job.stack;
            match stack {
                Stack::Inherited => writeln!(text, "!stack -")?,
                Stack::Unlimited => writeln!(text, "!stack unlimited")?,
                Stack::Bytes(bytes) => writeln!(text, "!stack {bytes}")?,
            }
        }
        let program = quoted(&place(&job.program)).with_context(|| format!("job {}", job.name))?;
        let start = text.len();
        let limit = job.limit.map_or("-".into(), |bytes| bytes.to_string());
        write!(text, "{} {limit} {program}", job.name)?;
        for arg in &job.args {
            // A file that is named by its whole path comes along.
            let file = Path::new(arg);
            let arg = if file.is_absolute() && file.is_file() { place(file) } else { arg.clone() };
            write!(text, " {}", quoted(&arg).with_context(|| format!("job {}", job.name))?)?;
        }
        ensure!(text.len() - start <= LINE_MAX, "job {}: its line is longer than {LINE_MAX} bytes", job.name);
        ensure!(job.args.len() + 3 <= WORDS_MAX, "job {}: more than {} arguments", job.name, WORDS_MAX - 3);
        text.push('\n');
    }
    Ok(text)
}

/// An argument as a word of the plan. There is no escape character: a word is bare, or in quotes of a kind that it does
/// not contain.
fn quoted(arg: &str) -> Result<String> {
    if arg.contains(['\n', '\r', '\0']) {
        bail!("an argument of a plan cannot have several lines: {arg:?}");
    }
    let bare = !arg.is_empty() && !arg.contains([' ', '\t']) && !arg.starts_with(['\'', '"']);
    match () {
        () if bare => Ok(arg.into()),
        () if !arg.contains('\'') => Ok(format!("'{arg}'")),
        () if !arg.contains('"') => Ok(format!("\"{arg}\"")),
        () => bail!("an argument of a plan cannot have both kinds of quotes: {arg:?}"),
    }
}

/// Reads the jobs of a plan whose programs are files on this machine.
///
/// The language is that of `init`, without `!timeout`, which is the same for the whole plan here.
pub fn parse(text: &str) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    let mut stack = Stack::Inherited;
    for (index, line) in text.lines().enumerate() {
        let at = || format!("line {}", index + 1);
        let words = split(line).with_context(at)?;
        match words.as_slice() {
            [] => {}
            [word, value] if word == "!stack" => {
                stack = match value.as_str() {
                    "-" => Stack::Inherited,
                    "unlimited" => Stack::Unlimited,
                    bytes => Stack::Bytes(number(bytes).with_context(at)?),
                }
            }
            [word, ..] if word.starts_with('!') => {
                bail!("{}: {word} is no setting here; there is !stack with one value", at())
            }
            [name, limit, program, args @ ..] => {
                let limit = if limit == "-" { None } else { Some(number(limit).with_context(at)?) };
                jobs.push(Job { name: name.clone(), limit, stack, program: program.into(), args: args.to_vec() });
            }
            _ => bail!("{}: a line needs at least NAME LIMIT PROGRAM", at()),
        }
    }
    Ok(jobs)
}

/// The words of a line.
fn split(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !(rest.is_empty() || words.is_empty() && rest.starts_with('#')) {
        let (word, after) = match rest.chars().next().filter(|first| matches!(first, '\'' | '"')) {
            Some(quote) => rest[1..].split_once(quote).context("a quote that is not closed")?,
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.into());
        rest = after.trim_start();
    }
    Ok(words)
}

/// Reads a number: decimal, perhaps with k, m or g, or 0x and hexadecimal.
fn number(text: &str) -> Result<u64> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => {
            let digits = text.trim_end_matches(['k', 'm', 'g']);
            let shift = match &text[digits.len()..] {
                "" => 0,
                "k" => 10,
                "m" => 20,
                "g" => 30,
                _ => 64,
            };
            digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1u64.checked_shl(shift)?))
        }
    };
    parsed.with_context(|| format!("{text:?} is not a number: decimal, perhaps with k, m or g, or 0x and hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_limits_stacks_and_quotes() {
        let mut jobs = vec![
            Job::new("a", "/x/386/limits", &["--fill=1", "two words", "", "it's", "#"]).limited(1 << 20),
            Job::new("b", "/x/amd64/limits", &[]),
            Job::new("c", "/x/386/limits", &[]),
        ];
        jobs[1].stack = Stack::Bytes(65536);
        let plan = plan(&jobs, 7).unwrap();
        let expected = "!timeout 7\n\
             a 1048576 /t/0/limits --fill=1 'two words' '' it's #\n\
             !stack 65536\n\
             b - /t/1/limits\n\
             !stack -\n\
             c - /t/0/limits\n";
        assert_eq!(plan.text, expected);
        assert_eq!(
            plan.programs,
            [("/t/0/limits".into(), "/x/386/limits".into()), ("/t/1/limits".into(), "/x/amd64/limits".into())]
        );
    }

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        let text = "# comment\n\n a 0x100000 /x/p 'two words' \"it's\" '' # \n\
                    !stack unlimited\nb 2g /x/q\n!stack 64k\nc - /x/p\n";
        let mut expected = vec![
            Job::new("a", "/x/p", &["two words", "it's", "", "#"]).limited(1 << 20),
            Job::new("b", "/x/q", &[]).limited(2 << 30),
            Job::new("c", "/x/p", &[]),
        ];
        (expected[1].stack, expected[2].stack) = (Stack::Unlimited, Stack::Bytes(65536));
        assert_eq!(parse(text).unwrap(), expected);
        for wrong in ["a -", "a 1x /p", "a 1kk /p", "a - 'p", "!stack", "!what 1", "a 99999999999g /p"] {
            assert!(parse(wrong).unwrap_err().to_string().starts_with("line 1"), "{wrong}");
        }
    }

    #[test]
    fn what_a_plan_cannot_say_is_refused() {
        let refused = |job: Job| plan(&[job], 1).err().expect("refused").to_string();
        refused(Job::new("two words", "/x", &[]));
        refused(Job::new("", "/x", &[]));
        refused(Job::new("#a", "/x", &[]));
        refused(Job::new("a", "/x", &["two\nlines"]));
        refused(Job::new("a", "/x", &["it's \"both\""]));
        refused(Job::new("a", "/x", &[&"x".repeat(5000)]));
        refused(Job::new("a", "/x", &["x"; 60]));
        assert!(plan(&[Job::new("a", "/x", &[]), Job::new("a", "/y", &[])], 1).is_err());
    }
}
