//! `trailctl events`: lists of events.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{filters::Filters, records};
use crate::{
    api::{self, ApiClient, ApiOptions, Request, lines},
    outcome::{Outcome, usage},
    output::{
        OutputFormat,
        listing::{Listing, cell},
    },
    session::Session,
};

/// The most events that one page of the API holds.
pub(super) const LARGEST_PAGE: u64 = 1000;

/// Arguments of `trailctl events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl events --user-id 4711 --from 2026-01-01T00:00:00Z
  trailctl events --event-type 'LOAN_*' --order asc --limit 500 --output json
  trailctl events --user-id 4711 --payload '{\"customer\":{\"country\":\"DO\"}}'
  trailctl events --all --aggregate-type Order > orders.ndjson
  trailctl events --all --output csv > events.csv")]
pub struct Arguments {
    /// Which way the list runs
    #[arg(long, value_parser = ["desc", "asc"], default_value = "desc")]
    order: String,
    /// Along which order: event time, or the order of recording
    #[arg(long, value_parser = ["time", "recorded"], default_value = "time")]
    sort: String,
    /// How many events at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Every event that matches, as one stream
    #[arg(long, conflicts_with_all = ["limit", "count"])]
    all: bool,
    /// Also say how many match, on standard error
    #[arg(long, value_parser = ["exact", "capped"])]
    count: Option<String>,
    /// Words of the payload, "a phrase", or, -not; needs `trailctl index create fulltext`
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    q: Option<String>,
    /// With --output csv: exact texts, for programs; else what a spreadsheet would run gets an apostrophe in front
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    api: ApiOptions,
}

/// A page of a list, its items kept as they came.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Box<RawValue>>,
    #[serde(rename = "page")]
    pub(super) info: PageInfo,
    pub(super) integrity: Option<Integrity>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub(super) next_cursor: Option<String>,
    pub(super) total: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Integrity {
    pub(super) gaps: Vec<(i64, i64)>,
    pub(super) forks: Vec<i64>,
}

/// The columns of a table of events.
pub(super) const HEADER: [&str; 7] =
    ["TIME", "EVENT TYPE", "AGGREGATE TYPE", "AGGREGATE ID", "VERSION", "USER", "POSITION"];

/// An event as a row.
pub(super) fn row(event: &Value) -> Vec<String> {
    ["timestamp", "eventType", "aggregateType", "aggregateId", "version", "metadata.userId", "position"]
        .map(|path| cell(event, path))
        .to_vec()
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let mut query = arguments.filters.query();
    query.extend(arguments.q.iter().map(|words| ("q", words.clone())));
    query.push(("order", arguments.order.clone()));
    query.push(("sort", arguments.sort.clone()));
    if session.output() == Some(OutputFormat::Csv) {
        if arguments.count.is_some() {
            return Err(usage("--count has no place in CSV: leave it out"));
        }
        if arguments.raw {
            query.push(("raw", "true".to_owned()));
        }
        let most = if arguments.all { u64::MAX } else { arguments.limit };
        return records::print(&api, &["v1", "events"], &query, most, session.terminal.stdout).await;
    }
    if arguments.raw {
        return Err(usage("--raw goes with --output csv"));
    }
    let mut listing = Listing::stdout(session.output(), session.terminal, &HEADER);
    if arguments.all {
        let request = Request {
            path: &["v1", "events"],
            query: &query,
            accept: api::NDJSON,
            last_event_id: None,
            timeout: None,
        };
        let response = api.get(request).await.map_err(api::problem::ApiError::into_anyhow)?;
        lines::for_each_block(response, |block| -> anyhow::Result<()> {
            for line in std::str::from_utf8(block)?.lines() {
                listing.item(line, row)?;
            }
            Ok(())
        })
        .await?;
    } else {
        if let Some(count) = &arguments.count {
            query.push(("count", count.clone()));
        }
        list_pages(&api, &["v1", "events"], query, arguments.limit, |page| {
            if let Some(total) = page.info.total {
                session.say(&format!("{total} events match"));
            }
            for event in &page.data {
                listing.item(event.get(), row)?;
            }
            Ok(())
        })
        .await?;
    }
    listing.finish()?;
    Ok(Outcome::Done)
}

/// Follows the pages of a list until `limit` items, or its end.
pub(super) async fn list_pages(
    api: &ApiClient,
    path: &[&str],
    query: Vec<(&'static str, String)>,
    limit: u64,
    mut each: impl FnMut(Page) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut left = limit;
    let mut cursor: Option<String> = None;
    loop {
        let mut asked = query.clone();
        asked.push(("limit", left.min(LARGEST_PAGE).to_string()));
        if let Some(cursor) = &cursor {
            // The total is the same on every page: it is counted once.
            asked.retain(|(name, _)| *name != "count");
            asked.push(("cursor", cursor.clone()));
        }
        let text = api.get_text(path, &asked).await.map_err(api::problem::ApiError::into_anyhow)?;
        let page: Page = serde_json::from_str(&text)?;
        left = left.saturating_sub(u64::try_from(page.data.len()).unwrap_or(u64::MAX));
        let next = page.info.next_cursor.clone();
        each(page)?;
        // An ascending recorded list has a cursor at its end too, for polling: there it stands still.
        if next.is_none() || left == 0 || next == cursor {
            return Ok(());
        }
        cursor = next;
    }
}
