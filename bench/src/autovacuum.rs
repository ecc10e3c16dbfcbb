//! Autovacuum looks round once a minute and analyses what has grown: a second of CPU that a round has or has not by
//! chance. It is off while rates are measured, and on in the stage about growth, where it has its minutes.

use anyhow::Result;
use tokio_postgres::NoTls;

/// Switches it for the whole server, at once.
pub(crate) async fn switch(on: bool) -> Result<()> {
    let (client, connection) = tokio_postgres::connect(&test_support::servers::postgres_url(), NoTls).await?;
    tokio::spawn(connection);
    let value = if on { "on" } else { "off" };
    client.batch_execute(&format!("alter system set autovacuum = {value}")).await?;
    client.batch_execute("select pg_reload_conf()").await?;
    Ok(())
}
