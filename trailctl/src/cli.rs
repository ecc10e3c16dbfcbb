//! The command line: every command, its options, its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{commands, output::OutputFormat};

const EXAMPLES: &str = "\
Examples:
  trailctl produce events.jsonl.gz                   feed canonical events to Kafka
  trailctl events --aggregate-type Order --limit 20  the newest events of one kind
  trailctl history Order 4711                        one aggregate, by version
  trailctl replay --from 2026-01-01T00:00:00Z > january.ndjson
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
    Produce(commands::produce::Arguments),
    /// List events
    Events(commands::events::Arguments),
    /// Show one aggregate's events, by version
    History(commands::history::Arguments),
    /// Stream events in recorded order, or one aggregate's history, to their end
    Replay(commands::replay::Arguments),
    /// Follow events as they are recorded
    Tail(commands::tail::Arguments),
    /// Say what became of one Kafka record
    Record(commands::record::Arguments),
    /// Look at the dead letters, and send them again
    #[command(subcommand)]
    Dlq(commands::dlq::Command),
    /// Recompute every leaf and batch root from the rows, and name the first wrong one
    Verify(commands::verify::Arguments),
    /// Decide what only an operator can about a log
    #[command(subcommand)]
    Ledger(commands::ledger::Command),
    /// Make a token for local use (HS256, with the configured secret)
    Token(commands::token::Arguments),
    /// Make the Kafka topics, or compare them with the rules
    #[command(subcommand)]
    Topics(commands::topics::Command),
    /// Register the Avro schemas
    #[command(subcommand)]
    Schemas(commands::schemas::Command),
    /// Bring the database to this release's schema
    Migrate(commands::migrate::Arguments),
    /// Check configuration, database, Kafka and registry, with a remedy for each finding
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
