//! Reads what `init` prints on the console, line by line, and notices what is missing.

use crate::run::job::{End, Job, Outcome};
use std::collections::HashMap;

/// Follows the console of one boot.
///
/// The kernel may print at any time, so its words may be before or after ours on a line. If they interrupt one of our
/// lines, that job is missing, and the jobs after it are not. A job is missing unless both its lines are there.
pub struct Console<'a> {
    jobs: &'a [Job],
    index: HashMap<&'a str, usize>,
    /// What is known of the jobs before `next`.
    outcomes: Vec<Option<Outcome>>,
    /// The first job that has not begun; they begin in the plan's order.
    next: usize,
    /// The output so far of the job before `next`, if its `---` line is still to come.
    running: Option<String>,
    up: bool,
    done: bool,
    panic: Option<String>,
}

impl<'a> Console<'a> {
    /// A console on which nothing has been printed yet.
    pub fn new(jobs: &'a [Job]) -> Self {
        let index = jobs.iter().enumerate().map(|(index, job)| (job.name.as_str(), index)).collect();
        let outcomes = vec![None; jobs.len()];
        Console { jobs, index, outcomes, next: 0, running: None, up: false, done: false, panic: None }
    }

    /// Takes a line without its end; returns the job that it ended, if it did.
    pub fn line(&mut self, line: &str) -> Option<&Outcome> {
        let line = line.trim_end_matches('\r');
        if self.panic.is_none() && is_panic(line) {
            self.panic = Some(line.trim().into());
        }
        self.up |= line.ends_with("init: up");
        if !self.up || self.done {
            return None;
        }
        if let Some(begun) = self.begun(line) {
            // If the end of the job before was not printed, its outcome stays unknown.
            self.next = begun + 1;
            self.running = Some(String::new());
            return None;
        }
        let Some(output) = &mut self.running else {
            self.done = line.ends_with("ALL DONE");
            return None;
        };
        let job = self.next - 1;
        let name = &self.jobs[job].name;
        let Some((rest, end)) = ended(line, name) else {
            output.push_str(line);
            output.push('\n');
            return None;
        };
        output.push_str(rest);
        self.outcomes[job] = Some(Outcome { name: name.clone(), output: self.running.take()?, end });
        self.outcomes[job].as_ref()
    }

    /// The job that this line begins.
    fn begun(&self, line: &str) -> Option<usize> {
        let (_, words) = line.rsplit_once("=== ")?;
        let index = *self.index.get(words.split_whitespace().next()?)?;
        (index >= self.next).then_some(index)
    }

    /// Whether `init` has started.
    pub fn up(&self) -> bool {
        self.up
    }

    /// Whether `init` has printed its last line.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Whether the outcome of every job and the last line have been printed.
    pub fn complete(&self) -> bool {
        self.done && self.outcomes.iter().all(Option::is_some)
    }

    /// Ends the console: one outcome for each job, and what went wrong with the boot itself, if anything.
    ///
    /// `ending` says how the machine ended; it becomes the reason for whatever is missing.
    pub fn finish(self, ending: &str) -> (Vec<Outcome>, Option<String>) {
        let complete = self.complete();
        let fault = match (self.panic, self.up, self.done) {
            (Some(panic), ..) => format!("{panic} ({ending})"),
            (None, false, _) => format!("init did not start ({ending})"),
            (None, true, false) => format!("init did not reach its end ({ending})"),
            (None, true, true) => format!("init left jobs out ({ending})"),
        };
        let mut unfinished = self.running.map(|output| (self.next - 1, output));
        let told = self.jobs.iter().zip(self.outcomes).enumerate().map(|(index, (job, outcome))| {
            let output =
                unfinished.take_if(|(running, _)| *running == index).map_or(String::new(), |(_, output)| output);
            outcome.unwrap_or_else(|| Outcome { name: job.name.clone(), output, end: End::Missing(fault.clone()) })
        });
        (told.collect(), (!complete).then_some(fault))
    }
}

/// How the job `name` ended, if the line says so, and the text before that.
fn ended<'l>(line: &'l str, name: &str) -> Option<(&'l str, End)> {
    let mark = format!("--- {name} ");
    let at = line.rfind(&mark)?;
    let words = &line[at + mark.len()..];
    let length = words.find(|c: char| !(c.is_ascii_alphabetic() || c == '=')).unwrap_or(words.len());
    let digits = words[length..].find(|c: char| !c.is_ascii_digit()).unwrap_or(words.len() - length);
    Some((&line[..at], End::parse(&words[..length + digits])?))
}

/// Linux prints "Kernel panic - not syncing: …", FreeBSD "panic: …".
fn is_panic(line: &str) -> bool {
    line.contains("Kernel panic - not syncing") || line.starts_with("panic: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs() -> Vec<Job> {
        ["a", "b", "c"].map(|name| Job::new(name, "/x", &[])).to_vec()
    }

    fn follow(text: &str) -> (Vec<Outcome>, Option<String>) {
        let jobs = jobs();
        let mut console = Console::new(&jobs);
        for line in text.lines() {
            console.line(line);
        }
        console.finish("the test ended")
    }

    fn ends(outcomes: &[Outcome]) -> String {
        let letter = |outcome: &Outcome| match outcome.end {
            End::Exit(_) => 'e',
            End::Signal(_) => 's',
            End::Timeout => 't',
            End::Missing(_) => 'm',
        };
        outcomes.iter().map(letter).collect()
    }

    #[test]
    fn a_whole_boot() {
        let text = "SeaBIOS\r\n[1.0] noiseinit: up\r\n=== a\r\nx=1\r\n--- a exit=0\r\n=== b\r\n\
                    no end--- b signal=11\r\n\
                    [2.0] noise=== c\r\n--- c TIMEOUT\r\nALL DONE\r\n";
        let (outcomes, fault) = follow(text);
        assert_eq!(fault, None);
        assert_eq!(outcomes[0], Outcome { name: "a".into(), output: "x=1\n".into(), end: End::Exit(0) });
        assert_eq!(outcomes[1], Outcome { name: "b".into(), output: "no end".into(), end: End::Signal(11) });
        assert_eq!(outcomes[2].end, End::Timeout);
    }

    #[test]
    fn each_line_left_out_is_a_failure() {
        let lines = ["init: up", "=== a", "--- a exit=0", "=== b", "--- b exit=0", "=== c", "--- c exit=0", "ALL DONE"];
        assert_eq!(follow(&lines.join("\n")).1, None);
        for left_out in 0..lines.len() {
            let text: Vec<&str> =
                lines.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, line)| *line).collect();
            let (outcomes, fault) = follow(&text.join("\n"));
            assert!(fault.is_some(), "without {:?}", lines[left_out]);
            assert_eq!(outcomes.len(), 3);
            if left_out != lines.len() - 1 {
                assert!(ends(&outcomes).contains('m'), "without {:?}: {outcomes:?}", lines[left_out]);
            }
        }
    }

    #[test]
    fn each_line_cut_short_is_a_failure() {
        let text = "init: up\n=== a\n--- a exit=0\n=== b\n--- b exit=0\n=== c\n--- c exit=0\nALL DONE";
        for end in 0..text.len() {
            assert!(follow(&text[..end]).1.is_some(), "after {:?}", &text[..end]);
        }
    }

    #[test]
    fn a_panic_is_the_reason() {
        for panic in ["[ 3.1] Kernel panic - not syncing: Attempted to kill init!", "panic: page fault"] {
            for text in [format!("{panic}\n"), format!("init: up\n=== a\n--- a exit=0\n=== b\nhalf\n{panic}\n")] {
                let (outcomes, fault) = follow(&text);
                assert_eq!(fault, Some(format!("{panic} (the test ended)")));
                assert_eq!(outcomes[2].end, End::Missing(fault.unwrap()));
            }
        }
    }

    #[test]
    fn words_of_the_kernel_cost_only_what_they_tear_apart() {
        let whole = "init: up\n=== a\n--- a exit=12\n=== b\n--- b exit=0\n=== c\n--- c exit=0\nALL DONE";
        let noise = "random: crng init done\r\n";
        for at in whole.find("=== a").unwrap()..whole.find("=== b").unwrap() {
            let (outcomes, fault) = follow(&format!("{}{noise}{}", &whole[..at], &whole[at..]));
            assert_eq!(ends(&outcomes[1..]), "ee", "noise at {at}");
            let right = outcomes[0].end == End::Exit(12);
            // Interrupted within the number, it is read too short, but it is still no success.
            let short = outcomes[0].end == End::Exit(1);
            assert!(right || short || matches!(outcomes[0].end, End::Missing(_)), "{:?}", outcomes[0]);
            assert_eq!(fault.is_none(), right || short);
        }
        assert_eq!(follow(&whole.replace("=12", "=12pid 7: killed")).0[0].end, End::Exit(12));
    }

    #[test]
    fn results_are_not_taken_from_somebody_else() {
        // A result out of order, one of a job that did not begin, and one from before init is up.
        assert_eq!(ends(&follow("init: up\n=== b\n--- b exit=0\n=== a\n--- a exit=0\nALL DONE").0), "mem");
        assert_eq!(ends(&follow("init: up\n--- a exit=0\nALL DONE").0), "mmm");
        assert_eq!(ends(&follow("=== a\n--- a exit=0\nALL DONE").0), "mmm");
        assert_eq!(ends(&follow("init: up\n=== a\n--- b exit=0\nALL DONE").0), "mmm");
    }
}
