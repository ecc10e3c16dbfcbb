//! `GET /v1/aggregates`

use axum::{body::Body, http::Response};
use serde_json::{Value, json};
use shared::{filter::Pattern, timestamp::Timestamp};
use store::reader::{AggregateFilter, AggregateRequest, AggregateSummary, Fault};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::{
        Asked, Serving,
        events::list::{DEFAULT_LIMIT, LARGEST_LIMIT},
    },
    measure,
    openapi::{AsOfDocument, IntegrityDocument, PageInfoDocument},
    request::{
        Media, Parameters,
        cursor::{self, Fingerprint},
        filter, negotiate,
    },
    respond::{
        Problem,
        page::{self, PageInfo},
    },
};

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct ListParameters {
    /// The kind; `*` at the end stands for any run of characters. Records of accesses (`AuditAccess`) come only when asked
    /// for here.
    #[param(style = Form, explode, min_length = 1, max_length = 2048, example = json!(["Order"]))]
    aggregate_type: Option<Vec<String>>,
    /// The id; needs a whole `aggregateType`.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    aggregate_id: Option<Vec<String>>,
    /// Whose it is; empty = of no organisation. It narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
    /// Only those with a version missing (`gap`), or held by several events (`fork`).
    #[param(inline)]
    integrity: Option<FaultWord>,
    /// Only those whose last event is not before this time (RFC 3339).
    #[param(format = DateTime)]
    from: Option<String>,
    /// Only those whose first event is before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Aggregates on a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// `page.nextCursor` of the page before.
    #[param(min_length = 1, max_length = 3072)]
    cursor: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum FaultWord {
    Gap,
    Fork,
}

/// An aggregate with its events counted.
#[derive(ToSchema)]
#[schema(as = AggregateSummary, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct AggregateDocument {
    #[schema(example = "Order")]
    aggregate_type: String,
    #[schema(example = "order-1")]
    aggregate_id: String,
    /// Empty = none.
    organization_id: String,
    event_count: i64,
    /// The greatest; 0 = all its events are unversioned.
    #[schema(minimum = 0)]
    last_version: i32,
    /// The least event time.
    #[schema(format = DateTime)]
    first_time: String,
    /// The greatest event time.
    #[schema(format = DateTime)]
    last_time: String,
    integrity: IntegrityDocument,
}

/// A page of aggregates.
#[derive(ToSchema)]
#[schema(as = AggregatePage, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the schema of the OpenAPI document")]
struct AggregatePageDocument {
    data: Vec<AggregateDocument>,
    page: PageInfoDocument,
    as_of: AsOfDocument,
}

fn read(parameters: &mut Parameters) -> Result<AggregateFilter, Problem> {
    let aggregate_type = filter::patterns(parameters, "aggregateType")?;
    if aggregate_type.iter().any(|pattern| matches!(pattern, Pattern::Glob(_))) {
        return Err(Problem::query_too_broad(
            "aggregateType uses * elsewhere than at the end: no index serves that".to_owned(),
        ));
    }
    let aggregate_id = parameters.many("aggregateId")?;
    let exact = !aggregate_type.is_empty()
        && aggregate_type.iter().all(|pattern| matches!(pattern, Pattern::Exact(_)));
    if !aggregate_id.is_empty() && !exact {
        return Err(Problem::query_too_broad(
            "aggregateId alone has no index: add aggregateType, without *".to_owned(),
        ));
    }
    let (from, to) = parameters.range("from", "to")?;
    Ok(AggregateFilter {
        without_accesses: aggregate_type.is_empty(),
        aggregate_type,
        aggregate_id,
        organization_id: parameters.many_or_empty("organizationId"),
        fault: parameters.word("integrity", &[("gap", Fault::Gap), ("fork", Fault::Fork)])?,
        from,
        to,
    })
}

/// The aggregates
///
/// By type, id and organisation, with their events counted and their versions checked. Counted beside the ingest: `asOf`
/// says up to which append. A page may take no longer than five seconds; narrow it when it does.
#[utoipa::path(
    get, path = "/v1/aggregates", operation_id = "listAggregates", tag = "Aggregates",
    params(ListParameters),
    responses((status = 200, description = "The aggregates.", body = AggregatePageDocument, content_type = "application/json",
        headers(("Link" = Option<String>, description = "The next page, `rel=\"next\"`."))))
)]
pub(crate) async fn list(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, uri, mut parameters } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let filter = read(&mut parameters)?;
    let limit = parameters.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let cursor = parameters.one("cursor")?;
    parameters.finish()?;
    filter::within(&scope, &filter.organization_id)?;
    let fingerprint = Fingerprint::of(&["aggregates", &format!("{filter:?}")]);
    let after = cursor.map(|text| cursor::read_aggregate(&text, &fingerprint)).transpose()?;
    let request = AggregateRequest { filter, limit, after };
    let found = measure::query("aggregates", api.reader.aggregates(&scope, &request)).await?;
    let items: Vec<String> = found.items.iter().map(|item| view(item).to_string()).collect();
    let next_cursor = found.next.map(|key| cursor::of_aggregate(&key, &fingerprint));
    let info = PageInfo { limit, next_cursor, as_of: Some(found.as_of), ..PageInfo::default() };
    Ok(page::of_json(items.join(",").as_bytes(), items.len(), &info, &uri))
}

fn view(item: &AggregateSummary) -> Value {
    let time = |time: Timestamp| time.to_string();
    json!({
        "aggregateType": item.key.aggregate_type,
        "aggregateId": item.key.aggregate_id,
        "organizationId": item.key.organization_id,
        "eventCount": item.events,
        "lastVersion": item.last_version,
        "firstTime": time(item.first),
        "lastTime": time(item.last),
        "integrity": { "gaps": item.integrity.gaps, "forks": item.integrity.forks },
    })
}
