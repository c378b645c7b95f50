//! Three megabytes of text are compressed with little, some and much effort, and expanded again.

use crate::input::{Sum, text};

const BYTES: usize = 3 << 20;

/// The number for what was compressed; that it expands to the text is seen here.
pub fn work() -> u64 {
    let text = text(BYTES);
    let mut sum = Sum::new();
    for effort in [1, 6, 9] {
        let compressed = miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), effort);
        let expanded =
            miniz_oxide::inflate::decompress_to_vec_zlib(&compressed).expect("what was compressed can be expanded");
        assert!(expanded == text.as_bytes(), "what was expanded is the text");
        sum.add(&compressed);
    }
    sum.finish()
}
