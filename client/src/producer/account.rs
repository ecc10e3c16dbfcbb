//! What became of the events: counted, and said when some were lost.

use std::{
    sync::{
        Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// How often losses are reported, when there are new ones.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// What became of the events of one producer so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Taken into the queue.
    pub taken: u64,
    /// Acknowledged by Kafka.
    pub delivered: u64,
    /// Not taken, because there was no room.
    pub dropped: u64,
    /// Taken, and then refused by Kafka or not acknowledged in time.
    pub failed: u64,
}

impl Stats {
    /// Taken, and not yet acknowledged or failed.
    pub fn waiting(&self) -> u64 {
        self.taken.saturating_sub(self.delivered + self.failed)
    }
}

#[derive(Debug, Default)]
pub(super) struct Account {
    taken: AtomicU64,
    delivered: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    settled: Notify,
}

impl Account {
    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::SeqCst);
        self.settled.notify_waiters();
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        self.settled.notify_waiters();
    }

    pub(super) fn stats(&self) -> Stats {
        // What ends is read before what begins, so that nothing seems to end before it began.
        let delivered = self.delivered.load(Ordering::SeqCst);
        let failed = self.failed.load(Ordering::SeqCst);
        let dropped = self.dropped.load(Ordering::SeqCst);
        Stats { taken: self.taken.load(Ordering::SeqCst), delivered, dropped, failed }
    }

    /// Waits until as many have ended as had been taken when it was asked.
    pub(super) async fn idle(&self) {
        let taken = self.taken.load(Ordering::SeqCst);
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let stats = self.stats();
            if stats.delivered + stats.failed >= taken {
                return;
            }
            settled.await;
        }
    }
}

/// Says every ten seconds what was lost since the last time; ends with the producer.
pub(super) async fn report_losses(account: Weak<Account>) {
    let mut told = Stats::default();
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        let Some(account) = account.upgrade() else { return };
        let stats = account.stats();
        let (dropped, failed) = (stats.dropped - told.dropped, stats.failed - told.failed);
        if dropped + failed > 0 {
            tracing::error!(dropped, failed, waiting = stats.waiting(), "audit events were lost");
        }
        told = stats;
    }
}
