//! A dead letter as the API shows it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use shared::timestamp::Timestamp;
use store::dead_letters::DeadLetterRow;
use uuid::Uuid;

/// The answer's JSON; bytes as base64.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadLetterView<'a> {
    id: String,
    cluster: &'a str,
    topic: &'a str,
    partition: i32,
    incarnation: i32,
    offset: i64,
    stage: &'static str,
    reason: &'static str,
    pointer: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Uuid>,
    recorded_at: Timestamp,
    published_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordView<'a>>,
}

/// The original record.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordView<'a> {
    key: Option<String>,
    value: Option<String>,
    headers: Vec<HeaderView<'a>>,
    timestamp_ms: Option<i64>,
}

#[derive(Serialize)]
struct HeaderView<'a> {
    name: &'a str,
    value: Option<String>,
}

/// What to answer; with the original bytes only for those who may see payloads.
pub(super) fn of(row: &DeadLetterRow, with_record: bool) -> DeadLetterView<'_> {
    DeadLetterView {
        id: row.position.to_string(),
        cluster: &row.log.cluster,
        topic: &row.log.topic,
        partition: row.log.partition,
        incarnation: row.log.incarnation,
        offset: row.position.offset,
        stage: row.stage.as_str(),
        reason: row.reason.as_str(),
        pointer: &row.pointer,
        detail: &row.detail,
        event_id: row.event_id,
        recorded_at: row.recorded_at,
        published_at: row.published_at,
        record: with_record.then(|| RecordView {
            key: base64(row.record.key.as_ref()),
            value: base64(row.record.value.as_ref()),
            headers: row
                .record
                .headers
                .iter()
                .map(|(name, value)| HeaderView { name, value: base64(value.as_ref()) })
                .collect(),
            timestamp_ms: row.record.timestamp_ms,
        }),
    }
}

fn base64(bytes: Option<&Bytes>) -> Option<String> {
    bytes.map(|bytes| STANDARD.encode(bytes))
}
