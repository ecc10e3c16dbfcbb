//! Bar 3b and the curve of ingest as the store grows: one long drain for each kind of event ids, with autovacuum on.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use crate::Options;
use crate::figures::{Bar, Curve, Run};
use crate::index_set::IndexSet;
use crate::ingest::{Drained, drain};
use crate::preload::preloaded;
use crate::workload::{Ids, Workload};

/// Records of a run that was not told how many: ten million, and as many more as the last, unequal end of a topic takes.
const EVENTS: u64 = 11_000_000;
/// Where the rate is read.
const SIZES: [u64; 3] = [200_000, 2_000_000, 10_000_000];
/// Points of a curve.
const POINTS: u64 = 100;

/// Drains the long workload twice, v7 ids and v4.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let events = options.events.unwrap_or(EVENTS);
    let mut largest = Vec::new();
    for ids in [Ids::V7, Ids::V4] {
        let workload = Workload::new(events, ids);
        let topic = preloaded(&workload).await?;
        eprintln!("scale: {events} records with {} ids", ids.name());
        let store = drain(&workload, &topic, IndexSet::Standard).await?;
        add_costs(ids, &store.drained, run);
        largest.push(add_rates(ids, &Growth::read(&store.client).await?, run));
    }
    if let [(size, v7), (_, v4)] = largest[..] {
        let what = format!("v4 ÷ v7 ids: ingest rate with {size} stored");
        run.bars.push(Bar::at_least("3b", &what, v4 / v7, 0.6, 0.9));
    }
    Ok(())
}

fn add_costs(ids: Ids, drained: &Drained, run: &mut Run) {
    let mut add = |what: &str, unit: &str, total: u64| {
        run.add(&format!("scale, {} ids: {what}", ids.name()), unit, drained.each(total));
    };
    add("WAL", "B/event", drained.wal_bytes);
    add("index bytes", "B/event", drained.index_bytes());
    add("ingestor CPU", "µs/event", drained.ingestor_micros);
    add("backend CPU", "µs/event", drained.backend_micros);
    add("CPU of the whole machine", "µs/event", drained.machine_micros);
}

/// Adds the rate at each size and the curve; gives back the largest size and its rate.
fn add_rates(ids: Ids, growth: &Growth, run: &mut Run) -> (u64, f64) {
    let stored = growth.stored();
    let mut largest = (stored, growth.rate_up_to(stored));
    for size in SIZES.into_iter().filter(|size| *size <= stored) {
        largest = (size, growth.rate_up_to(size));
        run.add(&format!("scale, {} ids: rate with {size} stored", ids.name()), "events/s", largest.1);
    }
    let step = (stored / POINTS).max(1);
    run.curves.push(Curve {
        plot: "ingest rate as the store grows".to_owned(),
        name: format!("{} ids", ids.name()),
        x_axis: "events stored".to_owned(),
        y_axis: "events/s".to_owned(),
        points: (1..=POINTS).map(|point| growth.point(point * step - step, point * step)).collect(),
    });
    largest
}

/// How many events were stored by when, batch by batch.
struct Growth {
    /// (events stored up to and with this batch, seconds since 1970 of its commit), growing in both.
    batches: Vec<(u64, f64)>,
}

impl Growth {
    async fn read(client: &Client) -> Result<Self> {
        // Commit times are on, and are what counts; `recorded_at` is when a batch began.
        const STATEMENT: &str = "
            select (sum(stored) over (order by append_no))::bigint,
                   extract(epoch from pg_xact_commit_timestamp(xmin))::float8
            from audit.appends order by append_no";
        let mut batches: Vec<(u64, f64)> = Vec::new();
        for row in client.query(STATEMENT, &[]).await? {
            let (stored, at) = (row.get::<_, i64>(0).unsigned_abs(), row.get::<_, f64>(1));
            // The logs of one batch commit together.
            match batches.last_mut() {
                Some(last) if last.1 >= at => last.0 = stored,
                _ => batches.push((stored, at)),
            }
        }
        batches.first().context("nothing was stored")?;
        Ok(Self { batches })
    }

    fn stored(&self) -> u64 {
        self.batches.last().map_or(0, |(stored, _)| *stored)
    }

    /// When so many events were stored, straight between two commits.
    #[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
    fn moment(&self, stored: u64) -> f64 {
        let after = self.batches.partition_point(|(sum, _)| *sum < stored).clamp(1, self.batches.len() - 1);
        let ((from, began), (to, ended)) = (self.batches[after - 1], self.batches[after]);
        began + (ended - began) * (stored as f64 - from as f64) / (to as f64 - from as f64)
    }

    /// The rate of the last tenth before so many events, and of 100,000 at least: a dozen batches.
    fn rate_up_to(&self, size: u64) -> f64 {
        self.rate_between(size.saturating_sub((size / 10).max(100_000)), size)
    }

    #[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
    fn rate_between(&self, from: u64, to: u64) -> f64 {
        (to - from) as f64 / (self.moment(to) - self.moment(from))
    }

    #[expect(clippy::cast_precision_loss, reason = "no count here has more than 53 bits")]
    fn point(&self, from: u64, to: u64) -> (f64, f64) {
        (f64::midpoint(from as f64, to as f64), self.rate_between(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_between_commits() {
        let growth = Growth { batches: vec![(100, 10.0), (200, 11.0), (400, 12.0), (500, 14.0)] };
        assert!((growth.moment(150) - 10.5).abs() < 1e-9);
        assert!((growth.rate_between(200, 400) - 200.0).abs() < 1e-9);
        assert!((growth.rate_between(400, 500) - 50.0).abs() < 1e-9);
        assert_eq!(growth.stored(), 500);
        assert!((growth.rate_up_to(500) - growth.rate_between(0, 500)).abs() < 1e-9);
    }
}
