//! Stored JSON with its objects opened and everything else left as the text it is: numbers keep their digits.

use std::borrow::Cow;

use super::fault::{Scanned, syntax};
use super::scan::Scanner;
use super::{PROTECTED_KEY, ProtectedMarker};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opened<'a> {
    /// The members of an object, in the order of the text, their keys unescaped.
    Object(Vec<(Cow<'a, str>, Opened<'a>)>),
    /// The text of anything else. A protected value (semantics.md 9) is one of them: nobody looks into it.
    Text(&'a str),
}

impl<'a> Opened<'a> {
    /// The member of this name, of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Opened<'a>> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Opens a text that was accepted once: compact, and within the bounds of [`super::compact`]; `None` = it is not.
pub(crate) fn open(text: &str) -> Option<Opened<'_>> {
    let mut scanner = Scanner::new(text, ProtectedMarker::Allowed);
    let opened = scanner.opened(1).ok()?;
    (scanner.at == text.len()).then_some(opened)
}

/// The content of a text that is one JSON string; `None` = it is none.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    let mut scanner = Scanner::new(text, ProtectedMarker::Allowed);
    let content = if scanner.peek() == Some(b'"') { scanner.string(true).ok()? } else { return None };
    (scanner.at == text.len()).then_some(content)
}

/// The members of a text that is one JSON object of strings, unescaped; `None` = it is none.
pub(crate) fn texts(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let Opened::Object(members) = open(text)? else { return None };
    let text_of = |value| if let Opened::Text(text) = value { string(text) } else { None };
    members.into_iter().map(|(key, value)| Some((key, text_of(value)?))).collect()
}

impl<'a> Scanner<'a> {
    fn opened(&mut self, depth: usize) -> Scanned<Opened<'a>> {
        let start = self.at;
        if self.peek() != Some(b'{') || depth > super::MAX_DEPTH {
            self.value(depth)?;
            return Ok(Opened::Text(&self.text[start..self.at]));
        }
        let mut members = Vec::new();
        loop {
            self.at += 1;
            if members.is_empty() && self.peek() == Some(b'}') {
                break;
            }
            if self.peek() != Some(b'"') {
                return syntax("not JSON: a key in quotes was expected");
            }
            let key = self.string(true)?;
            if self.peek() != Some(b':') {
                return syntax("not JSON: a colon was expected after a key");
            }
            self.at += 1;
            members.push((key, self.opened(depth + 1)?));
            match self.peek() {
                Some(b',') => {}
                Some(b'}') => break,
                _ => return syntax("not JSON: a comma or } was expected"),
            }
        }
        self.at += 1;
        if members.iter().any(|(key, _)| key == PROTECTED_KEY) {
            return Ok(Opened::Text(&self.text[start..self.at]));
        }
        Ok(Opened::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_opened_and_nothing_else() {
        let opened = open(
            r#"{"a":1.50,"b":{"\u0063":[{"d":1}]},"e":{"$protected":"v1","key":"k","value":"x"},"f":{}}"#,
        )
        .expect("JSON");
        assert_eq!(opened.member("a"), Some(&Opened::Text("1.50")));
        let inner = opened.member("b").and_then(|b| b.member("c"));
        assert_eq!(inner, Some(&Opened::Text(r#"[{"d":1}]"#)));
        assert!(
            matches!(opened.member("e"), Some(Opened::Text(text)) if text.starts_with(r#"{"$protected""#))
        );
        assert_eq!(opened.member("f"), Some(&Opened::Object(Vec::new())));
    }

    #[test]
    fn what_was_never_accepted_is_none() {
        for text in ["", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{} ", "{\"a\":1}x", "{\"a\":[1}"] {
            assert_eq!(open(text), None, "{text:?}");
        }
        assert_eq!(string(r#""a\n\u00e9""#).as_deref(), Some("a\né"));
        assert_eq!((string("1"), string("\"a"), string("\"a\"b")), (None, None, None));
        assert_eq!(
            texts(r#"{"a":"\u00e9","b":""}"#),
            Some(vec![("a".into(), "é".into()), ("b".into(), "".into())])
        );
        assert_eq!((texts("{}"), texts(r#"{"a":1}"#), texts("\"a\"")), (Some(Vec::new()), None, None));
    }
}
