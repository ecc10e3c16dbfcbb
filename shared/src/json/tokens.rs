//! The tokens of a payload: words, numbers, strings.

use std::borrow::Cow;

use super::fault::{Scanned, placed, syntax};
use super::marks;
use super::scan::Scanner;
use super::{MAX_DIGITS, MAX_EXPONENT};

impl<'a> Scanner<'a> {
    pub(super) fn literal(&mut self, word: &str) -> Scanned<()> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return syntax("not JSON: a value was expected");
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    pub(super) fn number(&mut self) -> Scanned<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let mut digits = if self.peek() == Some(b'0') {
            self.at += 1;
            1
        } else {
            self.digits()
        };
        if digits == 0 {
            return syntax("not JSON: a digit was expected");
        }
        if self.peek() == Some(b'.') && matches!(self.bytes.get(self.at + 1), Some(b'0'..=b'9')) {
            self.at += 1;
            digits += self.digits();
        }
        let mut exponent = 0;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.bytes.get(self.at + 1), Some(b'+' | b'-')));
            if matches!(self.bytes.get(self.at + 1 + sign), Some(b'0'..=b'9')) {
                self.at += 1 + sign;
                let start = self.at;
                self.digits();
                exponent = self.bytes[start..self.at].iter().fold(0_u32, |value, digit| {
                    value.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
                });
            }
        }
        if digits > MAX_DIGITS {
            return placed("a number of more than 1,000 digits");
        }
        if exponent > MAX_EXPONENT {
            return placed("a number with an exponent beyond 1,000");
        }
        Ok(())
    }

    /// A string; its text with the escapes read when `wanted`, else `""`.
    pub(super) fn string(&mut self, wanted: bool) -> Scanned<Cow<'a, str>> {
        self.at += 1;
        let start = self.at;
        let mut unescaped: Option<String> = None;
        let mut plain = start;
        loop {
            self.at += plain_length(&self.bytes[self.at..]);
            match self.peek() {
                None => return syntax("not JSON: a string does not end"),
                Some(b'"') => break,
                Some(b'\\') => {
                    let before = self.at;
                    let character = self.escape()?;
                    if wanted {
                        let text = unescaped.get_or_insert_default();
                        text.push_str(&self.text[plain..before]);
                        text.push(character);
                    }
                    plain = self.at;
                }
                Some(_) => return syntax("not JSON: a control character in a string must be escaped"),
            }
        }
        let tail = &self.text[plain..self.at];
        self.at += 1;
        Ok(match unescaped {
            Some(mut text) => {
                text.push_str(tail);
                Cow::Owned(text)
            }
            None if wanted => Cow::Borrowed(tail),
            None => Cow::Borrowed(""),
        })
    }

    /// An escape, from its backslash on; two of them when it begins a surrogate pair.
    fn escape(&mut self) -> Scanned<char> {
        let character = match self.bytes.get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            _ => return syntax("not JSON: an unknown escape in a string"),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Scanned<char> {
        const UNPAIRED: &str = "an unpaired surrogate";
        let first = self.hexadecimal()?;
        match first {
            0 => placed("U+0000 cannot be stored"),
            0xD800..=0xDBFF => {
                if !self.bytes[self.at..].starts_with(b"\\u") {
                    // An unfinished string is a plain syntax error, whatever stood in it.
                    return if self.at == self.bytes.len() {
                        syntax("not JSON: a string does not end")
                    } else {
                        placed(UNPAIRED)
                    };
                }
                match self.hexadecimal()? {
                    0 => placed("U+0000 cannot be stored"),
                    second @ 0xDC00..=0xDFFF => {
                        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        Ok(char::from_u32(code).expect("a surrogate pair is a character"))
                    }
                    _ => placed(UNPAIRED),
                }
            }
            0xDC00..=0xDFFF => placed(UNPAIRED),
            code => Ok(char::from_u32(code).expect("four digits that are no surrogate are a character")),
        }
    }

    /// The four digits of `\uXXXX`.
    fn hexadecimal(&mut self) -> Scanned<u32> {
        let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
        let code =
            digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?));
        match code {
            Some(code) if !digits.is_empty() => {
                self.at += 6;
                Ok(code)
            }
            _ => syntax("not JSON: \\u needs four hexadecimal digits"),
        }
    }
}

/// How many bytes from the front are neither a quote, nor a backslash, nor a control character.
///
/// Sixteen at a time, which most strings are shorter than, so that the processor guesses right when they end.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<16>() {
        if let Some(place) = marks::first(chunk) {
            return at + place;
        }
        at += 16;
    }
    // The last sixteen once more: what was looked at is not marked.
    if at > 0
        && at < bytes.len()
        && let Some(chunk) = bytes.last_chunk::<16>()
    {
        return marks::first(chunk).map_or(bytes.len(), |place| bytes.len() - 16 + place);
    }
    at + short(&bytes[at..])
}

/// The same of less than sixteen bytes.
fn short(bytes: &[u8]) -> usize {
    let mut sixteen = [b'"'; 16];
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        sixteen[..8].copy_from_slice(first);
        sixteen[bytes.len() - 8..bytes.len()].copy_from_slice(last);
        return marks::first(&sixteen).unwrap_or(bytes.len());
    }
    bytes.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_text_ends_at_the_first_byte_that_needs_a_look(
            plain in prop::collection::vec(prop_oneof![Just(b'a'), 0x80..=0xFF_u8], 0..60),
            end in prop::option::of(prop_oneof![Just(b'"'), Just(b'\\'), 0..0x20_u8]),
            behind in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = plain.clone();
            if let Some(end) = end {
                bytes.push(end);
                bytes.extend(behind);
            }
            prop_assert_eq!(plain_length(&bytes), plain.len());
        }
    }
}
