//! The block of words that a program finds at its entry: argc, argv, envp and the auxiliary vector.

use super::tracee::{BadAddress, Class, Tracee, word};

/// The initial block, with pointers that are valid in the program. Linux and FreeBSD lay it out alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Addresses of the arguments' strings.
    pub arguments: Vec<u64>,
    /// Addresses of the environment's strings.
    pub environment: Vec<u64>,
    /// Pairs of the auxiliary vector, without the AT_NULL that ends it.
    pub auxiliary: Vec<(u64, u64)>,
}

impl Block {
    /// The bytes of the block, from argc to the end of AT_NULL.
    #[must_use]
    pub fn bytes(&self, class: Class) -> Vec<u8> {
        let mut bytes = Vec::new();
        let lists = [self.arguments.as_slice(), &[0], self.environment.as_slice(), &[0]];
        class.push(&mut bytes, self.arguments.len() as u64);
        for value in lists.into_iter().flatten() {
            class.push(&mut bytes, *value);
        }
        for (kind, value) in self.auxiliary.iter().chain([&(0, 0)]) {
            class.push(&mut bytes, *kind);
            class.push(&mut bytes, *value);
        }
        bytes
    }

    /// Reads the block at `address`.
    ///
    /// # Errors
    /// [`BadAddress`] if there is none.
    pub fn read(tracee: Tracee, class: Class, address: u64) -> Result<Block, BadAddress> {
        let mut words = Words { tracee, class, address };
        let argc = words.next()?;
        let mut block = Block::default();
        for _ in 0..argc {
            block.arguments.push(words.next()?);
        }
        words.next()?;
        loop {
            match words.next()? {
                0 => break,
                string => block.environment.push(string),
            }
        }
        loop {
            match (words.next()?, words.next()?) {
                (0, _) => return Ok(block),
                pair => block.auxiliary.push(pair),
            }
        }
    }
}

/// Reads successive words of the program's memory.
struct Words {
    tracee: Tracee,
    class: Class,
    address: u64,
}

impl Words {
    fn next(&mut self) -> Result<u64, BadAddress> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..self.class.word()];
        self.tracee.read(self.address, bytes)?;
        self.address += self.class.word() as u64;
        Ok(word(bytes))
    }
}

/// The highest address not above `top` that leaves room for `length` bytes and is `remainder` mod 16.
#[must_use]
pub fn place(top: u64, length: usize, remainder: u64) -> u64 {
    let highest = top - length as u64;
    highest - (highest.wrapping_sub(remainder) & 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_laid_out_as_the_kernels_do() {
        let block = Block { arguments: vec![0x11], environment: vec![0x22, 0x33], auxiliary: vec![(6, 4096)] };
        let words: Vec<u64> = block.bytes(Class::Bits32).chunks(4).map(word).collect();
        assert_eq!(words, [1, 0x11, 0, 0x22, 0x33, 0, 6, 4096, 0, 0]);
        assert_eq!(block.bytes(Class::Bits64).len(), 80);
    }

    #[test]
    fn a_place_is_below_the_top_with_the_remainder_asked_for() {
        for remainder in [0, 4, 8, 12] {
            for length in 0..40 {
                let place = place(0x1000, length, remainder);
                assert_eq!(place % 16, remainder);
                assert!(place + length as u64 <= 0x1000 && place + length as u64 + 16 > 0x1000);
            }
        }
    }
}
