//! Every metric of the projector, in one place. They are hints; `projections` is the account.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use store::projections::{Advance, AsOf, Projection};

const LAG_APPENDS: &str = "audit_projection_lag_appends";
const LAG_SECONDS: &str = "audit_projection_lag_seconds";
const EVENTS: &str = "audit_projection_events_total";
const BATCH_SECONDS: &str = "audit_projection_batch_duration_seconds";
const FAILURES: &str = "audit_projection_failures_total";
const LEADING: &str = "audit_projector_leading";

/// Gives every metric its help text, and every label value its zero.
pub fn describe() {
    describe_gauge!(LAG_APPENDS, "Appends that the projection has not read.");
    describe_gauge!(
        LAG_SECONDS,
        Unit::Seconds,
        "How long the first append that the projection has not read has been waiting; 0 when there is none."
    );
    describe_counter!(EVENTS, "Events folded into the projection.");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Duration of one batch, by step.");
    describe_counter!(FAILURES, "Batches that failed and are done again.");
    describe_gauge!(LEADING, "1 on the projector that works, 0 on one that stands by.");
    for projection in Projection::ALL {
        counter!(EVENTS, "projection" => projection.name()).absolute(0);
    }
    counter!(FAILURES).absolute(0);
    leading(false);
}

/// How far a projection is behind.
#[expect(clippy::cast_precision_loss, reason = "a metric: counts beyond 2^53 do not occur")]
pub fn lag(projection: Projection, as_of: &AsOf) {
    gauge!(LAG_APPENDS, "projection" => projection.name()).set(as_of.behind as f64);
    gauge!(LAG_SECONDS, "projection" => projection.name()).set(as_of.age.as_secs_f64());
}

/// Another projector works and tells the lag: what this one knew of it is over.
pub fn stands_by() {
    for projection in Projection::ALL {
        gauge!(LAG_APPENDS, "projection" => projection.name()).set(0.0);
        gauge!(LAG_SECONDS, "projection" => projection.name()).set(0.0);
    }
}

/// A batch is committed.
pub fn applied(advance: &Advance, events: u64, read: Duration, apply: Duration) {
    for projection in &advance.projections {
        counter!(EVENTS, "projection" => projection.name()).increment(events);
    }
    histogram!(BATCH_SECONDS, "step" => "read").record(read);
    histogram!(BATCH_SECONDS, "step" => "apply").record(apply);
}

/// A batch failed.
pub fn failed() {
    counter!(FAILURES).increment(1);
}

/// Whether this projector is the one that works.
pub fn leading(leads: bool) {
    gauge!(LEADING).set(if leads { 1.0 } else { 0.0 });
}
