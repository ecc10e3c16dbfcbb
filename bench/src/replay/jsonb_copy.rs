//! What the store would be with `jsonb`: the same rows in the same partitions, payload and metadata as `jsonb`.

use anyhow::Result;
use test_support::{Role, TestDatabase};
use tokio_postgres::Client;

use super::COLUMNS;

/// The copy's name.
pub(super) const TABLE: &str = "bench.events_jsonb";

/// Makes the copy when it is not there; it is there only whole.
pub(super) async fn ensure(database: &TestDatabase) -> Result<()> {
    let client = database.connect(Role::Superuser).await;
    let found = client.query_one("select to_regclass($1) is not null", &[&TABLE]).await?;
    if found.get(0) {
        return Ok(());
    }
    eprintln!("copying the store into a jsonb table");
    client.batch_execute("begin").await?;
    client
        .batch_execute(&format!(
            r#"create schema bench;
               create table {TABLE} (like audit.events including compression including storage) partition by range ("timestamp");
               alter table {TABLE} alter payload type jsonb using payload::jsonb, alter metadata type jsonb using metadata::jsonb"#
        ))
        .await?;
    make_partitions(&client).await?;
    client.batch_execute(&format!("insert into {TABLE} select {COLUMNS} from audit.events")).await?;
    client.batch_execute("commit").await?;
    client.batch_execute(&format!("vacuum (analyze, freeze) {TABLE}")).await?;
    client.batch_execute("checkpoint").await?;
    Ok(())
}

async fn make_partitions(client: &Client) -> Result<()> {
    let months = "select c.relname::text, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i \
                  join pg_class c on c.oid = i.inhrelid where i.inhparent = 'audit.events'::regclass";
    for month in client.query(months, &[]).await? {
        let (name, bounds): (String, String) = (month.get(0), month.get(1));
        client.batch_execute(&format!("create table bench.{name} partition of {TABLE} {bounds}")).await?;
    }
    Ok(())
}
