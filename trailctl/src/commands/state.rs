//! `trailctl state` and `trailctl blame`: an aggregate as it was, and who made it so.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use shared::timestamp::Timestamp;

use super::{events, filters::time, history};
use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::{Outcome, StandardOutputClosed},
    output::{OutputFormat, leaves::leaves, listing::cell, listing::print_single, table::Table},
    session::Session,
};

/// Arguments of `trailctl state`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl state LoanApplication 173688
  trailctl state LoanApplication 173688 --version 4 --output json
  trailctl state Order 4711 --at 2026-03-03T09:00:00Z --blame")]
pub struct Arguments {
    #[command(flatten)]
    of: Moment,
    /// Also show which event set each value, and who
    #[arg(long)]
    blame: bool,
    #[command(flatten)]
    api: ApiOptions,
}

/// Arguments of `trailctl blame`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl blame LoanApplication 173688
  trailctl blame Order 4711 --version 12 --output json")]
pub struct BlameArguments {
    #[command(flatten)]
    of: Moment,
    #[command(flatten)]
    api: ApiOptions,
}

/// Which aggregate, and when.
#[derive(Debug, clap::Args)]
struct Moment {
    /// The aggregate's type
    #[arg(value_name = "TYPE")]
    aggregate_type: String,
    /// The aggregate's id
    #[arg(value_name = "ID")]
    aggregate_id: String,
    /// The organisation, where several have an aggregate of this type and id
    #[arg(long, alias = "org", value_name = "ID")]
    organization_id: Option<String>,
    /// As of this version, inclusive [default: the newest]
    #[arg(long, value_name = "N", conflicts_with = "at", value_parser = clap::value_parser!(i32).range(0..))]
    version: Option<i32>,
    /// As of this moment of event time, inclusive (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
}

impl Moment {
    fn query(&self, blame: bool) -> Vec<(&'static str, String)> {
        [
            ("organizationId", self.organization_id.clone()),
            ("version", self.version.map(|version| version.to_string())),
            ("at", self.at.map(|time| time.to_string())),
            ("blame", blame.then(|| "true".to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// What is read of the answer; the state keeps the digits of its numbers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    version: i64,
    at: String,
    event_count: u64,
    deleted: bool,
    #[serde(borrow)]
    state: &'a RawValue,
    integrity: events::Integrity,
    blame: Option<Value>,
}

/// Runs `trailctl state`.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    show(&arguments.of, arguments.blame, &arguments.api, session).await
}

/// Runs `trailctl blame`.
pub async fn run_blame(arguments: &BlameArguments, session: &Session) -> anyhow::Result<Outcome> {
    show(&arguments.of, true, &arguments.api, session).await
}

async fn show(of: &Moment, blame: bool, api: &ApiOptions, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(api, session)?;
    let path = ["v1", "aggregates", &of.aggregate_type, &of.aggregate_id];
    let text = api.get_text(&path, &of.query(blame)).await.map_err(ApiError::into_anyhow)?;
    let answer: Answer<'_> = serde_json::from_str(&text)?;
    if session.terminal.single_format(session.output()) == OutputFormat::Table {
        let deleted = if answer.deleted { ", deleted: the last state before that" } else { "" };
        session.say(&format!(
            "version {}, {}, {} events{deleted}",
            answer.version, answer.at, answer.event_count
        ));
        print_table(&answer)?;
    } else {
        print_single(&text, session.output(), session.terminal)?;
    }
    if let Some(warning) = history::warning(&answer.integrity) {
        session.say(&warning);
    }
    Ok(Outcome::Done)
}

fn print_table(answer: &Answer<'_>) -> Result<(), StandardOutputClosed> {
    let header = ["PATH", "VALUE", "VERSION", "TIME", "USER", "EVENT"];
    let columns = if answer.blame.is_some() { header.len() } else { 2 };
    let mut out = std::io::stdout().lock();
    let mut table = Table::new(&header[..columns]);
    for (pointer, value) in leaves(answer.state.get()) {
        let mut cells = vec![pointer, value];
        if let Some(blame) = &answer.blame {
            let origin = blame.get(&cells[0]).unwrap_or(&Value::Null);
            cells.extend(["version", "timestamp", "userId", "eventId"].map(|name| cell(origin, name)));
        }
        table.row(&mut out, &cells)?;
    }
    Ok(table.finish(&mut out)?)
}
