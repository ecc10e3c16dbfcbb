//! A schema's JSON, reduced to what reading a datum needs, before the parser sees it.
//!
//! `apache-avro` keeps one copy of a named type for each of its aliases and for each type around it, validates defaults,
//! and clones every attribute: a schema of 700 kB with 80,000 aliases takes all memory there is. Aliases, defaults,
//! documentation and attributes are for readers with schemas of their own; none of them changes what the bytes say.

use serde_json::{Map, Value};

use super::schema::{SchemaError, invalid};

/// How deep the JSON of a schema may nest: parsing recurses.
pub(super) const MAX_NESTING: usize = 100;
/// The most JSON values that the parser may come to copy: each counts once for every record around it.
const MAX_COPIES: usize = 500_000;

const KEPT: [&str; 11] = [
    "type",
    "name",
    "namespace",
    "fields",
    "items",
    "values",
    "symbols",
    "size",
    "logicalType",
    "precision",
    "scale",
];

/// The text of the reduced schema.
pub(super) fn reduce(text: &str) -> Result<String, SchemaError> {
    if nesting(text) > MAX_NESTING {
        return Err(SchemaError::TooLarge("nested deeper than 100 levels"));
    }
    let given = serde_json::from_str(text).map_err(|error| invalid(&error))?;
    let mut copies = 0;
    let (reduced, _) = keep(given, &mut copies);
    if copies > MAX_COPIES {
        return Err(SchemaError::TooLarge("too many types within types"));
    }
    Ok(reduced.to_string())
}

/// The value without what is not kept, and how many values are left in it.
fn keep(given: Value, copies: &mut usize) -> (Value, usize) {
    let mut count = 1;
    let reduced = match given {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                if KEPT.contains(&name.as_str()) {
                    let (value, inner) = keep(value, copies);
                    count += inner;
                    kept.insert(name, value);
                }
            }
            if kept.contains_key("fields") {
                *copies += count;
            }
            Value::Object(kept)
        }
        Value::Array(items) => {
            let kept = items.into_iter().map(|item| {
                let (item, inner) = keep(item, copies);
                count += inner;
                item
            });
            Value::Array(kept.collect())
        }
        scalar => scalar,
    };
    (reduced, count)
}

/// How deep brackets nest, outside of strings; enough for text that need not be JSON.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => {}
        }
    }
    deepest
}
