//! What an append answers.

use shared::account::DispositionKind;
use shared::refusal::Reason;
use shared::timestamp::Timestamp;

use crate::batch::InvalidBatch;
use crate::error::StoreError;

/// The batch is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// `recorded_at` of everything in it.
    pub recorded_at: Timestamp,
    /// One per span, in log order.
    pub spans: Vec<AppendedSpan>,
}

/// What became of one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendedSpan {
    /// The log.
    pub log_id: i32,
    /// Its number in the account.
    pub append_no: i64,
    /// Its position now.
    pub next_offset: i64,
    /// Records stored as events.
    pub stored: u64,
    /// Records whose event was stored before.
    pub duplicate: u64,
    /// Records in the dead letters, by reason.
    pub dead_lettered: Vec<(Reason, u64)>,
    /// Offsets skipped, by kind.
    pub skipped: Vec<(DispositionKind, u64)>,
}

/// The batch is not stored, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A log does not stand where the batch starts (another writer has it), or it has been closed by a newer
    /// incarnation: nothing is stored; read the positions again.
    #[error("the position of a log has moved")]
    PositionMoved,
    /// Other writers stored the same ids at the same time, five times over: nothing is stored; try again later.
    #[error("other writers were first, five times over")]
    Contended,
    /// A retention class has no partitions: nothing is stored; run `trailctl migrate`.
    #[error("the retention class {0:?} has no partitions: run `trailctl migrate`")]
    UnknownClass(String),
    /// The batch breaks a rule of its shape: nothing is stored; a defect of the caller.
    #[error(transparent)]
    Invalid(#[from] InvalidBatch),
    /// The outcome is unknown: read the positions again.
    #[error("the append failed, its outcome is unknown: {0}")]
    Unavailable(#[source] StoreError),
}

impl From<tokio_postgres::Error> for AppendError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Unavailable(error.into())
    }
}
