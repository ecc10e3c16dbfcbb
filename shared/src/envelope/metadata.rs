//! The rules of metadata, and its one rendering.

use std::collections::BTreeMap;

use super::{Text, invalid};
use crate::json::{push_noting_nul, push_reference};
use crate::refusal::Refusal;

const MAX_KEYS: usize = 64;
const MAX_KEY_BYTES: usize = 64;
const MAX_VALUE_BYTES: usize = 2048;
/// Room that is made at once; what is larger may be refused.
const MAX_USUAL: usize = 4096;

/// Keys and values, in code-point order of the keys, each key once.
pub trait Metadata<T> {
    /// All of them.
    fn pairs<'a>(&'a self) -> impl ExactSizeIterator<Item = (&'a T, &'a T)>
    where
        T: 'a;
}

impl<T> Metadata<T> for BTreeMap<T, T> {
    fn pairs<'a>(&'a self) -> impl ExactSizeIterator<Item = (&'a T, &'a T)>
    where
        T: 'a,
    {
        self.iter()
    }
}

/// [`Metadata`] as it is read from a record: one allocation, where a tree has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedPairs<T>(Vec<(T, T)>);

impl<T: Ord> SortedPairs<T> {
    /// Of keys that differ.
    pub(crate) fn of(mut pairs: Vec<(T, T)>) -> Self {
        pairs.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        debug_assert!(pairs.is_sorted_by(|(one, _), (other, _)| one < other), "each key once");
        Self(pairs)
    }
}

impl<T> Metadata<T> for SortedPairs<T> {
    fn pairs<'a>(&'a self) -> impl ExactSizeIterator<Item = (&'a T, &'a T)>
    where
        T: 'a,
    {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<T> IntoIterator for SortedPairs<T> {
    type Item = (T, T);
    type IntoIter = std::vec::IntoIter<(T, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Checks the keys in code-point order, and renders them: one JSON object, compact, in the same order.
pub(super) fn render<T: Text>(metadata: &impl Metadata<T>) -> Result<String, Refusal> {
    let texts = || metadata.pairs().map(|(key, value)| (key.as_ref(), value.as_ref()));
    if texts().len() > MAX_KEYS {
        return Err(invalid("/metadata", "more than 64 keys"));
    }
    let size: usize = texts().map(|(key, value): (&str, &str)| key.len() + value.len() + 6).sum();
    let mut out = Vec::with_capacity(size.min(MAX_USUAL) + 2);
    out.push(b'{');
    for (index, (key, value)) in texts().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if let Some(detail) = push_pair(&mut out, key, value) {
            return Err(invalid(pointer(key), detail));
        }
    }
    out.push(b'}');
    Ok(String::from_utf8(out).expect("made of strings and ASCII"))
}

/// Appends a key and its value, or says what is wrong with them.
fn push_pair(out: &mut Vec<u8>, key: &str, value: &str) -> Option<&'static str> {
    if key.len() > MAX_KEY_BYTES {
        return Some("the key is over 64 bytes");
    }
    if value.len() > MAX_VALUE_BYTES {
        return Some("the value is over 2,048 bytes");
    }
    let key_has_nul = push_noting_nul(out, key);
    out.push(b':');
    let value_has_nul = push_noting_nul(out, value);
    if key_has_nul || value_has_nul {
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

/// The place of a metadata key.
pub(crate) fn pointer(key: &str) -> String {
    let mut pointer = "/metadata".to_owned();
    push_reference(&mut pointer, key);
    pointer
}
