//! The members of an older message, found by name whatever the spelling.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::fold;
use super::unmappable::{Unmappable, UnmappableReason};
use crate::json::push_reference;

/// A message's own members, and those of the objects in it that its service nests them in.
pub(super) struct Fields<'a> {
    top: BTreeMap<String, Field<'a>>,
    nested: Vec<BTreeMap<String, Field<'a>>>,
}

/// A member and its place.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) pointer: String,
    pub(super) raw: &'a RawValue,
}

/// Where document 000 (`payload`) and document 001 (`metadata`) put what others have at the top.
const NESTS: [&str; 2] = ["payload", "metadata"];

impl<'a> Fields<'a> {
    /// The members of a JSON object that has been checked already; of anything else none.
    pub(super) fn of(object: &'a str) -> Self {
        let top = members(object, "");
        let nested = NESTS
            .iter()
            .filter_map(|nest| top.get(*nest))
            .map(|field| members(field.raw.get(), &field.pointer))
            .collect();
        Self { top, nested }
    }

    /// The first of these members at the top that is there and not null; names are folded ones.
    pub(super) fn at_top(&self, names: &[&str]) -> Option<&Field<'a>> {
        names.iter().find_map(|name| self.top.get(*name))
    }

    /// The same at the top, else in a nest.
    pub(super) fn anywhere(&self, names: &[&str]) -> Option<&Field<'a>> {
        self.at_top(names)
            .or_else(|| self.nested.iter().find_map(|nest| names.iter().find_map(|name| nest.get(*name))))
    }

    /// The text of [`Self::anywhere`]'s member; `None` where it is absent, null or empty.
    pub(super) fn text(&self, names: &[&str]) -> Result<Option<String>, Unmappable> {
        self.anywhere(names).map_or(Ok(None), Field::text)
    }

    /// The same, where a member of another kind is as good as none.
    pub(super) fn text_if_any(&self, names: &[&str]) -> Option<String> {
        self.text(names).ok().flatten()
    }

    /// A member as JSON text: a string that holds JSON is what it holds; `None` for the empty string.
    pub(super) fn json(&self, names: &[&str]) -> Option<String> {
        let raw = self.anywhere(names)?.raw.get();
        let Ok(text) = serde_json::from_str::<String>(raw) else { return Some(raw.to_owned()) };
        if text.is_empty() {
            return None;
        }
        let held = serde_json::from_str::<&RawValue>(&text);
        Some(held.map_or_else(|_| raw.to_owned(), |held| held.get().to_owned()))
    }

    /// A member's boolean; `None` where it is absent or anything else.
    pub(super) fn boolean(&self, names: &[&str]) -> Option<bool> {
        self.anywhere(names).and_then(|field| serde_json::from_str(field.raw.get()).ok())
    }
}

impl Field<'_> {
    /// A string as it is, a number or a boolean as it is printed; `None` for the empty string.
    pub(super) fn text(&self) -> Result<Option<String>, Unmappable> {
        let raw = self.raw.get();
        match raw.as_bytes().first() {
            Some(b'{' | b'[') => Err(Unmappable::new(
                UnmappableReason::FieldInvalid,
                &self.pointer,
                "send a string or a number here, not an object or a list",
            )),
            Some(b'"') => {
                let text: String = serde_json::from_str(raw).unwrap_or_default();
                Ok((!text.is_empty()).then_some(text))
            }
            _ => Ok(Some(raw.to_owned())),
        }
    }
}

/// Of several spellings of one name the first in code-point order stands; nulls are as good as absent.
fn members<'a>(object: &'a str, parent: &str) -> BTreeMap<String, Field<'a>> {
    let members: BTreeMap<String, &'a RawValue> = serde_json::from_str(object).unwrap_or_default();
    let mut folded = BTreeMap::new();
    for (name, raw) in members {
        if raw.get() == "null" {
            continue;
        }
        let mut pointer = parent.to_owned();
        push_reference(&mut pointer, &name);
        folded.entry(fold(&name)).or_insert(Field { pointer, raw });
    }
    folded
}
