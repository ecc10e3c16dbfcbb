//! `trailctl history`: one aggregate by version.

use shared::timestamp::Timestamp;

use super::{events, filters::time};
use crate::{
    api::{ApiClient, ApiOptions},
    outcome::Outcome,
    output::listing::Listing,
    session::Session,
};

/// Arguments of `trailctl history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl history LoanApplication 173688
  trailctl history Order 4711 --from-version 10 --output ndjson
  trailctl history AwsPrincipal arn:aws:iam::123837392027:user/benjamin")]
pub struct Arguments {
    /// The aggregate's type
    #[arg(value_name = "TYPE")]
    aggregate_type: String,
    /// The aggregate's id
    #[arg(value_name = "ID")]
    aggregate_id: String,
    /// The organisation, where several have an aggregate of this type and id
    #[arg(long, alias = "org", value_name = "ID")]
    organization_id: Option<String>,
    /// The first version, inclusive
    #[arg(long, value_name = "N")]
    from_version: Option<i32>,
    /// The last version, inclusive
    #[arg(long, value_name = "N")]
    to_version: Option<i32>,
    /// Event time, inclusive (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Event time, exclusive
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// How many events at most [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    api: ApiOptions,
}

impl Arguments {
    fn query(&self) -> Vec<(&'static str, String)> {
        [
            ("organizationId", self.organization_id.clone()),
            ("fromVersion", self.from_version.map(|version| version.to_string())),
            ("toVersion", self.to_version.map(|version| version.to_string())),
            ("from", self.from.map(|time| time.to_string())),
            ("to", self.to.map(|time| time.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let path = ["v1", "aggregates", &arguments.aggregate_type, &arguments.aggregate_id, "events"];
    let mut listing = Listing::stdout(session.output(), session.terminal, &events::HEADER);
    let limit = arguments.limit.unwrap_or(u64::MAX);
    let mut warnings = Vec::new();
    events::list_pages(&api, &path, arguments.query(), limit, |page| {
        warnings.extend(page.integrity.as_ref().and_then(warning));
        for event in &page.data {
            listing.item(event.get(), events::row)?;
        }
        Ok(())
    })
    .await?;
    listing.finish()?;
    for warning in warnings {
        session.say(&warning);
    }
    Ok(Outcome::Done)
}

/// What to say about gaps and forks, if there are any.
pub(super) fn warning(integrity: &events::Integrity) -> Option<String> {
    let gaps = integrity
        .gaps
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first} to {last}") });
    let gaps = gaps.collect::<Vec<_>>().join(", ");
    let forks = integrity.forks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (gaps.is_empty(), forks.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("warning: missing versions: {gaps}")),
        (true, false) => Some(format!("warning: versions that occur twice: {forks}")),
        (false, false) => {
            Some(format!("warning: missing versions: {gaps}; versions that occur twice: {forks}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_forks_are_said() {
        let integrity = |gaps, forks| events::Integrity { gaps, forks };
        assert_eq!(warning(&integrity(vec![], vec![])), None);
        assert_eq!(
            warning(&integrity(vec![(3, 5), (7, 7)], vec![9])).as_deref(),
            Some("warning: missing versions: 3 to 5, 7; versions that occur twice: 9")
        );
    }
}
