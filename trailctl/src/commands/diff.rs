//! `trailctl diff`: what changed in an aggregate between two versions or moments.

use std::{fmt::Write as _, io::Write as _};

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::timestamp::Timestamp;

use super::filters::time;
use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::{Outcome, StandardOutputClosed},
    output::{OutputFormat, escape, listing::print_single},
    session::Session,
};

/// Arguments of `trailctl diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl diff LoanApplication 173688 1 4
  trailctl diff Order 4711 2026-03-01T00:00:00Z 2026-03-31T23:59:59Z
  trailctl diff Order 4711 12                        from version 12 to the newest
  trailctl diff Order 4711 0 12 --output json        a JSON Patch, from before the first version")]
pub struct Arguments {
    /// The aggregate's type
    #[arg(value_name = "TYPE")]
    aggregate_type: String,
    /// The aggregate's id
    #[arg(value_name = "ID")]
    aggregate_id: String,
    /// The older state: a version or a moment (RFC 3339), inclusive
    #[arg(value_name = "FROM", value_parser = bound)]
    from: Bound,
    /// The newer state, in the same way [default: the newest]
    #[arg(value_name = "TO", value_parser = bound)]
    to: Option<Bound>,
    /// The organisation, where several have an aggregate of this type and id
    #[arg(long, alias = "org", value_name = "ID")]
    organization_id: Option<String>,
    #[command(flatten)]
    api: ApiOptions,
}

/// A version or a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Version(i32),
    Moment(Timestamp),
}

fn bound(text: &str) -> Result<Bound, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(version) = text.parse()
    {
        return Ok(Bound::Version(version));
    }
    time(text).map(Bound::Moment).map_err(|_| {
        "neither a version, a number from 0, nor an RFC 3339 time such as 2026-03-03T09:00:00Z".to_owned()
    })
}

impl Arguments {
    fn query(&self) -> Vec<(&'static str, String)> {
        let named = |bound, version, moment| match bound {
            Bound::Version(number) => (version, number.to_string()),
            Bound::Moment(time) => (moment, time.to_string()),
        };
        let mut query = vec![named(self.from, "fromVersion", "fromAt")];
        query.extend(self.to.map(|to| named(to, "toVersion", "toAt")));
        query.extend(self.organization_id.clone().map(|organization| ("organizationId", organization)));
        query
    }
}

/// What is read of the answer; values keep their texts.
#[derive(Deserialize)]
struct Answer<'a> {
    from: Place,
    to: Place,
    #[serde(borrow)]
    changes: Vec<Change<'a>>,
}

#[derive(Deserialize)]
struct Place {
    version: i64,
    at: Option<String>,
    deleted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change<'a> {
    path: String,
    #[serde(borrow)]
    old: &'a RawValue,
    #[serde(borrow)]
    new: &'a RawValue,
    event_id: Option<String>,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let path = ["v1", "aggregates", &arguments.aggregate_type, &arguments.aggregate_id, "diff"];
    let text = api.get_text(&path, &arguments.query()).await.map_err(ApiError::into_anyhow)?;
    // Unlike other single answers, a difference is for people in a pipe too, as that of `diff` and `git diff` is.
    if session.output().unwrap_or(OutputFormat::Table) != OutputFormat::Table {
        print_single(&text, session.output(), session.terminal)?;
        return Ok(Outcome::Done);
    }
    let answer: Answer<'_> = serde_json::from_str(&text)?;
    let mut out = std::io::stdout().lock();
    out.write_all(lines(&answer, session.terminal.color).as_bytes()).map_err(StandardOutputClosed)?;
    Ok(Outcome::Done)
}

/// The difference for people: what was, what is, and the event that made it so.
fn lines(answer: &Answer<'_>, color: bool) -> String {
    let [red, green, dim, plain] =
        if color { ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"] } else { [""; 4] };
    let mut text = String::new();
    let mut line = |start: &str, words: std::fmt::Arguments<'_>| {
        // Escape sequences in the data must not reach a terminal; the colours around them are ours.
        let words = words.to_string();
        writeln!(text, "{start}{}{plain}", escape::for_terminal(&words)).expect("a String takes everything");
    };
    for (mark, color, place) in [("---", red, &answer.from), ("+++", green, &answer.to)] {
        let at = place.at.as_deref().unwrap_or("before the first event");
        let deleted = if place.deleted { ", deleted" } else { "" };
        line(color, format_args!("{mark} version {}, {at}{deleted}", place.version));
    }
    for Change { path, old, new, event_id } in &answer.changes {
        line(dim, format_args!("@@ {path} @@ {}", event_id.as_deref().unwrap_or("by an unknown event")));
        for (mark, color, value) in [('-', red, old), ('+', green, new)] {
            if value.get() != "null" {
                line(color, format_args!("{mark} {}", value.get()));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"from":{"version":1,"at":"2026-01-15T12:00:01.000000Z","deleted":false},
        "to":{"version":4,"at":"2026-01-15T12:00:04.000000Z","deleted":true},"patch":[],"changes":[
        {"path":"/total","old":1.50,"new":12345678901234567890,"eventId":"e1"},
        {"path":"/gone","old":"x\u001b[2J","new":null,"eventId":null}]}"#;

    #[test]
    fn a_difference_is_plain_or_coloured() {
        let answer: Answer<'_> = serde_json::from_str(ANSWER).expect("an answer");
        let plain = lines(&answer, false);
        assert_eq!(
            plain,
            "--- version 1, 2026-01-15T12:00:01.000000Z\n\
             +++ version 4, 2026-01-15T12:00:04.000000Z, deleted\n\
             @@ /total @@ e1\n- 1.50\n+ 12345678901234567890\n\
             @@ /gone @@ by an unknown event\n- \"x\\u001b[2J\"\n"
        );
        let coloured = lines(&answer, true);
        assert!(coloured.contains("\u{1b}[31m- 1.50\u{1b}[0m\n\u{1b}[32m+ 1234"), "{coloured:?}");
        let stripped = ["[31m", "[32m", "[2m", "[0m"]
            .iter()
            .fold(coloured, |text, code| text.replace(&format!("\u{1b}{code}"), ""));
        assert_eq!(stripped, plain);
    }

    #[test]
    fn a_bound_is_a_version_or_a_moment() {
        assert_eq!(bound("12"), Ok(Bound::Version(12)));
        let moment = Timestamp::parse("2026-03-03T09:00:00Z").expect("a time");
        assert_eq!(bound("2026-03-03T09:00:00Z"), Ok(Bound::Moment(moment)));
        for text in ["", "-1", "v1", "99999999999", "yesterday"] {
            assert!(bound(text).is_err(), "{text}");
        }
    }
}
