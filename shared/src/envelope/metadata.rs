//! The rules of metadata, and its one rendering.

use std::collections::BTreeMap;

use super::{Text, invalid};
use crate::json::{push_reference, push_string};
use crate::refusal::Refusal;

const MAX_KEYS: usize = 64;
const MAX_KEY_BYTES: usize = 64;
const MAX_VALUE_BYTES: usize = 2048;

/// Checks the keys in code-point order.
pub(super) fn check<T: Text>(metadata: &BTreeMap<T, T>) -> Result<(), Refusal> {
    if metadata.len() > MAX_KEYS {
        return Err(invalid("/metadata", "more than 64 keys"));
    }
    for (key, value) in texts(metadata) {
        if let Some(detail) = fault(key, value) {
            return Err(invalid(pointer(key), detail));
        }
    }
    Ok(())
}

fn fault(key: &str, value: &str) -> Option<&'static str> {
    if key.len() > MAX_KEY_BYTES {
        return Some("the key is over 64 bytes");
    }
    if value.len() > MAX_VALUE_BYTES {
        return Some("the value is over 2,048 bytes");
    }
    // Texts are short: a search made for long ones would cost more.
    if key.bytes().chain(value.bytes()).any(|byte| byte == 0) {
        return Some("U+0000 cannot be stored");
    }
    // These have columns and indexes of their own.
    match key {
        "organizationId" if value.len() > 255 => Some("over 255 bytes"),
        "userId" | "correlationId" | "causationId" | "source" | "action" if value.len() > 1024 => {
            Some("over 1,024 bytes")
        }
        _ => None,
    }
}

fn texts<T: Text>(metadata: &BTreeMap<T, T>) -> impl Iterator<Item = (&str, &str)> {
    metadata.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
}

/// The place of a metadata key.
pub(crate) fn pointer(key: &str) -> String {
    let mut pointer = "/metadata".to_owned();
    push_reference(&mut pointer, key);
    pointer
}

/// One JSON object, keys in code-point order, compact.
pub(super) fn render<T: Text>(metadata: &BTreeMap<T, T>) -> String {
    let size: usize = texts(metadata).map(|(key, value)| key.len() + value.len() + 6).sum();
    let mut out = Vec::with_capacity(size + 2);
    out.push(b'{');
    for (index, (key, value)) in texts(metadata).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(&mut out, key);
        out.push(b':');
        push_string(&mut out, value);
    }
    out.push(b'}');
    String::from_utf8(out).expect("made of strings and ASCII")
}
