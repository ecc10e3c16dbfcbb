//! `trailctl replay start` and its like: replays to Kafka topics, which the API works on by itself.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use shared::position::Position;

use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    commands::{events, filters::Filters},
    outcome::Outcome,
    output::listing::{Listing, cell, print_single},
    progress,
    session::Session,
};

/// Between two looks at a job that is waited for.
const LOOK: Duration = Duration::from_secs(1);

/// What to do with replays to topics.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Send stored events to a Kafka topic, as a job of the API
    ///
    /// Every event that matches, in the order of recording, keyed by aggregate, with headers that say what it is. The topic
    /// must exist, and must be none that the ingestor reads.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl replay start --topic replays.orders --aggregate-type Order --dry-run
  trailctl replay start --topic replays.orders --aggregate-type Order --rate 1000 --wait")]
    Start(Box<Start>),
    /// List the replay jobs, newest first
    #[command(after_help = "\
Examples:
  trailctl replay list
  trailctl replay list --state failed --output json")]
    List(List),
    /// Show a replay job: how far it has come, and what it waits for
    #[command(after_help = "\
Examples:
  trailctl replay show 0194fdc2-fa2f-7cc0-81d3-ff12045b73c8")]
    Show(Named),
    /// Stop a replay job behind the batch that is on its way, until it is resumed
    #[command(after_help = "\
Examples:
  trailctl replay pause 0194fdc2-fa2f-7cc0-81d3-ff12045b73c8")]
    Pause(Named),
    /// Let a replay job go on that was paused, or that failed and is mended
    #[command(after_help = "\
Examples:
  trailctl replay resume 0194fdc2-fa2f-7cc0-81d3-ff12045b73c8")]
    Resume(Named),
    /// End a replay job; what was sent stays in the topic
    #[command(after_help = "\
Examples:
  trailctl replay cancel 0194fdc2-fa2f-7cc0-81d3-ff12045b73c8")]
    Cancel(Named),
}

/// Arguments of `replay start`.
#[derive(Debug, clap::Args)]
pub(super) struct Start {
    /// The topic
    #[arg(long, value_name = "TOPIC")]
    topic: String,
    /// At most this many events a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Begin behind this position
    #[arg(long, value_name = "POSITION")]
    after: Option<Position>,
    /// Say how many events, how many bytes and how long, and send none
    #[arg(long)]
    dry_run: bool,
    /// Wait for its end; exit code 1 when it is another one than finished
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    api: ApiOptions,
}

/// Arguments of `replay list`.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only jobs in this state
    #[arg(long, value_name = "STATE", value_parser = ["running", "paused", "cancelled", "finished", "failed"])]
    state: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    #[command(flatten)]
    api: ApiOptions,
}

/// A job.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The job's id
    id: String,
    #[command(flatten)]
    api: ApiOptions,
}

const HEADER: [&str; 8] = ["ID", "STATE", "TOPIC", "SENT", "EXPECTED", "SECONDS LEFT", "BY", "CREATED"];

fn row(job: &Value) -> Vec<String> {
    let paths = [
        "id",
        "state",
        "topic",
        "progress.sent",
        "expected.events",
        "progress.secondsLeft",
        "createdBy",
        "createdAt",
    ];
    paths.map(|path| cell(job, path)).to_vec()
}

/// Runs the command.
pub(super) async fn run(command: &Command, session: &Session) -> anyhow::Result<Outcome> {
    match command {
        Command::Start(arguments) => start(arguments, session).await,
        Command::List(arguments) => list(arguments, session).await,
        Command::Show(named) => change(named, Method::GET, &[], session).await,
        Command::Pause(named) => change(named, Method::POST, &["pause"], session).await,
        Command::Resume(named) => change(named, Method::POST, &["resume"], session).await,
        Command::Cancel(named) => change(named, Method::DELETE, &[], session).await,
    }
}

impl Start {
    fn body(&self) -> Value {
        let mut filter: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in self.filters.query() {
            filter.entry(name).or_default().push(value);
        }
        json!({
            "topic": self.topic,
            "filter": filter,
            "after": self.after.map(|position| position.to_string()),
            "rate": self.rate,
            "dryRun": self.dry_run,
        })
    }
}

async fn start(arguments: &Start, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let body = arguments.body();
    let text =
        api.send(Method::POST, &["v1", "replays"], Some(&body)).await.map_err(ApiError::into_anyhow)?;
    if !arguments.wait {
        print_single(&text, session.output(), session.terminal)?;
        return Ok(Outcome::Done);
    }
    let job: Value = serde_json::from_str(&text)?;
    let id = cell(&job, "id");
    session.say(&format!("replay job {id}"));
    let (text, state) = wait(&api, &id, session).await?;
    print_single(&text, session.output(), session.terminal)?;
    Ok(if state == "finished" { Outcome::Done } else { Outcome::Finding })
}

/// Follows a job until nobody works on it any more.
async fn wait(api: &ApiClient, id: &str, session: &Session) -> anyhow::Result<(String, String)> {
    let template = "{wide_bar} {human_pos} of {human_len}  {per_sec}  {msg}";
    let bar = progress::bar(session.terminal, session.quiet(), Some(0), template);
    loop {
        let text = api.get_text(&["v1", "replays", id], &[]).await.map_err(ApiError::into_anyhow)?;
        let job: Value = serde_json::from_str(&text)?;
        let count = |pointer: &str| job.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let sent = count("/progress/sent");
        bar.set_length(count("/expected/events").max(sent));
        bar.set_position(sent);
        bar.set_message(job["trouble"].as_str().unwrap_or_default().to_owned());
        let state = cell(&job, "state");
        if !["queued", "running"].contains(&state.as_str()) {
            bar.finish_and_clear();
            return Ok((text, state));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn list(arguments: &List, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let query = arguments.state.iter().map(|state| ("state", state.clone())).collect();
    let mut listing = Listing::stdout(session.output(), session.terminal, &HEADER);
    events::list_pages(&api, &["v1", "replays"], query, arguments.limit, |page| {
        for job in &page.data {
            listing.item(job.get(), row)?;
        }
        Ok(())
    })
    .await?;
    listing.finish()?;
    Ok(Outcome::Done)
}

async fn change(named: &Named, method: Method, rest: &[&str], session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&named.api, session)?;
    let path = [&["v1", "replays", &named.id][..], rest].concat();
    let text = api.send(method, &path, None).await.map_err(ApiError::into_anyhow)?;
    print_single(&text, session.output(), session.terminal)?;
    Ok(Outcome::Done)
}
