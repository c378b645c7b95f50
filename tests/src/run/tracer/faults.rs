//! Injected failures, from the command line or a test: which call of which name goes wrong, and how.

use anyhow::{Context, Result, bail};

/// Which calls of one name are meant, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nth {
    /// This one only: `3`.
    Only(u64),
    /// This one and all after it: `3+`.
    From(u64),
}

impl Nth {
    fn parse(text: &str) -> Result<Nth> {
        let number = |digits: &str| match digits.parse() {
            Ok(n @ 1..) => Ok(n),
            _ => bail!(
                "`{text}` does not say which call is meant: give a number from 1 on, or `3+` for it and later ones"
            ),
        };
        match text.strip_suffix('+') {
            Some(digits) => Ok(Nth::From(number(digits)?)),
            None => Ok(Nth::Only(number(text)?)),
        }
    }

    fn holds(self, count: u64) -> bool {
        match self {
            Nth::Only(n) => count == n,
            Nth::From(n) => count >= n,
        }
    }
}

/// What happens instead of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is done, and the call returns this error, in the numbers of the program's system.
    Error(i32),
    /// The kernel does not know the call.
    Unknown,
    /// mmap only: the mapping is made at this address, whatever was asked for.
    At(u64),
    /// mmap only: the answer differs from the address of the mapping by this much.
    Off(i64),
    /// write only: at most this many bytes are taken.
    Short(u64),
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The call's name.
    pub call: String,
    /// Which of its calls.
    pub nth: Nth,
    /// What happens instead.
    pub effect: Effect,
}

impl Fault {
    /// Parses `CALL:NTH:EFFECT`. EFFECT is an errno's name or number, `unknown`, `at=ADDRESS`, `off=BYTES` or
    /// `short=BYTES`.
    ///
    /// # Errors
    /// The message says which part is wrong and what would be right.
    pub fn parse(text: &str, errno: impl Fn(&str) -> Option<i32>) -> Result<Fault> {
        let parts: Vec<&str> = text.split(':').collect();
        let [call, nth, effect] = parts.as_slice() else {
            bail!("`{text}` is not CALL:NTH:EFFECT, for example mmap:2:ENOMEM");
        };
        let effect = match effect.split_once('=') {
            Some(("at", address)) => Effect::At(number(address)?),
            Some(("short", bytes)) => Effect::Short(number(bytes)?),
            Some(("off", bytes)) => {
                Effect::Off(bytes.parse().with_context(|| format!("`{bytes}` is not a number of bytes"))?)
            }
            None if *effect == "unknown" => Effect::Unknown,
            _ => match effect.parse().ok().or_else(|| errno(effect)) {
                Some(number @ 1..=4095) => Effect::Error(number),
                _ => bail!(
                    "`{effect}` is neither an errno of this system nor unknown, at=ADDRESS, off=BYTES or short=BYTES"
                ),
            },
        };
        Ok(Fault { call: (*call).to_string(), nth: Nth::parse(nth)?, effect })
    }
}

/// Reads a number, decimal or with 0x.
///
/// # Errors
/// The text is no number; the message has it.
pub fn number(text: &str) -> Result<u64> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.with_context(|| format!("`{text}` is not a number"))
}

/// Counts the calls of one run and decides which of them fail.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    counts: std::collections::HashMap<String, u64>,
}

impl Faults {
    /// A run with these failures.
    #[must_use]
    pub fn new(faults: &[Fault]) -> Faults {
        Faults { faults: faults.to_vec(), ..Faults::default() }
    }

    /// Counts a call and returns what happens instead of it, if anything.
    pub fn next(&mut self, call: &str) -> Option<Effect> {
        let count = self.counts.entry(call.to_string()).or_default();
        *count += 1;
        self.faults.iter().find(|fault| fault.call == call && fault.nth.holds(*count)).map(|fault| fault.effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fault> {
        Fault::parse(text, |name| (name == "ENOMEM").then_some(12))
    }

    #[test]
    fn faults_hit_the_calls_they_name() {
        let mut faults = Faults::new(&[parse("mmap:2:ENOMEM").unwrap(), parse("write:1+:35").unwrap()]);
        let effects: Vec<_> = ["mmap", "write", "mmap", "write", "mmap"].map(|call| faults.next(call)).into();
        let again = Some(Effect::Error(35));
        assert_eq!(effects, [None, again, Some(Effect::Error(12)), again, None]);
    }

    #[test]
    fn effects_beside_errors() {
        assert_eq!(parse("mmap:1:at=0x1000").unwrap().effect, Effect::At(4096));
        assert_eq!(parse("mmap:1:off=-8").unwrap().effect, Effect::Off(-8));
        assert_eq!(parse("getrlimit:1:unknown").unwrap().effect, Effect::Unknown);
    }

    #[test]
    fn nonsense_is_named() {
        for (text, complaint) in
            [("mmap", "CALL:NTH:EFFECT"), ("mmap:0:ENOMEM", "from 1 on"), ("mmap:1:EWHAT", "`EWHAT`")]
        {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
