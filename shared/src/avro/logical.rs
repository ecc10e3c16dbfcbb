//! Logical types as text (semantics.md 1).
//!
//! Timestamps are RFC 3339 with the schema's 3, 6 or 9 digits and Z; local timestamps and times of day have no zone, so
//! they carry no Z. Durations are ISO 8601 with all three parts, such as `P1M2DT3.004S`.

use std::fmt::Write;

use super::plan::Unit;
use crate::timestamp::civil_from_days;

/// 416 bytes hold 1,001 digits: a longer decimal is over the limit of numbers in payloads.
const MAX_DECIMAL_BYTES: usize = 416;
const MAX_BIG_DECIMAL_SCALE: u64 = 1000;

impl Unit {
    fn per_second(self) -> i64 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }

    /// Microseconds; finer is cut off, what does not fit stays at the end that it left.
    pub(super) fn micros(self, value: i64) -> i64 {
        match self {
            Self::Millis => value.saturating_mul(1000),
            Self::Micros => value,
            Self::Nanos => value.div_euclid(1000),
        }
    }
}

/// `2025-11-20`; none outside the years 0000 to 9999.
pub(super) fn date(days: i64) -> Option<String> {
    let (year, month, day) = civil_from_days(days);
    (0..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// `12:00:00.123`; none outside a day.
pub(super) fn time(value: i64, unit: Unit) -> Option<String> {
    let seconds = value.div_euclid(unit.per_second());
    let fraction = value.rem_euclid(unit.per_second());
    (0..86_400).contains(&seconds).then(|| {
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{hour:02}:{minute:02}:{second:02}.{fraction:0width$}", width = unit.digits())
    })
}

/// `2025-11-20T12:00:00.123Z`; none outside the years 0000 to 9999.
pub(super) fn timestamp(value: i64, unit: Unit, local: bool) -> Option<String> {
    let per_day = 86_400 * unit.per_second();
    let mut text = date(value.div_euclid(per_day))?;
    text.push('T');
    text.push_str(&time(value.rem_euclid(per_day), unit)?);
    if !local {
        text.push('Z');
    }
    Some(text)
}

/// Months, days and milliseconds, each 4 bytes, little-endian.
pub(super) fn duration(bytes: [u8; 12]) -> String {
    let part = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let millis = part(8);
    format!("P{}M{}DT{}.{:03}S", part(0), part(4), millis / 1000, millis % 1000)
}

/// A two's complement big-endian number with the point `scale` digits from its end; none over 1,000 digits.
pub(super) fn decimal(unscaled: &[u8], scale: usize) -> Option<String> {
    let digits = integer_digits(unscaled)?;
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits.as_str()),
    };
    if scale == 0 {
        return Some(format!("{sign}{digits}"));
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}

/// Avro's big-decimal: a length, the unscaled number, its scale; none when malformed or over 1,000 digits.
pub(super) fn big_decimal(unscaled: &[u8], scale: i64) -> Option<String> {
    if scale.unsigned_abs() > MAX_BIG_DECIMAL_SCALE {
        return None;
    }
    if let Ok(scale) = usize::try_from(scale) {
        return decimal(unscaled, scale);
    }
    let digits = integer_digits(unscaled)?;
    let zeros = usize::try_from(scale.unsigned_abs()).ok()?;
    Some(if digits == "0" { digits } else { format!("{digits}{}", "0".repeat(zeros)) })
}

/// The decimal digits of a two's complement big-endian number.
fn integer_digits(bytes: &[u8]) -> Option<String> {
    let negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let filler = if negative { 0xFF } else { 0 };
    let start = bytes.iter().position(|byte| *byte != filler).unwrap_or(bytes.len());
    let mut rest = bytes[start..].to_vec();
    if rest.len() > MAX_DECIMAL_BYTES {
        return None;
    }
    if negative {
        // The magnitude of a two's complement number: every bit turned, plus one; one byte more for the carry.
        rest.insert(0, 0xFF);
        let mut carry = true;
        for byte in rest.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    // Nine digits at a time, the last ones first.
    let mut groups = Vec::new();
    while rest.iter().any(|byte| *byte != 0) {
        let mut remainder = 0_u64;
        for byte in &mut rest {
            let dividend = remainder << 8 | u64::from(*byte);
            *byte = u8::try_from(dividend / 1_000_000_000).expect("the remainder is below the divisor");
            remainder = dividend % 1_000_000_000;
        }
        groups.push(remainder);
    }
    let mut text = String::from(if negative { "-" } else { "" });
    let Some(first) = groups.pop() else { return Some("0".to_owned()) };
    write!(text, "{first}").expect("writing to a string");
    for group in groups.iter().rev() {
        write!(text, "{group:09}").expect("writing to a string");
    }
    (text.trim_start_matches('-').len() <= 1000).then_some(text)
}
