//! `trailctl tail`: what is recorded, as it is recorded; comes back by itself where it was cut off.

use std::{
    io::{BufWriter, Stdout},
    time::Duration,
};

use futures::StreamExt as _;
use reqwest::{Response, StatusCode};
use service::backoff::Backoff;
use shared::position::Position;

use super::{events, filters::Filters};
use crate::{
    api::{
        self, ApiClient, ApiOptions, Request,
        problem::ApiError,
        sse::{Parser, ServerEvent, TooLarge},
    },
    outcome::{Outcome, StandardOutputClosed, describe},
    output::listing::Listing,
    session::Session,
    signals,
};

/// Heartbeats come every 15 s; a connection silent for longer than this is dead.
const SILENCE: Duration = Duration::from_secs(50);

/// Arguments of `trailctl tail`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl tail
  trailctl tail --event-type 'payment.*' --organization-id acme | jq .payload
  trailctl tail --after 3:1500        from a position on
  trailctl tail --after start         everything, then what comes")]
pub struct Arguments {
    /// Where to start: now, start, or a position
    #[arg(long, value_name = "POSITION", default_value = "now", value_parser = start)]
    after: String,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    api: ApiOptions,
}

fn start(text: &str) -> Result<String, String> {
    match text {
        "now" | "start" => Ok(text.to_owned()),
        _ => text.parse::<Position>().map(|_| text.to_owned()).map_err(|error| error.to_string()),
    }
}

/// Runs the command.
pub async fn run(arguments: &Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let api = ApiClient::new(&arguments.api, session)?;
    let mut query = arguments.filters.query();
    query.push(("after", arguments.after.clone()));
    let mut tail = Tail {
        api,
        query,
        parser: Parser::default(),
        connected: false,
        listing: Listing::stdout(session.output(), session.terminal, &events::HEADER),
        backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
    };
    let stopped = tokio::select! {
        ended = tail.follow(session) => ended,
        signal = signals::stop() => signal.map_err(anyhow::Error::from),
    };
    let last = tail.parser.last_id().map(str::to_owned);
    match &stopped {
        // An open list stays open only when it was cut off.
        Ok(()) => tail.listing.finish()?,
        Err(_) => tail.listing.flush()?,
    }
    if let Some(last) = last {
        session.say(&format!("resume with: trailctl tail --after {last}{}", arguments.filters.arguments()));
    }
    stopped.map(|()| Outcome::Done)
}

struct Tail {
    api: ApiClient,
    query: Vec<(&'static str, String)>,
    parser: Parser,
    connected: bool,
    listing: Listing<BufWriter<Stdout>>,
    backoff: Backoff,
}

/// How one connection ended.
enum Ended {
    /// It broke; come back after a while.
    Cut(String),
    /// The server said that nothing will follow.
    Complete,
}

/// What cannot be mended by connecting again.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error(transparent)]
    Output(#[from] StandardOutputClosed),
}

impl Tail {
    async fn follow(&mut self, session: &Session) -> anyhow::Result<()> {
        loop {
            let cause = match self.connect().await {
                Ok(response) if response.status() == StatusCode::NO_CONTENT => return Ok(()),
                Ok(response) => {
                    self.connected = true;
                    match self.read(response).await? {
                        Ended::Complete => return Ok(()),
                        Ended::Cut(cause) => cause,
                    }
                }
                // At the first try it is more likely the address.
                Err(error) if error.is_passing() && self.connected => describe(&error),
                Err(error) => return Err(error.into_anyhow()),
            };
            session.say(&format!("{cause}; connecting again"));
            self.parser.reconnect();
            let wished =
                Duration::from_millis(self.parser.retry_ms().unwrap_or(0)).min(Duration::from_secs(30));
            tokio::time::sleep(self.backoff.delay().max(wished)).await;
        }
    }

    async fn connect(&mut self) -> Result<Response, ApiError> {
        if self.connected && self.parser.last_id().is_none() {
            // The first block of a stream has an id unless the store was empty: then everything is new.
            self.query.retain(|(name, _)| *name != "after");
            self.query.push(("after", "start".to_owned()));
        }
        let request = Request {
            path: &["v1", "stream"],
            query: &self.query,
            accept: api::EVENT_STREAM,
            last_event_id: self.parser.last_id(),
            timeout: None,
        };
        self.api.get(request).await
    }

    async fn read(&mut self, response: Response) -> Result<Ended, Broken> {
        let mut stream = response.bytes_stream();
        loop {
            let chunk = match tokio::time::timeout(SILENCE, stream.next()).await {
                Err(_) => return Ok(Ended::Cut("the API fell silent".to_owned())),
                Ok(None) => return Ok(Ended::Cut("the API closed the stream".to_owned())),
                Ok(Some(Err(error))) => return Ok(Ended::Cut(format!("the stream was cut off ({error})"))),
                Ok(Some(Ok(chunk))) => chunk,
            };
            self.backoff.reset();
            let (listing, mut complete) = (&mut self.listing, false);
            self.parser.feed(&chunk, |event| print(listing, event, &mut complete))?;
            self.listing.flush()?;
            if complete {
                return Ok(Ended::Complete);
            }
        }
    }
}

fn print(
    listing: &mut Listing<BufWriter<Stdout>>,
    event: &ServerEvent,
    complete: &mut bool,
) -> Result<(), Broken> {
    match event.name.as_str() {
        "event" => listing.item(&event.data, events::row)?,
        "end" => *complete = true,
        // A name that a later API may add.
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_or_a_position() {
        assert!(start("now").is_ok() && start("start").is_ok() && start("3:17").is_ok());
        assert!(start("yesterday").is_err());
    }
}
