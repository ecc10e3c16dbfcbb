//! `trailctl stats`: events counted by what they are, over time.

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::timestamp::Timestamp;

use super::{filters::time, records};
use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::{Outcome, usage},
    output::{
        OutputFormat,
        listing::{Listing, cell, print_single},
    },
    session::Session,
};

/// What events are counted by: the word here, and the API's.
const DIMENSIONS: [(&str, &str); 7] = [
    ("event-type", "eventType"),
    ("aggregate-type", "aggregateType"),
    ("user-id", "userId"),
    ("organization-id", "organizationId"),
    ("source", "source"),
    ("action", "action"),
    ("outcome", "outcome"),
];

/// Arguments of `trailctl stats`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl stats --group-by event-type
  trailctl stats --group-by user-id --top 10 --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z
  trailctl stats --event-type 'LOGIN_*' --group-by outcome --interval day --output csv > logins.csv")]
pub struct Arguments {
    /// By what; twice for two
    #[arg(long, value_name = "DIMENSION", value_parser = DIMENSIONS.map(|(word, _)| word))]
    group_by: Vec<String>,
    /// Also by this length of time, in UTC; weeks start on Monday
    #[arg(long, value_parser = ["hour", "day", "week", "month"])]
    interval: Option<String>,
    /// How many groups are told apart, those with the most events first
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    top: u32,
    /// With --output csv: exact texts, for programs; else what a spreadsheet would run gets an apostrophe in front
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    api: ApiOptions,
}

/// Which events are counted: those filters that the counts know.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Filters (repeatable ones: or; different ones: and)")]
struct Filters {
    /// Event time, inclusive: a whole hour, or midnight where users are asked for (RFC 3339, UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Event time, exclusive, in the same way
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Event type; * stands for any run of characters
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<String>,
    /// Aggregate type; * stands for any run of characters
    #[arg(long, value_name = "TYPE")]
    aggregate_type: Vec<String>,
    /// User
    #[arg(long, alias = "user", value_name = "ID")]
    user_id: Vec<String>,
    /// Organisation
    #[arg(long, alias = "org", value_name = "ID")]
    organization_id: Vec<String>,
    /// Source
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Action
    #[arg(long, value_name = "NAME")]
    action: Vec<String>,
    /// success, failure, or empty for neither
    #[arg(long, value_parser = ["success", "failure", ""])]
    outcome: Vec<String>,
}

/// The answer, as far as it becomes rows.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    data: Vec<Group>,
    rest: Option<Group>,
    group_by: Vec<String>,
    group_count: u64,
    as_of: Value,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default, rename = "group")]
    names: Map<String, Value>,
    buckets: Option<Vec<Map<String, Value>>>,
    #[serde(flatten)]
    counts: Map<String, Value>,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let mut query = arguments.query();
    let path = ["v1", "stats"];
    if session.output() == Some(OutputFormat::Csv) {
        if arguments.raw {
            query.push(("raw", "true".to_owned()));
        }
        return records::print(&api, &path, &query, u64::MAX, session.terminal.stdout).await;
    }
    if arguments.raw {
        return Err(usage("--raw goes with --output csv"));
    }
    let text = api.get_text(&path, &query).await.map_err(ApiError::into_anyhow)?;
    if session.output() == Some(OutputFormat::Json) {
        print_single(&text, session.output(), session.terminal)?;
        return Ok(Outcome::Done);
    }
    let answer: Answer = serde_json::from_str(&text)?;
    let by_time = arguments.interval.is_some();
    let columns: Vec<String> = answer
        .group_by
        .iter()
        .cloned()
        .chain(by_time.then(|| "start".to_owned()))
        .chain(["eventCount", "failureCount", "failureRate"].map(str::to_owned))
        .collect();
    let header: Vec<String> = columns.iter().map(|name| heading(name)).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut listing = Listing::stdout(session.output(), session.terminal, &header);
    for row in answer.data.iter().chain(&answer.rest).flat_map(|group| rows(group, &answer.group_by)) {
        let text = Value::from(row).to_string();
        listing.item(&text, |row| columns.iter().map(|name| cell(row, name)).collect())?;
    }
    listing.finish()?;
    if answer.rest.is_some() {
        session.say(&format!(
            "{} groups; those behind the first {} are (rest)",
            answer.group_count,
            answer.data.len()
        ));
    }
    session.say(&format!(
        "as of append {}, {} behind",
        cell(&answer.as_of, "append"),
        cell(&answer.as_of, "behind")
    ));
    Ok(Outcome::Done)
}

impl Arguments {
    /// The API's query parameters.
    fn query(&self) -> Vec<(&'static str, String)> {
        let Filters {
            from,
            to,
            event_type,
            aggregate_type,
            user_id,
            organization_id,
            source,
            action,
            outcome,
        } = &self.filters;
        let times = [("from", from), ("to", to)];
        let times = times.into_iter().filter_map(|(name, time)| Some((name, time.as_ref()?.to_string())));
        let dimension = |word: &String| {
            let (_, name) = DIMENSIONS.iter().find(|(known, _)| known == word)?;
            Some(("groupBy", (*name).to_owned()))
        };
        let lists = [
            ("eventType", event_type),
            ("aggregateType", aggregate_type),
            ("userId", user_id),
            ("organizationId", organization_id),
            ("source", source),
            ("action", action),
            ("outcome", outcome),
        ];
        let lists = lists
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
        let interval = self.interval.iter().map(|interval| ("interval", interval.clone()));
        let all = times.chain(lists).chain(self.group_by.iter().filter_map(dimension)).chain(interval);
        all.chain([("top", self.top.to_string())]).collect()
    }
}

/// One row for each bucket of a group, or one for the group.
fn rows(group: &Group, group_by: &[String]) -> Vec<Map<String, Value>> {
    let names = group_by.iter().map(|name| {
        let rest = || Value::from("(rest)");
        (name.clone(), group.names.get(name).cloned().unwrap_or_else(rest))
    });
    let names: Map<String, Value> = names.collect();
    match &group.buckets {
        None => vec![names.into_iter().chain(group.counts.clone()).collect()],
        Some(buckets) => {
            let row = |bucket: &Map<String, Value>| names.clone().into_iter().chain(bucket.clone()).collect();
            buckets.iter().map(row).collect()
        }
    }
}

/// `eventCount` as the heading of a column.
fn heading(name: &str) -> String {
    let mut heading = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            heading.push(' ');
        }
        heading.push(letter.to_ascii_uppercase());
    }
    heading
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn group(json: Value) -> Group {
        serde_json::from_value(json).expect("a group")
    }

    #[test]
    fn a_group_is_a_row_or_one_for_each_bucket() {
        let by = ["userId".to_owned()];
        let counts = json!({ "eventCount": 3, "failureCount": 1, "failureRate": 0.5 });
        let whole = group(
            json!({ "group": { "userId": "ann" }, "eventCount": 3, "failureCount": 1, "failureRate": 0.5 }),
        );
        let mut expected = counts.clone();
        expected["userId"] = "ann".into();
        assert_eq!(json!(rows(&whole, &by)), json!([expected]));
        let rest = group(
            json!({ "eventCount": 3, "buckets": [{ "start": "a", "eventCount": 3 }, { "start": "b", "eventCount": 0 }] }),
        );
        let row =
            |start: &str, count: i32| json!({ "userId": "(rest)", "start": start, "eventCount": count });
        assert_eq!(json!(rows(&rest, &by)), json!([row("a", 3), row("b", 0)]));
        assert_eq!(heading("failureRate"), "FAILURE RATE");
    }
}
