//! What the programs work on, the same in every run, and the number for what they made of it.

use alloc::string::String;

/// Marsaglia's xorshift with 64 bits of state, its output multiplied (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The same numbers for the same `seed`, which is not 0.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// One of `choices`.
    pub fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const SYLLABLES: [&str; 24] = [
    "ba", "chi", "do", "en", "fra", "gul", "her", "in", "jo", "ka", "lem", "mor", "ne", "ost", "per", "qui", "ra",
    "ste", "tur", "ul", "ven", "wi", "ya", "zo",
];

/// A word of one to four syllables, short ones more often.
pub fn word(random: &mut Random, out: &mut String) {
    for _ in 0..=random.below(4).min(random.below(4)) {
        out.push_str(random.of(&SYLLABLES));
    }
}

/// Text in lines: words, numbers, dates, addresses of mail, and now and then a line that has been there before.
pub fn text(bytes: usize) -> String {
    let mut random = Random::new(0x7e47);
    let mut text = String::new();
    let mut begin = 0;
    while text.len() < bytes {
        if begin > 0 && random.below(6) == 0 {
            let place = random.below(begin);
            let from = text.as_bytes()[..place].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let line = String::from(text[from..].lines().next().unwrap_or_default());
            text.push_str(&line);
        } else {
            for _ in 0..6 + random.below(10) {
                match random.below(24) {
                    0 => text.push_str(&alloc::format!("{}", random.below(1_000_000))),
                    1 => {
                        let (year, month, day) = (1980 + random.below(50), 1 + random.below(12), 1 + random.below(28));
                        text.push_str(&alloc::format!("{year}-{month:02}-{day:02}"));
                    }
                    2 => {
                        word(&mut random, &mut text);
                        text.push('@');
                        word(&mut random, &mut text);
                        text.push_str(random.of(&[".org", ".net", ".example"]));
                    }
                    3 => text.push_str(random.of(&["Grüße", "naïve", "Ελλάδα", "Москва", "東京"])),
                    _ => word(&mut random, &mut text),
                }
                text.push_str(random.of(&[" ", " ", " ", " ", ", ", ". "]));
            }
        }
        text.push('\n');
        begin = text.len() - 1;
    }
    text
}

/// FNV-1a with 64 bits.
pub struct Sum(u64);

impl Sum {
    /// Of nothing.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Sum {
        Sum(0xcbf2_9ce4_8422_2325)
    }

    /// Takes in `bytes`.
    pub fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// Takes in a number.
    pub fn number(&mut self, number: u64) {
        self.add(&number.to_le_bytes());
    }

    /// The number for what was taken in.
    pub fn finish(self) -> u64 {
        self.0
    }
}
