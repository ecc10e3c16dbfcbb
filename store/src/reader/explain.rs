//! The plan of a read: for whoever wonders why one is slow, and for the tests that pin plans.

use deadpool_postgres::Pool;
use shared::scope::Scope;
use tokio_postgres::SimpleQueryMessage;

use super::lease::Lease;
use super::session::{Sorting, enter};
use super::statement::Statement;
use crate::error::StoreError;

/// Runs the statement under the generic plan that reads run under, and answers that plan, a line an entry. `explain`
/// with parameters would make a custom one, so it is prepared in SQL.
pub(super) async fn explain(
    pool: &Pool,
    scope: &Scope,
    statement: &Statement,
    sorting: Sorting,
) -> Result<Vec<String>, StoreError> {
    let client = Lease::take(pool).await?;
    client.batch_execute("begin read only").await?;
    let lines = async {
        enter(&client, scope, sorting).await?;
        client.batch_execute(&format!("prepare explained as {}", statement.sql)).await?;
        let literals: Vec<String> = statement.values.iter().map(|value| value.literal()).collect();
        let arguments =
            if literals.is_empty() { String::new() } else { format!("({})", literals.join(", ")) };
        let explain =
            format!("explain (analyze, costs off, timing off, summary off) execute explained{arguments}");
        let messages = client.simple_query(&explain).await?;
        client.batch_execute("deallocate explained").await?;
        Ok::<_, tokio_postgres::Error>(messages)
    }
    .await;
    client.batch_execute("rollback").await?;
    client.give_back();
    let line = |message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
        _ => None,
    };
    Ok(lines?.into_iter().filter_map(line).collect())
}
