//! Dead letters for readers; the relay's side is in [`crate::dead_letters`].

use deadpool_postgres::Pool;
use shared::position::Position;
use shared::scope::Scope;

use super::conditions::{Conditions, storable};
use super::session::{Sorting, read};
use super::statement::Statement;
use super::types::{DeadLetterPage, DeadLetterRequest};
use crate::dead_letters::{self, DeadLetterRow};
use crate::error::StoreError;
use crate::sql_types::Micros;

/// The columns of a letter whose record stays where it is.
fn columns(with_records: bool) -> String {
    if with_records {
        return dead_letters::COLUMNS.to_owned();
    }
    dead_letters::COLUMNS
        .replace("d.record_key", "null::bytea")
        .replace("d.record_value", "null::bytea")
        .replace("d.header_names", "'{}'::bytea[]")
        .replace("d.header_values", "'{}'::bytea[]")
}

pub(super) async fn page(
    pool: &Pool,
    scope: &Scope,
    request: &DeadLetterRequest,
) -> Result<DeadLetterPage, StoreError> {
    let mut page = DeadLetterPage { letters: Vec::new(), next: None };
    if scope.organization().is_some() || !request.topic.as_deref().is_none_or(storable) {
        return Ok(page);
    }
    let mut statement = Statement::default();
    let mut all = Conditions::default();
    if let Some(topic) = &request.topic {
        all.add(format!("l.topic = {}", statement.bind(topic.clone())));
    }
    if let Some(reason) = request.reason {
        all.add(format!("d.reason = {}", statement.bind(reason.as_str())));
    }
    if let Some((recorded_at, Position { log_id, offset })) = request.after {
        let (at, log_id, offset) =
            (statement.bind(Micros(recorded_at)), statement.bind(log_id), statement.bind(offset));
        all.add(format!(r#"(d.recorded_at, d.log_id, d."offset") < ({at}, {log_id}, {offset})"#));
    }
    let limit = request.limit as usize;
    statement.push(&format!(
        r#"select {} from audit.dead_letters_visible d join audit.logs l on l.log_id = d.log_id where {} order by d.recorded_at desc, d.log_id desc, d."offset" desc limit {}"#,
        columns(request.with_records),
        all.to_sql(),
        limit + 1
    ));
    let rows = read(pool, scope, &statement, Sorting::AsPlanned).await?;
    page.letters = rows.iter().take(limit).map(dead_letters::read).collect::<Result<_, _>>()?;
    if rows.len() > limit {
        page.next = page.letters.last().map(|letter| (letter.recorded_at, letter.position));
    }
    Ok(page)
}

pub(super) async fn one(
    pool: &Pool,
    scope: &Scope,
    position: Position,
) -> Result<Option<DeadLetterRow>, StoreError> {
    if scope.organization().is_some() {
        return Ok(None);
    }
    let mut statement = Statement::default();
    let (log_id, offset) = (statement.bind(position.log_id), statement.bind(position.offset));
    statement.push(&format!(
        r#"select {} from audit.dead_letters_visible d join audit.logs l on l.log_id = d.log_id where d.log_id = {log_id} and d."offset" = {offset}"#,
        columns(true)
    ));
    read(pool, scope, &statement, Sorting::AsPlanned).await?.first().map(dead_letters::read).transpose()
}
