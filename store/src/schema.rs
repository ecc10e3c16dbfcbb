//! The schema's version: what this build knows, and a refusal of anything else.

use refinery::{Migration, Runner};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// Every migration, in order. A test compares the list with the folder.
const MIGRATIONS: &[(&str, &str)] = &[
    ("V1__account", include_str!("../../migrations/V1__account.sql")),
    ("V2__events", include_str!("../../migrations/V2__events.sql")),
    ("V3__partitions", include_str!("../../migrations/V3__partitions.sql")),
    ("V4__access", include_str!("../../migrations/V4__access.sql")),
    ("V5__projections", include_str!("../../migrations/V5__projections.sql")),
    ("V6__submissions", include_str!("../../migrations/V6__submissions.sql")),
    ("V7__dead_letters_visible", include_str!("../../migrations/V7__dead_letters_visible.sql")),
    ("V8__statistics", include_str!("../../migrations/V8__statistics.sql")),
    ("V9__payload_search", include_str!("../../migrations/V9__payload_search.sql")),
    ("V10__replay_jobs", include_str!("../../migrations/V10__replay_jobs.sql")),
    ("V11__accesses", include_str!("../../migrations/V11__accesses.sql")),
];

/// Where refinery keeps what it has applied, in schema `audit`.
pub(crate) const HISTORY_TABLE: &str = "schema_history";

const VERSION: &str = include_str!("../sql/schema_version.sql");
const UNKNOWN_REMOVALS: &str = include_str!("../sql/unknown_removals.sql");

/// refinery's runner over [`MIGRATIONS`]; refuses a database that holds other migrations than these.
pub(crate) fn runner() -> Runner {
    let migrations: Vec<Migration> = MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql).expect("the names above have refinery's form"))
        .collect();
    let mut runner =
        Runner::new(&migrations).set_abort_divergent(true).set_abort_missing(true).set_grouped(false);
    runner.set_migration_table_name(HISTORY_TABLE);
    runner
}

/// The schema version that this build was made for.
pub fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a few migrations")
}

/// The database's schema version; `None` = none of ours.
pub async fn schema_version(client: &Client) -> Result<Option<i64>, StoreError> {
    match client.query_one(VERSION, &[]).await {
        Ok(row) => Ok(row.try_get(0)?),
        Err(error)
            if [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::INVALID_SCHEMA_NAME)]
                .contains(&error.code()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses a database whose schema is older than this build's, or so much newer that something is gone from it.
///
/// A migration only adds, so the release before goes on working on the schema of the next, while that is rolled out and when it
/// is taken back. One that takes something away is called `remove_…`, and comes a release after the last program that used it.
pub async fn require_known_schema(client: &Client) -> Result<(), StoreError> {
    let (found, known) = (schema_version(client).await?, known_version());
    let refused = |remedy| Err(StoreError::UnknownSchema { found, known, remedy });
    match found {
        Some(version) if version == known => Ok(()),
        Some(version) if version > known => match client.query_opt(UNKNOWN_REMOVALS, &[&known]).await? {
            None => Ok(()),
            Some(_) => refused("use the release that made this schema, or a newer one"),
        },
        _ => refused("run `trailctl migrate` (with --bootstrap on a new database)"),
    }
}
