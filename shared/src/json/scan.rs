//! One pass over the bytes of a payload.

use std::borrow::Cow;

use super::{
    MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT, PROTECTED_KEY, ProtectedMarker, keys::Keys, push_reference,
};

/// A pointer longer than this names the nearest ancestor that fits: keys come from the record and may be huge.
const MAX_POINTER: usize = 4096;

/// What is wrong with a payload, and where.
#[derive(Debug)]
pub(super) struct Fault {
    detail: &'static str,
    /// Whether the place is told; a plain syntax error names the whole payload.
    placed: bool,
    /// The reference tokens, innermost first.
    tokens: Vec<String>,
}

impl Fault {
    /// The JSON Pointer and the sentence.
    pub(super) fn place(self) -> (String, &'static str) {
        let mut pointer = String::new();
        for token in self.tokens.iter().rev() {
            let length = pointer.len();
            push_reference(&mut pointer, token);
            if pointer.len() > MAX_POINTER {
                pointer.truncate(length);
                break;
            }
        }
        (pointer, self.detail)
    }
}

/// Boxed: the good path then returns one word.
type Scanned<T> = Result<T, Box<Fault>>;

fn syntax<T>(detail: &'static str) -> Scanned<T> {
    Err(Box::new(Fault { detail, placed: false, tokens: Vec::new() }))
}

fn placed<T>(detail: &'static str) -> Scanned<T> {
    Err(Box::new(Fault { detail, placed: true, tokens: Vec::new() }))
}

/// The compact text, or `None` when the text is compact already.
pub(super) fn scan(text: &str, protected: ProtectedMarker) -> Result<Option<String>, Box<Fault>> {
    let mut scanner = Scanner {
        text,
        bytes: text.as_bytes(),
        at: 0,
        copied: 0,
        compacted: None,
        keys: Keys::default(),
        protected,
    };
    scanner.space();
    if scanner.peek() != Some(b'{') {
        return syntax("the payload must be a JSON object");
    }
    scanner.value(1)?;
    scanner.space();
    if scanner.at != text.len() {
        return syntax("the payload must be one JSON object with nothing after it");
    }
    let Scanner { copied, compacted, .. } = scanner;
    if compacted.is_none() && copied == 0 {
        return Ok(None);
    }
    let mut compacted = compacted.unwrap_or_default();
    compacted.push_str(&text[copied..]);
    Ok(Some(compacted))
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// Everything before this is in `compacted`, or is whitespace.
    copied: usize,
    /// Made at the first whitespace that follows something.
    compacted: Option<String>,
    keys: Keys<'a>,
    protected: ProtectedMarker,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips whitespace, and leaves it out of the result.
    fn space(&mut self) {
        let start = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        if self.at > start {
            if start > self.copied {
                let compacted = self.compacted.get_or_insert_with(|| String::with_capacity(self.text.len()));
                compacted.push_str(&self.text[self.copied..start]);
            }
            self.copied = self.at;
        }
    }

    /// A value; `depth` is its own, when it is a container. No whitespace stands before it.
    fn value(&mut self, depth: usize) -> Scanned<()> {
        match self.peek() {
            Some(b'{' | b'[') if depth > MAX_DEPTH => placed("nested deeper than 64 levels"),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(false).map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(_) => syntax("not JSON: a value was expected"),
            None => syntax("not JSON: it ends too early"),
        }
    }

    fn object(&mut self, depth: usize) -> Scanned<()> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut object = self.keys.open();
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return syntax("not JSON: a key in quotes was expected");
            }
            let key_start = self.at;
            let key = self.string(true)?;
            let raw_key = key_start..self.at;
            if key == PROTECTED_KEY && self.protected == ProtectedMarker::Refused {
                return self.at_key(
                    raw_key,
                    placed("the key $protected is reserved for values that the audit trail itself protects"),
                );
            }
            if !self.keys.add(&mut object, key) {
                return self.at_key(raw_key, placed("the same key twice in one object"));
            }
            self.space();
            if self.peek() != Some(b':') {
                return syntax("not JSON: a colon was expected after a key");
            }
            self.at += 1;
            self.space();
            let value = self.value(depth + 1);
            if value.is_err() {
                return self.at_key(raw_key, value);
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return syntax("not JSON: a comma or } was expected"),
            }
        }
        self.at += 1;
        self.keys.close(&object);
        Ok(())
    }

    /// Puts the key, read again, in front of a fault's place.
    #[cold]
    fn at_key(&mut self, raw_key: std::ops::Range<usize>, result: Scanned<()>) -> Scanned<()> {
        result.map_err(|mut fault| {
            if fault.placed {
                self.at = raw_key.start;
                if let Ok(key) = self.string(true) {
                    fault.tokens.push(key.into_owned());
                }
            }
            fault
        })
    }

    fn array(&mut self, depth: usize) -> Scanned<()> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut index = 0_usize;
        loop {
            self.space();
            self.value(depth + 1).map_err(|mut fault| {
                if fault.placed {
                    fault.tokens.push(index.to_string());
                }
                fault
            })?;
            index += 1;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return syntax("not JSON: a comma or ] was expected"),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Scanned<()> {
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

    fn number(&mut self) -> Scanned<()> {
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
    fn string(&mut self, wanted: bool) -> Scanned<Cow<'a, str>> {
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
/// Eight at a time: payloads are mostly the insides of strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let found = below(word, 0x20) | below(quote, 1) | below(backslash, 1);
        if found != 0 {
            // The lowest marked byte is exact; a borrow can only mark bytes above a true one.
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}
