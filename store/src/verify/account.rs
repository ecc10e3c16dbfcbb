//! The rows that `roots` recomputes from, as they are stored.

use std::collections::BTreeMap;

use shared::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::StoreError;
use crate::row::WholeRow;
use crate::sql_types::Micros;

/// A row of `appends`.
pub(super) struct Append {
    pub(super) number: i64,
    pub(super) from_offset: i64,
    pub(super) next_offset: i64,
    pub(super) counts: Counts,
    pub(super) times: Option<(Timestamp, Timestamp)>,
    pub(super) recorded_at: Timestamp,
    pub(super) batch_root: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) stored: i64,
    pub(super) duplicate: i64,
    pub(super) dead_lettered: i64,
    pub(super) skipped: i64,
}

/// A row of `dispositions`.
pub(super) struct Disposition {
    pub(super) from_offset: i64,
    pub(super) next_offset: i64,
    pub(super) kind: String,
    pub(super) event_id: Option<Uuid>,
    pub(super) reason: Option<String>,
}

/// Whether the columns that repeat metadata values say what the metadata says; leaves cover only the metadata.
pub(super) fn promoted_agrees(row: &WholeRow) -> bool {
    let Ok(metadata) = serde_json::from_str::<BTreeMap<String, String>>(row.metadata()) else {
        return false;
    };
    let says = |key: &str| metadata.get(key).map_or("", String::as_str);
    row.user_id() == says("userId")
        && row.correlation_id() == says("correlationId")
        && row.causation_id() == says("causationId")
        && row.source() == says("source")
        && row.action() == says("action")
}

pub(super) fn read_append(row: &Row) -> Result<Append, StoreError> {
    let (least, greatest): (Option<Micros>, Option<Micros>) = (row.try_get(7)?, row.try_get(8)?);
    let Micros(recorded_at) = row.try_get(9)?;
    Ok(Append {
        number: row.try_get(0)?,
        from_offset: row.try_get(1)?,
        next_offset: row.try_get(2)?,
        counts: Counts {
            stored: row.try_get::<_, i32>(3)?.into(),
            duplicate: row.try_get::<_, i32>(4)?.into(),
            dead_lettered: row.try_get::<_, i32>(5)?.into(),
            skipped: row.try_get(6)?,
        },
        times: least.zip(greatest).map(|(Micros(least), Micros(greatest))| (least, greatest)),
        recorded_at,
        batch_root: row.try_get(10)?,
    })
}

pub(super) fn read_disposition(row: &Row) -> Result<Disposition, StoreError> {
    Ok(Disposition {
        from_offset: row.try_get(0)?,
        next_offset: row.try_get(1)?,
        kind: row.try_get(2)?,
        event_id: row.try_get(3)?,
        reason: row.try_get(4)?,
    })
}
