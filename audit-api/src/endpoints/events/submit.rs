//! `POST /v1/events`

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    endpoints::Asked,
    openapi::{NewEventDocument, SubmittedDocument},
    request::{Media, negotiate},
    respond::{self, Problem},
    state::Api,
    submit::{
        Once, Submitted, Wait,
        body::{self, Format, Received, Shape},
    },
};

#[derive(Serialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    event_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
}

/// Add events
///
/// One event, or an array of up to 1000 (or JSON lines): all are taken, or none. The ingestor's own rules are applied
/// before anything is produced; a refusal names each bad event with its place. The answer comes when Kafka has
/// acknowledged every event (202), or, with `Prefer: wait=N`, when all are stored (201, with positions).
///
/// `metadata.submittedBy` becomes your token's subject, and an organisation's token sets `metadata.organizationId`.
/// After a 503, or no answer at all, send the same request again: events with the same id are kept once.
/// `eventId` may be left out only with an `Idempotency-Key`; then a repeat within a day gets the same ids.
#[utoipa::path(
    post, path = "/v1/events", operation_id = "submitEvents", tag = "Events",
    params(
        ("Idempotency-Key" = Option<String>, Header,
            description = "Makes the request repeatable: 1 to 255 visible ASCII characters, yours alone (subject and organisation), remembered for a day with the body's digest.",
            min_length = 1, max_length = 255, pattern = r"^[\x21-\x7e]{1,255}$"),
        ("Prefer" = Option<String>, Header,
            description = "`wait=N`: wait up to N seconds (10 at most) until the events are stored.", example = "wait=5")
    ),
    request_body(description = "One event, an array of up to 1000, or one a line.", content(
        (NewEventDocument = "application/json", examples(
            ("one" = (summary = "One event", value = json!({
                "eventId": "0194fdc2-fa2f-7cc0-81d3-ff12045b73c8", "eventType": "OrderPlaced", "aggregateId": "order-1",
                "aggregateType": "Order", "timestamp": "2025-11-20T12:00:00Z", "version": 1,
                "payload": {"total": "12.50"}, "metadata": {"userId": "alice", "correlationId": "checkout-7"}}))),
            ("several" = (summary = "Several, without ids: with an Idempotency-Key", value = json!([
                {"eventType": "OrderPlaced", "aggregateId": "order-1", "aggregateType": "Order",
                 "timestamp": "2025-11-20T12:00:00Z", "version": 1, "payload": {"total": "12.50"}, "metadata": {}},
                {"eventType": "OrderPaid", "aggregateId": "order-1", "aggregateType": "Order",
                 "timestamp": "2025-11-20T12:00:03Z", "version": 2, "payload": {}, "metadata": {}}])))
        )),
        (String = "application/x-ndjson")
    )),
    responses(
        (status = 201, description = "All are stored.", body = SubmittedDocument, content_type = "application/json",
            headers(("Preference-Applied" = String, description = "The wait that held."),
                ("Location" = Option<String>, description = "The event, when the body was one event."))),
        (status = 202, description = "Kafka has all; they are not stored yet, or that was not waited for.",
            body = SubmittedDocument, content_type = "application/json",
            headers(("Preference-Applied" = Option<String>, description = "The wait that held, when one was asked for."),
                ("Location" = Option<String>, description = "Where the event will be, when the body was one event.")))
    )
)]
pub(crate) async fn submit(
    State(api): State<Arc<Api>>,
    asked: Asked,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    caller.writes()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let format = Format::read(&headers)?;
    let wait = Wait::read(&headers)?;
    let submitter = api.submitter()?;
    let settings = &api.settings;
    let received =
        body::receive(body, settings.max_body_bytes, settings.body_timeout, submitter.bytes()).await?;
    let once = Once::read(&headers, &received.bytes)?;
    let shape = body::shape(&received.bytes, format);
    let has_key = once.is_some();
    let taken = submitter
        .take(&caller, once, shape, |ids| body::envelopes(&received.bytes, format, has_key.then_some(ids)));
    let taken = taken.await?;
    // Room for other bodies while this caller waits.
    drop::<Received>(received);
    let seconds = wait.map(Wait::duration).unwrap_or_default();
    let submitted = api.await_stored(&taken, seconds, shape).await?;
    answer(&submitted, shape, wait)
}

fn answer(submitted: &Submitted, shape: Shape, wait: Option<Wait>) -> Result<Response<Body>, Problem> {
    let item = |event: &crate::submit::SubmittedEvent| Item {
        event_id: event.event_id,
        position: event.position.map(|position| position.to_string()),
    };
    let body = Answer { data: submitted.events.iter().map(item).collect() };
    let json = serde_json::to_vec(&body).map_err(|_| Problem::internal())?;
    let mut response = respond::data(Media::Json.name(), json);
    *response.status_mut() = if submitted.is_stored() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let headers = response.headers_mut();
    if let Some(wait) = wait {
        let applied = HeaderValue::try_from(wait.applied()).map_err(|_| Problem::internal())?;
        headers.insert("preference-applied", applied);
    }
    if let (Shape::One, [event]) = (shape, submitted.events.as_slice()) {
        let location = HeaderValue::try_from(format!("/v1/events/{}", event.event_id));
        headers.insert(header::LOCATION, location.map_err(|_| Problem::internal())?);
    }
    response.extensions_mut().insert(respond::page::Rows(submitted.events.len() as u64));
    Ok(response)
}
