//! Floats as text and back, both correctly rounded by Rust's `core`, and C's mathematics, which are the crate `libm`'s.

#![no_std]

use core::ffi::{c_char, c_int, c_long, c_longlong};
use core::fmt::{self, Write};

unsafe extern "C" {
    fn rt0_exit(status: c_int) -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: it ends the process.
    unsafe { rt0_exit(2) }
}

/// Text in memory that the caller has; what has no room is dropped.
struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.push(byte));
        Ok(())
    }
}

/// The most digits behind the point that are not all zero: a double is a multiple of 2^-1074.
const DIGITS: usize = 1100;

/// Writes a number that is not negative as C's `printf` does with `%e`, `%f`, `%g` or `%a`, and a NUL. Answers the length
/// without the NUL. A precision that is negative is C's default.
///
/// # Safety
///
/// `to` has `size` writable bytes, at least one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guest_format(
    number: f64,
    conversion: u8,
    precision: c_int,
    alternate: c_int,
    to: *mut u8,
    size: usize,
) -> usize {
    // SAFETY: the caller says so.
    let bytes = unsafe { core::slice::from_raw_parts_mut(to, size - 1) };
    let mut text = Text { bytes, len: 0 };
    let given = usize::try_from(precision).ok().map(|digits| digits.min(DIGITS));
    let (digits, alternate) = (given.unwrap_or(6), alternate != 0);
    // Writing to memory does not fail.
    let _ = match conversion {
        _ if number.is_nan() => text.write_str("nan"),
        _ if number.is_infinite() => text.write_str("inf"),
        b'f' => fixed(&mut text, number, digits, alternate),
        b'e' => scientific(&mut text, number, digits, alternate),
        b'a' => hexadecimal(&mut text, number, given, alternate),
        _ => general(&mut text, number, digits.max(1), alternate),
    };
    let len = text.len;
    // SAFETY: there is room for the NUL behind what the slice has.
    unsafe { to.add(len).write(0) };
    len
}

fn fixed(text: &mut Text<'_>, number: f64, digits: usize, alternate: bool) -> fmt::Result {
    write!(text, "{number:.digits$}")?;
    if digits == 0 && alternate {
        text.push(b'.');
    }
    Ok(())
}

/// The digits of a number, the first one before a point, and its exponent.
fn decimal(number: f64, digits: usize, buffer: &mut [u8]) -> Option<(usize, i32)> {
    let mut text = Text { bytes: buffer, len: 0 };
    write!(text, "{number:.digits$e}").ok()?;
    let written = core::str::from_utf8(text.written()).ok()?;
    let (mantissa, exponent) = written.split_once('e')?;
    Some((mantissa.len(), exponent.parse().ok()?))
}

/// `e`, a sign and at least two digits.
fn write_exponent(text: &mut Text<'_>, exponent: i32) -> fmt::Result {
    write!(text, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

fn scientific(text: &mut Text<'_>, number: f64, digits: usize, alternate: bool) -> fmt::Result {
    let mut buffer = [0; DIGITS + 10];
    let Some((len, exponent)) = decimal(number, digits, &mut buffer) else { return Err(fmt::Error) };
    buffer.iter().take(len).for_each(|byte| text.push(*byte));
    if digits == 0 && alternate {
        text.push(b'.');
    }
    write_exponent(text, exponent)
}

/// `%g`: as `%e` where the exponent is below -4 or not below the number of digits, else as `%f`, both without zeroes at the
/// end unless the alternate form is asked for.
fn general(text: &mut Text<'_>, number: f64, digits: usize, alternate: bool) -> fmt::Result {
    let mut buffer = [0; DIGITS + 10];
    let Some((len, exponent)) = decimal(number, digits - 1, &mut buffer) else { return Err(fmt::Error) };
    let small = exponent < -4 || exponent >= digits as i32;
    let start = text.len;
    if small {
        buffer.iter().take(len).for_each(|byte| text.push(*byte));
    } else {
        let behind = (digits as i32 - 1 - exponent).max(0) as usize;
        write!(text, "{number:.behind$}")?;
    }
    if !alternate && text.written().iter().skip(start).any(|byte| *byte == b'.') {
        while text.written().last() == Some(&b'0') {
            text.len -= 1;
        }
        if text.written().last() == Some(&b'.') {
            text.len -= 1;
        }
    }
    if small { write_exponent(text, exponent) } else { Ok(()) }
}

/// `%a`: `0x1.`, hexadecimal digits, `p` and a binary exponent.
fn hexadecimal(text: &mut Text<'_>, number: f64, digits: Option<usize>, alternate: bool) -> fmt::Result {
    const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = number.to_bits();
    let (mut exponent, mut mantissa) = ((bits >> FRACTION) as i32 - 1023, bits & ((1 << FRACTION) - 1));
    match (exponent, mantissa) {
        (-1023, 0) => exponent = 0,
        (-1023, _) => exponent = -1022,
        _ => mantissa |= 1 << FRACTION,
    }
    // Rounded to nearest, ties to even, where fewer digits are wanted than there are.
    if let Some(digits) = digits.filter(|digits| *digits < 13) {
        let cut = 4 * (13 - digits as u32);
        let (half, rest) = (1u64 << (cut - 1), mantissa & ((1 << cut) - 1));
        mantissa >>= cut;
        mantissa += u64::from(rest > half || (rest == half && mantissa & 1 == 1));
        mantissa <<= cut;
    }
    write!(text, "0x{:x}", mantissa >> FRACTION)?;
    let mut fraction = mantissa & ((1 << FRACTION) - 1);
    let mut left = digits.unwrap_or(usize::MAX);
    if alternate || (left > 0 && (fraction != 0 || digits.is_some())) {
        text.push(b'.');
    }
    while left > 0 && (fraction != 0 || digits.is_some()) {
        write!(text, "{:x}", fraction >> (FRACTION - 4))?;
        fraction = (fraction << 4) & ((1 << FRACTION) - 1);
        left -= 1;
    }
    write!(text, "p{exponent:+}")
}

/// The number that a decimal text of this length is, by C's grammar; 0 for what is none.
///
/// # Safety
///
/// `text` has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guest_parse(text: *const c_char, len: usize) -> f64 {
    // SAFETY: the caller says so.
    let bytes = unsafe { core::slice::from_raw_parts(text.cast::<u8>(), len) };
    core::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

/// C's functions of numbers and a number, by the crate's of the same name.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        #[doc = concat!("C's `", stringify!($name), "`.")]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $type),*) -> $result {
            libm::$name($($argument),*)
        }
    )*};
}

functions! {
    acos(x: f64) -> f64;
    acosh(x: f64) -> f64;
    asin(x: f64) -> f64;
    asinh(x: f64) -> f64;
    atan(x: f64) -> f64;
    atanh(x: f64) -> f64;
    cosh(x: f64) -> f64;
    cos(x: f64) -> f64;
    erf(x: f64) -> f64;
    erfc(x: f64) -> f64;
    exp(x: f64) -> f64;
    exp2(x: f64) -> f64;
    expm1(x: f64) -> f64;
    lgamma(x: f64) -> f64;
    log(x: f64) -> f64;
    log10(x: f64) -> f64;
    log1p(x: f64) -> f64;
    log2(x: f64) -> f64;
    sin(x: f64) -> f64;
    sinh(x: f64) -> f64;
    tan(x: f64) -> f64;
    tanh(x: f64) -> f64;
    tgamma(x: f64) -> f64;
    atan2(y: f64, x: f64) -> f64;
    hypot(x: f64, y: f64) -> f64;
    nextafter(x: f64, y: f64) -> f64;
    pow(x: f64, y: f64) -> f64;
    remainder(x: f64, y: f64) -> f64;
    ldexp(x: f64, exponent: c_int) -> f64;
    scalbn(x: f64, exponent: c_int) -> f64;
    acosf(x: f32) -> f32;
    asinf(x: f32) -> f32;
    atanf(x: f32) -> f32;
    cosf(x: f32) -> f32;
    coshf(x: f32) -> f32;
    expf(x: f32) -> f32;
    exp2f(x: f32) -> f32;
    logf(x: f32) -> f32;
    log10f(x: f32) -> f32;
    log2f(x: f32) -> f32;
    sinf(x: f32) -> f32;
    sinhf(x: f32) -> f32;
    tanf(x: f32) -> f32;
    tanhf(x: f32) -> f32;
    atan2f(y: f32, x: f32) -> f32;
    hypotf(x: f32, y: f32) -> f32;
    powf(x: f32, y: f32) -> f32;
}

/// C's `nearbyint`: `rint`, since nobody asks which exceptions of floats there were.
#[unsafe(no_mangle)]
pub extern "C" fn nearbyint(x: f64) -> f64 {
    libm::rint(x)
}

/// C's `lrint`; what no `long` is gives the nearest one.
#[unsafe(no_mangle)]
pub extern "C" fn lrint(x: f64) -> c_long {
    libm::rint(x) as c_long
}

/// C's `llrint`, as `lrint`.
#[unsafe(no_mangle)]
pub extern "C" fn llrint(x: f64) -> c_longlong {
    libm::rint(x) as c_longlong
}

/// C's `lround`, as `lrint`.
#[unsafe(no_mangle)]
pub extern "C" fn lround(x: f64) -> c_long {
    libm::round(x) as c_long
}

/// C's `llround`, as `lrint`.
#[unsafe(no_mangle)]
pub extern "C" fn llround(x: f64) -> c_longlong {
    libm::round(x) as c_longlong
}

/// C's `frexp`.
///
/// # Safety
///
/// `exponent` points to an int.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn frexp(x: f64, exponent: *mut c_int) -> f64 {
    let (fraction, power) = libm::frexp(x);
    // SAFETY: the caller says so.
    unsafe { exponent.write(power) };
    fraction
}

/// C's `modf`.
///
/// # Safety
///
/// `whole` points to a double.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modf(x: f64, whole: *mut f64) -> f64 {
    let (fraction, integer) = libm::modf(x);
    // SAFETY: the caller says so.
    unsafe { whole.write(integer) };
    fraction
}
