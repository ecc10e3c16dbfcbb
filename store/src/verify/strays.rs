//! Rows that belong to no append, and positions that no append reaches: each check is one statement.

use tokio_postgres::Client;

use super::Verification;
use crate::error::StoreError;

/// Each answers the first few wrong rows in words: (row, problem).
const CHECKS: [(&str, &str); 6] = [
    ("logs", include_str!("../../sql/stray_logs.sql")),
    ("events", include_str!("../../sql/stray_events.sql")),
    ("dispositions", include_str!("../../sql/stray_dispositions.sql")),
    ("event_ids", include_str!("../../sql/stray_ids.sql")),
    ("dead_letters", include_str!("../../sql/stray_letters.sql")),
    ("append_head", include_str!("../../sql/stray_head.sql")),
];

pub(super) async fn verify(client: &Client, found: &mut Verification) -> Result<(), StoreError> {
    for (table, sql) in CHECKS {
        // Each statement has one snapshot, in which every append is whole: ingest may go on.
        for row in client.query(sql, &[]).await? {
            found.find(table, row.try_get::<_, String>(0)?, row.try_get::<_, String>(1)?);
        }
    }
    Ok(())
}
