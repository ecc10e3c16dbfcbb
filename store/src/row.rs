//! A row of `events`, read without copying its texts.

use std::ops::Deref;

use shared::event::{Event, Promoted};
use shared::position::Position;
use shared::timestamp::Timestamp;
use shared::view::EventView;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::StoreError;
use crate::sql_types::{JsonText, Micros};

/// The columns that an [`EventRow`] reads, in its order; every statement that makes one selects exactly these first. They
/// are what answers show: each column more costs every event of a replay its way through the server and the driver.
pub(crate) const COLUMNS: &str = r#"e."timestamp", e.recorded_at, e.log_id, e."offset", e.version, e.event_id, e.event_type, e.aggregate_id, e.aggregate_type, e.payload, e.metadata"#;

/// The number of [`COLUMNS`]: what a statement adds comes after.
const SHOWN_COUNT: usize = 11;

/// The number of columns of a [`WholeRow`]: the shown ones, then `retention_class`, `organization_id`, `user_id`,
/// `correlation_id`, `causation_id`, `source`, `action`.
const WHOLE_COUNT: usize = 18;

/// A stored event as it is shown; its texts stay in the row as it came from the server.
#[derive(Debug)]
pub struct EventRow {
    row: Row,
    event_id: Uuid,
    timestamp: Timestamp,
    recorded_at: Timestamp,
    position: Position,
    version: i32,
}

impl EventRow {
    /// Reads the fixed-size columns; the texts are read where they are used.
    pub(crate) fn new(row: Row) -> Result<Self, StoreError> {
        let Micros(timestamp) = row.try_get(0)?;
        let Micros(recorded_at) = row.try_get(1)?;
        let position = Position { log_id: row.try_get(2)?, offset: row.try_get(3)? };
        let version = row.try_get(4)?;
        let event_id = row.try_get(5)?;
        Ok(Self { row, event_id, timestamp, recorded_at, position, version })
    }

    /// A column that a statement selects after [`COLUMNS`].
    pub(crate) fn extra<'a, T: postgres_types::FromSql<'a>>(&'a self, index: usize) -> Result<T, StoreError> {
        Ok(self.row.try_get(SHOWN_COUNT + index)?)
    }

    fn text(&self, index: usize) -> &str {
        // The column's type is `text not null` by the schema that `require_known_schema` has checked.
        self.row.get(index)
    }

    fn json(&self, index: usize) -> &str {
        let JsonText(text) = self.row.get(index);
        text
    }

    /// The producer's id of the event.
    pub fn event_id(&self) -> Uuid {
        self.event_id
    }

    /// When it happened.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// When its batch was committed.
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The producer's count per aggregate; 0 = unversioned.
    pub fn version(&self) -> i32 {
        self.version
    }

    /// What happened.
    pub fn event_type(&self) -> &str {
        self.text(6)
    }

    /// Its aggregate.
    pub fn aggregate_id(&self) -> &str {
        self.text(7)
    }

    /// The kind of its aggregate.
    pub fn aggregate_type(&self) -> &str {
        self.text(8)
    }

    /// The payload's stored bytes.
    pub fn payload(&self) -> &str {
        self.json(9)
    }

    /// The metadata's stored bytes.
    pub fn metadata(&self) -> &str {
        self.json(10)
    }

    /// About how many bytes its texts take: what chunk limits count.
    pub fn size(&self) -> usize {
        self.row.raw_size_bytes()
    }

    /// The event as the API shows it.
    pub fn view(&self) -> EventView<'_> {
        EventView {
            event_id: self.event_id,
            event_type: self.event_type(),
            aggregate_id: self.aggregate_id(),
            aggregate_type: self.aggregate_type(),
            timestamp: self.timestamp,
            version: self.version,
            payload: self.payload(),
            metadata: self.metadata(),
            recorded_at: self.recorded_at,
            position: self.position,
        }
    }
}

/// A stored event with the columns that no answer shows: for checks, digests and decisions about it.
#[derive(Debug)]
pub struct WholeRow {
    shown: EventRow,
}

impl Deref for WholeRow {
    type Target = EventRow;

    fn deref(&self) -> &EventRow {
        &self.shown
    }
}

impl WholeRow {
    /// Reads the fixed-size columns.
    pub(crate) fn new(row: Row) -> Result<Self, StoreError> {
        Ok(Self { shown: EventRow::new(row)? })
    }

    /// A column that a statement selects after those of a whole row.
    pub(crate) fn extra<'a, T: postgres_types::FromSql<'a>>(&'a self, index: usize) -> Result<T, StoreError> {
        Ok(self.shown.row.try_get(WHOLE_COUNT + index)?)
    }

    /// Its retention class.
    pub fn retention_class(&self) -> &str {
        self.text(11)
    }

    /// Its organisation; `""` = none.
    pub fn organization_id(&self) -> &str {
        self.text(12)
    }

    /// `metadata.userId`; `""` = absent. The same holds for the four below.
    pub fn user_id(&self) -> &str {
        self.text(13)
    }

    /// `metadata.correlationId`
    pub fn correlation_id(&self) -> &str {
        self.text(14)
    }

    /// `metadata.causationId`
    pub fn causation_id(&self) -> &str {
        self.text(15)
    }

    /// `metadata.source`
    pub fn source(&self) -> &str {
        self.text(16)
    }

    /// `metadata.action`
    pub fn action(&self) -> &str {
        self.text(17)
    }

    /// The event as it was accepted: what digests and leaves are made of.
    pub fn to_event(&self) -> Event {
        Event {
            event_id: self.event_id(),
            organization_id: self.organization_id().to_owned(),
            event_type: self.event_type().to_owned(),
            aggregate_type: self.aggregate_type().to_owned(),
            aggregate_id: self.aggregate_id().to_owned(),
            timestamp: self.timestamp(),
            version: self.version(),
            payload: self.payload().to_owned(),
            metadata: self.metadata().to_owned(),
            promoted: Promoted {
                user_id: self.user_id().to_owned(),
                correlation_id: self.correlation_id().to_owned(),
                causation_id: self.causation_id().to_owned(),
                source: self.source().to_owned(),
                action: self.action().to_owned(),
            },
        }
    }
}
