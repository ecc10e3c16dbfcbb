//! A row of `events` as folds read it.

use shared::position::Position;
use shared::timestamp::Timestamp;
use shared::vocabulary::Facts;
use tokio_postgres::Row;
use uuid::Uuid;

use super::RecordedPlace;
use crate::error::StoreError;
use crate::sql_types::{JsonText, Micros};

/// An event on its way into a fold; its texts stay in the row as it came from the server.
#[derive(Debug)]
pub struct FoldRow {
    row: Row,
    append_no: i64,
    position: Position,
    event_id: Uuid,
    timestamp: Timestamp,
    version: i32,
}

impl FoldRow {
    /// Reads the columns of `projector_events`.
    pub(super) fn new(row: Row) -> Result<Self, StoreError> {
        let Micros(timestamp) = row.try_get(4)?;
        Ok(Self {
            append_no: row.try_get(0)?,
            position: Position { log_id: row.try_get(1)?, offset: row.try_get(2)? },
            event_id: row.try_get(3)?,
            timestamp,
            version: row.try_get(5)?,
            row,
        })
    }

    /// Where it was recorded.
    pub fn place(&self) -> RecordedPlace {
        RecordedPlace { append_no: self.append_no, offset: self.position.offset }
    }

    /// Where it stands in its log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The producer's count per aggregate; 0 = unversioned.
    pub fn version(&self) -> i32 {
        self.version
    }

    /// `metadata.source`; `""` = none.
    pub fn source(&self) -> &str {
        self.text(13)
    }

    /// `metadata.action`; `""` = none.
    pub fn action(&self) -> &str {
        self.text(14)
    }

    /// What it says.
    pub fn facts(&self) -> Facts<'_> {
        let text = |column: usize| self.text(column);
        let json = |column: usize| self.row.get::<_, JsonText<'_>>(column).0;
        Facts {
            event_id: self.event_id,
            organization_id: text(6),
            event_type: text(9),
            aggregate_type: text(7),
            aggregate_id: text(8),
            timestamp: self.timestamp,
            user_id: text(10),
            payload: json(11),
            metadata: json(12),
        }
    }

    fn text(&self, column: usize) -> &str {
        // The types of the columns are those of the schema that the connection has checked.
        self.row.get(column)
    }
}
