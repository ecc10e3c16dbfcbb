//! The base of bars 1 and 3: one binary COPY of the same columns and bytes into a table without index or partition, on
//! one connection, in one transaction.

use std::path::Path;

use anyhow::Result;
use test_support::{Role, TestDatabase};
use tokio_postgres::Client;

use super::timed_copy::copy_in;
pub(crate) use super::timed_copy::{Copied, Rows};

/// The rows of a store, as they are.
pub(crate) async fn take_out(client: &Client, folder: &Path) -> Result<Rows> {
    Rows::take_out(client, "select * from audit.events", folder, "events.copy").await
}

/// Copies them into a table of their own, in a database of its own.
pub(crate) async fn measure(rows: &Rows) -> Result<Copied> {
    let database = TestDatabase::create().await;
    let client = database.connect(Role::Superuser).await;
    client
        .batch_execute("create table public.bare (like audit.events including compression including storage)")
        .await?;
    copy_in(&client, "public.bare", rows).await
}
