//! Arithmetic: integers that report when they become too large, and floats, to which an integer gives way.

use core::cmp::Ordering;

use crate::heap::{Lisp, Result};
use crate::value::{Type, Value};

/// Two numbers of one type.
enum Numbers {
    Ints(isize, isize),
    Floats(f64, f64),
}

/// What is done with two numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Quotient,
    Remainder,
    Modulo,
}

impl Lisp {
    fn numbers(&mut self, a: Value, b: Value) -> Result<Numbers> {
        if a.is_int() && b.is_int() {
            return Ok(Numbers::Ints(a.as_int(), b.as_int()));
        }
        Ok(Numbers::Floats(self.number(a)?, self.number(b)?))
    }

    /// Any number, as a float.
    pub(crate) fn number(&mut self, value: Value) -> Result<f64> {
        if value.is_int() {
            Ok(value.as_int() as f64)
        } else if value.is(Type::Float) {
            Ok(value.as_float())
        } else {
            self.fail("not a number", &[value])
        }
    }

    pub(crate) fn arithmetic(&mut self, operation: Operation, a: Value, b: Value) -> Result<Value> {
        use Operation::{Add, Divide, Modulo, Multiply, Quotient, Remainder, Subtract};
        match self.numbers(a, b)? {
            Numbers::Ints(_, 0) if matches!(operation, Divide | Quotient | Remainder | Modulo) => {
                self.fail("division by zero", &[a])
            }
            Numbers::Ints(a, b) => {
                let result = match operation {
                    Add => a.checked_add(b),
                    Subtract => a.checked_sub(b),
                    Multiply => a.checked_mul(b),
                    Divide if a % b != 0 => return self.float(a as f64 / b as f64),
                    Divide | Quotient => a.checked_div(b),
                    Remainder => Some(a % b),
                    Modulo => Some((a % b + b) % b),
                };
                match result {
                    Some(number @ Value::MIN..=Value::MAX) => Ok(Value::int(number)),
                    _ => self.fail("integer overflow", &[Value::int(a), Value::int(b)]),
                }
            }
            Numbers::Floats(x, y) => match operation {
                Add => self.float(x + y),
                Subtract => self.float(x - y),
                Multiply => self.float(x * y),
                Divide => self.float(x / y),
                _ => self.fail("not integers", &[a, b]),
            },
        }
    }

    pub(crate) fn compare(&mut self, a: Value, b: Value) -> Result<Option<Ordering>> {
        Ok(match self.numbers(a, b)? {
            Numbers::Ints(a, b) => Some(a.cmp(&b)),
            Numbers::Floats(a, b) => a.partial_cmp(&b),
        })
    }
}

/// The integer below a float, as a float: those of 52 bits and more have no fraction.
pub(crate) fn floor(number: f64) -> f64 {
    if !(-4.5e15..4.5e15).contains(&number) {
        return number;
    }
    let whole = number as i64 as f64;
    if whole > number { whole - 1.0 } else { whole }
}

/// The square root, rounded as it has to be: that of an integer of 127 or 128 bits, which has 64, and a bit for what is lost.
pub(crate) fn square_root(number: f64) -> f64 {
    if number.is_nan() || number < 0.0 {
        return f64::NAN;
    }
    if number == 0.0 || number == f64::INFINITY {
        return number;
    }
    let (fraction, power) = (number.to_bits() & ((1 << 52) - 1), (number.to_bits() >> 52) as i32);
    let (mantissa, exponent) = if power == 0 { (fraction, -1074) } else { (fraction | 1 << 52, power - 1075) };
    let zeros = u128::from(mantissa).leading_zeros() as i32;
    let shift = zeros - (exponent - zeros).rem_euclid(2);
    let square = u128::from(mantissa) << shift;
    let root = square.isqrt();
    let lost = u128::from(root * root != square);
    // The root has an exponent of its own, and no root is as small or as large as the least and the greatest numbers.
    (root | lost) as f64 * f64::from_bits(((1023 + (exponent - shift) / 2) as u64) << 52)
}
