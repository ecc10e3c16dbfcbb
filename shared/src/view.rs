//! An event as every answer shows it.

use std::borrow::Cow;

use uuid::Uuid;

use crate::csv::{FormulaGuard, push_record};
use crate::json::{Opened, open, push_integer, push_string, string};
use crate::position::Position;
use crate::timestamp::Timestamp;

/// The columns of events as CSV.
const CSV_COLUMNS: [&str; 16] = [
    "eventId",
    "eventType",
    "aggregateType",
    "aggregateId",
    "timestamp",
    "version",
    "organizationId",
    "userId",
    "source",
    "action",
    "correlationId",
    "causationId",
    "recordedAt",
    "position",
    "payload",
    "metadata",
];

/// Appends the line of column names that events as CSV begin with.
pub fn write_csv_header(out: &mut Vec<u8>) {
    push_record(out, CSV_COLUMNS, FormulaGuard::Off);
}

/// The contract's JSON of a stored event, borrowed from wherever it was read.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'a> {
    /// The producer's id.
    pub event_id: Uuid,
    /// What happened.
    pub event_type: &'a str,
    /// The aggregate's id.
    pub aggregate_id: &'a str,
    /// The aggregate's kind.
    pub aggregate_type: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The producer's count per aggregate; 0 = unversioned.
    pub version: i32,
    /// The stored bytes: a compact JSON object.
    pub payload: &'a str,
    /// The stored bytes: a compact JSON object.
    pub metadata: &'a str,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// Its place; opaque to clients.
    pub position: Position,
}

impl EventView<'_> {
    /// The metadata values of these keys; `None` = absent.
    pub fn metadata_values<const N: usize>(&self, keys: [&str; N]) -> [Option<Cow<'_, str>>; N] {
        let opened = open(self.metadata);
        keys.map(|key| match opened.as_ref()?.member(key)? {
            Opened::Text(text) => string(text),
            Opened::Object(_) => None,
        })
    }

    /// Appends the event as one CSV record: times and payload as in JSON, metadata values that have a filter in columns of
    /// their own, `""` = absent.
    pub fn write_csv(&self, out: &mut Vec<u8>, guard: FormulaGuard) {
        let promoted = self.metadata_values([
            "organizationId",
            "userId",
            "source",
            "action",
            "correlationId",
            "causationId",
        ]);
        let [organization, user, source, action, correlation, causation] =
            promoted.map(Option::unwrap_or_default);
        let cells: [&str; CSV_COLUMNS.len()] = [
            &self.event_id.to_string(),
            self.event_type,
            self.aggregate_type,
            self.aggregate_id,
            &self.timestamp.to_string(),
            &self.version.to_string(),
            &organization,
            &user,
            &source,
            &action,
            &correlation,
            &causation,
            &self.recorded_at.to_string(),
            &self.position.to_string(),
            self.payload,
            self.metadata,
        ];
        push_record(out, cells, guard);
    }

    /// Appends the event as one compact JSON object, without a newline; times with six decimals, `position` a string.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.reserve(self.payload.len() + self.metadata.len() + 512);
        out.extend_from_slice(b"{\"eventId\":\"");
        out.extend_from_slice(self.event_id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        out.extend_from_slice(b"\",\"eventType\":");
        push_string(out, self.event_type);
        out.extend_from_slice(b",\"aggregateId\":");
        push_string(out, self.aggregate_id);
        out.extend_from_slice(b",\"aggregateType\":");
        push_string(out, self.aggregate_type);
        out.extend_from_slice(b",\"timestamp\":\"");
        self.timestamp.write_to(out);
        out.extend_from_slice(b"\",\"version\":");
        push_integer(out, self.version);
        out.extend_from_slice(b",\"payload\":");
        out.extend_from_slice(self.payload.as_bytes());
        out.extend_from_slice(b",\"metadata\":");
        out.extend_from_slice(self.metadata.as_bytes());
        out.extend_from_slice(b",\"recordedAt\":\"");
        self.recorded_at.write_to(out);
        out.extend_from_slice(b"\",\"position\":\"");
        push_integer(out, self.position.log_id);
        out.push(b':');
        push_integer(out, self.position.offset);
        out.extend_from_slice(b"\"}");
    }
}
