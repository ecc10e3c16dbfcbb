//! The filters that lists, tails and replays share (semantics.md 7).

use shared::{
    filter::{EventFilter, Pattern, leaves_accesses_out},
    payload_query::PayloadQuery,
    scope::Scope,
};
use utoipa::IntoParams;

use super::Parameters;
use crate::{auth::Forbidden, respond::Problem};

/// The documentation of the filters; [`read`] is what reads them.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
pub struct FilterParameters {
    /// Event time, inclusive (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime, example = "2025-11-20T00:00:00Z")]
    from: Option<String>,
    /// Event time, exclusive.
    #[param(value_type = Option<String>, format = DateTime, example = "2025-11-21T00:00:00Z")]
    to: Option<String>,
    /// Time of recording, inclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    recorded_from: Option<String>,
    /// Time of recording, exclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    recorded_to: Option<String>,
    /// What happened; `*` stands for any run of characters. Repeated values are "or", as for every filter.
    #[param(style = Form, explode, min_length = 1, max_length = 2048, example = json!(["OrderPlaced"]))]
    event_type: Option<Vec<String>>,
    /// The kind of aggregate; `*` as above. Records of accesses (`AuditAccess`) come only when asked for here, or by an
    /// `eventType` of theirs (`AuditAccess.*`).
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    aggregate_type: Option<Vec<String>>,
    /// The aggregate.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    aggregate_id: Option<Vec<String>>,
    /// Who did it (`metadata.userId`).
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
    /// `metadata.correlationId`
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    correlation_id: Option<Vec<String>>,
    /// `metadata.causationId`
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    causation_id: Option<Vec<String>>,
    /// What the payload contains: a JSON object, whose members and array elements must all be there, at any place of
    /// their arrays and beside whatever else (`jsonb @>`). Protected values match nothing. Without an index for it
    /// (`trailctl index create payload`) it needs an aggregate, a user, a correlation, or 31 days at most.
    #[param(value_type = Option<String>, min_length = 2, max_length = 4096, example = r#"{"customer":{"country":"DO"}}"#)]
    payload: Option<String>,
}

/// Takes the filters out of the parameters.
pub fn read(parameters: &mut Parameters) -> Result<EventFilter, Problem> {
    let (from, to) = parameters.range("from", "to")?;
    let (recorded_from, recorded_to) = parameters.range("recordedFrom", "recordedTo")?;
    let aggregate_type = patterns(parameters, "aggregateType")?;
    let event_type = patterns(parameters, "eventType")?;
    Ok(EventFilter {
        from,
        to,
        recorded_from,
        recorded_to,
        without_accesses: leaves_accesses_out(&event_type, &aggregate_type),
        event_type,
        aggregate_type,
        aggregate_id: parameters.many("aggregateId")?,
        user_id: parameters.many("userId")?,
        organization_id: parameters.many_or_empty("organizationId"),
        source: parameters.many("source")?,
        action: parameters.many("action")?,
        correlation_id: parameters.many("correlationId")?,
        causation_id: parameters.many("causationId")?,
        payload: payload(parameters)?,
        text: None,
    })
}

fn payload(parameters: &mut Parameters) -> Result<Option<PayloadQuery>, Problem> {
    let Some(text) = parameters.one("payload")? else { return Ok(None) };
    PayloadQuery::parse(&text).map(Some).map_err(|error| Problem::parameter("payload", &error.to_string()))
}

/// The filter of a JSON object whose members are the parameters, as a job keeps it; nothing else may be in it.
pub fn of_json(text: &str) -> Result<EventFilter, Problem> {
    let object =
        serde_json::from_str(text).map_err(|_| Problem::request("the filter is not a JSON object"))?;
    let mut parameters = Parameters::of_json(&object)?;
    let filter = read(&mut parameters)?;
    parameters.finish()?;
    Ok(filter)
}

/// The values of a parameter in which `*` stands for any run of characters.
pub fn patterns(parameters: &mut Parameters, name: &'static str) -> Result<Vec<Pattern>, Problem> {
    Ok(parameters.many(name)?.iter().map(|text| Pattern::parse(text)).collect())
}

/// Refuses a filter that names an organisation outside the caller's scope (semantics.md 12).
pub fn within(scope: &Scope, organizations: &[String]) -> Result<(), Forbidden> {
    if organizations.iter().all(|organization| scope.allows(organization)) {
        Ok(())
    } else {
        Err(Forbidden::OtherOrganization)
    }
}
