//! `GET /api/audit`, `/entity/{type}/{id}`, `/user/{userId}`, `/search` (E19 to E22).

use axum::{body::Body, http::Response};
use shared::{
    filter::{EventFilter, Pattern, leaves_accesses_out},
    vocabulary::Action,
};
use utoipa::IntoParams;

use super::super::{
    audit::logs::actions,
    listing::page_of,
    names::OF_004,
    paging::{Paged, Paging, PagingParameters},
};
use super::shape::AuditLog;
use crate::{
    endpoints::{Asked, Serving},
    request::{
        Media, Parameters, negotiate,
        path::{self, Segments},
    },
    respond::Problem,
    state::Api,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct DateParameters {
    /// Event time, inclusive (RFC 3339).
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Event time, exclusive.
    #[param(format = DateTime)]
    end_date: Option<String>,
    /// Whose it is; it narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct TypeParameters {
    /// Create, Update, Delete, Login, Logout or AccessDenied, which need a user, an entity, or dates at most 31 days apart;
    /// or an event's own type, in which `*` is any run of characters (`Vehicle.*`).
    #[param(min_length = 1, max_length = 2048)]
    event_type: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct FilterParameters {
    /// Who did it.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
    /// The aggregate's type.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    entity_type: Option<Vec<String>>,
    /// The aggregate's id.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    entity_id: Option<Vec<String>>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct SearchParameters {
    /// What happened (`Vehicle.Sold`, `Vehicle.*`), or what was done (CREATE, READ, UPDATE, DELETE …).
    #[param(min_length = 1, max_length = 2048)]
    action: Option<String>,
    /// Which service said so.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    service_name: Option<Vec<String>>,
    /// The trace, or the correlation.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    trace_id: Option<Vec<String>>,
}

/// Dates, organisation and type, which all of these take.
fn narrowed(parameters: &mut Parameters) -> Result<EventFilter, Problem> {
    let (from, to) = parameters.range(OF_004.from, OF_004.to)?;
    let mut filter = EventFilter {
        from,
        to,
        organization_id: parameters.many_or_empty(OF_004.organization),
        without_accesses: true,
        ..EventFilter::default()
    };
    if let Some(kind) = parameters.one(OF_004.event_type)? {
        // The kinds of document 004 are what was done; everything else is a type of its own.
        match Action::ALL.into_iter().find(|action| action.in_004() == kind) {
            Some(action) => filter.action = vec![action.as_str().to_owned()],
            None => filter.event_type = vec![Pattern::parse(&kind)],
        }
    }
    Ok(filter)
}

fn filtered(parameters: &mut Parameters) -> Result<EventFilter, Problem> {
    let narrowed = narrowed(parameters)?;
    let aggregate_type: Vec<Pattern> =
        parameters.many(OF_004.resource_type)?.iter().map(|text| Pattern::parse(text)).collect();
    Ok(EventFilter {
        user_id: parameters.many(OF_004.user)?,
        aggregate_id: parameters.many(OF_004.resource_id)?,
        without_accesses: leaves_accesses_out(&narrowed.event_type, &aggregate_type),
        aggregate_type,
        ..narrowed
    })
}

async fn answer(
    api: &Api,
    asked: Asked,
    read: impl FnOnce(&mut Parameters) -> Result<EventFilter, Problem> + Send,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = read(&mut parameters)?;
    let paging = Paging::read(&mut parameters, &OF_004)?;
    parameters.finish()?;
    let (rows, total) = page_of(api, scope, filter, paging, &OF_004).await?;
    Ok(paging.answer(rows.iter().map(|row| AuditLog::of(&row.view())).collect(), total))
}

/// Audit logs (document 004)
#[utoipa::path(
    get, path = "/api/audit", operation_id = "listAuditLogsOf004", tag = "Older addresses",
    params(FilterParameters, TypeParameters, DateParameters, PagingParameters),
    responses((status = 200, description = "The logs, newest first.", body = inline(Paged<AuditLog>), content_type = "application/json"))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    answer(&api, asked, filtered).await
}

/// What happened to an entity (document 004)
#[utoipa::path(
    get, path = "/api/audit/entity/{type}/{id}", operation_id = "auditLogsOfEntity", tag = "Older addresses",
    params(
        ("type" = String, Path, description = "The aggregate's type.", example = "Vehicle"),
        ("id" = String, Path, description = "The aggregate's id."),
        TypeParameters, DateParameters, PagingParameters
    ),
    responses((status = 200, description = "The logs, newest first.", body = inline(Paged<AuditLog>), content_type = "application/json"))
)]
pub(crate) async fn of_entity(
    Serving(api): Serving,
    asked: Asked,
    Segments((kind, id)): Segments<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let (kind, id) = (path::id("type", kind)?, path::id("id", id)?);
    answer(&api, asked, |parameters| {
        let (aggregate_type, aggregate_id) = (vec![Pattern::Exact(kind)], vec![id]);
        Ok(EventFilter { aggregate_type, aggregate_id, without_accesses: false, ..narrowed(parameters)? })
    })
    .await
}

/// What a user did (document 004)
#[utoipa::path(
    get, path = "/api/audit/user/{userId}", operation_id = "auditLogsOfUser", tag = "Older addresses",
    params(
        ("userId" = String, Path, description = "The user."), TypeParameters, DateParameters, PagingParameters
    ),
    responses((status = 200, description = "The logs, newest first.", body = inline(Paged<AuditLog>), content_type = "application/json"))
)]
pub(crate) async fn of_user(
    Serving(api): Serving,
    asked: Asked,
    Segments(user_id): Segments<String>,
) -> Result<Response<Body>, Problem> {
    let user_id = path::id("userId", user_id)?;
    answer(&api, asked, |parameters| Ok(EventFilter { user_id: vec![user_id], ..narrowed(parameters)? }))
        .await
}

/// Audit logs by anything (document 004)
#[utoipa::path(
    get, path = "/api/audit/search", operation_id = "searchAuditLogs", tag = "Older addresses",
    params(FilterParameters, TypeParameters, SearchParameters, DateParameters, PagingParameters),
    responses((status = 200, description = "The logs, newest first.", body = inline(Paged<AuditLog>), content_type = "application/json"))
)]
pub(crate) async fn search(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    answer(&api, asked, |parameters| {
        let mut filter = filtered(parameters)?;
        filter.source = parameters.many("serviceName")?;
        filter.correlation_id = parameters.many("traceId")?;
        match parameters.one("action")? {
            None => {}
            Some(action)
                if Action::parse(&action).is_some() || filter.event_type.is_empty() && !is_type(&action) =>
            {
                if !filter.action.is_empty() {
                    return Err(Problem::parameter(
                        "action",
                        "says what was done, and eventType does too: leave one out",
                    ));
                }
                filter.action = actions(vec![action]);
            }
            Some(action) if filter.event_type.is_empty() => filter.event_type = vec![Pattern::parse(&action)],
            Some(_) => {
                return Err(Problem::parameter(
                    "action",
                    "says what happened, and eventType does too: leave one out",
                ));
            }
        }
        Ok(filter)
    })
    .await
}

/// `Vehicle.Sold` and `Vehicle.*` are types.
fn is_type(action: &str) -> bool {
    action.contains(['.', '*'])
}
