//! Decoded: a record's bytes, by their writer's schema, become an envelope or a refusal.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::{
    avro::{SchemaReference, VALUE_SCHEMA_HEADER, unframe},
    envelope::BorrowedEnvelope,
    refusal::{Reason, Refusal},
};
use store::{RecordRef, Stage, batch::Header};

use crate::{
    consume::command::RewindReason,
    schemas::{Resolution, SchemaBook, Usable},
};

/// What became of a record's bytes.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// An envelope, to be validated.
    Envelope(BorrowedEnvelope<'a>),
    /// A dead letter.
    Refused(Stage, Refusal),
    /// Its schema was not met before: [`Decoder::meet`] it, then decode again.
    Unmet(SchemaReference),
    /// Nothing can be said yet: the partition waits.
    Wait(RewindReason),
}

/// Decodes for one lane; schemas that were met once cost no lock.
#[derive(Debug)]
pub struct Decoder {
    book: Arc<SchemaBook>,
    met: BTreeMap<SchemaReference, Usable>,
    /// What was said of a schema that is not usable, or not yet: for the record that asked.
    unusable: Option<(SchemaReference, Unusable)>,
    max_record_bytes: usize,
}

#[derive(Debug)]
enum Unusable {
    Unknown,
    Wait(RewindReason),
}

impl Decoder {
    /// A decoder for records of at most so many bytes.
    pub fn new(book: Arc<SchemaBook>, max_record_bytes: usize) -> Self {
        Self { book, met: BTreeMap::new(), unusable: None, max_record_bytes }
    }

    /// Decodes one record of `size` bytes (semantics.md 1, 5).
    pub fn decode<'a>(&'a mut self, record: RecordRef<'a>, size: usize) -> Decoded<'a> {
        if size > self.max_record_bytes {
            let detail = format!("the record has {size} bytes, at most {} are taken", self.max_record_bytes);
            return Decoded::Refused(Stage::Framing, Refusal::new(Reason::LimitExceeded, "", detail));
        }
        let (reference, datum) = match unframed(record) {
            Ok(framed) => framed,
            Err(refusal) => return Decoded::Refused(Stage::Framing, refusal),
        };
        match self.met.get(&reference) {
            Some(Usable::Schema(schema)) => match schema.read(datum) {
                Ok(envelope) => Decoded::Envelope(envelope),
                Err(refusal) => Decoded::Refused(Stage::Decode, refusal),
            },
            Some(Usable::Broken(detail)) => {
                Decoded::Refused(Stage::Schema, Refusal::new(Reason::Undecodable, "", detail.to_string()))
            }
            None => match self.unusable.take_if(|(of, _)| *of == reference) {
                Some((_, Unusable::Unknown)) => Decoded::Refused(Stage::Schema, unknown(reference)),
                Some((_, Unusable::Wait(reason))) => Decoded::Wait(reason),
                None => Decoded::Unmet(reference),
            },
        }
    }

    /// Looks the schema up, which takes a while; the next record of it is decoded by the answer.
    pub async fn meet(&mut self, reference: SchemaReference) {
        match self.book.resolve(reference).await {
            Resolution::Usable(usable) => drop(self.met.insert(reference, usable)),
            Resolution::Unknown => self.unusable = Some((reference, Unusable::Unknown)),
            Resolution::Wait(reason) => self.unusable = Some((reference, Unusable::Wait(reason))),
        }
    }

    /// Asks for a record's schema without waiting, so that the time an unknown id is given starts for it now.
    pub fn foresee(&self, record: RecordRef<'_>) {
        if let Ok((reference, _)) = unframed(record)
            && !self.met.contains_key(&reference)
        {
            self.book.foresee(reference);
        }
    }
}

fn unframed(record: RecordRef<'_>) -> Result<(SchemaReference, &[u8]), Refusal> {
    unframe(record.value, header(record.headers, VALUE_SCHEMA_HEADER))
}

fn unknown(reference: SchemaReference) -> Refusal {
    Refusal::new(
        Reason::UnknownSchema,
        "",
        format!("the registry does not know schema {reference}: register it, then redrive"),
    )
}

/// The value of the last header of this name.
pub fn header<'a>(headers: &'a [Header], name: &str) -> Option<&'a [u8]> {
    headers.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref())
}
