//! `trailctl record`: what became of one Kafka record.

use crate::{
    api::{ApiClient, ApiOptions, problem::ApiError},
    outcome::Outcome,
    output::listing::print_single,
    session::Session,
};

/// Arguments of `trailctl record`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl record audit.events 3 1500
  trailctl record audit.events 3 1500 --incarnation 1 --output json")]
pub struct Arguments {
    /// The topic
    topic: String,
    /// The partition
    partition: i32,
    /// The offset
    offset: i64,
    /// Which life of the partition [default: the newest]
    #[arg(long, value_name = "N")]
    incarnation: Option<i32>,
    #[command(flatten)]
    api: ApiOptions,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let (partition, offset) = (arguments.partition.to_string(), arguments.offset.to_string());
    let path = ["v1", "ledger", "records", arguments.topic.as_str(), &partition, &offset];
    let query: Vec<_> = arguments
        .incarnation
        .map(|incarnation| ("incarnation", incarnation.to_string()))
        .into_iter()
        .collect();
    let text = api.get_text(&path, &query).await.map_err(ApiError::into_anyhow)?;
    print_single(&text, session.output(), session.terminal)?;
    Ok(Outcome::Done)
}
