//! Submissions: a caller's `Idempotency-Key`, what its body was, and which ids its events have got (semantics.md 13).
//!
//! The ids are stored before anything is produced, so that whoever comes back after a crash produces the same ones. An
//! attempt holds its key for a bounded time: a process that was killed blocks nobody for longer.

use std::time::Duration;

use shared::timestamp::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::api_writer::ApiWriter;
use crate::error::StoreError;
use crate::sql_types::Micros;

const FIND: &str = include_str!("../sql/find_submission.sql");
const REMOVE_IF_EXPIRED: &str = include_str!("../sql/remove_submission_if_expired.sql");
const BEGIN: &str = include_str!("../sql/begin_submission.sql");
const RESUME: &str = include_str!("../sql/resume_submission.sql");
const FINISH: &str = include_str!("../sql/finish_submission.sql");
const RELEASE: &str = include_str!("../sql/release_submission.sql");
const REMOVE_EXPIRED: &str = include_str!("../sql/remove_expired_submissions.sql");

/// What names a submission, and what it must be a repeat of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionKey {
    /// SHA-256 of who sends: keys of different callers never meet.
    pub caller: [u8; 32],
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the body.
    pub body_digest: [u8; 32],
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: a new submission.
    Nothing,
    /// It came with another body.
    OtherBody,
    /// An attempt is at work, at most this much longer.
    InProgress(Duration),
    /// An attempt has ended without success; its ids are to be produced again.
    Open(Vec<Uuid>),
    /// Kafka has acknowledged all: the ids, and partition and offset of each.
    Finished(Vec<Uuid>, Vec<(i32, i64)>),
}

/// An attempt that holds its key until this time; what [`ApiWriter::release_submission`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    until: Timestamp,
}

impl ApiWriter {
    /// What is known of this key, unless it is older than `lifetime`.
    pub async fn find_submission(
        &self,
        key: &SubmissionKey,
        lifetime: Duration,
    ) -> Result<Known, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(FIND).await?;
        let found =
            client.query_opt(&statement, &[&&key.caller[..], &key.key, &lifetime.as_secs_f64()]).await?;
        found.map_or(Ok(Known::Nothing), |row| known(&row, key))
    }

    /// Stores the ids before they are produced, or takes an attempt over that has ended; `None` when somebody else was
    /// first. The attempt holds the key for `attempt`.
    pub async fn begin_submission(
        &self,
        key: &SubmissionKey,
        event_ids: &[Uuid],
        attempt: Duration,
        lifetime: Duration,
    ) -> Result<Option<Attempt>, StoreError> {
        let client = self.pool.get().await?;
        let (caller, digest) = (&key.caller[..], &key.body_digest[..]);
        let statement = client.prepare_cached(REMOVE_IF_EXPIRED).await?;
        client.execute(&statement, &[&caller, &key.key, &lifetime.as_secs_f64()]).await?;
        for sql in [BEGIN, RESUME] {
            let statement = client.prepare_cached(sql).await?;
            let row = client
                .query_opt(&statement, &[&caller, &key.key, &digest, &event_ids, &attempt.as_secs_f64()])
                .await?;
            if let Some(row) = row {
                let Micros(until) = row.try_get(0)?;
                return Ok(Some(Attempt { until }));
            }
        }
        Ok(None)
    }

    /// Kafka has acknowledged every event, in the order of the ids: partition and offset of each.
    pub async fn finish_submission(
        &self,
        key: &SubmissionKey,
        event_ids: &[Uuid],
        places: &[(i32, i64)],
    ) -> Result<(), StoreError> {
        let (partitions, offsets): (Vec<i32>, Vec<i64>) = places.iter().copied().unzip();
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(FINISH).await?;
        client.execute(&statement, &[&&key.caller[..], &key.key, &event_ids, &partitions, &offsets]).await?;
        Ok(())
    }

    /// The attempt has ended without success: the next need not wait for its time to pass.
    pub async fn release_submission(&self, key: &SubmissionKey, attempt: Attempt) -> Result<(), StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(RELEASE).await?;
        client.execute(&statement, &[&&key.caller[..], &key.key, &Micros(attempt.until)]).await?;
        Ok(())
    }

    /// Removes some of the submissions that are older than `lifetime`; how many there were, `limit` at most.
    pub async fn remove_expired_submissions(
        &self,
        lifetime: Duration,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(REMOVE_EXPIRED).await?;
        Ok(client.execute(&statement, &[&lifetime.as_secs_f64(), &i64::from(limit)]).await?)
    }
}

fn known(row: &Row, key: &SubmissionKey) -> Result<Known, StoreError> {
    if row.try_get::<_, &[u8]>(0)? != key.body_digest {
        return Ok(Known::OtherBody);
    }
    let event_ids: Vec<Uuid> = row.try_get(1)?;
    let (partitions, offsets): (Option<Vec<i32>>, Option<Vec<i64>>) = (row.try_get(2)?, row.try_get(3)?);
    if let (Some(partitions), Some(offsets)) = (partitions, offsets) {
        return Ok(Known::Finished(event_ids, partitions.into_iter().zip(offsets).collect()));
    }
    let left: f64 = row.try_get(4)?;
    let left = Duration::try_from_secs_f64(left).unwrap_or_default();
    Ok(if left.is_zero() { Known::Open(event_ids) } else { Known::InProgress(left) })
}
