//! Avro object container files (Avro 1.12, "Object Container Files") of stored events, written as a stream.
//!
//! The format has no end of its own: a file that was cut between two blocks looks whole. So ours end with a block of no
//! events, which every reader passes over, and which [`is_end`] knows.

use std::io::Write as _;

use flate2::{Compression, write::DeflateEncoder};

use super::STORED_SCHEMA;
use super::encode::{length, long, map, push_stored};
use crate::json::{self, ProtectedMarker};
use crate::view::EventView;

const MAGIC: &[u8; 4] = b"Obj\x01";
/// A block is written when its events have this many bytes.
const BLOCK: usize = 64 * 1024;
/// A DEFLATE stream of nothing.
const DEFLATED_NOTHING: [u8; 2] = [0x03, 0x00];

/// The bytes between the blocks of one file; random, so that they are not met by accident inside one.
pub type SyncMarker = [u8; 16];

/// The end of a whole file, without its marker: no events, two bytes of them, and those.
const END: [u8; 4] = [0x00, 0x04, DEFLATED_NOTHING[0], DEFLATED_NOTHING[1]];
/// Bytes at the end of a file by which [`is_end`] knows that it is whole: the marker of the block before, and the last one.
pub const END_LENGTH: usize = 2 * SYNC + END.len();
const SYNC: usize = size_of::<SyncMarker>();

/// Writes one file: blocks of about 64 KiB, each compressed by DEFLATE.
pub struct ContainerWriter {
    sync: SyncMarker,
    events: i64,
    block: Vec<u8>,
}

impl ContainerWriter {
    /// Appends the file's head: what it is, its schema, its codec.
    pub fn begin(sync: SyncMarker, out: &mut Vec<u8>) -> Self {
        let schema = json::compact(STORED_SCHEMA.to_owned(), ProtectedMarker::Allowed)
            .expect("the built-in schema is a JSON object");
        out.extend_from_slice(MAGIC);
        map(out, [("avro.schema", schema.as_str()), ("avro.codec", "deflate")].into_iter());
        out.extend_from_slice(&sync);
        Self { sync, events: 0, block: Vec::new() }
    }

    /// Takes one event, and appends the block that it fills.
    pub fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        push_stored(&mut self.block, event);
        self.events += 1;
        if self.block.len() >= BLOCK {
            self.flush(out);
        }
    }

    /// Appends what is left, and the end by which a whole file is known.
    pub fn end(mut self, out: &mut Vec<u8>) {
        if self.events > 0 {
            self.flush(out);
        }
        out.extend_from_slice(&END);
        out.extend_from_slice(&self.sync);
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        let deflated = encoder.write_all(&self.block).and_then(|()| encoder.finish());
        let deflated = deflated.expect("a Vec takes everything");
        long(out, self.events);
        length(out, deflated.len());
        out.extend_from_slice(&deflated);
        out.extend_from_slice(&self.sync);
        self.events = 0;
        self.block.clear();
    }
}

/// Whether a file whose last [`END_LENGTH`] bytes are these is whole.
pub fn is_end(last: &[u8]) -> bool {
    let Some(last) = last.last_chunk::<END_LENGTH>() else { return false };
    let (before, rest) = last.split_at(SYNC);
    let (end, sync) = rest.split_at(END.len());
    end == END && before == sync
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{position::Position, timestamp::Timestamp};

    const SYNC_MARKER: SyncMarker = *b"0123456789abcdef";

    fn file(events: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ContainerWriter::begin(SYNC_MARKER, &mut out);
        for offset in 0..events {
            let view = EventView {
                event_id: uuid::Uuid::from_u128(offset.unsigned_abs().into()),
                event_type: "OrderPlaced",
                aggregate_id: "order-1",
                aggregate_type: "Order",
                timestamp: Timestamp::from_micros(1_700_000_000_123_456),
                version: 7,
                payload: r#"{"a":1.50}"#,
                metadata: r#"{"source":"\u0001x","userId":"ana"}"#,
                recorded_at: Timestamp::from_micros(1_700_000_001_000_000),
                position: Position { log_id: 3, offset },
            };
            writer.event(&view, &mut out);
        }
        writer.end(&mut out);
        out
    }

    /// apache-avro is the reader that shares no code with this.
    fn read(file: &[u8]) -> Vec<apache_avro::types::Value> {
        let reader = apache_avro::Reader::new(file).expect("a container");
        reader.collect::<Result<_, _>>().expect("readable to its end")
    }

    #[test]
    fn another_reader_gets_every_event_of_several_blocks() {
        let written = file(2_000);
        let events = read(&written);
        assert_eq!(events.len(), 2_000);
        assert!(written.windows(SYNC).filter(|bytes| *bytes == SYNC_MARKER).count() > 4, "several blocks");
        let last = apache_avro::from_value::<Value>(events.last().expect("some")).expect("JSON");
        assert_eq!(
            last,
            serde_json::json!({
                "eventId": "00000000-0000-0000-0000-0000000007cf", "eventType": "OrderPlaced", "aggregateId": "order-1",
                "aggregateType": "Order", "timestamp": 1_700_000_000_123_456_i64, "version": 7, "payload": "{\"a\":1.50}",
                "metadata": {"source": "\u{1}x", "userId": "ana"}, "recordedAt": 1_700_000_001_000_000_i64,
                "position": "3:1999"
            })
        );
    }

    #[test]
    fn only_a_whole_file_has_the_end() {
        let whole = file(2_000);
        assert!(is_end(&whole) && is_end(&file(0)));
        assert!(read(&file(0)).is_empty());
        let cuts = (0..whole.len()).filter(|cut| is_end(&whole[..*cut]));
        assert_eq!(cuts.count(), 0, "cut anywhere, it is not whole");
    }

    #[test]
    fn readers_of_the_canonical_envelope_read_it_too() {
        let canonical = apache_avro::Schema::parse_str(super::super::CANONICAL_SCHEMA).expect("a schema");
        let file = file(1);
        let mut reader = apache_avro::Reader::builder(&file[..])
            .reader_schema(&canonical)
            .build()
            .expect("the schemas resolve");
        let event = reader.next().expect("one").expect("readable");
        let apache_avro::types::Value::Record(fields) = event else { panic!("a record") };
        assert_eq!(fields.len(), 8);
    }
}
