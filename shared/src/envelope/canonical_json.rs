//! The canonical envelope in JSON (contract.md, "Kafka"): what `trailctl produce` reads.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Envelope, invalid, metadata};
use crate::json::push_reference;
use crate::refusal::{Reason, Refusal};
use crate::timestamp::Timestamp;

/// Reads one canonical event; the payload's text is kept as it came, for [`super::accept`] to check.
///
/// `timestamp` is RFC 3339; metadata values are scalars, kept as text (numbers as they are printed), nulls left out.
/// `recordedAt` and `position` are ignored, so that what the API answers can be sent again. Any other key, a missing
/// or repeated one, or a value of another type is refused with [`Reason::EnvelopeInvalid`] and the key's pointer;
/// text that is no JSON object with [`Reason::Undecodable`].
pub fn from_canonical_json(line: &str) -> Result<Envelope, Refusal> {
    read(line, None)
}

/// As [`from_canonical_json`], but an event that names no id (absent or null) gets this one.
pub fn from_canonical_json_with_id(line: &str, id_if_absent: Uuid) -> Result<Envelope, Refusal> {
    read(line, Some(id_if_absent))
}

fn read(line: &str, id_if_absent: Option<Uuid>) -> Result<Envelope, Refusal> {
    // serde's own message may quote the event.
    let fields: Fields<'_> = serde_json::from_str(line).map_err(|error| {
        let detail = format!("not a JSON object (line {}, column {})", error.line(), error.column());
        Refusal::new(Reason::Undecodable, "", detail)
    })?;
    if let Some(refusal) = fields.refusal {
        return Err(refusal);
    }
    let get = |name: &str| fields.known.get(name).copied().ok_or_else(|| missing(name));
    let names_an_id = fields.known.get("eventId").is_some_and(|value| value.get() != "null");
    let event_id = match id_if_absent.filter(|_| !names_an_id) {
        Some(id) => id.hyphenated().to_string(),
        None => string("eventId", get("eventId")?)?,
    };
    Ok(Envelope {
        event_id,
        event_type: string("eventType", get("eventType")?)?,
        aggregate_type: string("aggregateType", get("aggregateType")?)?,
        aggregate_id: string("aggregateId", get("aggregateId")?)?,
        timestamp: Timestamp::parse(&string("timestamp", get("timestamp")?)?)
            .map_err(|error| invalid("/timestamp", error.to_string()))?,
        version: serde_json::from_str(get("version")?.get())
            .map_err(|_| invalid("/version", "must be an integer"))?,
        payload: get("payload")?.get().to_owned(),
        metadata: metadata_of(get("metadata")?)?,
    })
}

fn missing(name: &str) -> Refusal {
    let detail = match name {
        "payload" | "metadata" => "is missing: send {} where there is nothing to say",
        _ => "is missing",
    };
    invalid(format!("/{name}"), detail)
}

const KNOWN: [&str; 10] = [
    "eventId",
    "eventType",
    "aggregateType",
    "aggregateId",
    "timestamp",
    "version",
    "payload",
    "metadata",
    "recordedAt",
    "position",
];

/// The top-level members, as they came.
struct Fields<'a> {
    known: BTreeMap<&'static str, &'a RawValue>,
    refusal: Option<Refusal>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields { known: BTreeMap::new(), refusal: None };
                while let Some(name) = map.next_key::<String>()? {
                    let value = map.next_value()?;
                    let fault = match KNOWN.into_iter().find(|known| *known == name) {
                        Some(known) if fields.known.insert(known, value).is_none() => continue,
                        Some(_) => "the same key twice",
                        None => {
                            "not a field of the envelope; the producer's own data belongs into payload or metadata"
                        }
                    };
                    let mut pointer = String::new();
                    push_reference(&mut pointer, &name);
                    fields.refusal.get_or_insert_with(|| invalid(pointer, fault));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn string(name: &str, value: &RawValue) -> Result<String, Refusal> {
    serde_json::from_str(value.get()).map_err(|_| invalid(format!("/{name}"), "must be a string"))
}

fn metadata_of(value: &RawValue) -> Result<BTreeMap<String, String>, Refusal> {
    let mut refusal = None;
    let mut deserializer = serde_json::Deserializer::from_str(value.get());
    let metadata = Metadata { refusal: &mut refusal }
        .deserialize(&mut deserializer)
        .map_err(|_| invalid("/metadata", "must be an object of scalars"))?;
    refusal.map_or(Ok(metadata), Err)
}

/// Reads metadata; remembers the first refusal, since serde's errors carry only text.
struct Metadata<'r> {
    refusal: &'r mut Option<Refusal>,
}

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of scalars")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let value: &RawValue = map.next_value()?;
            if !seen.insert(key.clone()) {
                self.refusal.get_or_insert_with(|| invalid(metadata::pointer(&key), "the same key twice"));
            } else if let Some(text) = scalar(value).map_err(de::Error::custom)? {
                match text {
                    Scalar::Text(text) => drop(metadata.insert(key, text)),
                    Scalar::Nested => {
                        self.refusal.get_or_insert_with(|| {
                            invalid(metadata::pointer(&key), "must be a string, a number, a boolean or null")
                        });
                    }
                }
            }
        }
        Ok(metadata)
    }
}

enum Scalar {
    Text(String),
    Nested,
}

/// The value as text; `None` for null.
fn scalar(value: &RawValue) -> Result<Option<Scalar>, serde_json::Error> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'"') => Some(Scalar::Text(serde_json::from_str(text)?)),
        Some(b'n') => None,
        Some(b'{' | b'[') => Some(Scalar::Nested),
        _ => Some(Scalar::Text(text.to_owned())),
    })
}
