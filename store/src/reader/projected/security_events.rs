//! Security events of any vocabulary, and whether they are settled.

use shared::filter::Pattern;
use shared::position::Position;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use shared::vocabulary::{Resolution, SecurityEvent, Severity};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{AS_OF_COLUMNS, Rows};
use crate::error::StoreError;
use crate::projections::Projection;
use crate::reader::conditions::{Conditions, between, one_of, patterns};
use crate::reader::statement::{Statement, limit_step};
use crate::sql_types::Micros;

/// Whether somebody has settled a security event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Nobody has.
    Open,
    /// Somebody has.
    Resolved,
}

/// Which security events; several values of one field are "or", different fields are "and".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityEventFilter {
    /// Event time, inclusive.
    pub from: Option<Timestamp>,
    /// Event time, exclusive.
    pub to: Option<Timestamp>,
    /// So grave, on the scale of four.
    pub severity: Vec<Severity>,
    /// What happened; `*` allowed.
    pub event_type: Vec<Pattern>,
    /// The user concerned.
    pub user_id: Vec<String>,
    /// Whose; narrows the scope, never widens it.
    pub organization_id: Vec<String>,
    /// Open or resolved.
    pub settlement: Option<Settlement>,
    /// Whether somebody must act.
    pub requires_action: Option<bool>,
}

/// A request for one page of security events, newest first.
#[derive(Debug, Clone, Default)]
pub struct SecurityEventRequest {
    /// What to look for.
    pub filter: SecurityEventFilter,
    /// Security events on the page, 1 to 1,000.
    pub limit: u32,
    /// The time and place of the last one of the page before.
    pub after: Option<(Timestamp, Position)>,
}

/// A security event as the projection has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEventRow {
    /// What happened.
    pub event: SecurityEvent,
    /// Where its event stands.
    pub position: Position,
    /// The last that was said about its settlement; `None` = it is open.
    pub resolution: Option<Resolution>,
}

/// The order of the page: newest first.
const ORDER: &str = r#"r."timestamp" desc, r.log_id desc, r."offset" desc"#;
/// What [`item`] reads.
const COLUMNS: &str = r#"e.event_type, e."timestamp", e.log_id, e."offset", e.event_id, e.organization_id, e.severity, e.user_id, e.username, e.email, e.description, e.details, e.ip_address, e.location, e.device, e.user_agent, e.requires_action, e.resolved_at, e.resolved_by, e.resolution_notes"#;

fn conditions(statement: &mut Statement, scope: &Scope, filter: &SecurityEventFilter) -> Conditions {
    let mut all = Conditions::default();
    if let Some(own) = scope.organization() {
        one_of(statement, &mut all, "organization_id", &[own.to_owned()]);
    }
    one_of(statement, &mut all, "organization_id", &filter.organization_id);
    let severities: Vec<String> =
        filter.severity.iter().map(|severity| severity.as_str().to_owned()).collect();
    one_of(statement, &mut all, "severity", &severities);
    patterns(statement, &mut all, "event_type", &filter.event_type);
    if !filter.user_id.is_empty() {
        // The index is partial, and a generic plan cannot see that a parameter is not ''.
        all.add("e.user_id <> ''".to_owned());
        one_of(statement, &mut all, "user_id", &filter.user_id);
    }
    match filter.settlement {
        None => {}
        Some(Settlement::Open) => all.add("e.resolved_at is null".to_owned()),
        Some(Settlement::Resolved) => all.add("e.resolved_at is not null".to_owned()),
    }
    match filter.requires_action {
        None => {}
        Some(true) => all.add("e.requires_action".to_owned()),
        Some(false) => all.add("not e.requires_action".to_owned()),
    }
    between(statement, &mut all, "\"timestamp\"", filter.from, filter.to);
    all
}

pub(super) fn rows(scope: &Scope, request: &SecurityEventRequest) -> Rows {
    let mut statement = Statement::default();
    let mut all = conditions(&mut statement, scope, &request.filter);
    if let Some((time, Position { log_id, offset })) = request.after {
        let time = statement.bind(Micros(time));
        let (log_id, offset) = (statement.bind(log_id), statement.bind(offset));
        all.add(format!(r#"(e."timestamp", e.log_id, e."offset") < ({time}, {log_id}, {offset})"#));
    }
    statement.push(&format!(
        r#"select {COLUMNS} from audit.security_events_visible e where {} order by e."timestamp" desc, e.log_id desc, e."offset" desc limit {}"#,
        all.to_sql(),
        limit_step(request.limit.saturating_add(1))
    ));
    Rows { projection: Projection::SecurityEvents, statement, order: ORDER }
}

pub(super) fn one(scope: &Scope, id: Uuid) -> Rows {
    let mut statement = Statement::default();
    let mut all = conditions(&mut statement, scope, &SecurityEventFilter::default());
    all.add(format!("e.event_id = {}", statement.bind(id)));
    statement.push(&format!("select {COLUMNS} from audit.security_events_visible e where {}", all.to_sql()));
    Rows { projection: Projection::SecurityEvents, statement, order: ORDER }
}

pub(super) fn count(scope: &Scope, filter: &SecurityEventFilter, cap: Option<u32>) -> Statement {
    let mut statement = Statement::default();
    let all = conditions(&mut statement, scope, filter).to_sql();
    let limit = cap.map(|cap| format!(" limit {cap}")).unwrap_or_default();
    statement.push(&format!(
        "select count(*) from (select from audit.security_events_visible e where {all}{limit}) counted"
    ));
    statement
}

pub(super) fn item(row: &Row) -> Result<SecurityEventRow, StoreError> {
    let at = |column: usize| AS_OF_COLUMNS + column;
    let text = |column: usize| row.try_get::<_, Option<String>>(at(column));
    let Micros(timestamp) = row.try_get(at(1))?;
    let id: Uuid = row.try_get(at(4))?;
    let organization_id: String = row.try_get(at(5))?;
    let severity: &str = row.try_get(at(6))?;
    let resolved_at: Option<Micros> = row.try_get(at(17))?;
    let (resolved_by, notes) = (text(18)?, text(19)?);
    Ok(SecurityEventRow {
        position: Position { log_id: row.try_get(at(2))?, offset: row.try_get(at(3))? },
        resolution: resolved_at.map(|Micros(resolved_at)| Resolution {
            security_event_id: id,
            organization_id: organization_id.clone(),
            resolved_at,
            notes,
            resolved_by,
        }),
        event: SecurityEvent {
            id,
            organization_id,
            event_type: row.try_get(at(0))?,
            severity: Severity::parse(severity)
                .ok_or_else(|| StoreError::corrupt("security_events", "severity", severity))?,
            user_id: text(7)?.filter(|user| !user.is_empty()),
            username: text(8)?,
            email: text(9)?,
            description: text(10)?,
            details: text(11)?,
            ip_address: text(12)?,
            location: text(13)?,
            device: text(14)?,
            user_agent: text(15)?,
            requires_action: row.try_get(at(16))?,
            timestamp,
        },
    })
}
