//! One pass over the bytes of a payload: objects, arrays and the whitespace between.

use super::fault::{Fault, Scanned, placed, syntax};
use super::keys::Keys;
use super::{MAX_DEPTH, PROTECTED_KEY, ProtectedMarker};

/// The compact text, or `None` when the text is compact already.
pub(super) fn scan(text: &str, protected: ProtectedMarker) -> Result<Option<String>, Box<Fault>> {
    let mut scanner = Scanner::new(text, protected);
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

pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    /// The next byte to read.
    pub(super) at: usize,
    /// Everything before this is in `compacted`, or is whitespace.
    copied: usize,
    /// Made at the first whitespace that follows something.
    compacted: Option<String>,
    keys: Keys<'a>,
    protected: ProtectedMarker,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, protected: ProtectedMarker) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes, at: 0, copied: 0, compacted: None, keys: Keys::default(), protected }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips whitespace, and leaves it out of the result.
    #[inline]
    pub(super) fn space(&mut self) {
        // Most payloads have none.
        if matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.skip_space();
        }
    }

    #[cold]
    fn skip_space(&mut self) {
        let start = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
        if start > self.copied {
            let compacted = self.compacted.get_or_insert_with(|| String::with_capacity(self.text.len()));
            compacted.push_str(&self.text[self.copied..start]);
        }
        self.copied = self.at;
    }

    /// A value; `depth` is its own, when it is a container. No whitespace stands before it.
    pub(super) fn value(&mut self, depth: usize) -> Scanned<()> {
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
}
