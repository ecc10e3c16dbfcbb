//! Bar 3b and the curve of ingest as the store grows: one long drain for each kind of event ids.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use crate::Options;
use crate::figures::{Bar, Curve, Run};
use crate::index_set::IndexSet;
use crate::ingest::drain;
use crate::preload::preloaded;
use crate::workload::{Ids, Workload};

/// Records of a run that was not told how many.
const EVENTS: u64 = 10_000_000;
/// Where the rate is read, when the store grows so far; and at its end.
const SIZES: [u64; 2] = [200_000, 2_000_000];
/// Points of a curve.
const POINTS: u64 = 100;

/// Drains the long workload twice, v7 ids and v4.
pub(crate) async fn measure(options: &Options, run: &mut Run) -> Result<()> {
    let events = options.events.unwrap_or(EVENTS);
    for ids in [Ids::V7, Ids::V4] {
        let workload = Workload::new(events, ids);
        let topic = preloaded(&workload).await?;
        eprintln!("scale: {events} records with {} ids", ids.name());
        let store = drain(&workload, &topic, IndexSet::Standard).await?;
        let growth = Growth::read(&store.client).await?;
        let whole = store.drained;
        run.add(&format!("scale, {} ids: WAL", ids.name()), "B/event", whole.each(whole.wal_bytes));
        run.add(
            &format!("scale, {} ids: index bytes", ids.name()),
            "B/event",
            whole.each(whole.index_bytes()),
        );
        run.add(
            &format!("scale, {} ids: ingestor CPU", ids.name()),
            "µs/event",
            whole.each(whole.ingestor_micros),
        );
        run.add(
            &format!("scale, {} ids: backend CPU", ids.name()),
            "µs/event",
            whole.each(whole.backend_micros),
        );
        add_rates(&growth, ids, run);
    }
    let at_end = |ids: Ids| run.median(&rate_name(ids, "the end"));
    let ratio = at_end(Ids::V4) / at_end(Ids::V7);
    run.bars.push(Bar::at_least(
        "3b",
        &format!("v4 ÷ v7 ids: rate at the end of {events} records"),
        ratio,
        0.6,
        0.9,
    ));
    Ok(())
}

fn rate_name(ids: Ids, place: &str) -> String {
    format!("scale, {} ids: rate at {place}", ids.name())
}

fn add_rates(growth: &Growth, ids: Ids, run: &mut Run) {
    for size in SIZES.into_iter().filter(|size| *size < growth.stored()) {
        let rate = growth.rate_between(size - size / 4, size + size / 4);
        run.add(&rate_name(ids, &format!("{size}")), "events/s", rate);
    }
    let end = growth.stored();
    run.add(&rate_name(ids, "the end"), "events/s", growth.rate_between(end - end / 20, end));
    let step = (end / POINTS).max(1);
    run.curves.push(Curve {
        plot: "ingest rate as the store grows".to_owned(),
        name: format!("{} ids", ids.name()),
        x_axis: "events stored".to_owned(),
        y_axis: "events/s".to_owned(),
        points: (1..=POINTS).map(|point| growth.point(point * step - step, point * step)).collect(),
    });
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
    }
}
