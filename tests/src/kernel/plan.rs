//! The plan: a list of jobs in the words of the program `init`, which runs them on a booted kernel.
//!
//! The language is described at the head of `examples/init.rs`.

use crate::job::{Job, Stack};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The longest line that `init` reads, in bytes.
const LINE_MAX: usize = 4095;
/// The most words on a line.
const WORDS_MAX: usize = 62;

/// A plan as text, and the programs it names.
pub struct Plan {
    /// For `/plan` on the machine.
    pub text: String,
    /// Pairs of a path on the machine and a file here.
    pub programs: Vec<(String, PathBuf)>,
}

/// Writes the plan for `jobs`; `timeout` is what each may take, in seconds.
pub fn plan(jobs: &[Job], timeout: u64) -> Result<Plan> {
    let mut text = format!("!timeout {timeout}\n");
    let mut programs = Vec::new();
    let mut places: HashMap<&Path, String> = HashMap::new();
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
        let place = places.entry(&job.program).or_insert_with(|| {
            let name = job.program.file_name().unwrap_or_default().to_string_lossy();
            let place = format!("/t/{}/{name}", programs.len());
            programs.push((place.clone(), job.program.clone()));
            place
        });
        let start = text.len();
        let limit = job.limit.map_or("-".into(), |bytes| bytes.to_string());
        write!(text, "{} {limit} {place}", job.name)?;
        for arg in &job.args {
            write!(text, " {}", quoted(arg).with_context(|| format!("job {}", job.name))?)?;
        }
        ensure!(text.len() - start <= LINE_MAX, "job {}: its line is longer than {LINE_MAX} bytes", job.name);
        ensure!(job.args.len() + 3 <= WORDS_MAX, "job {}: more than {} arguments", job.name, WORDS_MAX - 3);
        text.push('\n');
    }
    Ok(Plan { text, programs })
}

/// An argument as a word of the plan. There is no escape character: a word is bare, or in quotes that it does not contain.
fn quoted(arg: &str) -> Result<String> {
    if arg.contains(['\n', '\r', '\0']) {
        bail!("an argument of a plan is one line: {arg:?}");
    }
    let bare = !arg.is_empty() && !arg.contains([' ', '\t']) && !arg.starts_with(['\'', '"']);
    match () {
        () if bare => Ok(arg.into()),
        () if !arg.contains('\'') => Ok(format!("'{arg}'")),
        () if !arg.contains('"') => Ok(format!("\"{arg}\"")),
        () => bail!("an argument of a plan has one kind of quotes at most: {arg:?}"),
    }
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
