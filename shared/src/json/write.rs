//! Strings and integers as JSON text.

use super::tokens::plain_length;

/// What follows the backslash for each byte that must be escaped, those where [`plain_length`] ends: `u` = `\u00XX`.
///
/// The short forms and lower-case hexadecimal are those of RFC 8785, so stored metadata and leaves agree.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0A] = b'n';
    table[0x0C] = b'f';
    table[0x0D] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends the JSON string of `text`, in its quotes.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    push_noting_nul(out, text);
}

/// The same; whether the text has a U+0000, which PostgreSQL does not store. It is escaped, so seeing it costs nothing.
pub(crate) fn push_noting_nul(out: &mut Vec<u8>, text: &str) -> bool {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut nul = false;
    let mut rest = text.as_bytes();
    loop {
        let (plain, escaped) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = escaped.split_first() else { break };
        rest = behind;
        nul |= byte == 0;
        let escape = ESCAPES[usize::from(byte)];
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    out.push(b'"');
    nul
}

/// Appends an integer in decimal.
pub(crate) fn push_integer(out: &mut Vec<u8>, number: impl Into<i128>) {
    let number = number.into();
    if number < 0 {
        out.push(b'-');
    }
    let mut rest = u64::try_from(number.unsigned_abs()).expect("every caller's number has at most 64 bits");
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}
