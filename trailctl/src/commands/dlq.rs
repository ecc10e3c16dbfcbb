//! `trailctl dlq`: the dead letters, and another try for them (semantics.md 5).

use serde_json::{Value, json};
use shared::{position::Position, refusal::Reason};

use super::events;
use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::Outcome,
    output::listing::{Listing, cell, print_single},
    session::Session,
};

/// Look at the dead letters, and send them again.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the dead letters, newest first
    #[command(after_help = "\
Examples:
  trailctl dlq list
  trailctl dlq list --reason unknown-schema --limit 1000 --output json")]
    List(List),
    /// Show one dead letter
    #[command(after_help = "\
Examples:
  trailctl dlq show 3:1500")]
    Show(Show),
    /// Produce dead letters to their topic again, with their own key, value and headers
    ///
    /// The header `audit.redrive.of` names the dead letter; the account of the old record stays as it is, and the
    /// redrive is recorded with it (`dlq show`). What is sent twice is stored once.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl dlq redrive 3:1500 3:1501
  trailctl dlq redrive --reason unknown-schema --limit 1000 --dry-run
  trailctl dlq redrive --reason unknown-schema --limit 1000")]
    Redrive(Redrive),
}

/// Arguments of `dlq list`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only these reasons
    #[arg(long, value_parser = reason, value_name = "REASON")]
    reason: Option<String>,
    /// Only letters from this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    #[command(flatten)]
    api: ApiOptions,
}

/// Arguments of `dlq show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The dead letter's id: its position
    id: Position,
    #[command(flatten)]
    api: ApiOptions,
}

/// Arguments of `dlq redrive`.
#[derive(Debug, clap::Args)]
pub struct Redrive {
    /// The dead letters' ids
    #[arg(required_unless_present_any = ["reason", "topic"], conflicts_with_all = ["reason", "topic"])]
    ids: Vec<Position>,
    /// Instead of ids: the newest dead letters for this reason
    #[arg(long, value_parser = reason, value_name = "REASON")]
    reason: Option<String>,
    /// Instead of ids: the newest dead letters from this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// How many at most, with --reason or --topic
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Say which would be sent again, and send none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    api: ApiOptions,
}

fn reason(text: &str) -> Result<String, String> {
    let names = Reason::ALL.map(Reason::as_str);
    Reason::parse(text)
        .map(|reason| reason.as_str().to_owned())
        .ok_or_else(|| format!("the reasons are {}", names.join(", ")))
}

/// Runs the command.
pub async fn run(command: &Command, session: &Session) -> anyhow::Result<Outcome> {
    match command {
        Command::List(arguments) => list(arguments, session).await,
        Command::Show(arguments) => show(arguments, session).await,
        Command::Redrive(arguments) => redrive(arguments, session).await,
    }
}

const HEADER: [&str; 7] = ["ID", "RECORDED", "TOPIC", "PARTITION", "OFFSET", "REASON", "DETAIL"];

fn row(letter: &Value) -> Vec<String> {
    ["id", "recordedAt", "topic", "partition", "offset", "reason", "detail"]
        .map(|path| cell(letter, path))
        .to_vec()
}

async fn list(arguments: &List, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let query = [("reason", &arguments.reason), ("topic", &arguments.topic)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    let mut listing = Listing::stdout(session.output(), session.terminal, &HEADER);
    events::list_pages(&api, &["v1", "dead-letters"], query, arguments.limit, |page| {
        for letter in &page.data {
            listing.item(letter.get(), row)?;
        }
        Ok(())
    })
    .await?;
    listing.finish()?;
    Ok(Outcome::Done)
}

async fn show(arguments: &Show, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let id = arguments.id.to_string();
    let text = api.get_text(&["v1", "dead-letters", &id], &[]).await.map_err(ApiError::into_anyhow)?;
    print_single(&text, session.output(), session.terminal)?;
    Ok(Outcome::Done)
}

async fn redrive(arguments: &Redrive, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let ids = match arguments.ids.as_slice() {
        [] => chosen(arguments, &api).await?,
        named => named.iter().map(ToString::to_string).collect(),
    };
    let header: &[&str] = if arguments.dry_run { &["ID"] } else { &["ID", "TOPIC", "PARTITION", "OFFSET"] };
    let columns = |value: &Value| header.iter().map(|name| cell(value, &name.to_lowercase())).collect();
    let mut listing = Listing::stdout(session.output(), session.terminal, header);
    let (mut outcome, mut sent) = (Outcome::Done, 0_u64);
    for id in &ids {
        let path = ["v1", "dead-letters", id];
        let answer = if arguments.dry_run {
            api.get_text(&path, &[]).await.map(|_| json!({ "id": id }).to_string())
        } else {
            api.post_text(&[&path[..], &["redrive"]].concat()).await
        };
        match answer {
            Ok(line) => {
                sent += 1;
                listing.item(&line, columns)?;
            }
            Err(error) if is_of_the_letter(&error) => {
                session.say(&format!("{id}: {error}"));
                outcome = Outcome::Finding;
            }
            Err(error) => {
                return Err(error.into_anyhow().context(format!("{sent} were sent again, then {id}")));
            }
        }
    }
    listing.finish()?;
    if arguments.dry_run {
        session.say(&format!("{sent} would be sent again"));
    }
    Ok(outcome)
}

/// The newest dead letters of a reason or a topic.
async fn chosen(arguments: &Redrive, api: &ApiClient) -> anyhow::Result<Vec<String>> {
    let query = [("reason", &arguments.reason), ("topic", &arguments.topic)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    let mut ids = Vec::new();
    events::list_pages(api, &["v1", "dead-letters"], query, arguments.limit, |page| {
        for letter in &page.data {
            let letter: Value = serde_json::from_str(letter.get())?;
            ids.push(cell(&letter, "id"));
        }
        Ok(())
    })
    .await?;
    Ok(ids)
}

/// Whether only this letter cannot be sent again: it is not there, or its value was too large to be kept.
fn is_of_the_letter(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { kind, .. } if kind == "not-found" || kind == "record-not-kept")
}
