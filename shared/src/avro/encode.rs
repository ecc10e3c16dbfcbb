//! Writing canonical events.

use crate::envelope::Envelope;

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
    if !envelope.metadata.is_empty() {
        length(&mut out, envelope.metadata.len());
        for (key, value) in &envelope.metadata {
            string(&mut out, key);
            string(&mut out, value);
        }
    }
    long(&mut out, 0);
    out
}

/// A zigzag variable-length number.
fn long(out: &mut Vec<u8>, number: i64) {
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

fn length(out: &mut Vec<u8>, length: usize) {
    long(out, i64::try_from(length).expect("no value in memory is so long"));
}

fn string(out: &mut Vec<u8>, text: &str) {
    length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}
