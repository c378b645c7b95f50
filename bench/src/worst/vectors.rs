//! TODO
use super::Pattern;
pub(super) const PATTERNS: &[Pattern] = &[];
