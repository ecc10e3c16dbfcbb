//! When a second connection first sees each append: the moment from which a query finds its rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use shared::clock::{Clock as _, SystemClock};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// Between two looks: how exact the answer is, at the price of a query each.
const EVERY: Duration = Duration::from_millis(2);

/// Looks at the head again and again.
pub(super) struct Watcher {
    task: JoinHandle<Result<Vec<(i64, i64)>>>,
    stop: Arc<AtomicBool>,
}

/// What a watcher has seen: appends up to a number, with the time, in microseconds since 1970, of the first look that
/// saw them.
pub(super) struct Seen(Vec<(i64, i64)>);

impl Watcher {
    /// Begins to look.
    pub(super) fn start(client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(watch(client, Arc::clone(&stop)));
        Self { task, stop }
    }

    /// Looks once more and ends.
    pub(super) async fn stop(self) -> Result<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        Ok(Seen(self.task.await??))
    }
}

async fn watch(client: Client, stop: Arc<AtomicBool>) -> Result<Vec<(i64, i64)>> {
    let statement = client.prepare("select last from audit.append_head").await?;
    let mut heads: Vec<(i64, i64)> = Vec::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let is_last = stop.load(Ordering::Relaxed);
        let head: i64 = client.query_one(&statement, &[]).await?.get(0);
        if heads.last().is_none_or(|(known, _)| *known < head) {
            heads.push((head, SystemClock.now().as_micros()));
        }
        if is_last {
            return Ok(heads);
        }
        ticks.tick().await;
    }
}

impl Seen {
    /// When this append was there.
    pub(super) fn when(&self, append_no: i64) -> Result<i64> {
        let first = self.0.partition_point(|(head, _)| *head < append_no);
        let (_, when) = self.0.get(first).with_context(|| format!("append {append_no} was never seen"))?;
        Ok(*when)
    }
}
