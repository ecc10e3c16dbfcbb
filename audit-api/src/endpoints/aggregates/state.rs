//! `GET /v1/aggregates/{type}/{id}`

use axum::{body::Body, http::Response};
use shared::state::Fold;
use utoipa::IntoParams;

use super::{
    fold::{Until, Users, fold, name, nothing_until_then},
    resolve::Named,
};
use crate::{
    endpoints::{Asked, Serving},
    openapi::StateDocument,
    request::{Media, negotiate, path::Segments},
    respond::{self, Problem, page::Rows},
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct StateParameters {
    /// The aggregate's organisation, needed when several have an aggregate of this type and id.
    organization_id: Option<String>,
    /// As of this version, inclusive; not together with `at`.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    version: Option<i32>,
    /// As of this moment of event time, inclusive (RFC 3339).
    #[param(format = DateTime)]
    at: Option<String>,
    /// Adds who set each value, when, by which event.
    blame: Option<bool>,
}

/// The state of an aggregate
///
/// What its events have made of it, now or at any version or moment of its past. Each event contributes `newValues` or
/// `newValue` when it is an object (or a string that holds one), else `changes` (`{field: {old, new}}`), else its payload;
/// they are applied in version order as merge patches (RFC 7396). Event types that stand for a deletion set `deleted` and
/// keep the last state. More than 100,000 events are not folded (`aggregate-too-large`).
#[utoipa::path(
    get, path = "/v1/aggregates/{type}/{id}", operation_id = "aggregateState", tag = "Aggregates",
    params(
        ("type" = String, Path, description = "The aggregate's type.", example = "Order"),
        ("id" = String, Path, description = "The aggregate's id.", example = "order-1"),
        StateParameters
    ),
    responses((status = 200, description = "The state.", body = StateDocument, content_type = "application/json"))
)]
pub(crate) async fn state(
    Serving(api): Serving,
    asked: Asked,
    Segments(path): Segments<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let named = Named::read(path, &mut parameters)?;
    let until = Until::read(&mut parameters, "version", "at")?.unwrap_or(Until::Newest);
    let blame = parameters.word("blame", &[("true", true), ("false", false)])?.unwrap_or(false);
    parameters.finish()?;

    let key = named.resolve(&api, &scope).await?;
    let users = if blame { Users::Named } else { Users::LeftOut };
    let folded = fold(&api, &scope, &key, until, users, Fold::new(&api.deletions)).await?;
    if folded.events() == 0 {
        return Err(nothing_until_then());
    }
    let mut body = Vec::new();
    folded.write_json(&name(&key), blame, &mut body);
    let mut response = respond::data(Media::Json.name(), body);
    response.extensions_mut().insert(Rows(folded.events()));
    Ok(response)
}
