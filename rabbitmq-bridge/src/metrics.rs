//! Every metric of the bridge, in one place.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use shared::{refusal::Reason, vocabulary::UnmappableReason};

use crate::session::Ending;

const RECEIVED: &str = "audit_bridge_messages_received_total";
const REDELIVERED: &str = "audit_bridge_messages_redelivered_total";
const PRODUCED: &str = "audit_bridge_events_produced_total";
const POSSIBLE_DUPLICATES: &str = "audit_bridge_possible_duplicates_total";
const DEAD_LETTERED: &str = "audit_bridge_messages_dead_lettered_total";
const UNACKNOWLEDGED: &str = "audit_bridge_unacknowledged_messages";
const LAG: &str = "audit_bridge_lag_seconds";
const DURATION: &str = "audit_bridge_message_duration_seconds";
const SESSIONS: &str = "audit_bridge_sessions_ended_total";
const CONSUMING: &str = "audit_bridge_consuming";
const BLOCKED: &str = "audit_bridge_publishing_blocked";

/// Gives every metric its help text, and every label value its zero, so that alerts see a rise from the first one.
pub fn describe() {
    describe_counter!(RECEIVED, "Messages that RabbitMQ delivered.");
    describe_counter!(REDELIVERED, "Those of them that it may have delivered before.");
    describe_counter!(PRODUCED, "Events that Kafka acknowledged.");
    describe_counter!(
        POSSIBLE_DUPLICATES,
        "Events marked as possible duplicates: redelivered, and without an id."
    );
    describe_counter!(DEAD_LETTERED, "Messages refused, by reason.");
    describe_gauge!(UNACKNOWLEDGED, "Messages delivered and not yet acknowledged.");
    describe_gauge!(LAG, Unit::Seconds, "Age of the oldest message delivered that waits; 0 when idle.");
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "From a message's delivery until Kafka or the dead letters have it."
    );
    describe_counter!(SESSIONS, "Times that consuming ended, by what ended it.");
    describe_gauge!(CONSUMING, "1 while the queue is consumed.");
    describe_gauge!(BLOCKED, "1 while RabbitMQ blocks the publishing of dead letters.");
    for name in [RECEIVED, REDELIVERED, PRODUCED, POSSIBLE_DUPLICATES] {
        counter!(name).absolute(0);
    }
    let of_ingestor = Reason::ALL.iter().map(|reason| reason.as_str());
    for reason in of_ingestor.chain(UnmappableReason::ALL.iter().map(|reason| reason.as_str())) {
        counter!(DEAD_LETTERED, "reason" => reason).absolute(0);
    }
    for ending in Ending::ALL {
        counter!(SESSIONS, "reason" => ending.as_str()).absolute(0);
    }
    consuming(false);
    blocked(false);
    waiting(0, Duration::ZERO);
}

/// A message came.
pub fn received(redelivered: bool) {
    counter!(RECEIVED).increment(1);
    if redelivered {
        counter!(REDELIVERED).increment(1);
    }
}

/// Kafka has an event, so long after its message came.
pub fn produced(after: Duration) {
    counter!(PRODUCED).increment(1);
    histogram!(DURATION).record(after);
}

/// An event was marked as a possible duplicate.
pub fn possible_duplicate() {
    counter!(POSSIBLE_DUPLICATES).increment(1);
}

/// The dead letters have a message, so long after it came.
pub fn dead_lettered(reason: &'static str, after: Duration) {
    counter!(DEAD_LETTERED, "reason" => reason).increment(1);
    histogram!(DURATION).record(after);
}

/// How many messages are unacknowledged, and for how long the oldest has waited.
pub fn waiting(messages: usize, oldest: Duration) {
    gauge!(UNACKNOWLEDGED).set(u32::try_from(messages).unwrap_or(u32::MAX));
    gauge!(LAG).set(oldest);
}

/// Whether the queue is consumed.
pub fn consuming(is: bool) {
    gauge!(CONSUMING).set(if is { 1.0 } else { 0.0 });
}

/// Consuming ended.
pub fn session_ended(ending: Ending) {
    counter!(SESSIONS, "reason" => ending.as_str()).increment(1);
}

/// Whether RabbitMQ blocks the publishing of dead letters.
pub fn blocked(is: bool) {
    gauge!(BLOCKED).set(if is { 1.0 } else { 0.0 });
}
