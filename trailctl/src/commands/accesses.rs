//! `trailctl accesses`: who looked.

use serde_json::Value;
use shared::{access::AccessOutcome, timestamp::Timestamp};

use super::{events, filters::time};
use crate::{
    api::{ApiClient, ApiOptions},
    outcome::Outcome,
    output::listing::{Listing, cell},
    session::Session,
};

/// Arguments of `trailctl accesses`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl accesses --subject 4711
  trailctl accesses --user-id ann --from 2026-01-01T00:00:00Z --output json
  trailctl accesses --aggregate-type Order --aggregate-id order-1 --limit 1000
  trailctl accesses --outcome refused")]
pub struct Arguments {
    /// Who looked: a token's subject, a signed link's name, or anonymous
    #[arg(long, alias = "user", value_name = "ID")]
    user_id: Vec<String>,
    /// Who was looked at: a user that the request named
    #[arg(long, value_name = "ID", conflicts_with_all = ["aggregate_id", "aggregate_type"])]
    subject: Option<String>,
    /// What was looked at: an aggregate that the request named
    #[arg(long, value_name = "ID")]
    aggregate_id: Option<String>,
    /// The kind of that aggregate
    #[arg(long, value_name = "TYPE", requires = "aggregate_id")]
    aggregate_type: Option<String>,
    /// By which operation of the API, such as listEvents
    #[arg(long, value_name = "OPERATION")]
    operation: Vec<String>,
    /// What came of it
    #[arg(long, value_parser = AccessOutcome::ALL.map(AccessOutcome::as_str))]
    outcome: Option<String>,
    /// Time of the access, inclusive (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Time of the access, exclusive
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Organisation
    #[arg(long, alias = "org", value_name = "ID")]
    organization_id: Vec<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    #[command(flatten)]
    api: ApiOptions,
}

impl Arguments {
    fn query(&self) -> Vec<(&'static str, String)> {
        let ones = [
            ("subject", self.subject.clone()),
            ("aggregateId", self.aggregate_id.clone()),
            ("aggregateType", self.aggregate_type.clone()),
            ("outcome", self.outcome.clone()),
            ("from", self.from.map(|time| time.to_string())),
            ("to", self.to.map(|time| time.to_string())),
        ];
        let lists = [
            ("userId", &self.user_id),
            ("operation", &self.operation),
            ("organizationId", &self.organization_id),
        ];
        let ones = ones.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let lists = lists
            .into_iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, value.clone())));
        ones.chain(lists).collect()
    }
}

const HEADER: [&str; 7] = ["TIME", "WHO", "OPERATION", "OUTCOME", "STATUS", "ROWS", "REQUEST"];

fn row(access: &Value) -> Vec<String> {
    ["accessedAt", "accessor.id", "operation", "outcome", "status", "rows", "requestId"]
        .map(|path| cell(access, path))
        .to_vec()
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let mut listing = Listing::stdout(session.output(), session.terminal, &HEADER);
    events::list_pages(&api, &["v1", "accesses"], arguments.query(), arguments.limit, |page| {
        for access in &page.data {
            listing.item(access.get(), row)?;
        }
        Ok(())
    })
    .await?;
    listing.finish()?;
    Ok(Outcome::Done)
}
