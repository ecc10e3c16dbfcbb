//! Data may hold escape sequences; a terminal would obey them.

use std::{borrow::Cow, fmt::Write as _};

/// The text with control characters and bidirectional overrides written as `\u{…}`; newlines stay out too.
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    replace(text, |c, out| write!(out, "\\u{{{:x}}}", u32::from(c)))
}

/// The same for JSON text: written as JSON escapes, so that the text stays the same JSON.
pub fn json_for_terminal(text: &str) -> Cow<'_, str> {
    replace(text, |c, out| write!(out, "\\u{:04x}", u32::from(c)))
}

fn replace(text: &str, write: impl Fn(char, &mut String) -> std::fmt::Result) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_dangerous(c) {
            write(c, &mut out).expect("writing to a string cannot fail");
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// C0, DEL, C1, and the characters that reorder what stands beside them. All are below U+10000, so that one `\uXXXX`
/// holds each.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_left_alone() {
        assert!(matches!(for_terminal("grüße, 世界 🎈"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(for_terminal("a\u{1b}[2Jb\u{9b}c\u{202e}d\ne"), "a\\u{1b}[2Jb\\u{9b}c\\u{202e}d\\u{a}e");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let text = "{\"a\":\"x\u{7f}y\u{9b}z\u{202e}\"}";
        let escaped = json_for_terminal(text);
        assert!(escaped.chars().all(|c| !is_dangerous(c)));
        let value: serde_json::Value = serde_json::from_str(&escaped).expect("still JSON");
        assert_eq!(value, serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
    }
}
