//! `trailctl projections`: how far they have read, and making them anew.

use serde_json::json;
use store::projections::{self, Projection, ProjectionState};

use super::migrate::url;
use crate::{
    confirm,
    outcome::{self, Outcome},
    output::listing::{Listing, cell},
    session::Session,
};

/// What is counted beside the ingest, and looked up.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show how far each projection has read
    #[command(after_help = "\
Examples:
  trailctl projections status
  trailctl projections status --output json | jq '.[] | select(.behind > 0)'")]
    Status,
    /// Make projections anew from the events
    ///
    /// Empties them and sends them back to the start; the projector fills them again, beside ingest and beside the other
    /// projections. Until then answers hold less, and their asOf says how far they have come.
    #[command(verbatim_doc_comment)]
    #[command(after_help = "\
Examples:
  trailctl projections rebuild aggregates
  trailctl projections rebuild --yes      all of them")]
    Rebuild(Rebuild),
}

/// Arguments of `rebuild`.
#[derive(Debug, clap::Args)]
pub struct Rebuild {
    /// Which [default: all]
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<Projection>,
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
}

fn name(text: &str) -> Result<Projection, String> {
    let known = || Projection::ALL.map(Projection::name).join(", ");
    Projection::parse(text).ok_or_else(|| format!("there is no such projection; there are: {}", known()))
}

/// Runs the command.
pub async fn run(command: &Command, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let operator = config.database.operator_url().map_err(|error| outcome::usage(error.to_string()))?;
    let client = store::connect(&url(operator), "trailctl-projections").await?;
    store::schema::require_known_schema(&client).await?;
    if let Command::Rebuild(arguments) = command {
        let names = if arguments.names.is_empty() { &Projection::ALL[..] } else { &arguments.names };
        let listed = names.iter().map(|projection| projection.name()).collect::<Vec<_>>().join(", ");
        let question = format!("Empty {listed}, and count the events again from the first?");
        if !confirm::confirm(session, arguments.yes, &question)? {
            session.say("nothing was changed");
            return Ok(Outcome::Done);
        }
        for projection in names {
            projections::rebuild(&client, *projection, None).await?;
            session.say(&format!("{projection} starts again from the first append"));
        }
    }
    show(&projections::states(&client).await?, session)
}

fn show(states: &[ProjectionState], session: &Session) -> anyhow::Result<Outcome> {
    let header = ["PROJECTION", "POSITION", "BEHIND", "AGE S", "RECORDED", "MOVED", "VERSION"];
    let mut listing = Listing::stdout(session.output(), session.terminal, &header);
    for state in states {
        let document = json!({
            "projection": state.name,
            "position": state.as_of.append,
            "behind": state.as_of.behind,
            "ageSeconds": state.as_of.age.as_secs(),
            "recordedAt": state.as_of.recorded_at,
            "movedAt": state.updated_at,
            "version": state.version,
        });
        listing.item(&document.to_string(), |json| {
            ["projection", "position", "behind", "ageSeconds", "recordedAt", "movedAt", "version"]
                .map(|name| cell(json, name))
                .into()
        })?;
    }
    listing.finish()?;
    Ok(Outcome::Done)
}
