//! How much write-ahead log something costs.

use anyhow::Result;
use tokio_postgres::Client;

/// A place in the server's write-ahead log. It is the whole server's: nothing else may write meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct WalPosition {
    lsn: String,
}

impl WalPosition {
    /// Where the log ends now.
    pub(crate) async fn now(client: &Client) -> Result<Self> {
        let row = client.query_one("select pg_current_wal_insert_lsn()::text", &[]).await?;
        Ok(Self { lsn: row.get(0) })
    }

    /// Bytes written since.
    pub(crate) async fn bytes_since(&self, client: &Client) -> Result<u64> {
        const STATEMENT: &str =
            "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::bigint";
        let bytes: i64 = client.query_one(STATEMENT, &[&self.lsn]).await?.get(0);
        Ok(bytes.unsigned_abs())
    }
}
