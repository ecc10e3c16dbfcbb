//! `GET /logs` (A05), in the words of document 000.

use axum::{body::Body, http::Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use shared::{timestamp::Timestamp, vocabulary::AuditRecord};
use store::EventRow;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    listing::page_of,
    names::OF_000,
    paging::{Paging, PagingParameters, json},
};
use crate::{
    endpoints::{Asked, Serving},
    request::{Media, negotiate},
    respond::Problem,
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct LogParameters {
    /// Whose; it narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
    /// Who did it.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
    /// What happened; `*` is any run of characters.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    event_type: Option<Vec<String>>,
    /// What kind of thing it happened to.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    resource_type: Option<Vec<String>>,
    /// Which.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    resource_id: Option<Vec<String>>,
    /// Event time, inclusive (RFC 3339).
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Event time, exclusive.
    #[param(format = DateTime)]
    end_date: Option<String>,
}

/// A page of logs.
#[derive(Serialize, ToSchema)]
pub(super) struct LogPage {
    logs: Vec<Log>,
    /// Which page this is, from 1.
    page: u32,
    /// Logs on a page.
    limit: u32,
    /// How many there are; 10001 = more than 10,000.
    total: u64,
    /// How many pages can be reached.
    total_pages: u64,
}

/// A log of document 000 (A30).
#[derive(Serialize, ToSchema)]
pub(super) struct Log {
    event_id: Uuid,
    event_type: String,
    #[schema(required = true)]
    organization_id: Option<String>,
    #[schema(required = true)]
    user_id: Option<String>,
    /// What the event said: the message's own `payload` where it has one.
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    payload: Box<RawValue>,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Nested {
    payload: Option<Box<RawValue>>,
}

impl Log {
    fn of(row: &EventRow) -> Result<Self, Problem> {
        let record = AuditRecord::of(&row.view());
        let nested = serde_json::from_str(row.payload()).ok().and_then(|nested: Nested| nested.payload);
        let payload = match nested.filter(|nested| nested.get().starts_with('{')) {
            Some(payload) => payload,
            // What the store holds is JSON; anything else would be its defect.
            None => RawValue::from_string(row.payload().to_owned()).map_err(|_| Problem::internal())?,
        };
        Ok(Self {
            event_id: row.event_id(),
            event_type: row.event_type().to_owned(),
            organization_id: record.organization_id,
            user_id: record.user_id,
            payload,
            created_at: row.timestamp(),
        })
    }
}

/// Logs (document 000)
#[utoipa::path(
    get, path = "/logs", operation_id = "listLogs", tag = "Older addresses", params(LogParameters, PagingParameters),
    responses((status = 200, description = "The logs, newest first.", body = LogPage, content_type = "application/json"))
)]
pub(crate) async fn logs(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = OF_000.filter(&mut parameters)?;
    let paging = Paging::read(&mut parameters, &OF_000)?;
    parameters.finish()?;
    let (rows, total) = page_of(&api, scope, filter, paging, &OF_000).await?;
    let logs = rows.iter().map(Log::of).collect::<Result<Vec<_>, _>>()?;
    let (count, Paging { page, limit }) = (logs.len(), paging);
    Ok(json(&LogPage { logs, page, limit, total, total_pages: paging.pages(total) }, count))
}
