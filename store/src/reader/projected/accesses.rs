//! Who asked the audit trail for what.

use shared::access::{Access, AccessOutcome};
use shared::position::Position;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{AS_OF_COLUMNS, Rows};
use crate::error::StoreError;
use crate::projections::{About, Projection};
use crate::reader::conditions::{Conditions, between, one_of};
use crate::reader::statement::{Statement, limit_step};
use crate::sql_types::Micros;

/// Which accesses; several values of one field are "or", different fields are "and".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessFilter {
    /// Time of the access, inclusive.
    pub from: Option<Timestamp>,
    /// Time of the access, exclusive.
    pub to: Option<Timestamp>,
    /// Who looked.
    pub accessor_id: Vec<String>,
    /// At whom, or at what; an aggregate without a kind is one of any kind.
    pub about: About,
    /// By which operations.
    pub operation: Vec<String>,
    /// With which outcomes.
    pub outcome: Vec<AccessOutcome>,
    /// Whose; narrows the scope, never widens it.
    pub organization_id: Vec<String>,
}

/// A request for one page of accesses, newest first.
#[derive(Debug, Clone)]
pub struct AccessRequest {
    /// What to look for.
    pub filter: AccessFilter,
    /// Accesses on the page, 1 to 1,000.
    pub limit: u32,
    /// The time and place of the last one of the page before.
    pub after: Option<(Timestamp, Position)>,
}

/// An access as the projection has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// The event that records it.
    pub event_id: Uuid,
    /// When.
    pub accessed_at: Timestamp,
    /// Where its event stands.
    pub position: Position,
    /// Its organisation; `""` = none.
    pub organization_id: String,
    /// Where from.
    pub ip_address: Option<String>,
    /// What it says.
    pub access: Access,
}

fn conditions(statement: &mut Statement, scope: &Scope, filter: &AccessFilter) -> Conditions {
    let mut all = Conditions::default();
    if let Some(own) = scope.organization() {
        one_of(statement, &mut all, "organization_id", &[own.to_owned()]);
    }
    // The indexes are partial, and a generic plan cannot see what a parameter is.
    match &filter.about {
        About::Itself => all.add("e.about = ''".to_owned()),
        about => {
            all.add("e.about <> ''".to_owned());
            one_of(statement, &mut all, "about", &[about.key()]);
        }
    }
    if let About::Aggregate { kind, .. } = &filter.about
        && !kind.is_empty()
    {
        // Of a request that named an id and no kind nobody knows which it meant.
        one_of(statement, &mut all, "about_type", &[kind.clone(), String::new()]);
    }
    one_of(statement, &mut all, "accessor_id", &filter.accessor_id);
    one_of(statement, &mut all, "operation", &filter.operation);
    let outcomes: Vec<String> = filter.outcome.iter().map(|outcome| outcome.as_str().to_owned()).collect();
    one_of(statement, &mut all, "outcome", &outcomes);
    one_of(statement, &mut all, "organization_id", &filter.organization_id);
    between(statement, &mut all, "accessed_at", filter.from, filter.to);
    all
}

pub(super) fn rows(scope: &Scope, request: &AccessRequest) -> Rows {
    let AccessRequest { filter, limit, after } = request;
    let mut statement = Statement::default();
    let mut all = conditions(&mut statement, scope, filter);
    if let Some((time, Position { log_id, offset })) = *after {
        let time = statement.bind(Micros(time));
        let (log_id, offset) = (statement.bind(log_id), statement.bind(offset));
        all.add(format!(r#"(e.accessed_at, e.log_id, e."offset") < ({time}, {log_id}, {offset})"#));
    }
    statement.push(&format!(
        r#"select e.access, e.accessed_at, e.log_id, e."offset", e.event_id, e.organization_id, e.ip_address from audit.accesses_visible e where {} order by e.accessed_at desc, e.log_id desc, e."offset" desc limit {}"#,
        all.to_sql(),
        limit_step(limit.saturating_add(1))
    ));
    let order = r#"r.accessed_at desc, r.log_id desc, r."offset" desc"#;
    Rows { projection: Projection::Accesses, statement, order }
}

pub(super) fn item(row: &Row) -> Result<AccessRow, StoreError> {
    let at = |column: usize| AS_OF_COLUMNS + column;
    let Micros(accessed_at) = row.try_get(at(1))?;
    let access: &str = row.try_get(at(0))?;
    Ok(AccessRow {
        event_id: row.try_get(at(4))?,
        accessed_at,
        position: Position { log_id: row.try_get(at(2))?, offset: row.try_get(at(3))? },
        organization_id: row.try_get(at(5))?,
        ip_address: row.try_get(at(6))?,
        access: serde_json::from_str(access)
            .map_err(|error| StoreError::corrupt("accesses", "access", error.to_string()))?,
    })
}
