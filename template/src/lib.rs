//! What the program does, without the start of a process around it: this part is tested by `cargo test`.

#![no_std]

/// Sorts `words`, the shortest first.
///
/// ```
/// let mut words: [&[u8]; 2] = [b"longer", b"short"];
/// logic::sort(&mut words);
/// assert_eq!(words, [&b"short"[..], b"longer"]);
/// ```
pub fn sort(words: &mut [&[u8]]) {
    words.sort_unstable_by_key(|word| (word.len(), *word));
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_of_one_length_are_in_the_order_of_their_bytes() {
        let mut words: [&[u8]; 3] = [b"b", b"ab", b"a"];
        super::sort(&mut words);
        assert_eq!(words, [&b"a"[..], b"b", b"ab"]);
    }
}
