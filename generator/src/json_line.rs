//! An event as a line of canonical JSON Lines, which `trailctl produce` reads.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use shared::envelope::Envelope;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    event_id: &'a str,
    event_type: &'a str,
    aggregate_id: &'a str,
    aggregate_type: &'a str,
    timestamp: String,
    version: i64,
    payload: &'a RawValue,
    metadata: &'a BTreeMap<String, String>,
}

/// The line, without its newline.
pub fn of(envelope: &Envelope) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Line {
        event_id: &envelope.event_id,
        event_type: &envelope.event_type,
        aggregate_id: &envelope.aggregate_id,
        aggregate_type: &envelope.aggregate_type,
        timestamp: envelope.timestamp.to_string(),
        version: envelope.version,
        payload: serde_json::from_str(&envelope.payload)?,
        metadata: &envelope.metadata,
    })
}
