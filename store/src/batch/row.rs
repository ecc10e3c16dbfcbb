//! Rows of `audit.events` in COPY's binary form, without what the transaction and the record's place give them: the time of
//! recording, the offset and the log, which stand behind the event's own time.

use shared::event::{Event, Promoted};
use shared::timestamp::Timestamp;

use crate::copy::{CopyBuffer, Fields};

/// How many columns `copy_events.sql` names.
const COLUMNS: i16 = 18;
/// Rows are kept in chunks of this size, so that none moves when more come, and the next batch finds them warm.
const CHUNK: usize = 64 * 1024;

/// Where a row is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    chunk: u32,
    from: u32,
    to: u32,
}

/// The rows of one span.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    chunks: Vec<CopyBuffer>,
}

impl Rows {
    pub(super) fn push(&mut self, event: &Event<&str>, retention_class: &str) -> Place {
        if self.chunks.last().is_none_or(|chunk| chunk.len() + size(event) > CHUNK) {
            self.chunks.push(CopyBuffer::of_fields(CHUNK.max(size(event))));
        }
        let chunk = self.chunks.len() - 1;
        let copy = &mut self.chunks[chunk];
        let from = copy.len();
        write(copy, event, retention_class);
        Place { chunk: index(chunk), from: index(from), to: index(copy.len()) }
    }

    pub(super) fn write(
        &self,
        place: Place,
        recorded_at: Timestamp,
        offset: i64,
        log_id: i32,
        copy: &mut CopyBuffer,
    ) {
        let (time, rest) = self.bytes(place).split_at(CopyBuffer::I64_FIELD);
        copy.row(COLUMNS);
        copy.fields(time);
        copy.timestamp(recorded_at);
        copy.i64(offset);
        copy.i32(log_id);
        copy.fields(rest);
    }

    pub(super) fn read(&self, place: Place) -> Event {
        let mut fields = Fields::of(self.bytes(place));
        let (timestamp, version, event_id) = (fields.timestamp(), fields.i32(), fields.uuid());
        let _retention_class = fields.text();
        let [organization_id, aggregate_type, aggregate_id, event_type] =
            std::array::from_fn(|_| fields.text());
        let [user_id, correlation_id, causation_id, source, action] = std::array::from_fn(|_| fields.text());
        let [payload, metadata] = std::array::from_fn(|_| fields.text());
        let promoted = Promoted { user_id, correlation_id, causation_id, source, action };
        Event {
            event_id,
            organization_id,
            event_type,
            aggregate_type,
            aggregate_id,
            timestamp,
            version,
            payload,
            metadata,
            promoted,
        }
    }

    fn bytes(&self, place: Place) -> &[u8] {
        &self.chunks[place.chunk as usize].as_slice()[place.from as usize..place.to as usize]
    }
}

/// About what [`write`] writes, and never less.
fn size(event: &Event<&str>) -> usize {
    let texts = [
        event.organization_id,
        event.aggregate_type,
        event.aggregate_id,
        event.event_type,
        event.promoted.user_id,
        event.promoted.correlation_id,
        event.promoted.causation_id,
        event.promoted.source,
        event.promoted.action,
        event.payload,
        event.metadata,
    ];
    // The other fields, the length before each text, and the retention class.
    512 + texts.iter().map(|text| text.len()).sum::<usize>()
}

fn write(copy: &mut CopyBuffer, event: &Event<&str>, retention_class: &str) {
    copy.timestamp(event.timestamp);
    copy.i32(event.version);
    copy.uuid(event.event_id);
    copy.text(retention_class);
    copy.text(event.organization_id);
    copy.text(event.aggregate_type);
    copy.text(event.aggregate_id);
    copy.text(event.event_type);
    copy.text(event.promoted.user_id);
    copy.text(event.promoted.correlation_id);
    copy.text(event.promoted.causation_id);
    copy.text(event.promoted.source);
    copy.text(event.promoted.action);
    copy.text(event.payload);
    copy.text(event.metadata);
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a batch is bounded far below four gigabytes")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn event(number: u8, payload_bytes: usize) -> Event {
        let text = |name: &str| format!("{name} é {number}");
        Event {
            event_id: Uuid::from_bytes([number; 16]),
            organization_id: text("organization"),
            event_type: text("type"),
            aggregate_type: text("aggregate type"),
            aggregate_id: text("aggregate"),
            timestamp: Timestamp::from_micros(-i64::from(number)),
            version: i32::from(number),
            payload: "p".repeat(payload_bytes),
            metadata: text("metadata"),
            promoted: Promoted {
                user_id: text("user"),
                correlation_id: String::new(),
                causation_id: text("cause"),
                source: text("source"),
                action: text("action"),
            },
        }
    }

    #[test]
    fn what_was_written_is_read_back_across_chunks() {
        let mut rows = Rows::default();
        // Small ones, one that just fits a chunk with them, one larger than a chunk.
        let events: Vec<Event> = [(1, 10), (2, CHUNK / 2), (3, 100), (4, CHUNK / 2), (5, 3 * CHUNK), (6, 0)]
            .map(|(n, size)| event(n, size))
            .into();
        let places: Vec<Place> =
            events.iter().map(|event| rows.push(&event.borrowed(), "standard")).collect();
        assert!(rows.chunks.len() > 2);
        for (event, place) in events.iter().zip(places) {
            assert_eq!(rows.read(place), *event);
        }
    }

    #[test]
    fn a_row_has_its_columns_in_the_order_of_the_statement() {
        let statement = include_str!("../../sql/copy_events.sql");
        let columns = statement.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
        assert_eq!(columns.split(", ").count(), usize::try_from(COLUMNS).expect("positive"));
        let (mut rows, mut copy) = (Rows::default(), CopyBuffer::of_fields(0));
        let place = rows.push(&event(1, 1).borrowed(), "standard");
        rows.write(place, Timestamp::from_micros(7), 8, 9, &mut copy);
        let mut fields = Fields::of(&copy.as_slice()[2..]);
        assert_eq!([fields.timestamp(), fields.timestamp()], [-1, 7].map(Timestamp::from_micros));
        assert_eq!((fields.i64(), fields.i32(), fields.i32()), (8, 9, 1));
        assert_eq!((fields.uuid(), fields.text()), (Uuid::from_bytes([1; 16]), "standard".to_owned()));
    }
}
