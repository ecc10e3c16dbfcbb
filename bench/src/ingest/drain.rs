//! One drain: a fresh store, the product as it is shipped, and a kept topic read to its end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use test_support::daemon::trailctl;
use test_support::{Daemon, DaemonConfig, Role, TestDatabase, TestTopic};
use tokio_postgres::Client;

use crate::index_set::IndexSet;
use crate::preload::Topic;
use crate::process::{Backends, cpu_micros, machine_busy_micros, peak_resident_bytes};
use crate::wal::WalPosition;
use crate::workload::{Expected, Workload};

/// How often the position is looked at: rarely, since the two cores are what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Nothing comes any more.
const STALLED: Duration = Duration::from_mins(2);

/// What one drain took.
#[derive(Debug, Clone)]
pub(crate) struct Drained {
    /// Rows of `audit.events`.
    pub(crate) stored: u64,
    /// From the first batch's `recorded_at` to the last batch's commit.
    pub(crate) seconds: f64,
    /// The ingestor's CPU over its whole life.
    pub(crate) ingestor_micros: u64,
    /// The CPU of the ingestor's backends.
    pub(crate) backend_micros: u64,
    /// All work of the machine from the ingestor's start to the last commit: Kafka's and PostgreSQL's other processes
    /// too, and whatever disturbed the round.
    pub(crate) machine_micros: u64,
    /// The most memory that the ingestor had resident.
    pub(crate) peak_resident: u64,
    /// Write-ahead log of all of it, partitions made on the way included.
    pub(crate) wal_bytes: u64,
    /// The bytes of every index of events and ids over all partitions, and of the heap of the ids, which is an index in
    /// all but name.
    pub(crate) indexes: Vec<(String, u64)>,
    /// Bytes of the batch roots as they are stored.
    pub(crate) root_bytes: u64,
}

#[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
impl Drained {
    /// Events a second.
    pub(crate) fn rate(&self) -> f64 {
        self.stored as f64 / self.seconds
    }

    /// All indexes together.
    pub(crate) fn index_bytes(&self) -> u64 {
        self.indexes.iter().map(|(_, bytes)| bytes).sum()
    }

    /// A total, per stored event.
    pub(crate) fn each(&self, total: u64) -> f64 {
        total as f64 / self.stored as f64
    }
}

/// A store that has taken in a whole topic.
pub(crate) struct Store {
    /// Its database, dropped with this value.
    pub(crate) database: TestDatabase,
    /// The superuser's connection to it.
    pub(crate) client: Client,
    /// What it took.
    pub(crate) drained: Drained,
}

/// Drains the topic into a fresh store, and has `trailctl verify` say that all of it is right.
pub(crate) async fn drain(workload: &Workload, topic: &Topic, set: IndexSet) -> Result<Store> {
    let database = set.create_database().await?;
    let client = database.connect(Role::Superuser).await;
    let letters = TestTopic::create(3).await;
    let config = DaemonConfig::new(&database).topics(&[&topic.name]).dead_letter_topic(letters.name());
    // Dirty pages of the round before must not be written in this one.
    client.batch_execute("checkpoint").await?;
    let wal = WalPosition::now(&client).await?;
    let machine = machine_busy_micros()?;
    let mut ingestor = Daemon::ingestor(&config).ready().await;
    let mut backends = Backends::default();
    until_read(&client, &mut ingestor, &mut backends, topic.records()).await?;
    let drained = Drained {
        machine_micros: machine_busy_micros()? - machine,
        ingestor_micros: cpu_micros(ingestor.pid())?,
        backend_micros: backends.micros(),
        peak_resident: peak_resident_bytes(ingestor.pid())?,
        wal_bytes: wal.bytes_since(&client).await?,
        ..read_back(&client).await?
    };
    let status = ingestor.stop().await;
    ensure!(status.success(), "the ingestor ended with {status}");
    check_account(&client, workload.expected()).await?;
    let verified = trailctl(&config, &["verify", "--quiet"]).await;
    ensure!(
        verified.status.success(),
        "trailctl verify finds faults: {}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
    letters.delete().await;
    Ok(Store { database, client, drained })
}

/// Waits until every record is accounted for, and follows the backends meanwhile.
async fn until_read(
    client: &Client,
    ingestor: &mut Daemon,
    backends: &mut Backends,
    records: u64,
) -> Result<()> {
    const POSITION: &str = "select coalesce(sum(next_offset), 0)::bigint from audit.logs";
    let mut last = (0, Instant::now());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        backends.look(client, "audit_ingestor").await?;
        let position: i64 = client.query_one(POSITION, &[]).await?.get(0);
        if position.unsigned_abs() >= records {
            return Ok(());
        }
        if let Some(status) = ingestor.ended() {
            bail!("the ingestor ended with {status} at {position} of {records}:\n{}", ingestor.log());
        }
        if position > last.0 {
            last = (position, Instant::now());
        }
        ensure!(last.1.elapsed() < STALLED, "ingest stands at {position} of {records}:\n{}", ingestor.log());
    }
}

/// What the store itself knows about the drain.
async fn read_back(client: &Client) -> Result<Drained> {
    const APPENDS: &str = "
        select sum(stored)::bigint as stored, sum(pg_column_size(batch_root))::bigint as root_bytes,
               extract(epoch from max(pg_xact_commit_timestamp(xmin)) - min(recorded_at))::float8 as seconds
        from audit.appends";
    let row = client.query_one(APPENDS, &[]).await?;
    let indexes = client.query(include_str!("index_bytes.sql"), &[]).await?;
    Ok(Drained {
        stored: row.get::<_, i64>("stored").unsigned_abs(),
        seconds: row.get("seconds"),
        root_bytes: row.get::<_, i64>("root_bytes").unsigned_abs(),
        indexes: indexes.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect(),
        ingestor_micros: 0,
        backend_micros: 0,
        machine_micros: 0,
        peak_resident: 0,
        wal_bytes: 0,
    })
}

/// A rate is worth nothing when something was lost or doubled.
async fn check_account(client: &Client, expected: Expected) -> Result<()> {
    const ACCOUNT: &str = "select sum(stored)::bigint, sum(duplicate)::bigint, sum(dead_lettered)::bigint,
                                  (select count(*) from audit.events) from audit.appends";
    let row = client.query_one(ACCOUNT, &[]).await?;
    let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    let found = Expected { stored: count(0), duplicates: count(1), dead_lettered: count(2) };
    ensure!(found == expected && count(3) == expected.stored, "stored is {found:?}, expected {expected:?}");
    Ok(())
}
