//! One file a command.

pub mod accesses;
pub mod causes;
pub mod completions;
pub mod diff;
pub mod dlq;
pub mod doctor;
pub mod events;
pub mod filters;
pub mod history;
pub mod index;
pub mod ledger;
pub mod migrate;
pub mod produce;
pub mod projections;
pub mod record;
mod records;
pub mod replay;
pub mod schemas;
pub mod state;
pub mod stats;
pub mod tail;
pub mod token;
pub mod topics;
pub mod verify;

use crate::{
    cli::Command,
    outcome::{Outcome, usage},
    output::OutputFormat,
    session::Session,
};

/// Runs the command.
pub async fn run(command: Command, session: &Session) -> anyhow::Result<Outcome> {
    if session.output() == Some(OutputFormat::Csv)
        && !matches!(command, Command::Events(_) | Command::Stats(_))
    {
        return Err(usage(
            "--output csv is what `trailctl events` and `trailctl stats` can do: choose table, json or ndjson here",
        ));
    }
    match command {
        Command::Produce(arguments) => produce::run(arguments, session).await,
        Command::Events(arguments) => events::run(&arguments, session).await,
        Command::History(arguments) => history::run(&arguments, session).await,
        Command::State(arguments) => state::run(&arguments, session).await,
        Command::Diff(arguments) => diff::run(&arguments, session).await,
        Command::Blame(arguments) => state::run_blame(&arguments, session).await,
        Command::Causes(arguments) => causes::run(&arguments, session).await,
        Command::Stats(arguments) => stats::run(&arguments, session).await,
        Command::Accesses(arguments) => accesses::run(&arguments, session).await,
        Command::Replay(arguments) => replay::run(&arguments, session).await,
        Command::Tail(arguments) => tail::run(&arguments, session).await,
        Command::Record(arguments) => record::run(&arguments, session).await,
        Command::Dlq(command) => dlq::run(&command, session).await,
        Command::Verify(arguments) => verify::run(&arguments, session).await,
        Command::Ledger(command) => ledger::run(&command, session).await,
        Command::Token(arguments) => token::run(&arguments, session),
        Command::Topics(command) => topics::run(&command, session).await,
        Command::Schemas(command) => schemas::run(&command, session).await,
        Command::Migrate(arguments) => migrate::run(&arguments, session).await,
        Command::Projections(command) => projections::run(&command, session).await,
        Command::Index(arguments) => index::run(&arguments, session).await,
        Command::Doctor(arguments) => doctor::run(&arguments, session).await,
        Command::Completions(arguments) => completions::run(&arguments),
    }
}
