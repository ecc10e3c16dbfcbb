//! `GET /v1/dead-letters/{id}`

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use shared::{position::Position, scope::Scope};

use super::view;
use crate::{
    endpoints::Asked,
    measure,
    openapi::DeadLetterDocument,
    request::{Media, negotiate, path::Segments},
    respond::{self, Problem},
    state::Api,
};

/// One dead letter
///
/// With the original record's bytes, unless your role shows no payloads, and with its redrives.
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", operation_id = "findDeadLetter", tag = "Dead letters",
    params(("id" = String, Path, description = "Its id, as the list and the header `audit.dead.letter.id` give it.",
        pattern = r"^[0-9]{1,10}:[0-9]{1,19}$", example = "1:42")),
    responses((status = 200, description = "The dead letter.", body = DeadLetterDocument, content_type = "application/json"))
)]
pub(crate) async fn find(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    let access = caller.ledger()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let position = position(&id)?;
    if !access.all_records {
        // An organisation's administrator sees no dead letter, and not whether there is one (semantics.md 12).
        return Err(view::none());
    }
    let row = measure::query("dead_letter", api.reader.dead_letter(&Scope::All, position)).await?;
    let row = row.ok_or_else(view::none)?;
    let redrives = measure::query("redrives", api.reader.redrives(&Scope::All, position)).await?;
    // A record that is no event has no organisation that could be trusted: its bytes are for those who read all.
    let with_record = access.payloads == Some(Scope::All);
    let body = serde_json::to_vec(&view::with_redrives(&row, with_record, &redrives))
        .map_err(|_| Problem::internal())?;
    let mut response = respond::data(Media::Json.name(), body);
    response.extensions_mut().insert(respond::page::Rows(1));
    Ok(response)
}

/// The position that an id names; two numbers that are too large for one are an id that nothing has.
pub(super) fn position(id: &str) -> Result<Position, Problem> {
    id.parse().map_err(|_| {
        if is_of_the_form(id) {
            view::none()
        } else {
            Problem::parameter("id", "is not the id of a dead letter, such as 1:42")
        }
    })
}

fn is_of_the_form(id: &str) -> bool {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    id.split_once(':').is_some_and(|(log, offset)| digits(log, 10) && digits(offset, 19))
}
