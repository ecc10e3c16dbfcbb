//! Writing canonical events, and stored ones.

use std::borrow::Cow;

use uuid::Uuid;

use crate::envelope::Envelope;
use crate::json;
use crate::view::EventView;

/// The Avro datum of an envelope by [`super::CANONICAL_SCHEMA`]; the values are written as they are, unchecked.
pub fn encode_canonical(envelope: &Envelope) -> Vec<u8> {
    let metadata: usize = envelope.metadata.iter().map(|(key, value)| key.len() + value.len() + 6).sum();
    let names = envelope.event_type.len() + envelope.aggregate_type.len() + envelope.aggregate_id.len();
    let mut out = Vec::with_capacity(80 + names + envelope.payload.len() + metadata);
    string(&mut out, &envelope.event_id);
    string(&mut out, &envelope.event_type);
    string(&mut out, &envelope.aggregate_id);
    string(&mut out, &envelope.aggregate_type);
    long(&mut out, envelope.timestamp.as_micros());
    long(&mut out, envelope.version);
    string(&mut out, &envelope.payload);
    map(&mut out, envelope.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    out
}

/// Appends the datum of a stored event by [`super::CANONICAL_SCHEMA`]: stored again, it has the same stored bytes.
pub fn push_canonical(out: &mut Vec<u8>, event: &EventView<'_>) {
    out.reserve(128 + event.payload.len() + event.metadata.len());
    string(out, event.event_id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    string(out, event.event_type);
    string(out, event.aggregate_id);
    string(out, event.aggregate_type);
    long(out, event.timestamp.as_micros());
    long(out, event.version.into());
    string(out, event.payload);
    let metadata: Vec<(Cow<'_, str>, Cow<'_, str>)> = json::texts(event.metadata).unwrap_or_default();
    map(out, metadata.iter().map(|(key, value)| (&**key, &**value)));
}

/// Appends the datum of a stored event by [`super::STORED_SCHEMA`].
pub(super) fn push_stored(out: &mut Vec<u8>, event: &EventView<'_>) {
    push_canonical(out, event);
    long(out, event.recorded_at.as_micros());
    string(out, &event.position.to_string());
}

/// Appends a map, in one block.
pub(super) fn map<'a>(out: &mut Vec<u8>, entries: impl ExactSizeIterator<Item = (&'a str, &'a str)>) {
    if entries.len() > 0 {
        length(out, entries.len());
        for (key, value) in entries {
            string(out, key);
            string(out, value);
        }
    }
    long(out, 0);
}

/// A zigzag variable-length number.
pub(super) fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    loop {
        let low = u8::try_from(rest & 0x7F).expect("seven bits");
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            break;
        }
        out.push(low | 0x80);
    }
}

pub(super) fn length(out: &mut Vec<u8>, length: usize) {
    long(out, i64::try_from(length).expect("no value in memory is so long"));
}

fn string(out: &mut Vec<u8>, text: &str) {
    length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}
