//! `GET /audit/logs` and `GET /audit/logs/{id}` (B09 to B11).

use axum::{body::Body, http::Response};
use shared::{filter::EventFilter, vocabulary::Action};
use utoipa::IntoParams;

use super::super::{
    listing::page_of,
    names::OF_001,
    paging::{Paged, Paging, PagingParameters, json},
};
use super::shape::{AuditLog, AuditLogDetails};
use crate::{
    endpoints::{Asked, Serving, events::find},
    measure,
    request::{Media, Parameters, negotiate, path::Segments},
    respond::Problem,
};

/// The documentation of the filters of document 001; [`filter`] is what reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct FilterParameters {
    /// Who did it.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
    /// What happened; `*` is any run of characters (`USER_*`).
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    event_type: Option<Vec<String>>,
    /// Event time, inclusive (RFC 3339).
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Event time, exclusive.
    #[param(format = DateTime)]
    end_date: Option<String>,
    /// The aggregate's type.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    resource_type: Option<Vec<String>>,
    /// The aggregate's id.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    resource_id: Option<Vec<String>>,
    /// CREATE, READ, UPDATE, DELETE and the other words of docs/vocabulary.md. It needs a user, a resource, or dates at
    /// most 31 days apart.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    action: Option<Vec<String>>,
    /// Whose it is; it narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
}

/// The filter of document 001.
pub(super) fn filter(parameters: &mut Parameters) -> Result<EventFilter, Problem> {
    let mut filter = OF_001.filter(parameters)?;
    filter.action = actions(parameters.many("action")?);
    Ok(filter)
}

/// Actions as they are stored: a word of the list in any spelling, and as it was given.
pub(in crate::endpoints::older) fn actions(given: Vec<String>) -> Vec<String> {
    let mut actions = Vec::new();
    for word in given {
        let normal = Action::parse(&word).map(|action| action.as_str().to_owned());
        for word in normal.into_iter().chain([word]) {
            if !actions.contains(&word) {
                actions.push(word);
            }
        }
    }
    actions
}

/// Audit logs (document 001)
#[utoipa::path(
    get, path = "/audit/logs", operation_id = "listAuditLogs", tag = "Older addresses",
    params(FilterParameters, PagingParameters),
    responses((status = 200, description = "The logs, newest first.", body = inline(Paged<AuditLog>), content_type = "application/json"))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = filter(&mut parameters)?;
    let paging = Paging::read(&mut parameters, &OF_001)?;
    parameters.finish()?;
    let (rows, total) = page_of(&api, scope, filter, paging, &OF_001).await?;
    Ok(paging.answer(rows.iter().map(|row| AuditLog::of(&row.view())).collect(), total))
}

/// One audit log in full (document 001)
#[utoipa::path(
    get, path = "/audit/logs/{id}", operation_id = "findAuditLog", tag = "Older addresses",
    params(("id" = uuid::Uuid, Path, description = "The log's id.")),
    responses((status = 200, description = "The log.", body = AuditLogDetails, content_type = "application/json"))
)]
pub(crate) async fn find(
    Serving(api): Serving,
    asked: Asked,
    Segments(id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let scope = asked.caller.events()?;
    asked.parameters.finish()?;
    negotiate(&asked.headers, &[Media::Json])?;
    let id = find::parse("id", &id)?;
    let event = measure::query("find", api.reader.find_event(&scope, id)).await?;
    let event = event.ok_or_else(|| Problem::not_found("audit log of this id"))?;
    let details = AuditLogDetails::of(&event.view()).ok_or_else(Problem::internal)?;
    Ok(json(&details, 1))
}
