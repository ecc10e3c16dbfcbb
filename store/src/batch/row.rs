//! Rows of `audit.events` in COPY's binary form, complete but for the time of recording, which the transaction gives them:
//! it is written into its place, and the rows go to the database from where they were encoded.

use bytes::{Bytes, BytesMut};
use shared::event::{Event, Promoted};
use shared::timestamp::Timestamp;

use super::chunk::{CHUNK, Chunk, SpareChunks, index};
use crate::copy::{CopyBuffer, Fields};

/// How many columns `copy_events.sql` names.
const COLUMNS: i16 = 18;
/// Where in a row the time of recording stands: behind the number of columns and the event's own time.
const RECORDED_AT: usize = 2 + CopyBuffer::I64_FIELD;

/// Where a row is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    chunk: u32,
    from: u32,
    to: u32,
}

impl Place {
    /// Both as one, when `next` stands right behind.
    pub(crate) fn joined(self, next: Self) -> Option<Self> {
        (self.chunk == next.chunk && self.to == next.from).then_some(Self { to: next.to, ..self })
    }
}

/// The rows of one span.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    chunks: Vec<Chunk>,
    spare: SpareChunks,
    /// The row being made. Its fields are small, a chunk's memory comes from far away, and a processor writes whole
    /// rows there faster than fields.
    row: CopyBuffer,
}

impl Rows {
    pub(super) fn new(spare: SpareChunks) -> Self {
        Self { chunks: Vec::new(), spare, row: CopyBuffer::of_rows() }
    }

    pub(super) fn push(&mut self, key: (i32, i64), event: &Event<&str>, retention_class: &str) -> Place {
        self.row.clear();
        write(&mut self.row, key, event, retention_class);
        let row = self.row.rows();
        if self.chunks.last().is_none_or(|chunk| chunk.as_slice().len() + row.len() > CHUNK) {
            self.chunks.push(Chunk::Open(self.spare.take(row.len())));
        }
        let chunk = self.chunks.len() - 1;
        let bytes = self.chunks[chunk].open();
        let from = bytes.len();
        bytes.extend_from_slice(row);
        Place { chunk: index(chunk), from: index(from), to: index(bytes.len()) }
    }

    /// No more rows come.
    pub(super) fn finish(&mut self) {
        self.row = CopyBuffer::of_rows();
    }

    /// Writes the time of recording into every row, and makes them ready to be sent.
    pub(super) fn stamp(&mut self, recorded_at: Timestamp, rows: impl Iterator<Item = Place>) {
        for place in rows {
            let bytes: &mut BytesMut = self.chunks[place.chunk as usize].open();
            let field = place.from as usize + RECORDED_AT;
            bytes[field..field + CopyBuffer::I64_FIELD]
                .copy_from_slice(&CopyBuffer::timestamp_field(recorded_at));
        }
        self.chunks.iter_mut().for_each(|chunk| drop(chunk.share()));
    }

    /// The rows at a place, without a copy once they are stamped.
    pub(super) fn piece(&self, place: Place) -> Bytes {
        let range = place.from as usize..place.to as usize;
        match &self.chunks[place.chunk as usize] {
            Chunk::Shared(bytes) => bytes.slice(range),
            Chunk::Open(bytes) => Bytes::copy_from_slice(&bytes[range]),
        }
    }

    pub(super) fn read(&self, place: Place) -> Event {
        let row = &self.chunks[place.chunk as usize].as_slice()[place.from as usize..place.to as usize];
        let mut fields = Fields::of(&row[2..]);
        let (timestamp, _recorded_at, _offset, _log_id) =
            (fields.timestamp(), fields.timestamp(), fields.i64(), fields.i32());
        let (version, event_id) = (fields.i32(), fields.uuid());
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
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.chunks.drain(..).for_each(|chunk| chunk.leave_to(&self.spare));
    }
}

fn write(copy: &mut CopyBuffer, (log_id, offset): (i32, i64), event: &Event<&str>, retention_class: &str) {
    copy.row(COLUMNS);
    copy.timestamp(event.timestamp);
    // Until it is stamped.
    copy.timestamp(event.timestamp);
    copy.i64(offset);
    copy.i32(log_id);
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
        let mut rows = Rows::new(SpareChunks::default());
        // Small ones, one that just fits a chunk with them, one larger than a chunk.
        let events: Vec<Event> = [(1, 10), (2, CHUNK / 2), (3, 100), (4, CHUNK / 2), (5, 3 * CHUNK), (6, 0)]
            .map(|(n, size)| event(n, size))
            .into();
        let places: Vec<Place> =
            events.iter().map(|event| rows.push((1, 2), &event.borrowed(), "standard")).collect();
        assert!(rows.chunks.len() > 2);
        for (event, place) in events.iter().zip(&places) {
            assert_eq!(rows.read(*place), *event);
        }
        rows.stamp(Timestamp::from_micros(1), places.iter().copied());
        for (event, place) in events.iter().zip(&places) {
            assert_eq!(rows.read(*place), *event);
        }
    }

    #[test]
    fn a_row_has_its_columns_in_the_order_of_the_statement() {
        let statement = include_str!("../../sql/copy_events.sql");
        let columns = statement.split_once('(').and_then(|(_, rest)| rest.split_once(')')).expect("a list").0;
        assert_eq!(columns.split(", ").count(), usize::try_from(COLUMNS).expect("positive"));
        let mut rows = Rows::new(SpareChunks::default());
        let first = rows.push((9, 8), &event(1, 1).borrowed(), "standard");
        let second = rows.push((9, 9), &event(2, 1).borrowed(), "standard");
        // Twice, as when a lost race is done again; what was sent before stays what it was.
        rows.stamp(Timestamp::from_micros(6), [first, second].into_iter());
        let before = rows.piece(second);
        rows.stamp(Timestamp::from_micros(7), [first, second].into_iter());
        for (recorded_at, piece) in [(6, before), (7, rows.piece(second))] {
            assert_eq!(piece[..2], COLUMNS.to_be_bytes());
            let mut fields = Fields::of(&piece[2..]);
            let times = [fields.timestamp(), fields.timestamp()];
            assert_eq!(times, [-2, recorded_at].map(Timestamp::from_micros));
            assert_eq!((fields.i64(), fields.i32(), fields.i32()), (9, 9, 2));
            assert_eq!((fields.uuid(), fields.text()), (Uuid::from_bytes([2; 16]), "standard".to_owned()));
        }
        let both = first.joined(second).expect("one behind the other");
        assert_eq!(rows.piece(both), [rows.piece(first), rows.piece(second)].concat());
        assert!(second.joined(first).is_none());
    }
}
