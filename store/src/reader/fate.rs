//! What became of a record: the account of one offset (semantics.md 4).

use deadpool_postgres::Pool;
use shared::account::DispositionKind;
use shared::position::{LogName, Position};
use shared::refusal::Reason;
use shared::scope::Scope;
use tokio_postgres::Row;
use uuid::Uuid;

use super::conditions::storable;
use super::session::{Sorting, read};
use super::statement::Statement;
use super::types::{RecordAddress, RecordFate, RecordState};
use crate::error::StoreError;
use crate::row::WholeRow;

const FIND_LOG: &str = include_str!("../../sql/find_log.sql");
const FIND_DISPOSITION: &str = include_str!("../../sql/find_disposition.sql");
const FIND_STORED: &str = include_str!("../../sql/find_stored.sql");
const FIND_EVENT: &str = include_str!("../../sql/find_event.sql");

pub(super) async fn record(
    pool: &Pool,
    scope: &Scope,
    address: &RecordAddress,
) -> Result<Option<RecordFate>, StoreError> {
    let Some((log, log_id, next_offset)) = find_log(pool, scope, address).await? else { return Ok(None) };
    let position = Position { log_id, offset: address.offset };
    let fate = RecordFate {
        log,
        position,
        state: RecordState::NotRead,
        kind: None,
        reason: None,
        pointer: None,
        event_id: None,
        event: None,
    };
    let fate = if address.offset < 0 {
        return Ok(None);
    } else if address.offset >= next_offset {
        fate
    } else if let Some(row) = at(pool, scope, FIND_DISPOSITION, position).await? {
        disposed(pool, scope, fate, &row).await?
    } else {
        let row = at(pool, scope, FIND_STORED, position).await?;
        let event = row.map(WholeRow::new).transpose()?;
        RecordFate {
            state: RecordState::Stored,
            event_id: event.as_ref().map(|event| event.event_id()),
            event,
            ..fate
        }
    };
    // One organisation sees its own stored events and their duplicates, and nothing else of the account.
    let visible = scope.organization().is_none()
        || (matches!(fate.state, RecordState::Stored | RecordState::Duplicate) && fate.event.is_some());
    Ok(visible.then_some(fate))
}

async fn find_log(
    pool: &Pool,
    scope: &Scope,
    address: &RecordAddress,
) -> Result<Option<(LogName, i32, i64)>, StoreError> {
    if !storable(&address.topic) || !address.cluster.as_deref().is_none_or(storable) {
        return Ok(None);
    }
    let mut statement = Statement::new(FIND_LOG);
    statement.bind(address.cluster.clone());
    statement.bind(address.topic.clone());
    statement.bind(address.partition);
    statement.bind(address.incarnation);
    let rows = read(pool, scope, &statement, Sorting::AsPlanned).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let name = LogName {
        cluster: row.try_get(1)?,
        topic: row.try_get(2)?,
        partition: row.try_get(3)?,
        incarnation: row.try_get(4)?,
    };
    Ok(Some((name, row.try_get(0)?, row.try_get(5)?)))
}

/// The first row of a statement whose parameters are a position and the scope's organisation.
async fn at(pool: &Pool, scope: &Scope, sql: &str, position: Position) -> Result<Option<Row>, StoreError> {
    let mut statement = Statement::new(sql);
    statement.bind(position.log_id);
    statement.bind(position.offset);
    statement.bind(scope.organization().map(ToOwned::to_owned));
    Ok(read(pool, scope, &statement, Sorting::AsPlanned).await?.into_iter().next())
}

async fn disposed(pool: &Pool, scope: &Scope, fate: RecordFate, row: &Row) -> Result<RecordFate, StoreError> {
    let kind: &str = row.try_get(0)?;
    let kind =
        DispositionKind::parse(kind).ok_or_else(|| StoreError::corrupt("dispositions", "kind", kind))?;
    let event_id: Option<Uuid> = row.try_get(1)?;
    let reason: Option<&str> = row.try_get(2)?;
    let reason = reason
        .map(|reason| {
            Reason::parse(reason).ok_or_else(|| StoreError::corrupt("dispositions", "reason", reason))
        })
        .transpose()?;
    let state = match kind {
        DispositionKind::Duplicate => RecordState::Duplicate,
        DispositionKind::DeadLettered => RecordState::DeadLettered,
        DispositionKind::NotDelivered | DispositionKind::Gap | DispositionKind::BeforeStart => {
            RecordState::Skipped
        }
    };
    let event = match (state, event_id) {
        (RecordState::Duplicate, Some(event_id)) => {
            let mut statement = Statement::new(FIND_EVENT);
            statement.bind(event_id);
            statement.bind(scope.organization().map(ToOwned::to_owned));
            let rows = read(pool, scope, &statement, Sorting::AsPlanned).await?;
            rows.into_iter().next().map(WholeRow::new).transpose()?
        }
        _ => None,
    };
    let pointer = row.try_get(3)?;
    Ok(RecordFate { state, kind: Some(kind), reason, pointer, event_id, event, ..fate })
}
