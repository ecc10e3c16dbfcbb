//! The base of bar 1b: COPY into the table and the indexes that document 003 writes down, word for word.

use std::path::Path;

use anyhow::Result;
use test_support::{Role, TestDatabase};
use tokio_postgres::Client;

use super::timed_copy::copy_in;
pub(crate) use super::timed_copy::{Copied, Rows};

const TABLE: &str = include_str!("document_003.sql");

/// Rows that are copied in a round: at 20,000 a second more would take the whole run, and the table only gets slower as
/// it grows.
const ROWS: u32 = 100_000;

/// The first rows that a store took in, as document 003 has them.
pub(crate) async fn take_out(client: &Client, folder: &Path) -> Result<Rows> {
    let query = format!(
        "select event_id, event_type::varchar, aggregate_id::varchar, aggregate_type::varchar, \"timestamp\",
                version, payload::jsonb, metadata::jsonb
         from audit.events order by recorded_at limit {ROWS}"
    );
    Rows::take_out(client, &query, folder, "document-003.copy").await
}

/// Copies them into the document's table, in a database of its own.
pub(crate) async fn measure(rows: &Rows) -> Result<Copied> {
    let database = TestDatabase::create_empty().await;
    let client = database.connect(Role::Superuser).await;
    client.batch_execute(TABLE).await?;
    let columns = "events (event_id, event_type, aggregate_id, aggregate_type, \"timestamp\", version, payload, metadata)";
    copy_in(&client, columns, rows).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document's own text, when it lies beside the repository.
    #[test]
    fn the_table_is_as_written() {
        let Some(document) = test_support::data::shared_file("sources/003_a29eb9a5eb79a48a.txt") else {
            return;
        };
        let document = std::fs::read_to_string(document).unwrap();
        let statements = TABLE.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        assert!(document.contains(statements.trim()));
    }
}
