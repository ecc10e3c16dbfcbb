//! A lane: what comes is prepared at once, into a batch that grows until the one before it is stored.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc::Sender, mpsc::UnboundedReceiver};

use crate::{
    batch::{Batcher, Draft, Prepared},
    consume::parcel::Parcel,
    metrics,
};

/// What one transaction may hold.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Items.
    pub records: usize,
    /// Bytes, overheads included.
    pub bytes: usize,
}

impl BatchLimits {
    /// Whether the parcel goes into the batch with what is in it; as the first of one goes any.
    fn allow(self, draft: Option<&Draft>, parcel: &Parcel) -> bool {
        draft.is_none_or(|draft| {
            draft.count + parcel.count <= self.records && draft.bytes + parcel.bytes <= self.bytes
        })
    }
}

/// The preparing half of a lane; the appending half is [`crate::append::Appender`].
pub struct Lane {
    /// Fills the batches.
    pub batcher: Batcher,
    /// What one may hold.
    pub limits: BatchLimits,
    /// From the poll thread.
    pub parcels: UnboundedReceiver<Parcel>,
    /// The appending half has nothing to do. A batch that was closed before would be as small as what had come by then.
    pub wanted: Arc<Notify>,
    /// To the appending half.
    pub prepared: Sender<Prepared>,
}

impl Lane {
    /// Runs until the poll thread closes the lane and everything in it is handed on.
    pub async fn run(mut self) {
        let (mut draft, mut over) = (None, None);
        let (mut is_wanted, mut is_open) = (false, true);
        while is_open || draft.is_some() {
            tokio::select! {
                biased;
                () = self.wanted.notified(), if !is_wanted => is_wanted = true,
                parcel = self.parcels.recv(), if is_open && over.is_none() => match parcel {
                    Some(parcel) if self.limits.allow(draft.as_ref(), &parcel) => self.add(&mut draft, parcel).await,
                    Some(parcel) => over = Some(parcel),
                    None => is_open = false,
                },
            }
            if is_wanted && let Some(batch) = draft.take() {
                is_wanted = false;
                // It ends only with the whole process.
                let _ = self.prepared.send(batch.finish()).await;
                if let Some(parcel) = over.take() {
                    self.add(&mut draft, parcel).await;
                }
            }
        }
    }

    /// The first parcel begins a batch.
    async fn add(&mut self, draft: &mut Option<Draft>, parcel: Parcel) {
        metrics::received(parcel.records());
        let draft = draft.get_or_insert_with(|| self.batcher.begin());
        self.batcher.add(draft, parcel).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::{bell::Bell, budget::Budget, parcel::Gathering};

    fn parcel(count: usize, bytes: usize) -> Parcel {
        let permit = Budget::new(1 << 20, Arc::new(Bell::default())).take(0);
        Parcel { count, bytes, ..Gathering::default().seal(permit) }
    }

    #[test]
    fn a_batch_grows_to_its_limits_and_one_parcel_goes_always() {
        let limits = BatchLimits { records: 9, bytes: 1000 };
        assert!(limits.allow(None, &parcel(100, 5000)), "alone");
        let mut draft = Draft::begin(store::SpareChunks::default());
        (draft.count, draft.bytes) = (5, 900);
        let allows = |count, bytes| limits.allow(Some(&draft), &parcel(count, bytes));
        assert!(allows(4, 100));
        assert!(!allows(5, 1), "too many records");
        assert!(!allows(1, 101), "too many bytes");
    }
}
