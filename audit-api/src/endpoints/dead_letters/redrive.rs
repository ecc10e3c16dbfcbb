//! `POST /v1/dead-letters/{id}/redrive`

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use serde::Serialize;
use shared::scope::Scope;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{find, view};
use crate::{
    endpoints::Asked,
    measure,
    openapi::RedrivenDocument,
    request::{Media, negotiate, path::Segments},
    respond::{self, Problem},
    state::Api,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    id: String,
    redrive_id: Uuid,
    topic: String,
    partition: i32,
    offset: i64,
}

/// Send a dead letter again
///
/// The original bytes, key and headers go to the topic they came from, with the header `audit.redrive.of`; the record's
/// old account stays. Send it when what it was refused for has been put right. It may be sent more than once: an event
/// that is stored already is counted as a duplicate. Each time is recorded, and shown with the dead letter.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/redrive", operation_id = "redriveDeadLetter", tag = "Dead letters",
    params(("id" = String, Path, description = "Its id, as the list and the header `audit.dead.letter.id` give it.",
        pattern = r"^[0-9]{1,10}:[0-9]{1,19}$", example = "1:42")),
    responses((status = 202, description = "Kafka has it again, there.", body = RedrivenDocument, content_type = "application/json"))
)]
pub(crate) async fn redrive(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    caller.redrives()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let position = find::position(&id)?;
    let redriver = api.redriver()?.clone();
    let letter = measure::query("dead_letter", api.reader.dead_letter(&Scope::All, position)).await?;
    let letter = letter.ok_or_else(view::none)?;
    let topic = letter.log.topic.clone();
    // What has begun is finished and recorded, whoever still listens.
    let redriving = tokio::spawn(redriver.redrive(caller, letter).in_current_span());
    let redriven = redriving.await.map_err(|error| {
        tracing::error!(%error, "a redrive ended without an answer");
        Problem::internal()
    })??;
    let answer = Answer {
        id: position.to_string(),
        redrive_id: redriven.redrive_id,
        topic,
        partition: redriven.delivered.partition,
        offset: redriven.delivered.offset,
    };
    let json = serde_json::to_vec(&answer).map_err(|_| Problem::internal())?;
    let mut response = respond::data(Media::Json.name(), json);
    *response.status_mut() = StatusCode::ACCEPTED;
    response.extensions_mut().insert(respond::page::Rows(1));
    Ok(response)
}
