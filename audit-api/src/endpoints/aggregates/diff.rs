//! `GET /v1/aggregates/{type}/{id}/diff`

use axum::{body::Body, http::Response};
use shared::state::{Diff, Fold};
use utoipa::IntoParams;

use super::{
    fold::{Until, Users, fold, name, nothing_until_then},
    resolve::Named,
};
use crate::{
    endpoints::{Asked, Serving},
    openapi::DiffDocument,
    request::{Media, Parameters, negotiate, path::Segments},
    respond::{self, Problem, page::Rows},
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct DiffParameters {
    /// The aggregate's organisation, needed when several have an aggregate of this type and id.
    organization_id: Option<String>,
    /// From the state as of this version, inclusive. Neither `fromVersion` nor `fromAt`: from before the first event.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    from_version: Option<i32>,
    /// From the state as of this moment of event time, inclusive (RFC 3339); instead of `fromVersion`.
    #[param(format = DateTime)]
    from_at: Option<String>,
    /// To the state as of this version, inclusive. Neither `toVersion` nor `toAt`: to the newest.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    to_version: Option<i32>,
    /// To the state as of this moment of event time, inclusive; instead of `toVersion`.
    #[param(format = DateTime)]
    to_at: Option<String>,
}

/// The two states to compare; without a `from` the first is that before all events.
struct Between {
    from: Option<Until>,
    to: Until,
}

impl Between {
    fn read(parameters: &mut Parameters) -> Result<Self, Problem> {
        let from = Until::read(parameters, "fromVersion", "fromAt")?;
        let to = Until::read(parameters, "toVersion", "toAt")?.unwrap_or(Until::Newest);
        let swapped = match (from, to) {
            (Some(Until::Version(from)), Until::Version(to)) if from > to => {
                Some(("toVersion", "fromVersion"))
            }
            (Some(Until::Moment(from)), Until::Moment(to)) if from > to => Some(("toAt", "fromAt")),
            _ => None,
        };
        match swapped {
            Some((name, other)) => Err(Problem::parameter(name, &format!("is before {other}: swap the two"))),
            None => Ok(Self { from, to }),
        }
    }
}

/// What changed between two states of an aggregate
///
/// As a JSON Patch (RFC 6902), and value by value with the event that set it last or took it away. States are as
/// `GET /v1/aggregates/{type}/{id}` has them; two forms of one value (`1.50`, `1.5`) are no change.
#[utoipa::path(
    get, path = "/v1/aggregates/{type}/{id}/diff", operation_id = "aggregateDiff", tag = "Aggregates",
    params(
        ("type" = String, Path, description = "The aggregate's type.", example = "Order"),
        ("id" = String, Path, description = "The aggregate's id.", example = "order-1"),
        DiffParameters
    ),
    responses((status = 200, description = "The difference.", body = DiffDocument, content_type = "application/json"))
)]
pub(crate) async fn diff(
    Serving(api): Serving,
    asked: Asked,
    Segments(path): Segments<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let named = Named::read(path, &mut parameters)?;
    let between = Between::read(&mut parameters)?;
    parameters.finish()?;

    let key = named.resolve(&api, &scope).await?;
    let mut from = Fold::new(&api.deletions);
    if let Some(until) = between.from {
        from = fold(&api, &scope, &key, until, Users::LeftOut, from).await?;
    }
    let to = Fold::with_removals(&api.deletions);
    let to = fold(&api, &scope, &key, between.to, Users::LeftOut, to).await?;
    if to.events() == 0 {
        return Err(nothing_until_then());
    }
    let mut body = Vec::new();
    Diff::between(&from, &to).write_json(&name(&key), &mut body);
    let mut response = respond::data(Media::Json.name(), body);
    response.extensions_mut().insert(Rows(from.events() + to.events()));
    Ok(response)
}
