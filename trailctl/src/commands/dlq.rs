//! `trailctl dlq`: the dead letters, and another try for them (semantics.md 5).

use bus::{
    Producer, ProducerLimits,
    dead_letter::{self, DeadLetter},
};
use serde_json::{Value, json};
use service::config::ConfigError;
use shared::{position::Position, refusal::Reason, scope::Scope};
use store::{Reader, dead_letters::DeadLetterRow};

use super::{events, migrate};
use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::{self, Outcome},
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
    /// The header `audit.redrive.of` names the dead letter; the account of the old record stays as it is.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl dlq redrive 3:1500
  trailctl dlq list --reason unknown-schema | jq -r .id | xargs trailctl dlq redrive")]
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
    #[arg(required = true)]
    ids: Vec<Position>,
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
    let config = session.config()?;
    let missing = |error: ConfigError| outcome::usage(error.to_string());
    let url = config.database.operator_url().map_err(missing)?;
    config.kafka.bootstrap_servers().map_err(missing)?;
    let reader = Reader::connect(&migrate::url(url), 1, "trailctl-redrive").await?;
    // The record as it was, and room for the header that names its dead letter.
    let limits =
        ProducerLimits::for_records_of(config.dead_letters.max_stored_bytes + dead_letter::ALLOWANCE);
    let producer = Producer::new(&config.kafka, "trailctl-redrive", limits)?;
    let mut listing =
        Listing::stdout(session.output(), session.terminal, &["ID", "TOPIC", "PARTITION", "OFFSET"]);
    let mut outcome = Outcome::Done;
    for &id in &arguments.ids {
        let Some(letter) = reader.dead_letter(&Scope::All, id).await? else {
            session.say(&format!("{id}: there is no such dead letter"));
            outcome = Outcome::Finding;
            continue;
        };
        if value_was_too_large(&letter) {
            session.say(&format!(
                "{id}: its value was too large to be kept, so only its producer can send it again"
            ));
            outcome = Outcome::Finding;
            continue;
        }
        let sent = producer.send(dead_letter::redrive(&as_sent(&letter))).await;
        let delivered = match sent {
            Ok(delivered) => delivered,
            Err(error) if error.is_permanent() => {
                session.say(&format!("{id}: {error}"));
                outcome = Outcome::Finding;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let line = json!({"id": id.to_string(), "topic": letter.log.topic, "partition": delivered.partition,
            "offset": delivered.offset});
        listing.item(&line.to_string(), |value| {
            ["id", "topic", "partition", "offset"].map(|path| cell(value, path)).to_vec()
        })?;
    }
    listing.finish()?;
    Ok(outcome)
}

/// The ingestor keeps only the digest of a value over `dead_letters.max_stored_bytes`, as the last header.
fn value_was_too_large(letter: &DeadLetterRow) -> bool {
    let last = letter.record.headers.last();
    letter.record.value.is_none() && last.is_some_and(|(name, _)| name == dead_letter::DIGEST_HEADER)
}

fn as_sent(letter: &DeadLetterRow) -> DeadLetter<'_> {
    DeadLetter {
        id: letter.position,
        topic: &letter.log.topic,
        partition: letter.log.partition,
        offset: letter.position.offset,
        stage: letter.stage.as_str(),
        reason: letter.reason,
        pointer: &letter.pointer,
        detail: &letter.detail,
        key: letter.record.key.clone(),
        value: letter.record.value.clone(),
        value_digest: None,
        headers: &letter.record.headers,
        timestamp_ms: letter.record.timestamp_ms,
    }
}
