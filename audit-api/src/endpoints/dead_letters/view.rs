//! A dead letter as the API shows it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use shared::timestamp::Timestamp;
use store::{
    dead_letters::DeadLetterRow,
    redrives::{Redrive, RedriveOutcome},
};
use uuid::Uuid;

use crate::respond::Problem;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    redrives: Option<Vec<RedriveView<'a>>>,
}

/// One time that it was sent again.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RedriveView<'a> {
    redrive_id: Uuid,
    requested_at: Timestamp,
    requested_by: &'a str,
    outcome: &'static str,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
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
        redrives: None,
    }
}

/// The same with the times that it was sent again, newest first.
pub(super) fn with_redrives<'a>(
    row: &'a DeadLetterRow,
    with_record: bool,
    redrives: &'a [Redrive],
) -> DeadLetterView<'a> {
    DeadLetterView { redrives: Some(redrives.iter().map(redrive).collect()), ..of(row, with_record) }
}

fn redrive(redrive: &Redrive) -> RedriveView<'_> {
    let (outcome, place) = match redrive.outcome {
        Some(RedriveOutcome::Produced { partition, offset }) => ("produced", Some((partition, offset))),
        Some(RedriveOutcome::Failed) => ("failed", None),
        None => ("unknown", None),
    };
    let (partition, offset) = place.unzip();
    RedriveView {
        redrive_id: redrive.redrive_id,
        requested_at: redrive.requested_at,
        requested_by: &redrive.requested_by,
        outcome,
        topic: &redrive.topic,
        partition,
        offset,
    }
}

/// No such dead letter, or none that the caller may see.
pub(super) fn none() -> Problem {
    Problem::not_found("dead letter of this id")
}

fn base64(bytes: Option<&Bytes>) -> Option<String> {
    bytes.map(|bytes| STANDARD.encode(bytes))
}
