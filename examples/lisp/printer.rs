//! The printer: from values to text, as `write` shows them or as `display` does.

use core::fmt::{self, Write};

use crate::value::{END, FALSE, NIL, NOTHING, TRUE, Type, Value};

/// How deeply a value is printed; what is nested further is an ellipsis.
const NESTING: usize = 60;
/// How many elements of lists and vectors are printed for one value: one that contains itself has no end.
const LENGTH: usize = 100_000;

/// A value, to be formatted.
pub(crate) struct Shown {
    pub(crate) value: Value,
    /// Strings in quotes, as the reader reads them.
    pub(crate) quoted: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(out, self.value, self.quoted, NESTING, &mut { LENGTH })
    }
}

fn text(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        out.write_str(chunk.valid())?;
        if !chunk.invalid().is_empty() {
            out.write_char(char::REPLACEMENT_CHARACTER)?;
        }
    }
    Ok(())
}

/// Shows a value, and no more than `left` of the elements that it has or its elements have.
fn show(out: &mut fmt::Formatter<'_>, value: Value, quoted: bool, nesting: usize, left: &mut usize) -> fmt::Result {
    if nesting == 0 {
        return out.write_str("...");
    }
    if value.is_int() {
        return write!(out, "{}", value.as_int());
    }
    if value.is_pair() {
        return list(out, value, quoted, nesting, left);
    }
    let Some(kind) = value.kind() else {
        return out.write_str(match value {
            NIL => "()",
            TRUE => "#t",
            FALSE => "#f",
            END => "#<end>",
            NOTHING => "#<nothing>",
            _ => "#<unbound>",
        });
    };
    match kind {
        Type::Symbol => text(out, value.name()),
        Type::String if quoted => string(out, value.bytes()),
        Type::String => text(out, value.bytes()),
        // Rust's Debug: always with a point or an exponent, so that it is read as a float again.
        Type::Float => write!(out, "{:?}", value.as_float()),
        Type::Vector => {
            out.write_str("#(")?;
            for index in 0..value.len() {
                if index > 0 {
                    out.write_str(" ")?;
                }
                if *left == 0 {
                    out.write_str("...")?;
                    break;
                }
                *left -= 1;
                show(out, value.at(index), quoted, nesting - 1, left)?;
            }
            out.write_str(")")
        }
        Type::Closure => {
            out.write_str("#<procedure ")?;
            show(out, value.word(1).word(5), false, nesting - 1, left)?;
            out.write_str(">")
        }
        Type::Builtin => write!(out, "#<procedure {}>", crate::builtins::name(value.len())),
        Type::Table => write!(out, "#<table of {}>", value.word(1).as_int()),
        Type::Error => {
            out.write_str("#<error ")?;
            error(out, value, nesting - 1, left)?;
            out.write_str(">")
        }
        Type::Code | Type::Environment => out.write_str("#<internal>"),
    }
}

fn list(out: &mut fmt::Formatter<'_>, list: Value, quoted: bool, nesting: usize, left: &mut usize) -> fmt::Result {
    out.write_str("(")?;
    let mut rest = list;
    loop {
        if *left == 0 {
            out.write_str("...")?;
            break;
        }
        *left -= 1;
        show(out, rest.car(), quoted, nesting - 1, left)?;
        rest = rest.cdr();
        if !rest.is_pair() {
            break;
        }
        out.write_str(" ")?;
    }
    if rest != NIL && !rest.is_pair() {
        out.write_str(" . ")?;
        show(out, rest, quoted, nesting - 1, left)?;
    }
    out.write_str(")")
}

fn string(out: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    out.write_str("\"")?;
    for part in bytes.split_inclusive(|byte| matches!(byte, b'"' | b'\\' | b'\n')) {
        match part.split_last() {
            Some((b'\n', before)) => {
                text(out, before)?;
                out.write_str("\\n")?;
            }
            Some((last @ (b'"' | b'\\'), before)) => {
                text(out, before)?;
                out.write_str("\\")?;
                text(out, &[*last])?;
            }
            _ => text(out, part)?,
        }
    }
    out.write_str("\"")
}

/// An error as one line: the message, and what it is about.
fn error(out: &mut fmt::Formatter<'_>, error: Value, nesting: usize, left: &mut usize) -> fmt::Result {
    show(out, error.word(1), false, nesting, left)?;
    for (index, about) in crate::value::List(error.word(2)).enumerate() {
        out.write_str(if index == 0 { ": " } else { " " })?;
        show(out, about, true, nesting, left)?;
    }
    Ok(())
}

/// What was raised and nobody caught, as one line.
pub(crate) struct Raised(pub(crate) Value);

impl fmt::Display for Raised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is(Type::Error) {
            error(out, self.0, NESTING, &mut { LENGTH })
        } else {
            write!(out, "raised: {}", Shown { value: self.0, quoted: true })
        }
    }
}
