//! Every metric of the ingestor, in one place. They are hints; `appends` is the account.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use shared::{account::DispositionKind, refusal::Reason};
use store::Appended;

use crate::consume::{command::RewindReason, plan::StopReason};

const RECEIVED: &str = "audit_events_received_total";
const STORED: &str = "audit_events_stored_total";
const DUPLICATE: &str = "audit_events_duplicate_total";
const DEAD_LETTERED: &str = "audit_events_dead_lettered_total";
const SKIPPED: &str = "audit_events_skipped_total";
const KEY_MISMATCHES: &str = "audit_events_key_mismatch_total";
const DB_LAG: &str = "audit_db_lag_seconds";
const INGEST_LAG: &str = "audit_ingest_lag_records";
const BATCH_RECORDS: &str = "audit_batch_size_records";
const BATCH_BYTES: &str = "audit_batch_size_bytes";
const BATCH_SECONDS: &str = "audit_batch_duration_seconds";
const REWINDS: &str = "audit_partition_rewinds_total";
const ASSIGNED: &str = "audit_partitions_assigned";
const STOPPED: &str = "audit_partitions_stopped";
const PAUSES: &str = "audit_lane_pauses_total";
const UNPUBLISHED: &str = "audit_dead_letters_unpublished";
const PUBLISHED: &str = "audit_dead_letters_published_total";

/// Gives every metric its help text, and every label value its zero, so that alerts see a rise from the first one.
pub fn describe() {
    describe_counter!(RECEIVED, "Records that Kafka delivered.");
    describe_counter!(STORED, "Events stored.");
    describe_counter!(DUPLICATE, "Records whose event was stored before.");
    describe_counter!(DEAD_LETTERED, "Records refused, by reason.");
    describe_counter!(SKIPPED, "Offsets without a record for us, by kind.");
    describe_counter!(KEY_MISMATCHES, "Events whose record key is not their aggregate id.");
    describe_gauge!(
        DB_LAG,
        Unit::Seconds,
        "Age of the oldest record read and not yet committed; 0 when idle."
    );
    describe_gauge!(
        INGEST_LAG,
        "Records that Kafka has and the database has not, over the partitions assigned here."
    );
    describe_histogram!(BATCH_RECORDS, "Records per transaction.");
    describe_histogram!(BATCH_BYTES, Unit::Bytes, "Bytes of records per transaction.");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Duration of one append, by step.");
    describe_counter!(REWINDS, "Partitions started anew at their stored position, by reason.");
    describe_gauge!(ASSIGNED, "Partitions assigned to this member.");
    describe_gauge!(STOPPED, "Partitions not read until somebody decides, by reason.");
    describe_counter!(
        PAUSES,
        "Times a lane went round its partitions and took nothing of some because it was full."
    );
    describe_gauge!(UNPUBLISHED, "Dead letters that the relay has seen and not yet published.");
    describe_counter!(PUBLISHED, "Dead letters published.");
    for name in [RECEIVED, STORED, DUPLICATE, KEY_MISMATCHES, PAUSES, PUBLISHED] {
        counter!(name).absolute(0);
    }
    for reason in Reason::ALL {
        counter!(DEAD_LETTERED, "reason" => reason.as_str()).absolute(0);
    }
    for kind in DispositionKind::ALL.into_iter().filter(|kind| kind.is_skipped()) {
        counter!(SKIPPED, "kind" => kind.as_str()).absolute(0);
    }
    for reason in RewindReason::ALL {
        counter!(REWINDS, "reason" => reason.as_str()).absolute(0);
    }
    partitions(0, |_| 0);
    lag(0, Duration::ZERO);
}

/// Records were taken into a lane.
pub fn received(records: usize) {
    counter!(RECEIVED).increment(records as u64);
}

/// A batch is committed.
pub fn appended(appended: &Appended, records: usize, bytes: usize) {
    for span in &appended.spans {
        counter!(STORED).increment(span.stored);
        counter!(DUPLICATE).increment(span.duplicate);
        for (reason, count) in &span.dead_lettered {
            counter!(DEAD_LETTERED, "reason" => reason.as_str()).increment(*count);
        }
        for (kind, count) in &span.skipped {
            counter!(SKIPPED, "kind" => kind.as_str()).increment(*count);
        }
    }
    histogram!(BATCH_RECORDS).record(approximate(records));
    histogram!(BATCH_BYTES).record(approximate(bytes));
}

/// How long the steps of a batch took.
pub fn batch_took(prepare: Duration, append: Duration) {
    histogram!(BATCH_SECONDS, "step" => "prepare").record(prepare);
    histogram!(BATCH_SECONDS, "step" => "append").record(append);
}

/// Events whose key is not their aggregate id.
pub fn key_mismatches(count: u64) {
    counter!(KEY_MISMATCHES).increment(count);
}

/// A partition starts anew.
pub fn rewound(reason: RewindReason) {
    counter!(REWINDS, "reason" => reason.as_str()).increment(1);
}

/// A full lane leaves its partitions' records with librdkafka, which then fetches no more of them.
pub fn lane_full() {
    counter!(PAUSES).increment(1);
}

/// How many partitions this member has, and how many of them are stopped.
pub fn partitions(assigned: usize, stopped: impl Fn(StopReason) -> usize) {
    gauge!(ASSIGNED).set(approximate(assigned));
    for reason in StopReason::ALL {
        gauge!(STOPPED, "reason" => reason.as_str()).set(approximate(stopped(reason)));
    }
}

/// How far the database is behind Kafka.
pub fn lag(records: i64, oldest: Duration) {
    gauge!(INGEST_LAG).set(approximate(usize::try_from(records).unwrap_or(0)));
    gauge!(DB_LAG).set(oldest.as_secs_f64());
}

/// What the relay has in hand.
pub fn unpublished(count: usize) {
    gauge!(UNPUBLISHED).set(approximate(count));
}

/// The relay published some.
pub fn published(count: usize) {
    counter!(PUBLISHED).increment(count as u64);
}

#[expect(clippy::cast_precision_loss, reason = "a metric: counts beyond 2^53 do not occur")]
fn approximate(count: usize) -> f64 {
    count as f64
}
