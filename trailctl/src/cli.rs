//! The command line: every command, its options, its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{commands, output::OutputFormat};

const EXAMPLES: &str = "\
Examples:
  trailctl produce events.jsonl.gz                   feed canonical events to Kafka
  trailctl events --aggregate-type Order --limit 20  the newest events of one kind
  trailctl history Order 4711                        one aggregate, by version
  trailctl diff Order 4711 1 4                       what changed, and by which events
  trailctl replay --from 2026-01-01T00:00:00Z > january.ndjson
  trailctl stats --group-by user-id --top 10         who is most active, and how much of it fails
  trailctl tail --event-type 'payment.*'             what happens now
  trailctl record audit.events 3 1500                what became of one Kafka record
  trailctl verify                                    recompute every leaf and root

Exit codes: 0 done, 1 a finding, 2 wrong usage or configuration, 3 failure.
Configuration: audit.toml (here, or --config) and AUDIT_… variables, nested by __ .";

/// The operators' command line of the audit trail
#[derive(Debug, Parser)]
#[command(name = "trailctl", version, after_help = EXAMPLES, max_term_width = 110, subcommand_required = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The configuration file [default: audit.toml here, else that of a local `cargo xtask up`]
    #[arg(long, global = true, env = "AUDIT_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The form of the output [default: a table on a terminal; in a pipe ndjson for lists, json for one thing]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<OutputFormat>,
    /// No progress, no summaries: only results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// What trailctl does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Feed canonical events from files to Kafka
    ///
    /// JSON Lines, plain or gzip, of any size, sent as Avro with the canonical schema. Every line is checked as the
    /// ingestor would check it. The first bad line ends the run with exit code 1, after everything before it was
    /// produced; with --lenient bad lines are counted and passed over, and the exit code is 1 when there were any.
    #[command(verbatim_doc_comment)]
    Produce(commands::produce::Arguments),
    /// List events
    ///
    /// Newest first, 100 of them, unless asked otherwise.
    #[command(verbatim_doc_comment)]
    Events(commands::events::Arguments),
    /// Show one aggregate's events, by version
    ///
    /// Warns of versions that are missing or occur twice.
    #[command(verbatim_doc_comment)]
    History(commands::history::Arguments),
    /// Show what one aggregate looked like, at any version or moment
    ///
    /// Folded from its events; warns of versions that are missing or occur twice.
    #[command(verbatim_doc_comment)]
    State(commands::state::Arguments),
    /// Show what changed in one aggregate between two versions or moments, and by which events
    ///
    /// For people, in colour on a terminal; --output json is a JSON Patch and the changes.
    #[command(verbatim_doc_comment)]
    Diff(commands::diff::Arguments),
    /// Show who set each value of one aggregate, when, by which event
    Blame(commands::state::BlameArguments),
    /// Draw what caused an event and what it caused, or everything of one correlation
    ///
    /// Twenty steps each way and 1,000 events at most.
    #[command(verbatim_doc_comment)]
    Causes(commands::causes::Arguments),
    /// Count events by type, user, organisation, source, action or outcome, over time
    ///
    /// With the share of failures. Counted beside the ingest; hours, days, weeks and months are UTC's.
    #[command(verbatim_doc_comment)]
    Stats(commands::stats::Arguments),
    /// List who looked: the requests that the API has answered or refused, newest first
    Accesses(commands::accesses::Arguments),
    /// Stream events in recorded order, or one aggregate's history, to their end
    ///
    /// NDJSON to standard output. Without --aggregate: every event that matches, in the order of recording, up to the
    /// newest one at the start. With it: one aggregate, by version.
    /// A stream that is cut off ends with exit code 3 and says how to resume.
    /// The subcommands are about jobs by which the API sends stored events to a Kafka topic.
    #[command(verbatim_doc_comment)]
    Replay(commands::replay::Arguments),
    /// Follow events as they are recorded
    ///
    /// A connection that breaks is made again and resumes after the last event that was printed: none is missed, none
    /// comes twice.
    #[command(verbatim_doc_comment)]
    Tail(commands::tail::Arguments),
    /// Say what became of one Kafka record
    ///
    /// Stored, a duplicate, dead-lettered, skipped, or not read yet.
    #[command(verbatim_doc_comment)]
    Record(commands::record::Arguments),
    /// Look at the dead letters, and send them again
    #[command(subcommand)]
    Dlq(commands::dlq::Command),
    /// Recompute every leaf and batch root from the rows, and name the first wrong one
    ///
    /// Checks everything up to the newest append at its start, in constant memory, beside a running ingestor; exit code 1
    /// when anything differs.
    #[command(verbatim_doc_comment)]
    Verify(commands::verify::Arguments),
    /// Decide what only an operator can about a log
    #[command(subcommand)]
    Ledger(commands::ledger::Command),
    /// Make a token for local use (HS256, with the configured secret)
    ///
    /// For local use and first steps: in production tokens come from your identity provider.
    #[command(verbatim_doc_comment)]
    Token(commands::token::Arguments),
    /// Make the Kafka topics, or compare them with the rules
    #[command(subcommand)]
    Topics(commands::topics::Command),
    /// Register the Avro schemas
    #[command(subcommand)]
    Schemas(commands::schemas::Command),
    /// Bring the database to this release's schema
    ///
    /// Runs as audit_migrator (`database.migrator_url`). With --bootstrap it first makes, as a superuser
    /// (`database.superuser_url`), the database, the roles and their grants; each role gets the password that its own URL
    /// in the configuration holds.
    #[command(verbatim_doc_comment)]
    Migrate(commands::migrate::Arguments),
    /// Show the indexes of the events, or change their set
    ///
    /// Without --set: every index of both sets, whether it is there, and its size (as audit_operator,
    /// `database.operator_url`).
    /// With it: builds or drops indexes until the database has exactly that set (as audit_migrator,
    /// `database.migrator_url`), beside whoever writes and reads. Building goes partition by partition; cut off at any
    /// moment, it goes on when run again. Set `database.indexes` to the same.
    #[command(verbatim_doc_comment)]
    Index(commands::index::Arguments),
    /// Show how far the projections have read, or make them anew
    #[command(subcommand)]
    Projections(commands::projections::Command),
    /// Check configuration, database, Kafka, registry and certificates, with a remedy for each finding
    ///
    /// Changes nothing. Each line says ok, warn, fail, or skip for what could not be looked at, why, and what to do; exit
    /// code 1 when something fails.
    #[command(verbatim_doc_comment)]
    Doctor(commands::doctor::Arguments),
    /// Print a completion script for a shell
    Completions(commands::completions::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
