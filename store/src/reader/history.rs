//! One aggregate: its events in history order (semantics.md 6), its gaps and forks, the organisations that have it.

use shared::scope::Scope;

use super::conditions::Conditions;
use super::statement::{Statement, limit_step};
use super::types::{AggregateKey, HistoryKey, HistoryRange};
use crate::row::COLUMNS;
use crate::sql_types::Micros;

/// The aggregate's key as conditions; the scope's organisation besides.
fn of_aggregate(statement: &mut Statement, scope: &Scope, key: &AggregateKey) -> Conditions {
    let mut all = Conditions::default();
    all.add(format!("e.aggregate_type = {}", statement.bind(key.aggregate_type.clone())));
    all.add(format!("e.aggregate_id = {}", statement.bind(key.aggregate_id.clone())));
    all.add(format!("e.organization_id = {}", statement.bind(key.organization_id.clone())));
    if let Some(own) = scope.organization() {
        all.add(format!("e.organization_id = {}", statement.bind(own.to_owned())));
    }
    all
}

pub(super) fn history(
    scope: &Scope,
    key: &AggregateKey,
    range: &HistoryRange,
    after: Option<HistoryKey>,
    limit: u32,
) -> Statement {
    let mut statement = Statement::default();
    let mut all = of_aggregate(&mut statement, scope, key);
    for (operator, version) in [(">=", range.from_version), ("<=", range.to_version)] {
        if let Some(version) = version {
            all.add(format!("e.version {operator} {}", statement.bind(version)));
        }
    }
    for (operator, time) in [(">=", range.from), ("<", range.to), ("<=", range.at)] {
        if let Some(time) = time {
            all.add(format!(r#"e."timestamp" {operator} {}"#, statement.bind(Micros(time))));
        }
    }
    if let Some(head) = range.until_append {
        all.add(format!(
            r#"(select a.append_no from audit.appends a where a.log_id = e.log_id and a.next_offset > e."offset" order by a.next_offset limit 1) <= {}"#,
            statement.bind(head)
        ));
    }
    if let Some(after) = after {
        let version = statement.bind(after.version);
        let recorded_at = statement.bind(Micros(after.recorded_at));
        let (log_id, offset) = (statement.bind(after.log_id), statement.bind(after.offset));
        all.add(format!(
            r#"(e.version, e.recorded_at, e.log_id, e."offset") > ({version}, {recorded_at}, {log_id}, {offset})"#
        ));
    }
    statement.push(&format!(
        r#"select {COLUMNS} from audit.events_visible e where {} order by e.version, e.recorded_at, e.log_id, e."offset" limit {}"#,
        all.to_sql(),
        limit_step(limit)
    ));
    statement
}

/// Missing versions and versions held twice: rows of (gap from, gap to, null) and of (null, null, fork).
pub(super) fn integrity(scope: &Scope, key: &AggregateKey) -> Statement {
    let mut statement = Statement::default();
    let mut all = of_aggregate(&mut statement, scope, key);
    all.add("e.version > 0".to_owned());
    statement.push(&format!(include_str!("../../sql/integrity.sql.in"), conditions = all.to_sql()));
    statement
}

/// The two least organisations that have an aggregate of this type and id, within the scope.
pub(super) fn organizations_of(scope: &Scope, aggregate_type: &str, aggregate_id: &str) -> Statement {
    let mut statement = Statement::default();
    let mut all = Conditions::default();
    all.add(format!("e.aggregate_type = {}", statement.bind(aggregate_type.to_owned())));
    all.add(format!("e.aggregate_id = {}", statement.bind(aggregate_id.to_owned())));
    if let Some(own) = scope.organization() {
        all.add(format!("e.organization_id = {}", statement.bind(own.to_owned())));
    }
    statement.push(&format!(include_str!("../../sql/organizations_of.sql.in"), conditions = all.to_sql()));
    statement
}
