//! `trailctl doctor`: is everything as it should be?

use serde_json::{Value, json};
use shared::clock::Clock as _;

use crate::{
    doctor::{Check, Level, certificates, cluster, database, positions, server, upkeep},
    outcome::Outcome,
    output::{
        OutputFormat, escape,
        listing::{Listing, cell},
    },
    session::Session,
};

/// Variables that trailctl itself reads; the service settings call them unknown.
const OWN_VARIABLES: [&str; 3] = ["AUDIT_API_URL", "AUDIT_CONFIG", "AUDIT_TOKEN"];

/// Arguments of `trailctl doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl doctor
  trailctl doctor --output json | jq '.[] | select(.level != \"ok\")'")]
pub struct Arguments {}

/// Runs the command.
pub async fn run(_arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let checks = checks(session).await;
    let format = session.terminal.list_format(session.output());
    if format == OutputFormat::Table {
        for check in &checks {
            print(check, session.terminal.color)?;
        }
    } else {
        let mut listing =
            Listing::stdout(session.output(), session.terminal, &["CHECK", "LEVEL", "DETAIL", "REMEDY"]);
        for check in &checks {
            listing.item(&as_json(check).to_string(), |value| {
                ["check", "level", "detail", "remedy"].map(|path| cell(value, path)).to_vec()
            })?;
        }
        listing.finish()?;
    }
    let failed = checks.iter().any(|check| check.level == Level::Fail);
    Ok(if failed { Outcome::Finding } else { Outcome::Done })
}

async fn checks(session: &Session) -> Vec<Check> {
    let file = session.config_path();
    let place =
        file.as_ref().map_or("AUDIT_… variables alone".to_owned(), |path| path.display().to_string());
    let loaded = match service::config::load(file) {
        Ok(loaded) => loaded,
        Err(error) => {
            return vec![Check::fail("configuration", error.to_string(), "put that key right first")];
        }
    };
    let config = loaded.config;
    let mut checks = vec![Check::ok("configuration", place)];
    for warning in loaded.warnings {
        if !OWN_VARIABLES.iter().any(|name| warning.contains(name)) {
            checks.push(Check::warn("configuration", warning, "rename or unset it"));
        }
    }
    checks.push(match config.auth.require() {
        Ok(()) => Check::ok("tokens", "issuer, audience and keys are configured"),
        Err(error) => Check::warn("tokens", error.to_string(), "the API needs it"),
    });
    checks.extend(database::check(&config.database, session.clock).await);
    checks.extend(server::check(&config.database).await);
    checks.extend(server::replica(&config).await);
    checks.extend(upkeep::check(&config.database).await);
    checks.push(verification());
    let kafka = cluster::kafka(&config).await;
    let is_kafka_there = kafka.first().is_some_and(|check| check.level == Level::Ok);
    checks.extend(kafka);
    checks.push(positions::check(&config).await);
    checks.push(cluster::registry(&config).await);
    checks.extend(certificates::check(&config, is_kafka_there, session.clock.now()).await);
    checks
}

/// When `trailctl verify` ran stands in no table: its caller has its exit code.
fn verification() -> Check {
    Check::skip(
        "verification",
        "when `trailctl verify` ran last, and what it found, is not recorded in the database",
        "have it run every night and watch its exit code; the chart's job does, with the alerts AuditVerifyFailed and \
         AuditVerifyOverdue",
    )
}

fn as_json(check: &Check) -> Value {
    json!({"check": check.name, "level": check.level.as_str(), "detail": check.detail, "remedy": check.remedy})
}

fn print(check: &Check, color: bool) -> Result<(), crate::outcome::StandardOutputClosed> {
    use std::io::Write as _;
    let word = match (color, check.level) {
        (false, level) => format!("{:4}", level.as_str()),
        (true, Level::Skip) => "\u{1b}[2mskip\u{1b}[0m".to_owned(),
        (true, Level::Ok) => "\u{1b}[32mok  \u{1b}[0m".to_owned(),
        (true, Level::Warn) => "\u{1b}[33mwarn\u{1b}[0m".to_owned(),
        (true, Level::Fail) => "\u{1b}[31mfail\u{1b}[0m".to_owned(),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}  {}: {}", check.name, escape::for_terminal(&check.detail))?;
    if !check.remedy.is_empty() {
        writeln!(out, "      → {}", check.remedy)?;
    }
    Ok(())
}
