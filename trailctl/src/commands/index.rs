//! `trailctl index`: which indexes the events have, the way from one set to the other, and the indexes that no set has.

use indicatif::ProgressBar;
use serde_json::json;
use shared::index_set::IndexSet;
use shared::text_query::TextFields;
use store::indexes::{Doing, IndexState, Optional, OptionalName, Presence, Progress};

use super::migrate::{other_indexes, url};
use crate::{
    outcome::{self, Outcome},
    output::listing::{Listing, cell, print_single},
    progress,
    session::Session,
};

/// Arguments of `trailctl index`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl index                   what there is, and how large
  trailctl index --set essential   more events a second, fewer filters without a range
  trailctl index --set standard    build what is missing, beside the ingestor
  trailctl index create payload    look payloads up by what they contain")]
pub struct Arguments {
    /// Give the database exactly this set
    #[arg(long, value_enum, value_name = "SET")]
    set: Option<Set>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else than a change of the set.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the indexes, as without an argument
    #[command(
        visible_alias = "list",
        after_help = "\
Examples:
  trailctl index show --output json"
    )]
    Show,
    /// Build an index that no set has, beside whoever writes and reads
    ///
    /// Each costs 20 to 40 us and up to 2 kB of WAL an event at ingest, as long as it is there: docs/operating.md.
    /// New months get it too. Cut off at any moment, it goes on when run again.
    #[command(
        verbatim_doc_comment,
        after_help = "\
Examples:
  trailctl index create payload
  trailctl index create fulltext --field /description --field /customer/name
  trailctl index create fulltext --field '*'    every text and number of the payload"
    )]
    Create {
        /// For the filter `payload`, or for free text, `q`
        #[arg(value_enum)]
        index: Name,
        /// Of fulltext: a field of the payload (JSON Pointer), or * for all of it; repeatable
        #[arg(long = "field", value_name = "POINTER", required_if_eq("index", "fulltext"))]
        fields: Vec<String>,
    },
    /// Drop an index that no set has
    #[command(after_help = "\
Examples:
  trailctl index drop fulltext")]
    Drop {
        /// Which one
        #[arg(value_enum)]
        index: Name,
    },
}

/// An index that no set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// What payloads contain
    Payload,
    /// The words of chosen fields of payloads
    Fulltext,
}

impl Name {
    fn optional(self, fields: &[String]) -> anyhow::Result<Optional> {
        let fields = fields.iter().map(String::as_str);
        match self {
            Self::Payload if fields.len() > 0 => {
                Err(outcome::usage("--field is of fulltext: leave it out, the whole payload is indexed"))
            }
            Self::Payload => Ok(Optional::Payload),
            Self::Fulltext => {
                let fields = TextFields::new(fields);
                Ok(Optional::Text(fields.map_err(|error| outcome::usage(format!("--field: {error}")))?))
            }
        }
    }
}

/// A set of indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Set {
    /// Histories, recorded order, time
    Essential,
    /// Those, and organisation, user, event type, correlation, causation
    Standard,
}

impl From<Set> for IndexSet {
    fn from(set: Set) -> Self {
        match set {
            Set::Essential => Self::Essential,
            Set::Standard => Self::Standard,
        }
    }
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    match (arguments.set, &arguments.command) {
        (Some(_), Some(_)) => Err(outcome::usage(
            "--set changes the set, a word behind index does something else: leave one out",
        )),
        (Some(set), None) => change(set.into(), session).await,
        (None, None | Some(Command::Show)) => show(session).await,
        (None, Some(Command::Create { index, fields })) => create(&index.optional(fields)?, session).await,
        (None, Some(Command::Drop { index })) => remove(*index, session).await,
    }
}

async fn create(index: &Optional, session: &Session) -> anyhow::Result<Outcome> {
    let bar = bar(session);
    let mut last: Option<Progress> = None;
    let built = store::indexes::create(&migrator(session)?, index, |now: &Progress| {
        tell(session, &bar, last.as_ref(), now);
        last = Some(now.clone());
    })
    .await?;
    bar.finish_and_clear();
    print_single(&json!({"built": built}).to_string(), session.output(), session.terminal)?;
    if !built {
        session.say("it was there already, whole");
    }
    Ok(Outcome::Done)
}

async fn remove(index: Name, session: &Session) -> anyhow::Result<Outcome> {
    let index = match index {
        Name::Payload => OptionalName::Payload,
        Name::Fulltext => OptionalName::Fulltext,
    };
    let bar = bar(session);
    let mut last: Option<Progress> = None;
    let dropped = store::indexes::remove(&migrator(session)?, index, |now: &Progress| {
        tell(session, &bar, last.as_ref(), now);
        last = Some(now.clone());
    })
    .await?;
    bar.finish_and_clear();
    print_single(&json!({"dropped": dropped}).to_string(), session.output(), session.terminal)?;
    if !dropped {
        session.say("there was none");
    }
    Ok(Outcome::Done)
}

fn migrator(session: &Session) -> anyhow::Result<store::DatabaseUrl> {
    let config = session.config()?;
    let migrator = config.database.migrator_url().map_err(|error| outcome::usage(error.to_string()))?;
    Ok(url(migrator))
}

fn bar(session: &Session) -> ProgressBar {
    progress::bar(
        session.terminal,
        session.quiet(),
        Some(0),
        "{prefix} {wide_bar} {decimal_bytes}/{decimal_total_bytes} of rows, {eta} left  {msg}",
    )
}

async fn show(session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let operator = config.database.operator_url().map_err(|error| outcome::usage(error.to_string()))?;
    let client = store::connect(&url(operator), "trailctl-index").await?;
    store::schema::require_known_schema(&client).await?;
    let indexes = store::indexes::inventory(&client).await?;
    let header = ["INDEX", "SET", "STATE", "PARTITIONS", "BYTES", "SERVES"];
    let mut listing = Listing::stdout(session.output(), session.terminal, &header);
    for index in &indexes {
        listing.item(&document(index).to_string(), |json| {
            ["index", "set", "state", "partitions", "bytes", "serves"].map(|name| cell(json, name)).into()
        })?;
    }
    listing.finish()?;
    let found = store::indexes::set_of(&indexes);
    let bytes: u64 = indexes.iter().map(|index| index.bytes).sum();
    let name = found.map_or("neither set whole", IndexSet::as_str);
    session.say(&format!("{name}, {} bytes of indexes", progress::thousands(bytes)));
    if let Some(word) = other_indexes(found, config.database.indexes) {
        session.say(&word);
    }
    Ok(Outcome::Done)
}

fn document(index: &IndexState) -> serde_json::Value {
    let (having, all) = index.partitions;
    let state = match index.presence {
        Presence::Whole => "whole",
        Presence::Partial => "partial",
        Presence::Absent => "absent",
    };
    json!({
        "index": index.definition.name,
        "set": index.definition.set.map_or("on request", IndexSet::as_str),
        "state": state,
        "partitions": format!("{having}/{all}"),
        "bytes": index.bytes,
        "serves": index.definition.serves,
        "definition": index.definition.using,
    })
}

async fn change(set: IndexSet, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let bar = bar(session);
    let mut last: Option<Progress> = None;
    let changed = store::indexes::apply(&migrator(session)?, set, |now: &Progress| {
        tell(session, &bar, last.as_ref(), now);
        last = Some(now.clone());
    })
    .await?;
    bar.finish_and_clear();
    let document = json!({"set": set.as_str(), "built": changed.built, "dropped": changed.dropped});
    print_single(&document.to_string(), session.output(), session.terminal)?;
    if let Some(word) = other_indexes(Some(set), config.database.indexes) {
        session.say(&format!("{word}; or set database.indexes = \"{set}\""));
    }
    Ok(Outcome::Done)
}

/// A line for each index and for each wait; how far one index is goes to the bar.
fn tell(session: &Session, bar: &ProgressBar, before: Option<&Progress>, now: &Progress) {
    let doing = match now.doing {
        Doing::Building => "building",
        Doing::Dropping => "dropping",
    };
    if before.is_none_or(|before| before.index != now.index) {
        bar.suspend(|| session.say(&format!("{doing} {}", now.index)));
        bar.set_prefix(now.index);
        bar.reset_eta();
    }
    let times = now.lock_attempts;
    if times > before.map_or(0, |before| before.lock_attempts) && times.is_multiple_of(10) {
        bar.suspend(|| session.say(&format!("waiting for a lock on the events ({times} attempts so far)")));
    }
    let (done, all) = now.bytes;
    bar.set_length(all);
    bar.set_position(done);
    let (having, leaves) = now.partitions;
    let at_hand = now.partition.as_deref().unwrap_or_default();
    bar.set_message(format!("{having}/{leaves} partitions {at_hand}"));
}
