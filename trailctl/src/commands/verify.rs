//! `trailctl verify`: the whole account, recomputed from the rows.

use serde_json::json;
use store::verify::{Progress, Verification};

use super::migrate;
use crate::{
    outcome::{self, Outcome},
    output::listing::print_single,
    progress,
    session::Session,
};

/// Arguments of `trailctl verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl verify
  trailctl verify --output json --quiet || alert")]
pub struct Arguments {}

/// Runs the command.
pub async fn run(_arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    let url = config.database.operator_url().map_err(|error| outcome::usage(error.to_string()))?;
    let client = store::connect(&migrate::url(url), "trailctl-verify").await?;
    store::schema::require_known_schema(&client).await?;
    let bar = progress::bar(
        session.terminal,
        session.quiet(),
        Some(0),
        "verifying {wide_bar} {human_pos}/{human_len} appends  {msg}",
    );
    let verification = store::verify::verify(&client, |now: Progress| {
        bar.set_length(now.appends_total);
        bar.set_position(now.appends);
        bar.set_message(format!("{} offsets", progress::thousands(now.offsets)));
    })
    .await?;
    bar.finish_and_clear();
    print_single(&report(&verification).to_string(), session.output(), session.terminal)?;
    let Some(first) = verification.findings.first() else { return Ok(Outcome::Done) };
    session.say(&format!("the first wrong row: {} in {}: {}", first.row, first.table, first.problem));
    Ok(Outcome::Finding)
}

fn report(verification: &Verification) -> serde_json::Value {
    let findings: Vec<_> = verification
        .findings
        .iter()
        .map(|finding| json!({"table": finding.table, "row": finding.row, "problem": finding.problem}))
        .collect();
    json!({
        "clean": findings.is_empty(),
        "head": verification.head,
        "appends": verification.progress.appends,
        "offsets": verification.progress.offsets,
        "events": verification.events,
        "findings": findings,
    })
}
