//! `GET /api/audit/compliance/gdpr` and `/retention` (E30, E31).

use std::collections::{BTreeMap, BTreeSet};

use axum::{body::Body, http::Response};
use serde::Serialize;
use shared::{
    retention::{Keep, RetentionRules},
    timestamp::Timestamp,
    vocabulary::{Category, NAMES},
};
use store::reader::DataAccessFilter;
use utoipa::{IntoParams, ToSchema};

use super::super::{
    names::OF_004,
    paging::{Paging, REACH, json},
    projected::data_accesses,
};
use super::data_access::{DataAccess, filter};
use crate::{
    endpoints::{Asked, Serving},
    request::{Media, negotiate},
    respond::Problem,
};

/// The topic of the older services' events: the one that the bridge and the older addresses write to.
const TOPIC: &str = "audit.events";
/// What an access is counted as that says nothing of it.
const UNSAID: &str = "unsaid";

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "the fields are the parameters of the OpenAPI document")]
struct ReportParameters {
    /// Whose data; without it everybody's.
    #[param(style = Form, explode, min_length = 1, max_length = 2048)]
    user_id: Option<Vec<String>>,
    /// Time of the access, inclusive (RFC 3339).
    #[param(format = DateTime)]
    start_date: Option<String>,
    /// Time of the access, exclusive.
    #[param(format = DateTime)]
    end_date: Option<String>,
    /// Whose it is; it narrows what you may see and never widens it.
    #[param(style = Form, explode, max_length = 2048)]
    organization_id: Option<Vec<String>>,
}

/// Who looked at personal data, and what for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessReport {
    #[schema(value_type = String, format = DateTime)]
    generated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    start_date: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    end_date: Option<Timestamp>,
    total_accesses: u64,
    /// How many for each purpose.
    by_purpose: BTreeMap<String, u64>,
    /// How many of each kind of data.
    by_data_type: BTreeMap<String, u64>,
    /// How many by each user who looked.
    by_accessor: BTreeMap<String, u64>,
    /// All of them, newest first.
    accesses: Vec<DataAccess>,
}

/// Who looked at personal data (document 004)
///
/// The right of access: everything about the accesses to a user's data, counted and listed; at most 10,000 in one report.
#[utoipa::path(
    get, path = "/api/audit/compliance/gdpr", operation_id = "reportOfDataAccesses", tag = "Older addresses",
    params(ReportParameters),
    responses((status = 200, description = "The report.", body = AccessReport, content_type = "application/json"))
)]
pub(crate) async fn gdpr(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, mut parameters, .. } = asked;
    let scope = caller.events()?;
    negotiate(&headers, &[Media::Json])?;
    let subject_user_id = parameters.many(OF_004.user)?;
    let filter = DataAccessFilter { subject_user_id, ..filter(&mut parameters)? };
    parameters.finish()?;
    let (start_date, end_date) = (filter.from, filter.to);
    let whole = Paging { page: 1, limit: REACH };
    let (rows, total_accesses) = data_accesses(&api, &scope, filter, whole).await?;
    if total_accesses > u64::from(REACH) {
        return Err(Problem::query_too_broad(format!(
            "the report would hold more than {REACH} accesses: give userId, or startDate and endDate closer together"
        )));
    }
    let (mut by_purpose, mut by_data_type, mut by_accessor) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let count = |counts: &mut BTreeMap<String, u64>, word: Option<&str>| {
        *counts.entry(word.unwrap_or(UNSAID).to_owned()).or_default() += 1;
    };
    for row in &rows {
        count(&mut by_purpose, row.access.purpose.as_deref());
        count(&mut by_data_type, row.access.data_type.as_deref());
        count(&mut by_accessor, Some(&row.access.accessor_user_id));
    }
    let accesses: Vec<_> = rows.into_iter().map(|row| DataAccess::from(row.access)).collect();
    let (generated_at, rows) = (api.clock.now(), accesses.len());
    let report = AccessReport {
        generated_at,
        start_date,
        end_date,
        total_accesses,
        by_purpose,
        by_data_type,
        by_accessor,
        accesses,
    };
    Ok(json(&report, rows))
}

/// Whether the configured retention keeps what document 004 asks for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetentionCheck {
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
    /// Whether every policy is kept.
    compliant: bool,
    policies: Vec<RetentionPolicy>,
}

/// One policy, and the classes that its events are given.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetentionPolicy {
    /// AuditLogs, SecurityEvents or DataAccess.
    policy: &'static str,
    /// What document 004 asks for, at least.
    #[schema(example = "7 years")]
    required: String,
    /// The classes and how long each keeps.
    classes: BTreeMap<String, String>,
    compliant: bool,
}

/// The three policies of document 004 (E35 to E37) over the names of docs/vocabulary.md.
fn check(rules: &RetentionRules) -> Vec<RetentionPolicy> {
    let names = |wanted: fn(Category, bool) -> bool| {
        NAMES
            .iter()
            .filter(move |row| !row.name.starts_with('*') && wanted(row.category, row.severity.is_some()))
            .map(|row| row.name)
            .collect::<Vec<_>>()
    };
    [
        ("AuditLogs", Keep::Years(7), names(|category, graded| category != Category::DataAccess && !graded)),
        ("SecurityEvents", Keep::Forever, names(|_, graded| graded)),
        ("DataAccess", Keep::Years(5), names(|category, _| category == Category::DataAccess)),
    ]
    .map(|(policy, required, names)| {
        let assigned: BTreeSet<&str> = names.into_iter().map(|name| rules.assign(name, TOPIC)).collect();
        let kept = |class: &str| rules.classes().get(class).map_or(Keep::Forever, |class| class.keep);
        RetentionPolicy {
            policy,
            required: required.to_string(),
            compliant: assigned.iter().all(|class| days(kept(class)) >= days(required)),
            classes: assigned.into_iter().map(|class| (class.to_owned(), kept(class).to_string())).collect(),
        }
    })
    .into()
}

/// The least number of days that a period has.
fn days(keep: Keep) -> u64 {
    match keep {
        Keep::Forever => u64::MAX,
        Keep::Days(days) => days.into(),
        Keep::Months(months) => u64::from(months) * 365 / 12,
        Keep::Years(years) => u64::from(years) * 365,
    }
}

/// Whether retention is as document 004 asks for (document 004)
#[utoipa::path(
    get, path = "/api/audit/compliance/retention", operation_id = "checkRetention", tag = "Older addresses",
    responses((status = 200, description = "The check.", body = RetentionCheck, content_type = "application/json"))
)]
pub(crate) async fn retention(Serving(api): Serving, asked: Asked) -> Result<Response<Body>, Problem> {
    asked.caller.events()?;
    asked.parameters.finish()?;
    negotiate(&asked.headers, &[Media::Json])?;
    let policies = check(&api.retention);
    let compliant = policies.iter().all(|policy| policy.compliant);
    Ok(json(&RetentionCheck { checked_at: api.clock.now(), compliant, policies }, 1))
}

#[cfg(test)]
mod tests {
    use shared::{
        filter::Pattern,
        retention::{RetentionClass, RetentionRule},
    };

    use super::*;

    fn verdicts(rules: &RetentionRules) -> Vec<(&'static str, bool)> {
        check(rules).into_iter().map(|policy| (policy.policy, policy.compliant)).collect()
    }

    #[test]
    fn the_default_keeps_all_but_security_events_for_ever() {
        let expected = [("AuditLogs", true), ("SecurityEvents", false), ("DataAccess", true)];
        assert_eq!(verdicts(&RetentionRules::default()), expected);
    }

    #[test]
    fn classes_of_their_own_decide() {
        let class = |keep: &str| RetentionClass { keep: keep.parse().expect("a period") };
        let rule = |event_type: &str, class: &str| RetentionRule {
            event_type: Some(Pattern::parse(event_type)),
            topic: None,
            class: class.to_owned(),
        };
        let classes = [("ever", class("forever")), ("short", class("59 months"))];
        let classes = classes.map(|(name, class)| (name.to_owned(), class)).into();
        let rules = vec![rule("DataAccess", "short"), rule("*", "ever")];
        let rules = RetentionRules::new(classes, rules).expect("good rules");
        let expected = [("AuditLogs", true), ("SecurityEvents", true), ("DataAccess", false)];
        assert_eq!(verdicts(&rules), expected);
    }
}
