//! `trailctl causes`: what caused an event and what it caused, as a tree.

use std::{fmt::Write as _, io::Write as _};

use serde::Deserialize;
use serde_json::Value;

use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::{Outcome, StandardOutputClosed},
    output::{
        OutputFormat, escape,
        listing::{cell, print_single},
    },
    session::Session,
};

/// Arguments of `trailctl causes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl causes 0194fdc2-fa2f-7cc0-81d3-ff12045b73c8
  trailctl causes --correlation checkout-7")]
pub struct Arguments {
    /// The event's id
    #[arg(value_name = "EVENT_ID", required_unless_present = "correlation")]
    event_id: Option<String>,
    /// Everything of this correlation id instead
    #[arg(long, value_name = "ID", conflicts_with = "event_id")]
    correlation: Option<String>,
    #[command(flatten)]
    api: ApiOptions,
}

/// The answer about an event, or about a correlation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    ancestors: Vec<Value>,
    event: Option<Value>,
    #[serde(default)]
    descendants: Vec<Value>,
    #[serde(default)]
    events: Vec<Value>,
    missing_cause: Option<String>,
    truncated: Value,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let path = match (&arguments.event_id, &arguments.correlation) {
        (Some(id), _) => ["v1", "events", id, "causation"],
        (None, Some(id)) => ["v1", "correlations", id, "causation"],
        (None, None) => unreachable!("the command line asks for one of the two"),
    };
    let text = api.get_text(&path, &[]).await.map_err(ApiError::into_anyhow)?;
    if session.terminal.single_format(session.output()) != OutputFormat::Table {
        print_single(&text, session.output(), session.terminal)?;
        return Ok(Outcome::Done);
    }
    let answer: Answer = serde_json::from_str(&text)?;
    if let Some(missing) = &answer.missing_cause {
        session.say(&format!("the first cause names {missing}, which is no event that you may see"));
    }
    let mut out = std::io::stdout().lock();
    out.write_all(tree(&answer).as_bytes()).map_err(StandardOutputClosed)?;
    let cut = |name: &str| answer.truncated.get(name).and_then(Value::as_bool) == Some(true);
    for (is_cut, words) in [
        (cut("ancestors"), "more than 20 causes: ask for the first one shown to go on"),
        (cut("descendants"), "more than 20 steps or 1,000 events: ask for one of the last to go on"),
        (answer.truncated == Value::Bool(true), "more than 1,000 events: these are the oldest"),
    ] {
        if is_cut {
            session.say(&format!("cut off: {words}"));
        }
    }
    Ok(Outcome::Done)
}

/// The nodes with the lines between them; the event that was asked for is marked.
fn tree(answer: &Answer) -> String {
    let nodes: Vec<&Value> = answer
        .ancestors
        .iter()
        .chain(&answer.event)
        .chain(&answer.descendants)
        .chain(&answer.events)
        .collect();
    let depth = |node: &Value| node.get("depth").and_then(Value::as_i64).unwrap_or_default();
    let least = nodes.iter().map(|node| depth(node)).min().unwrap_or_default();
    let depths: Vec<usize> =
        nodes.iter().map(|node| usize::try_from(depth(node) - least).unwrap_or_default()).collect();
    let mut text = String::new();
    // For each level above the node, whether another node of that level follows below.
    let mut goes_on: Vec<bool> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let own = depths[index];
        let follows =
            depths[index + 1..].iter().find(|other| **other <= own).is_some_and(|other| *other == own);
        goes_on.truncate(own);
        for level in goes_on.iter().skip(1) {
            text.push_str(if *level { "│  " } else { "   " });
        }
        if own > 0 {
            text.push_str(if follows { "├─ " } else { "└─ " });
        }
        goes_on.resize(own, false);
        goes_on.push(follows);
        let asked = if answer.event.as_ref().is_some_and(|event| std::ptr::eq(event, *node)) {
            "  <- asked for"
        } else {
            ""
        };
        writeln!(text, "{}{asked}", escape::for_terminal(&words(node))).expect("a String takes everything");
    }
    text
}

fn words(node: &Value) -> String {
    let [kind, aggregate_type, aggregate_id, version, time, user, id] =
        ["eventType", "aggregateType", "aggregateId", "version", "timestamp", "userId", "eventId"]
            .map(|name| cell(node, name));
    let user = if user.is_empty() { user } else { format!("  {user}") };
    format!("{kind}  {aggregate_type} {aggregate_id} v{version}  {time}{user}  {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(depth: i64, kind: &str) -> Value {
        serde_json::json!({
            "depth": depth, "eventType": kind, "aggregateType": "T", "aggregateId": "i", "version": 1,
            "timestamp": "t", "userId": null, "eventId": "e",
        })
    }

    #[test]
    fn a_tree_is_drawn() {
        let answer = Answer {
            ancestors: vec![node(-2, "A"), node(-1, "B")],
            event: Some(node(0, "C")),
            descendants: vec![node(1, "D"), node(2, "E"), node(2, "F\u{1b}"), node(1, "G"), node(2, "H")],
            events: Vec::new(),
            missing_cause: None,
            truncated: Value::Null,
        };
        let drawn = tree(&answer).replace("  T i v1  t  e", "");
        assert_eq!(
            drawn,
            "A\n└─ B\n   └─ C  <- asked for\n      ├─ D\n      │  ├─ E\n      │  └─ F\\u{1b}\n      └─ G\n         └─ H\n"
        );
    }

    #[test]
    fn a_correlation_may_have_several_roots() {
        let answer = Answer {
            ancestors: Vec::new(),
            event: None,
            descendants: Vec::new(),
            events: vec![node(0, "A"), node(1, "B"), node(0, "C")],
            missing_cause: None,
            truncated: Value::Bool(false),
        };
        assert_eq!(tree(&answer).replace("  T i v1  t  e", ""), "A\n└─ B\nC\n");
    }
}
