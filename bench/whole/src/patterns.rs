//! Regular expressions are compiled, and text is searched for them: fields of a line, dates, addresses of mail, words of any
//! script.

use alloc::string::String;

use regex_automata::meta::Regex;

use crate::input::{Sum, text};

const BYTES: usize = 1 << 20;

/// Compiled once for each part of the text.
const PARTS: usize = 4;

const PATTERNS: [&str; 8] = [
    r"(\d{4})-(\d\d)-(\d\d)",
    r"[a-z]+@[a-z]+\.(?:org|net|example)",
    r"(?i)\bqui\w*\s+(\w+)",
    r"\p{Greek}+|\p{Cyrillic}+|\p{Han}+",
    r"(?m)^(\S+) .*?(\d+).*$",
    r"\b(\w{3,5})(?:, |\. )(\w{3,5})\b",
    r"(?:mor|lem|ste)(?:zo|ya|wi)+",
    r"[^\p{L}\p{N}\s@.,-]",
];

/// The number for where the matches and their groups lie.
pub fn work() -> u64 {
    let text = text(BYTES);
    let mut sum = Sum::new();
    let mut rest = text.as_str();
    for part in (1..=PARTS).rev() {
        let end = rest[..rest.len() / part].rfind('\n').unwrap_or(rest.len());
        search(&rest[..end], &mut sum);
        rest = &rest[end..];
    }
    sum.finish()
}

fn search(text: &str, sum: &mut Sum) {
    let mut changed = String::new();
    for pattern in PATTERNS {
        let regex = Regex::new(pattern).expect("the pattern is one");
        for found in regex.find_iter(text) {
            sum.number(found.start() as u64);
            sum.number(found.end() as u64);
        }
        changed.clear();
        let mut before = 0;
        for groups in regex.captures_iter(text) {
            let whole = groups.get_match().expect("there is a match");
            changed.push_str(&text[before..whole.start()]);
            for group in groups.iter().flatten().skip(1) {
                changed.push_str(&text[group.range()]);
                changed.push('/');
            }
            before = whole.end();
        }
        changed.push_str(&text[before..]);
        sum.add(changed.as_bytes());
    }
}
