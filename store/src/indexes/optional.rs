//! Indexes that no set has, since each costs more at ingest than all others together: built where somebody asked for it by
//! name, and dropped in the same way.

use std::borrow::Cow;

use shared::text_query::TextFields;

use super::definitions::{Definition, Lookup};
use super::tree::Tree;

/// One of them, as it is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Optional {
    /// What payloads contain.
    Payload,
    /// The words of these fields of payloads.
    Text(TextFields),
}

/// One of them, whatever it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionalName {
    /// `payload`
    Payload,
    /// `fulltext`
    Fulltext,
}

impl OptionalName {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Payload, Self::Fulltext];
}

/// The name of the index of words.
pub(super) const TEXT: &str = "events_fulltext";

/// What waits to go into the index is 256 kB at most: every search reads through it, and by default it is 4 MB.
pub(super) static PAYLOAD: Definition = Definition {
    name: "events_payload",
    set: None,
    using: Cow::Borrowed(
        "USING gin (audit.searchable(payload) jsonb_path_ops) WITH (gin_pending_list_limit='256')",
    ),
    serves: "payload",
    lookup: Some(Lookup::Payload),
};

/// Before and behind the fields in the definition of the index of words.
const WORDS: (&str, &str) =
    ("USING gin (audit.words(payload, '", "'::text)) WITH (gin_pending_list_limit='256')");

impl Optional {
    /// What it is.
    pub(super) fn definition(&self) -> Definition {
        match self {
            Self::Payload => PAYLOAD.clone(),
            Self::Text(fields) => text(Some(fields)),
        }
    }
}

fn text(fields: Option<&TextFields>) -> Definition {
    let using = fields.map(|fields| format!("{}{fields}{}", WORDS.0, WORDS.1)).unwrap_or_default();
    Definition { name: TEXT, set: None, using: Cow::Owned(using), serves: "q", lookup: Some(Lookup::Text) }
}

/// The fields of an index of words, as the catalogue has it; `None` = it is another index.
pub(super) fn fields_of(using: &str) -> Option<TextFields> {
    let fields = using.strip_prefix(WORDS.0)?.strip_suffix(WORDS.1)?;
    TextFields::new(fields.split(' ')).ok()
}

/// What the database has under a name: the index in each form in which there is anything of it, or the one that is absent.
pub(super) fn found(tree: &Tree, name: OptionalName) -> Vec<Definition> {
    if name == OptionalName::Payload {
        return vec![PAYLOAD.clone()];
    }
    let mut found: Vec<TextFields> = Vec::new();
    for fields in tree.definitions().filter_map(fields_of) {
        if !found.contains(&fields) {
            found.push(fields);
        }
    }
    if found.is_empty() { vec![text(None)] } else { found.iter().map(|fields| text(Some(fields))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_read_back_from_the_definition() {
        let fields = TextFields::new(["/description", "/customer/name"]).unwrap();
        let definition = Optional::Text(fields.clone()).definition();
        assert_eq!(fields_of(&definition.using), Some(fields));
        assert_eq!(fields_of(&PAYLOAD.using), None);
        assert_eq!(fields_of("USING gin (audit.words(payload, 'x'' or'::text))"), None);
    }
}
