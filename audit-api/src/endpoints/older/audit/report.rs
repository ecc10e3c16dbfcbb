//! `GET /audit/reports/{userId}` (B13).

use std::collections::BTreeMap;

use axum::{body::Body, http::Response};
use serde::Serialize;
use shared::{
    filter::{EventFilter, Order, Sort},
    scope::Scope,
    timestamp::Timestamp,
    vocabulary::Action,
};
use store::PageRequest;
use utoipa::{IntoParams, ToSchema};

use super::super::{names::OF_001, paging::json};
use crate::{
    endpoints::{Asked, Serving},
    measure,
    request::{Media, Parameters, guard, negotiate, path},
    respond::Problem,
    state::Api,
};

/// The length of a report's period when no dates are given: 30 days, in microseconds.
const MONTH: i64 = 30 * 24 * 3600 * 1_000_000;
/// What an event is counted as that says of no action.
const OTHER: &str = "OTHER";

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct PeriodParameters {
    /// Event time, inclusive (RFC 3339); without it 30 days before the end.
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Event time, exclusive; without it now.
    #[param(format = DateTime)]
    end_date: Option<String>,
}

/// What a user did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserReport {
    user_id: String,
    /// `monthly`, or `custom` when dates were given.
    period: &'static str,
    /// How many events of the period.
    total_actions: u64,
    /// How many of each action: CREATE, READ, UPDATE, DELETE always, the others where there are any.
    actions: BTreeMap<String, u64>,
    /// The newest event of all times; null = none.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_activity: Option<Timestamp>,
}

/// The period, and its name.
fn period(
    parameters: &mut Parameters,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp, &'static str), Problem> {
    let (from, to) = parameters.range("startDate", "endDate")?;
    let name = if from.is_none() && to.is_none() { "monthly" } else { "custom" };
    let to = to.unwrap_or(now);
    let start = to.as_micros().saturating_sub(MONTH).max(Timestamp::MIN.as_micros());
    let from = from.unwrap_or_else(|| Timestamp::from_micros(start));
    if from > to {
        return Err(Problem::parameter("startDate", "is in the future: give an endDate as well"));
    }
    Ok((from, to, name))
}

/// What a user did in a month (document 001)
#[utoipa::path(
    get, path = "/audit/reports/{userId}", operation_id = "reportOfUser", tag = "Older addresses",
    params(("userId" = String, Path, description = "The user."), PeriodParameters),
    responses((status = 200, description = "The report.", body = UserReport, content_type = "application/json"))
)]
pub(crate) async fn report(
    Serving(api): Serving,
    asked: Asked,
    path::Segments(user_id): path::Segments<String>,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let user_id = path::id("userId", user_id)?;
    let (from, to, period) = period(&mut parameters, api.clock.now())?;
    parameters.finish()?;
    let user =
        EventFilter { user_id: vec![user_id.clone()], without_accesses: true, ..EventFilter::default() };
    let filter = EventFilter { from: Some(from), to: Some(to), ..user.clone() };
    OF_001.told(guard::check(&filter, &scope, api.reader.indexes()))?;
    let counting = api.reader.count_by_action(&filter, &scope);
    let counted = OF_001.told(measure::query("count_by_action", counting).await.map_err(Problem::from))?;
    let last_activity = OF_001.told(last_activity(&api, user, scope).await)?;
    let mut actions: BTreeMap<String, u64> = [Action::Create, Action::Read, Action::Update, Action::Delete]
        .map(|action| (action.as_str().to_owned(), 0))
        .into();
    for (action, count, _) in counted {
        let action = if action.is_empty() { OTHER.to_owned() } else { action };
        *actions.entry(action).or_default() += count;
    }
    let total_actions = actions.values().sum();
    Ok(json(&UserReport { user_id, period, total_actions, actions, last_activity }, 1))
}

async fn last_activity(api: &Api, filter: EventFilter, scope: Scope) -> Result<Option<Timestamp>, Problem> {
    let request =
        PageRequest { filter, scope, sort: Sort::Time, order: Order::Descending, limit: 1, after: None };
    let page = measure::query("page", api.reader.page(&request)).await?;
    Ok(page.events.first().map(store::EventRow::timestamp))
}
