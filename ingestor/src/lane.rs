//! A lane: takes what waits, prepares it, appends it; the next batch is prepared while one is appended.

use tokio::sync::mpsc::{Sender, UnboundedReceiver};

use crate::{
    batch::{Batcher, Prepared},
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

/// The preparing half of a lane; the appending half is [`crate::append::Appender`].
pub struct Lane {
    /// Makes the batches.
    pub batcher: Batcher,
    /// What one may hold.
    pub limits: BatchLimits,
    /// From the poll thread.
    pub parcels: UnboundedReceiver<Parcel>,
    /// To the appending half; holds one batch, so at most one is ready while one is on its way.
    pub prepared: Sender<Prepared>,
}

impl Lane {
    /// Runs until the poll thread closes the lane and everything in it is handed on.
    pub async fn run(mut self) {
        let mut over = None;
        // Room first, then the batch: what arrives while the database is busy makes the next batch larger.
        while let Ok(room) = self.prepared.reserve().await {
            let Some(parcels) = gather(&mut self.parcels, &mut over, self.limits).await else { return };
            metrics::received(parcels.iter().map(Parcel::records).sum());
            room.send(self.batcher.prepare(parcels).await);
        }
    }
}

/// Waits for one parcel and takes those behind it that fit; `over` keeps the one that did not. `None` at the end.
async fn gather(
    parcels: &mut UnboundedReceiver<Parcel>,
    over: &mut Option<Parcel>,
    limits: BatchLimits,
) -> Option<Vec<Parcel>> {
    let first = match over.take() {
        Some(parcel) => parcel,
        None => parcels.recv().await?,
    };
    let (mut count, mut bytes) = (first.count, first.bytes);
    let mut gathered = vec![first];
    while let Ok(parcel) = parcels.try_recv() {
        count += parcel.count;
        bytes += parcel.bytes;
        if count > limits.records || bytes > limits.bytes {
            *over = Some(parcel);
            break;
        }
        gathered.push(parcel);
    }
    Some(gathered)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::consume::{
        budget::{Budget, Pool},
        parcel::Gathering,
    };

    fn parcel(count: usize, bytes: usize) -> Parcel {
        let permit = Budget::new(&Pool::new(1 << 20)).take(0, Duration::ZERO).unwrap();
        Parcel { count, bytes, ..Gathering::default().seal(permit) }
    }

    #[tokio::test]
    async fn a_batch_takes_what_waits_and_fits() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for count in [4, 4, 4] {
            sender.send(parcel(count, 10)).unwrap();
        }
        drop(sender);
        let limits = BatchLimits { records: 9, bytes: 1000 };
        let mut over = None;
        let sizes = |parcels: Option<Vec<Parcel>>| parcels.map(|it| it.len());
        assert_eq!(sizes(gather(&mut receiver, &mut over, limits).await), Some(2));
        assert_eq!(sizes(gather(&mut receiver, &mut over, limits).await), Some(1));
        assert_eq!(sizes(gather(&mut receiver, &mut over, limits).await), None);
    }

    #[tokio::test]
    async fn a_parcel_over_the_limits_goes_alone() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        sender.send(parcel(1, 5000)).unwrap();
        sender.send(parcel(1, 10)).unwrap();
        let limits = BatchLimits { records: 9, bytes: 1000 };
        let mut over = None;
        assert_eq!(gather(&mut receiver, &mut over, limits).await.map(|it| it.len()), Some(1));
        assert!(over.is_some());
    }
}
