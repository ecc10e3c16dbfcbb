//! Rows as PostgreSQL gives them in binary, taken out once and copied in again under a clock.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use tokio_postgres::Client;

use crate::process::cpu_micros;
use crate::wal::WalPosition;

/// How much is read from the file and sent at a time.
const CHUNK: usize = 256 * 1024;

/// A file of rows in COPY's binary format, removed with this value.
#[derive(Debug)]
pub(crate) struct Rows {
    path: PathBuf,
}

impl Rows {
    /// Writes what `COPY (query) TO STDOUT` gives into a file of this name.
    pub(super) async fn take_out(client: &Client, query: &str, folder: &Path, name: &str) -> Result<Self> {
        let rows = Self { path: folder.join(name) };
        let file = File::create(&rows.path).with_context(|| format!("making {}", rows.path.display()))?;
        let mut file = BufWriter::with_capacity(CHUNK, file);
        let mut stream =
            Box::pin(client.copy_out(&format!("copy ({query}) to stdout (format binary)")).await?);
        while let Some(bytes) = stream.try_next().await? {
            file.write_all(&bytes)?;
        }
        file.flush()?;
        Ok(rows)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // What cannot be removed is overwritten by the next run.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What one COPY took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copied {
    /// Rows that PostgreSQL counted.
    pub(crate) rows: u64,
    /// From COPY to the end of COMMIT.
    pub(crate) seconds: f64,
    /// The backend's CPU.
    pub(crate) backend_micros: u64,
    /// Write-ahead log.
    pub(crate) wal_bytes: u64,
}

#[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
impl Copied {
    /// Rows a second.
    pub(crate) fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }

    /// A total, per row.
    pub(crate) fn each(&self, total: u64) -> f64 {
        total as f64 / self.rows as f64
    }
}

/// One binary COPY of all rows on this connection, in one transaction, after a checkpoint.
pub(super) async fn copy_in(client: &Client, table: &str, rows: &Rows) -> Result<Copied> {
    client.batch_execute("checkpoint").await?;
    let pid = u32::try_from(client.query_one("select pg_backend_pid()", &[]).await?.get::<_, i32>(0))?;
    let wal = WalPosition::now(client).await?;
    let cpu = cpu_micros(pid)?;
    let mut file = File::open(&rows.path).with_context(|| format!("opening {}", rows.path.display()))?;
    let started = Instant::now();
    // One statement is one transaction: it has committed when `finish` returns.
    let sink = client.copy_in(&format!("copy {table} from stdin (format binary)")).await?;
    let mut sink = Box::pin(sink);
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        chunk.truncate(read);
        sink.send(Bytes::from(chunk)).await?;
    }
    let count = sink.as_mut().finish().await?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(count > 0, "nothing was copied into {table}");
    Ok(Copied {
        rows: count,
        seconds,
        backend_micros: cpu_micros(pid)? - cpu,
        wal_bytes: wal.bytes_since(client).await?,
    })
}
