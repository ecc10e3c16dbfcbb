//! Who looked at whose data.

use shared::position::Position;
use shared::scope::Scope;
use shared::timestamp::Timestamp;
use shared::vocabulary::DataAccess;
use tokio_postgres::Row;

use super::{AS_OF_COLUMNS, Rows};
use crate::error::StoreError;
use crate::projections::Projection;
use crate::reader::conditions::{Conditions, between, one_of};
use crate::reader::statement::{Statement, limit_step};
use crate::sql_types::Micros;

/// Which data accesses; several values of one field are "or", different fields are "and".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataAccessFilter {
    /// Event time, inclusive.
    pub from: Option<Timestamp>,
    /// Event time, exclusive.
    pub to: Option<Timestamp>,
    /// At whose data; ids are kept up to 1,024 bytes.
    pub subject_user_id: Vec<String>,
    /// Who looked.
    pub accessor_user_id: Vec<String>,
    /// Whose; narrows the scope, never widens it.
    pub organization_id: Vec<String>,
}

/// A request for one page of data accesses, newest first.
#[derive(Debug, Clone, Default)]
pub struct DataAccessRequest {
    /// What to look for.
    pub filter: DataAccessFilter,
    /// Data accesses on the page, 1 to 1,000.
    pub limit: u32,
    /// The time and place of the last one of the page before.
    pub after: Option<(Timestamp, Position)>,
}

/// A data access as the projection has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataAccessRow {
    /// Who looked at whose data.
    pub access: DataAccess,
    /// Where its event stands.
    pub position: Position,
}

fn conditions(statement: &mut Statement, scope: &Scope, filter: &DataAccessFilter) -> Conditions {
    let mut all = Conditions::default();
    if let Some(own) = scope.organization() {
        one_of(statement, &mut all, "organization_id", &[own.to_owned()]);
    }
    one_of(statement, &mut all, "organization_id", &filter.organization_id);
    one_of(statement, &mut all, "subject_user_id", &filter.subject_user_id);
    one_of(statement, &mut all, "accessor_user_id", &filter.accessor_user_id);
    between(statement, &mut all, "accessed_at", filter.from, filter.to);
    all
}

pub(super) fn count(scope: &Scope, filter: &DataAccessFilter, cap: Option<u32>) -> Statement {
    let mut statement = Statement::default();
    let all = conditions(&mut statement, scope, filter).to_sql();
    let limit = cap.map(|cap| format!(" limit {cap}")).unwrap_or_default();
    statement.push(&format!(
        "select count(*) from (select from audit.data_accesses_visible e where {all}{limit}) counted"
    ));
    statement
}

pub(super) fn rows(scope: &Scope, request: &DataAccessRequest) -> Rows {
    let DataAccessRequest { filter, limit, after } = request;
    let mut statement = Statement::default();
    let mut all = conditions(&mut statement, scope, filter);
    if let Some((time, Position { log_id, offset })) = *after {
        let time = statement.bind(Micros(time));
        let (log_id, offset) = (statement.bind(log_id), statement.bind(offset));
        all.add(format!(r#"(e.accessed_at, e.log_id, e."offset") < ({time}, {log_id}, {offset})"#));
    }
    statement.push(&format!(
        r#"select e.accessor_user_id, e.accessed_at, e.log_id, e."offset", e.event_id, e.organization_id, e.subject_user_id, e.accessor_name, e.accessor_role, e.subject_name, e.data_type, e.purpose, e.justification, e.ip_address, e.service_name, e.fields_accessed from audit.data_accesses_visible e where {} order by e.accessed_at desc, e.log_id desc, e."offset" desc limit {}"#,
        all.to_sql(),
        limit_step(limit.saturating_add(1))
    ));
    let order = r#"r.accessed_at desc, r.log_id desc, r."offset" desc"#;
    Rows { projection: Projection::DataAccesses, statement, order }
}

pub(super) fn item(row: &Row) -> Result<DataAccessRow, StoreError> {
    let at = |column: usize| AS_OF_COLUMNS + column;
    let text = |column: usize| row.try_get::<_, Option<String>>(at(column));
    let Micros(accessed_at) = row.try_get(at(1))?;
    let fields: &str = row.try_get(at(15))?;
    Ok(DataAccessRow {
        position: Position { log_id: row.try_get(at(2))?, offset: row.try_get(at(3))? },
        access: DataAccess {
            id: row.try_get(at(4))?,
            organization_id: row.try_get(at(5))?,
            accessor_user_id: row.try_get(at(0))?,
            accessor_name: text(7)?,
            accessor_role: text(8)?,
            subject_user_id: row.try_get(at(6))?,
            subject_name: text(9)?,
            data_type: text(10)?,
            fields_accessed: serde_json::from_str(fields).map_err(|error| {
                StoreError::corrupt("data_accesses", "fields_accessed", error.to_string())
            })?,
            purpose: text(11)?,
            justification: text(12)?,
            ip_address: text(13)?,
            service_name: text(14)?,
            accessed_at,
        },
    })
}
