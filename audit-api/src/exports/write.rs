//! One export, from its first event to its last, in bounded memory.

use object_store::WriteMultipart;
use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::Instrument as _;

use super::rows::Format;
use crate::walk::{self, PageWalk};

/// Parts on their way to the store at once, beside the one that is being filled: 5 MB each.
const PARTS: usize = 2;

/// An export that was not written; nothing of it stays.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// As many as may be written at once are being written.
    #[error("too many exports are being written")]
    Busy,
    /// It would hold more events than an export may.
    #[error("the export would hold more than {0} events")]
    TooLarge(u64),
    /// The events cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Place(#[from] object_store::Error),
    /// What is stored cannot be shown.
    #[error("an event cannot be shown: {0}")]
    Event(#[from] serde_json::Error),
    /// Who asked has gone.
    #[error("nobody waits for the export any more")]
    Abandoned,
}

/// What is written.
pub(super) struct Writing {
    pub(super) walk: PageWalk,
    pub(super) format: Format,
    pub(super) most: u64,
}

/// Writes in a task of its own, so that an unfinished file is taken back also when who asked goes away.
pub(super) async fn to_its_end(
    writing: Writing,
    file: WriteMultipart,
    permit: OwnedSemaphorePermit,
) -> Result<u64, ExportError> {
    // Dropped together with this future: the task sees that it is closed.
    let (mut wanted, keeps_waiting) = oneshot::channel::<()>();
    let task = async move {
        let _permit = permit;
        let mut file = file;
        let written = tokio::select! {
            written = fill(writing, &mut file) => written,
            () = wanted.closed() => Err(ExportError::Abandoned),
        };
        match written {
            Ok(events) => {
                file.finish().await?;
                Ok(events)
            }
            Err(error) => {
                if let Err(error) = file.abort().await {
                    tracing::warn!(%error, "an unfinished export could not be taken back");
                }
                Err(error)
            }
        }
    };
    let ended = tokio::spawn(task.in_current_span()).await;
    drop(keeps_waiting);
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "an export ended without an answer");
        Err(ExportError::Abandoned)
    })
}

async fn fill(mut writing: Writing, file: &mut WriteMultipart) -> Result<u64, ExportError> {
    let (mut buffer, mut events) = (Vec::new(), 0_u64);
    writing.format.begin(&mut buffer);
    loop {
        let chunk = walk::next(&mut writing.walk).await?;
        for row in &chunk.rows {
            if events == writing.most {
                return Err(ExportError::TooLarge(writing.most));
            }
            writing.format.row(&mut buffer, row, events == 0)?;
            events += 1;
        }
        file.wait_for_capacity(PARTS).await?;
        file.write(&buffer);
        buffer.clear();
        if chunk.complete {
            break;
        }
    }
    writing.format.end(&mut buffer);
    file.write(&buffer);
    Ok(events)
}
