//! What a payload must contain (semantics.md 7): a JSON object, matched as `jsonb @>` does. Every member of it must be in
//! the payload, every element of its arrays in the payload's array, whatever else is there and in whatever order.

use crate::json::{ProtectedMarker, compact};

/// A question about payloads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PayloadQuery {
    text: String,
    words: Vec<String>,
    has_scalar: bool,
}

/// The text asks nothing of a payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadQueryError {
    /// Longer than [`PayloadQuery::MAX_BYTES`].
    #[error("is longer than {} bytes: ask for fewer members", PayloadQuery::MAX_BYTES)]
    TooLong,
    /// It breaks a rule that holds for payloads, so that no payload could contain it.
    #[error(
        "is not a JSON object that a payload could contain, such as {{\"orderId\":\"o-1\"}}: at {pointer:?}, {detail}"
    )]
    Impossible {
        /// A JSON Pointer to the place.
        pointer: String,
        /// What is wrong there.
        detail: String,
    },
}

impl PayloadQuery {
    /// The longest text, in bytes.
    pub const MAX_BYTES: usize = 4096;
    /// Words that are worth looking for: each costs a look through the text of every payload that has the ones before.
    const MOST_WORDS: usize = 2;

    /// Reads a question. The key `$protected` is refused: protected values match nothing.
    pub fn parse(text: &str) -> Result<Self, PayloadQueryError> {
        if text.len() > Self::MAX_BYTES {
            return Err(PayloadQueryError::TooLong);
        }
        let text = compact(text.to_owned(), ProtectedMarker::Refused).map_err(|refusal| {
            PayloadQueryError::Impossible { pointer: refusal.pointer, detail: refusal.detail }
        })?;
        let Tokens { mut keys, mut values, has_scalar } = Tokens::of(&text);
        for words in [&mut keys, &mut values] {
            words.sort_unstable_by_key(|word| (std::cmp::Reverse(word.len()), *word));
        }
        // Values are rarer than keys, and long ones rarer than short ones.
        let mut words: Vec<String> = Vec::new();
        for word in values.into_iter().chain(keys) {
            if words.len() < Self::MOST_WORDS && !words.iter().any(|other| other == word) {
                words.push(word.to_owned());
            }
        }
        Ok(Self { text, words, has_scalar })
    }

    /// The question, compact.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Texts, quotes and all, that a payload must hold literally if it contains this and is written without backslashes.
    /// They tell most payloads apart without reading them as JSON.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether it names any value but objects and arrays: only then can an index lead to what contains it.
    pub fn has_scalar(&self) -> bool {
        self.has_scalar
    }
}

/// The strings of an accepted, compact text, with their quotes; those with a backslash are left out, since they can be
/// written in several ways.
struct Tokens<'a> {
    keys: Vec<&'a str>,
    values: Vec<&'a str>,
    has_scalar: bool,
}

impl<'a> Tokens<'a> {
    fn of(text: &'a str) -> Self {
        let mut tokens = Self { keys: Vec::new(), values: Vec::new(), has_scalar: false };
        let mut rest = text;
        while let Some(first) = rest.bytes().next() {
            if first != b'"' {
                tokens.has_scalar |= !b"{}[]:,".contains(&first);
                rest = &rest[first_char(rest)..];
                continue;
            }
            let (string, behind) = rest.split_at(string_end(rest));
            let is_key = behind.starts_with(':');
            tokens.has_scalar |= !is_key;
            if !string.contains('\\') {
                if is_key { &mut tokens.keys } else { &mut tokens.values }.push(string);
            }
            rest = behind;
        }
        tokens
    }
}

/// Bytes of the first character.
fn first_char(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// Bytes of the string that the text starts with, its quotes included.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> (Vec<String>, bool) {
        let query = PayloadQuery::parse(text).expect("a question");
        (query.words().to_vec(), query.has_scalar())
    }

    #[test]
    fn the_longest_values_are_looked_for_then_the_longest_keys() {
        assert_eq!(words(r#"{"a":"x","long key":[{"b":"longer"}]}"#).0, [r#""longer""#, r#""x""#]);
        assert_eq!(words(r#"{"orderId":7,"b":true}"#).0, [r#""orderId""#, r#""b""#]);
        assert_eq!(words(r#"{ "a" : "a" }"#).0, [r#""a""#]);
        // What may be written in another way is not looked for.
        assert_eq!(words(r#"{"\u0061":"x\"y\\","é":"{:1"}"#).0, [r#""{:1""#, r#""é""#]);
    }

    #[test]
    fn only_scalars_can_be_looked_up() {
        for (text, has_scalar) in [
            ("{}", false),
            (r#"{"a":{"b":[]}}"#, false),
            (r#"{"a":{"b":[{"c":{}}]}}"#, false),
            (r#"{"a":0}"#, true),
            (r#"{"a":[null]}"#, true),
            (r#"{"a":""}"#, true),
        ] {
            assert_eq!(words(text).1, has_scalar, "{text}");
        }
    }

    #[test]
    fn what_no_payload_contains_is_refused_with_its_place() {
        for (text, pointer) in [
            ("", ""),
            ("[1]", ""),
            ("\"a\"", ""),
            (r#"{"a":1,"a":2}"#, "/a"),
            (r#"{"a":"\u0000"}"#, "/a"),
            (r#"{"email":{"$protected":"v1"}}"#, "/email"),
            (r#"{"a":1e5000}"#, "/a"),
        ] {
            match PayloadQuery::parse(text) {
                Err(PayloadQueryError::Impossible { pointer: found, .. }) => {
                    assert!(found.starts_with(pointer), "{text}: {found}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(PayloadQuery::MAX_BYTES));
        assert_eq!(PayloadQuery::parse(&long), Err(PayloadQueryError::TooLong));
    }
}
