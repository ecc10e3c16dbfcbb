//! `trailctl ledger`: what only an operator can decide about a log (semantics.md 4).

use serde_json::json;
use store::Log;

use super::migrate;
use crate::{
    confirm,
    outcome::{self, Outcome},
    output::listing::print_single,
    progress,
    session::Session,
};

/// Decide what only an operator can about a log.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Let a partition go on over records that Kafka lost before they were read
    ///
    /// Only needed where `ingestor.on_gap = "stop"`. The offsets are recorded as `gap`, for ever.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl ledger accept-gap audit.events 3
  trailctl ledger accept-gap audit.events 3 --to 1500 --yes")]
    AcceptGap(AcceptGap),
    /// Start a new life of a partition whose topic was deleted and made again
    ///
    /// The old log keeps its events and its position for ever; the new one starts at offset 0.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl ledger new-incarnation audit.events 3
  trailctl ledger new-incarnation audit.events 3 --yes")]
    NewIncarnation(NewIncarnation),
    /// Print the root of the ledger: two databases with the same root hold the same appends
    ///
    /// The RFC 6962 root over the entries of all appends up to one. Take it from a restored copy, then from the source at the
    /// copy's size; with `trailctl verify` clean on both they are equal, row by row. Exit code 1 when --expect is not met.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl ledger root
  trailctl ledger root --at 812 --expect 5f0c…")]
    Root(Root),
}

/// Arguments of `root`.
#[derive(Debug, clap::Args)]
pub struct Root {
    /// The last append that counts [default: the newest]
    #[arg(long, value_name = "APPEND", value_parser = clap::value_parser!(i64).range(0..))]
    at: Option<i64>,
    /// The root that it must have
    #[arg(long, value_name = "HEX")]
    expect: Option<String>,
}

/// Arguments of `accept-gap`.
#[derive(Debug, clap::Args)]
pub struct AcceptGap {
    /// The topic
    topic: String,
    /// The partition
    partition: i32,
    /// The first offset that must not be missing [default: the partition's first offset in Kafka now]
    #[arg(long, value_name = "OFFSET")]
    to: Option<i64>,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
}

/// Arguments of `new-incarnation`.
#[derive(Debug, clap::Args)]
pub struct NewIncarnation {
    /// The topic
    topic: String,
    /// The partition
    partition: i32,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command.
pub async fn run(command: &Command, session: &Session) -> anyhow::Result<Outcome> {
    match command {
        Command::AcceptGap(arguments) => accept_gap(arguments, session).await,
        Command::NewIncarnation(arguments) => new_incarnation(arguments, session).await,
        Command::Root(arguments) => root(arguments, session).await,
    }
}

/// A connection as the operator, and the newest log of the partition.
struct Desk {
    client: tokio_postgres::Client,
    cluster: String,
    log: Log,
}

async fn open(session: &Session, topic: &str, partition: i32) -> anyhow::Result<Desk> {
    let config = session.config()?;
    let url = config.database.operator_url().map_err(|error| outcome::usage(error.to_string()))?;
    let client = store::connect(&migrate::url(url), "trailctl-ledger").await?;
    store::schema::require_known_schema(&client).await?;
    let cluster = config.kafka.cluster;
    let log = store::logs::find_log(&client, &cluster, topic, partition).await?.ok_or_else(|| {
        outcome::usage(format!("no log for partition {partition} of topic {topic} in cluster {cluster}"))
    })?;
    Ok(Desk { client, cluster, log })
}

fn describe(log: &Log) -> String {
    format!(
        "log {} is {}/{} of cluster {}, incarnation {}; everything below offset {} is accounted for",
        log.log_id,
        log.name.topic,
        log.name.partition,
        log.name.cluster,
        log.name.incarnation,
        log.next_offset
    )
}

async fn accept_gap(arguments: &AcceptGap, session: &Session) -> anyhow::Result<Outcome> {
    let desk = open(session, &arguments.topic, arguments.partition).await?;
    session.say(&describe(&desk.log));
    let to = match arguments.to {
        Some(to) => to,
        None => {
            bus::topics::first_offset(&session.config()?.kafka, &arguments.topic, arguments.partition).await?
        }
    };
    if to <= desk.log.next_offset {
        session.say(&format!("nothing is missing below offset {to}: nothing to accept"));
        return Ok(Outcome::Done);
    }
    session.say(&format!(
        "the ingestor will record the {} offsets from {} to {} as `gap`, for ever, and go on at {to}",
        progress::thousands(u64::try_from(to - desk.log.next_offset).unwrap_or(0)),
        desk.log.next_offset,
        to - 1,
    ));
    if !confirm::confirm(session, arguments.yes, "Accept that these records are lost?")? {
        session.say("nothing was changed");
        return Ok(Outcome::Done);
    }
    let log_id =
        store::ledger::accept_gap(&desk.client, &desk.cluster, &arguments.topic, arguments.partition, to)
            .await?;
    print_single(
        &json!({"logId": log_id, "acceptedGapTo": to}).to_string(),
        session.output(),
        session.terminal,
    )?;
    Ok(Outcome::Done)
}

async fn new_incarnation(arguments: &NewIncarnation, session: &Session) -> anyhow::Result<Outcome> {
    let desk = open(session, &arguments.topic, arguments.partition).await?;
    session.say(&describe(&desk.log));
    session.say(&format!(
        "it will be closed where it stands, and incarnation {} opened at offset 0; records that the old topic still held \
         beyond offset {} stay unread",
        desk.log.name.incarnation + 1,
        desk.log.next_offset,
    ));
    if !confirm::confirm(session, arguments.yes, "Was the topic deleted and made again?")? {
        session.say("nothing was changed");
        return Ok(Outcome::Done);
    }
    let (log_id, incarnation) =
        store::ledger::new_incarnation(&desk.client, &desk.cluster, &arguments.topic, arguments.partition)
            .await?;
    let report = json!({"logId": log_id, "incarnation": incarnation, "nextOffset": 0});
    print_single(&report.to_string(), session.output(), session.terminal)?;
    session
        .say("the ingestor takes the partition up again within its next assignment (restart it to hurry it)");
    Ok(Outcome::Done)
}

async fn root(arguments: &Root, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let url = config.database.operator_url().map_err(|error| outcome::usage(error.to_string()))?;
    let client = store::connect(&migrate::url(url), "trailctl-ledger").await?;
    store::schema::require_known_schema(&client).await?;
    let ledger = store::ledger::root(&client, arguments.at).await?;
    let root = hex::encode(ledger.root);
    let report =
        json!({"size": ledger.size, "root": root, "events": ledger.events, "offsets": ledger.offsets});
    print_single(&report.to_string(), session.output(), session.terminal)?;
    if let Some(at) = arguments.at.filter(|at| *at > ledger.size) {
        session.say(&format!("the ledger ends at append {}: append {at} is not in it", ledger.size));
        return Ok(Outcome::Finding);
    }
    if arguments.expect.as_ref().is_some_and(|expected| !expected.eq_ignore_ascii_case(&root)) {
        session.say("the root is another one: the appends up to here are not the same");
        return Ok(Outcome::Finding);
    }
    Ok(Outcome::Done)
}
