//! The leaves of a JSON text, each with its JSON Pointer and its text as it came: no number is rounded.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Every value that is no object with members, by pointer; a protected value is one of them.
pub fn leaves(json: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    gather(json, &mut String::new(), &mut found);
    found
}

fn gather(json: &str, pointer: &mut String, found: &mut Vec<(String, String)>) {
    let members: BTreeMap<String, &RawValue> = match serde_json::from_str(json) {
        Ok(members) if json.starts_with('{') => members,
        _ => return found.push((pointer.clone(), json.to_owned())),
    };
    if members.contains_key("$protected") || (members.is_empty() && !pointer.is_empty()) {
        return found.push((pointer.clone(), json.to_owned()));
    }
    for (key, value) in members {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        gather(value.get(), pointer, found);
        pointer.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_keep_their_text() {
        let json = r#"{"a/b":{"~":1.50,"n":12345678901234567890123},"e":{},"l":[{"x":1}],"p":{"$protected":"v1","key":"k"}}"#;
        let expected = [
            ("/a~1b/n", "12345678901234567890123"),
            ("/a~1b/~0", "1.50"),
            ("/e", "{}"),
            ("/l", r#"[{"x":1}]"#),
            ("/p", r#"{"$protected":"v1","key":"k"}"#),
        ];
        assert_eq!(leaves(json), expected.map(|(pointer, text)| (pointer.to_owned(), text.to_owned())));
        assert!(leaves("{}").is_empty());
    }
}
