//! `GET /v1/ledger/records/{topic}/{partition}/{offset}`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{account::DispositionKind, refusal::Reason, scope::Scope};
use store::{EventRow, RecordAddress, RecordFate};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::{
    auth::LedgerAccess,
    endpoints::Asked,
    measure,
    openapi::RecordDocument,
    request::{
        Media, negotiate,
        path::{self, Segments},
    },
    respond::{self, Problem},
    state::Api,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct LogParameters {
    /// Which life of the partition; the newest when left out.
    #[param(minimum = 1, maximum = 2_147_483_647)]
    incarnation: Option<i32>,
    /// The configured name of the Kafka cluster, when there are several.
    #[param(min_length = 1, max_length = 2048)]
    cluster: Option<String>,
}

/// What became of a record, as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fate<'a> {
    cluster: &'a str,
    topic: &'a str,
    partition: i32,
    incarnation: i32,
    offset: i64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
}

/// What became of a Kafka record
///
/// Stored, a duplicate, dead-lettered, skipped, or not read yet. Of a duplicate the event is the one that it repeats.
#[utoipa::path(
    get, path = "/v1/ledger/records/{topic}/{partition}/{offset}", operation_id = "findRecord", tag = "Ledger",
    params(
        ("topic" = String, Path, description = "The topic.", example = "audit.events"),
        ("partition" = i32, Path, description = "The partition.", minimum = 0),
        ("offset" = i64, Path, description = "The offset.", minimum = 0),
        LogParameters
    ),
    responses((status = 200, description = "Its fate.", body = RecordDocument, content_type = "application/json"))
)]
pub(crate) async fn record(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments((topic, partition, offset)): Segments<(String, String, String)>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let access = caller.ledger()?;
    negotiate(&headers, &[Media::Json])?;
    let address = RecordAddress {
        cluster: parameters.one("cluster")?,
        topic: path::id("topic", topic)?,
        partition: path::number("partition", &partition, &i32::MAX)?,
        incarnation: parameters.number("incarnation", 1, i32::MAX)?,
        offset: path::number("offset", &offset, &i64::MAX)?,
    };
    parameters.finish()?;
    // Whoever may know every fate looks everywhere; the payload is decided on what is found.
    let scope = match &access {
        LedgerAccess { all_records: false, payloads: Some(own) } => own.clone(),
        _ => Scope::All,
    };
    let fate = measure::query("record", api.reader.record(&scope, &address)).await?;
    let fate = fate.ok_or_else(|| Problem::not_found("record at this place"))?;
    let mut response = respond::data(Media::Json.name(), to_json(&fate, &access)?);
    response.extensions_mut().insert(respond::page::Rows(1));
    Ok(response)
}

fn to_json(fate: &RecordFate, access: &LedgerAccess) -> Result<Vec<u8>, Problem> {
    let shown = fate.event.as_ref().filter(|event| access.shows_payload_of(event.organization_id()));
    let answer = Fate {
        cluster: &fate.log.cluster,
        topic: &fate.log.topic,
        partition: fate.log.partition,
        incarnation: fate.log.incarnation,
        offset: fate.position.offset,
        state: fate.state.as_str(),
        kind: fate.kind.map(DispositionKind::as_str),
        reason: fate.reason.map(Reason::as_str),
        pointer: fate.pointer.as_deref(),
        event_id: fate.event_id,
        event: shown.map(|event| raw(event)).transpose()?,
    };
    serde_json::to_vec(&answer).map_err(|_| Problem::internal())
}

/// The event's own bytes inside the answer.
fn raw(row: &EventRow) -> Result<Box<RawValue>, Problem> {
    let mut json = Vec::new();
    row.view().write_json(&mut json);
    let not_json = |()| {
        tracing::error!(position = %row.position(), "a stored event cannot be written as JSON");
        Problem::internal()
    };
    let text = String::from_utf8(json).map_err(|_| not_json(()))?;
    RawValue::from_string(text).map_err(|_| not_json(()))
}
