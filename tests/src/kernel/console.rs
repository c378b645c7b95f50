//! What `init` says on the console, line by line, and what it did not say.

use crate::job::{End, Job, Outcome};

/// Follows the console of one boot.
///
/// The lines have to come in the plan's order; a job whose lines are not both there is missing, whatever else is
/// said.
pub struct Console<'a> {
    jobs: &'a [Job],
    outcomes: Vec<Outcome>,
    /// The job between its `===` and its `---` line: its index and its output so far.
    running: Option<(usize, String)>,
    up: bool,
    done: bool,
    panic: Option<String>,
}

impl<'a> Console<'a> {
    /// Nothing said yet.
    pub fn new(jobs: &'a [Job]) -> Self {
        Console { jobs, outcomes: Vec::new(), running: None, up: false, done: false, panic: None }
    }

    /// Takes a line without its end; returns the job that it ended, if it did.
    pub fn line(&mut self, line: &str) -> Option<&Outcome> {
        let line = line.trim_end_matches('\r');
        // A kernel's message or an unfinished line of output may stand before ours on the same line.
        if self.running.is_none() {
            self.between_jobs(line);
            return None;
        }
        if is_panic(line) {
            self.panic.get_or_insert_with(|| line.trim().into());
        }
        let (index, output) = self.running.as_mut()?;
        let name = &self.jobs[*index].name;
        let ended = line.rfind(&format!("--- {name} ")).and_then(|at| {
            let end = End::parse(&line[at + "---  ".len() + name.len()..])?;
            Some((&line[..at], end))
        });
        let Some((rest, end)) = ended else {
            output.push_str(line);
            output.push('\n');
            return None;
        };
        output.push_str(rest);
        let outcome = Outcome { name: name.clone(), output: std::mem::take(output), end };
        self.running = None;
        self.outcomes.push(outcome);
        self.outcomes.last()
    }

    fn between_jobs(&mut self, line: &str) {
        self.up |= line.ends_with("init: up");
        self.done |= self.up && line.ends_with("ALL DONE");
        if is_panic(line) {
            self.panic.get_or_insert_with(|| line.trim().into());
        }
        let next = self.outcomes.len();
        if self.up && !self.done && self.jobs.get(next).is_some_and(|job| line.ends_with(&format!("=== {}", job.name)))
        {
            self.running = Some((next, String::new()));
        }
    }

    /// Whether `init` has started.
    pub fn up(&self) -> bool {
        self.up
    }

    /// Whether `init` has said its last line.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Whether there is nothing more to come.
    pub fn complete(&self) -> bool {
        self.done && self.outcomes.len() == self.jobs.len()
    }

    /// Ends the console: one outcome for each job, and what went wrong with the boot itself, if anything.
    ///
    /// `ending` says how the machine ended; it becomes the reason of what is missing.
    pub fn finish(self, ending: &str) -> (Vec<Outcome>, Option<String>) {
        if self.complete() {
            return (self.outcomes, None);
        }
        let fault = match (self.panic, self.up, self.done) {
            (Some(panic), ..) => format!("{panic} ({ending})"),
            (None, false, _) => format!("init did not start ({ending})"),
            (None, true, false) => format!("init did not reach its end ({ending})"),
            (None, true, true) => format!("init left jobs out ({ending})"),
        };
        let mut outcomes = self.outcomes;
        if let Some((index, output)) = self.running {
            outcomes.push(Outcome { name: self.jobs[index].name.clone(), output, end: End::Missing(fault.clone()) });
        }
        for job in &self.jobs[outcomes.len()..] {
            outcomes.push(Outcome { name: job.name.clone(), output: String::new(), end: End::Missing(fault.clone()) });
        }
        (outcomes, Some(fault))
    }
}

/// Linux says "Kernel panic - not syncing: …", FreeBSD "panic: …".
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
    fn results_are_not_taken_from_somebody_else() {
        // A result out of order, one that nobody began, and a program that ends before init is up.
        assert_eq!(ends(&follow("init: up\n=== b\n--- b exit=0\nALL DONE").0), "mmm");
        assert_eq!(ends(&follow("init: up\n--- a exit=0\nALL DONE").0), "mmm");
        assert_eq!(ends(&follow("=== a\n--- a exit=0\nALL DONE").0), "mmm");
        assert_eq!(ends(&follow("init: up\n=== a\n--- b exit=0\nALL DONE").0), "mmm");
    }
}
