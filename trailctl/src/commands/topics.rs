//! `trailctl topics`: the Kafka topics and their rules (contract.md, Kafka).

use bus::topics::{self, TopicDescription, TopicReport, TopicRules, TopicState};
use serde_json::{Value, json};

use crate::{
    outcome::Outcome,
    output::listing::{Listing, cell},
    session::Session,
};

/// Make the Kafka topics, or compare them with the rules.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make the topics that are absent, and say where others differ from the rules (exit code 1)
    ///
    /// Never changes or deletes a topic that exists.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl topics apply
  trailctl topics apply --dry-run")]
    Apply(Apply),
    /// Show the topics as the cluster has them
    #[command(after_help = "\
Examples:
  trailctl topics describe
  trailctl topics describe audit.events.orders --output json")]
    Describe(Describe),
}

/// Arguments of `topics apply`.
#[derive(Debug, clap::Args)]
pub struct Apply {
    /// Make nothing, only say what is absent or differs
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `topics describe`.
#[derive(Debug, clap::Args)]
pub struct Describe {
    /// The topics [default: those of the configuration]
    names: Vec<String>,
}

/// Runs the command.
pub async fn run(command: &Command, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let rules = TopicRules::of(&config);
    match command {
        Command::Apply(arguments) => {
            let reports = topics::apply(&config.kafka, &rules, arguments.dry_run).await?;
            let mut listing =
                Listing::stdout(session.output(), session.terminal, &["TOPIC", "STATE", "DETAIL"]);
            for report in &reports {
                listing.item(&as_json(report).to_string(), |value| {
                    ["topic", "state", "detail"].map(|path| cell(value, path)).to_vec()
                })?;
            }
            listing.finish()?;
            let wrong =
                |report: &TopicReport| matches!(report.state, TopicState::Absent | TopicState::Differs(_));
            Ok(if reports.iter().any(wrong) { Outcome::Finding } else { Outcome::Done })
        }
        Command::Describe(arguments) => {
            let names = if arguments.names.is_empty() {
                rules.topics.into_iter().map(|rule| rule.name).collect()
            } else {
                arguments.names.clone()
            };
            describe(session, &topics::describe(&config.kafka, &names).await?, &names)
        }
    }
}

fn describe(session: &Session, found: &[TopicDescription], names: &[String]) -> anyhow::Result<Outcome> {
    let header = ["TOPIC", "PARTITIONS", "REPLICATION", "CLEANUP", "RETENTION MS"];
    let mut listing = Listing::stdout(session.output(), session.terminal, &header);
    for topic in found {
        let text = json!({
            "topic": topic.name,
            "partitions": topic.partitions,
            "replication": topic.replication,
            "config": topic.config,
        });
        listing.item(&text.to_string(), |value| {
            let config = |name: &str| value["config"][name].as_str().unwrap_or_default().to_owned();
            vec![
                cell(value, "topic"),
                cell(value, "partitions"),
                cell(value, "replication"),
                config("cleanup.policy"),
                config("retention.ms"),
            ]
        })?;
    }
    listing.finish()?;
    let mut outcome = Outcome::Done;
    for name in names.iter().filter(|name| !found.iter().any(|topic| topic.name == **name)) {
        session.say(&format!("there is no topic {name}: `trailctl topics apply` makes the configured ones"));
        outcome = Outcome::Finding;
    }
    Ok(outcome)
}

fn as_json(report: &TopicReport) -> Value {
    let (state, detail) = match &report.state {
        TopicState::Created { partitions, replication } => {
            ("created", format!("{partitions} partitions, {replication} replicas"))
        }
        TopicState::Absent => ("absent", "`trailctl topics apply` makes it".to_owned()),
        TopicState::AsWanted => ("as-wanted", String::new()),
        TopicState::Differs(differences) => ("differs", differences.join("; ")),
    };
    json!({"topic": report.topic, "state": state, "detail": detail})
}
