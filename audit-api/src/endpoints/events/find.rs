//! `GET /v1/events/{eventId}`

use axum::{body::Body, http::Response};
use uuid::Uuid;

use crate::{
    endpoints::{Asked, Serving},
    measure,
    openapi::EventDocument,
    request::{Media, negotiate, path::Segments},
    respond::{self, Problem},
};

/// One event
#[utoipa::path(
    get, path = "/v1/events/{eventId}", operation_id = "findEvent", tag = "Events",
    params(("eventId" = Uuid, Path, description = "The producer's id of the event.")),
    responses((status = 200, description = "The event.", body = EventDocument, content_type = "application/json"))
)]
pub(crate) async fn find(
    Serving(api): Serving,
    asked: Asked,
    Segments(event_id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let scope = asked.caller.events()?;
    asked.parameters.finish()?;
    negotiate(&asked.headers, &[Media::Json])?;
    let event_id = parse("eventId", &event_id)?;
    let event = measure::query("find", api.reader.find_event(&scope, event_id)).await?;
    let event = event.ok_or_else(|| Problem::not_found("event of this id"))?;
    let mut body = Vec::new();
    event.view().write_json(&mut body);
    let mut response = respond::data(Media::Json.name(), body);
    response.extensions_mut().insert(respond::page::Rows(1));
    Ok(response)
}

/// An id in its hyphenated form, in any case (semantics.md 1).
pub(in crate::endpoints) fn parse(name: &str, text: &str) -> Result<Uuid, Problem> {
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    text.parse()
        .ok()
        .filter(|_| hyphenated)
        .ok_or_else(|| Problem::parameter(name, "is not a UUID such as 0191d4c6-7d5e-7c1a-b1a2-0f5f6f1c2d3e"))
}
