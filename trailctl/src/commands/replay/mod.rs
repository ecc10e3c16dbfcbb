//! `trailctl replay`: a whole stream of events to here, or, as a job, to a topic.

mod container;
mod jobs;
mod stream;

use crate::{outcome::Outcome, session::Session};

/// Arguments of `trailctl replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl replay > everything.ndjson
  trailctl replay --aggregate-type Order --after 3:1500 >> orders.ndjson
  trailctl replay --aggregate LoanApplication 173688 --to-version 10
  trailctl replay --from 2026-01-01T00:00:00Z --avro january.avro
  trailctl replay start --topic replays.orders --aggregate-type Order     a job: see `trailctl replay start --help`")]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    job: Option<jobs::Command>,
    #[command(flatten)]
    stream: stream::Stream,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    match &arguments.job {
        Some(command) => jobs::run(command, session).await,
        None => stream::run(&arguments.stream, session).await,
    }
}
