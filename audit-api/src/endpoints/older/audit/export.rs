//! `POST /audit/export` (B14): the events of a filter as a file, and a link to it that expires.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Response, Uri, header},
};
use serde::{Deserialize, Serialize};
use service::config::ApiSettings;
use shared::{
    filter::{EventFilter, Order, Pattern, Sort, leaves_accesses_out},
    problem::ProblemType,
    scope::Scope,
    timestamp::Timestamp,
};
use store::PageRequest;
use utoipa::ToSchema;

use super::super::{body, names::OF_001, paging::json};
use super::logs::actions;
use crate::{
    access::Notes,
    endpoints::Asked,
    exports::{ExportError, Exports, Format},
    request::{Media, filter, guard, negotiate},
    respond::Problem,
    state::Api,
};

/// The largest request.
const MOST_BYTES: usize = 64 * 1024;

/// What to export.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ExportRequest {
    format: FormatWord,
    /// Event time, inclusive (RFC 3339).
    #[schema(value_type = Option<String>, format = DateTime)]
    start_date: Option<Timestamp>,
    /// Event time, exclusive.
    #[schema(value_type = Option<String>, format = DateTime)]
    end_date: Option<Timestamp>,
    #[serde(default)]
    #[schema(required = false)]
    filters: ExportFilters,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FormatWord {
    Csv,
    Json,
    /// Answered 501: it comes later.
    Pdf,
}

/// The filters of `GET /audit/logs`, each once.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct ExportFilters {
    user_id: Option<String>,
    /// `*` is any run of characters.
    #[schema(example = "USER_*")]
    event_type: Option<String>,
    resource_type: Option<String>,
    resource_id: Option<String>,
    action: Option<String>,
    organization_id: Option<String>,
}

/// Where the file is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export {
    /// Gives the file without a token until it expires: treat it as a secret.
    download_url: String,
    /// When that is.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// How many events the file holds.
    events: u64,
}

impl ExportRequest {
    fn read(bytes: &[u8]) -> Result<(Format, EventFilter), Problem> {
        let asked: Self = body::parse(bytes)?;
        let format = match asked.format {
            FormatWord::Csv => Format::Csv,
            FormatWord::Json => Format::Json,
            FormatWord::Pdf => {
                return Err(Problem::new(
                    ProblemType::NotImplemented,
                    "format: pdf comes with a later version; csv and json work",
                ));
            }
        };
        if let (Some(from), Some(to)) = (asked.start_date, asked.end_date)
            && from > to
        {
            return Err(body::wrong("/endDate", "is before startDate: swap the two"));
        }
        let ExportFilters { user_id, event_type, resource_type, resource_id, action, organization_id } =
            asked.filters;
        let one = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        let pattern =
            |value: Option<String>| value.iter().map(|text| Pattern::parse(text)).collect::<Vec<_>>();
        let (event_type, aggregate_type) = (pattern(event_type), pattern(resource_type));
        let filter = EventFilter {
            from: asked.start_date,
            to: asked.end_date,
            without_accesses: leaves_accesses_out(&event_type, &aggregate_type),
            event_type,
            aggregate_type,
            aggregate_id: one(resource_id),
            user_id: one(user_id),
            organization_id: one(organization_id),
            action: actions(one(action)),
            ..EventFilter::default()
        };
        Ok((format, filter))
    }
}

/// Export audit logs as a file (document 001)
///
/// The answer comes when the file is whole. `csv` is RFC 4180; a cell that a spreadsheet would run as a formula gets an
/// apostrophe in front. `json` is one array of audit logs in full. An export holds what its caller may see.
#[utoipa::path(
    post, path = "/audit/export", operation_id = "exportAuditLogs", tag = "Older addresses",
    request_body(content = ExportRequest, description = "What to export.", content_type = "application/json"),
    responses(
        (status = 200, description = "The file is there.", body = Export, content_type = "application/json"),
        (status = 501, description = "`not-implemented`: this format comes later.", body = crate::respond::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn export(
    State(api): State<Arc<Api>>,
    asked: Asked,
    notes: Notes,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, parameters } = asked;
    let scope = caller.events()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let bytes = body::receive(&headers, body, MOST_BYTES, api.settings.body_timeout).await?;
    notes.body(&bytes);
    let (format, filter) = ExportRequest::read(&bytes)?;
    filter::within(&scope, &filter.organization_id)?;
    OF_001.told(guard::check(&filter, &scope, api.reader.indexes()))?;
    let exports = api.exports.as_deref().ok_or_else(|| {
        Problem::unavailable(
            "this API has no place for exports: an operator sets exports.folder or exports.bucket",
        )
    })?;
    let now = api.clock.now();
    let name = file_name(now, format);
    // Downloads are recorded under this name.
    notes.parameter("link", &name);
    let events =
        exports.write(api.reader.clone(), request(filter, scope), format, &name).await.map_err(refused)?;
    let lifetime = i64::try_from(exports.link_lifetime.as_micros()).unwrap_or(i64::MAX);
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(lifetime));
    let own = own_address(&api.settings, &headers, &uri);
    let download_url = link(exports, &name, expires_at, own).await?;
    Ok(json(&Export { download_url, expires_at, events }, usize::try_from(events).unwrap_or(usize::MAX)))
}

fn request(filter: EventFilter, scope: Scope) -> PageRequest {
    PageRequest { filter, scope, sort: Sort::Time, order: Order::Ascending, limit: 1000, after: None }
}

/// `audit_<day>_<a name that nobody guesses>.<format>`
fn file_name(now: Timestamp, format: Format) -> String {
    let day: String = now.to_string().chars().take(10).collect();
    format!("audit_{day}_{:032x}.{}", rand::random::<u128>(), format.extension())
}

async fn link(exports: &Exports, name: &str, until: Timestamp, own: String) -> Result<String, Problem> {
    let place = exports.place();
    let presigned =
        place.presigned(name, exports.link_lifetime).await.map_err(|error| refused(error.into()))?;
    if let Some(url) = presigned {
        return Ok(url);
    }
    let signature = place.link().map(|link| link.query(name, until)).ok_or_else(Problem::internal)?;
    let base = exports.public_url.clone().unwrap_or(own);
    Ok(format!("{base}/audit/exports/{name}?{signature}"))
}

/// Where the caller has reached this API.
fn own_address(settings: &ApiSettings, headers: &HeaderMap, uri: &Uri) -> String {
    let scheme = if settings.tls_certificate_file.is_some() { "https" } else { "http" };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

fn refused(error: ExportError) -> Problem {
    match error {
        ExportError::Busy => Problem::unavailable("too many exports are being written: try again"),
        ExportError::TooLarge(most) => Problem::query_too_broad(format!(
            "the export would hold more than {most} events: give startDate and endDate closer together, or more filters"
        )),
        ExportError::Store(error) => error.into(),
        ExportError::Abandoned => Problem::unavailable("the export was not finished: try again"),
        ExportError::Place(error) => {
            tracing::error!(%error, "an export cannot be written");
            Problem::unavailable("the place of exports cannot be written to now")
        }
        ExportError::Event(error) => {
            tracing::error!(%error, "an export cannot be written");
            Problem::internal()
        }
    }
}
