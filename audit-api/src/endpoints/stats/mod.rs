//! `GET /v1/stats`: how many events of which kind, over time.

mod answer;
mod question;

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use utoipa::{IntoParams, ToSchema};

use crate::{
    endpoints::Asked,
    measure,
    openapi::StatisticsDocument,
    request::{Media, negotiate},
    respond::{self, Problem, page::Rows},
    state::Api,
};

use answer::Answer;
use question::Question;

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct StatisticsParameters {
    /// Event time, inclusive (RFC 3339): a whole hour in UTC, or midnight where users are asked for. The first event by default.
    #[param(value_type = Option<String>, format = DateTime, example = "2025-11-01T00:00:00Z")]
    from: Option<String>,
    /// Event time, exclusive, in the same way. Behind the last event by default.
    #[param(value_type = Option<String>, format = DateTime, example = "2025-12-01T00:00:00Z")]
    to: Option<String>,
    /// Counts also by this length of time, in UTC; weeks start on Monday. Without it, over the whole range.
    #[param(inline)]
    interval: Option<IntervalWord>,
    /// By what; twice for two. Without it, all together.
    #[param(inline, style = Form, explode, max_items = 2, example = json!(["eventType"]))]
    group_by: Option<Vec<DimensionWord>>,
    /// How many groups are told apart, those with the most events first; what is behind them comes together as `rest`.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    top: Option<u32>,
    /// What happened; `*` stands for any run of characters. Repeated values are "or".
    #[param(style = Form, explode, min_length = 1, max_length = 2048, example = json!(["LOGIN_*"]))]
    event_type: Option<Vec<String>>,
    /// The kind of aggregate; `*` as above. Records of accesses (`AuditAccess`) are counted only when asked for here, or by an
    /// `eventType` of theirs (`AuditAccess.*`).
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    aggregate_type: Option<Vec<String>>,
    /// Who did it (`metadata.userId`). Users are counted by day.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
    /// Whose it is; empty = events without an organisation. It narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
    /// `metadata.source`
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    source: Option<Vec<String>>,
    /// `metadata.action`
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    action: Option<Vec<String>>,
    /// How it ended: `success`, `failure`; empty = nothing says it.
    #[param(style = Form, explode, max_length = 7, example = json!(["failure"]))]
    outcome: Option<Vec<String>>,
    /// CSV only: exact texts. Without it, what a spreadsheet would take for a formula gets an apostrophe in front.
    raw: Option<bool>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum IntervalWord {
    Hour,
    Day,
    Week,
    Month,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
enum DimensionWord {
    EventType,
    AggregateType,
    UserId,
    OrganizationId,
    Source,
    Action,
    Outcome,
}

/// Statistics
///
/// Events counted by type, user, organisation, source, action and outcome, over time, with the share of failures: what a
/// report or a dashboard is made of. Counted beside the ingest: `asOf` says up to which append. At most 20,000 counts;
/// `truncated` says that there are more groups than `top`.
#[utoipa::path(
    get, path = "/v1/stats", operation_id = "getStatistics", tag = "Events",
    params(StatisticsParameters),
    responses((status = 200, description = "The counts; groups with the most events first.", content(
        (StatisticsDocument = "application/json"), (String = "text/csv")
    )))
)]
pub(crate) async fn stats(State(api): State<Arc<Api>>, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    let media = negotiate(&headers, &[Media::Json, Media::Csv])?;
    let question = Question::read(&mut parameters, media)?;
    parameters.finish()?;
    question.check(&scope)?;
    let found = measure::query("statistics", api.reader.statistics(&scope, &question.request)).await?;
    let answer = Answer::of(&question, found)?;
    let body = match media {
        Media::Csv => answer.to_csv(&question),
        _ => answer.to_json(&question).to_string().into_bytes(),
    };
    let mut response = respond::data(media.content_type(), body);
    response.extensions_mut().insert(Rows(answer.groups.len() as u64));
    Ok(response)
}
