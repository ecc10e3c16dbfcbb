//! Decoded: a record's bytes, by their writer's schema, become an envelope or a refusal.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use shared::{
    avro::{SchemaReference, VALUE_SCHEMA_HEADER, unframe},
    envelope::Envelope,
    refusal::{Reason, Refusal},
};
use store::{RawRecord, Stage};

use crate::{
    consume::command::RewindReason,
    schemas::{Resolution, SchemaBook, Usable},
};

/// What became of a record's bytes.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// An envelope, to be validated.
    Envelope(Envelope<Cow<'a, str>>),
    /// A dead letter.
    Refused(Stage, Refusal),
    /// Nothing can be said yet: the partition waits.
    Wait(RewindReason),
}

/// Decodes for one lane; schemas that were met once cost no lock.
#[derive(Debug)]
pub struct Decoder {
    book: Arc<SchemaBook>,
    met: BTreeMap<SchemaReference, Usable>,
    max_record_bytes: usize,
}

impl Decoder {
    /// A decoder for records of at most so many bytes.
    pub fn new(book: Arc<SchemaBook>, max_record_bytes: usize) -> Self {
        Self { book, met: BTreeMap::new(), max_record_bytes }
    }

    /// Decodes one record of `size` bytes (semantics.md 1, 5).
    pub async fn decode<'a>(&'a mut self, raw: &'a RawRecord, size: usize) -> Decoded<'a> {
        if size > self.max_record_bytes {
            let detail = format!("the record has {size} bytes, at most {} are taken", self.max_record_bytes);
            return Decoded::Refused(Stage::Framing, Refusal::new(Reason::LimitExceeded, "", detail));
        }
        let guid = header(raw, VALUE_SCHEMA_HEADER);
        let (reference, datum) = match unframe(raw.value.as_deref(), guid) {
            Ok(framed) => framed,
            Err(refusal) => return Decoded::Refused(Stage::Framing, refusal),
        };
        if !self.met.contains_key(&reference) {
            match self.book.resolve(reference).await {
                Resolution::Usable(usable) => self.met.insert(reference, usable),
                Resolution::Unknown => return Decoded::Refused(Stage::Schema, unknown(reference)),
                Resolution::Wait(reason) => return Decoded::Wait(reason),
            };
        }
        match &self.met[&reference] {
            Usable::Schema(schema) => match schema.read(datum) {
                Ok(envelope) => Decoded::Envelope(envelope),
                Err(refusal) => Decoded::Refused(Stage::Decode, refusal),
            },
            Usable::Broken(detail) => {
                Decoded::Refused(Stage::Schema, Refusal::new(Reason::Undecodable, "", detail.to_string()))
            }
        }
    }

    /// Asks for a record's schema without waiting, so that the time an unknown id is given starts for it now.
    pub fn foresee(&self, raw: &RawRecord) {
        if let Ok((reference, _)) = unframe(raw.value.as_deref(), header(raw, VALUE_SCHEMA_HEADER))
            && !self.met.contains_key(&reference)
        {
            self.book.foresee(reference);
        }
    }
}

fn unknown(reference: SchemaReference) -> Refusal {
    Refusal::new(
        Reason::UnknownSchema,
        "",
        format!("the registry does not know schema {reference}: register it, then redrive"),
    )
}

/// The value of the last header of this name.
pub fn header<'a>(raw: &'a RawRecord, name: &str) -> Option<&'a [u8]> {
    raw.headers.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref())
}
