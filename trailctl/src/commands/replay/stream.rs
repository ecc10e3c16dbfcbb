//! A whole stream of events to standard output or into a file, in constant memory.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Instant,
};

use anyhow::Context as _;
use serde_json::Value;
use shared::{position::Position, timestamp::Timestamp};

use super::container;
use crate::{
    api::{self, ApiClient, ApiOptions, Request, lines, problem::ApiError},
    commands::{
        events,
        filters::{Filters, quoted, time},
    },
    outcome::{self, Outcome, StandardOutputClosed},
    output::{
        OutputFormat,
        listing::{Listing, cell},
    },
    progress,
    session::Session,
};

/// Which events, and where they go.
#[derive(Debug, clap::Args)]
pub(super) struct Stream {
    /// One aggregate, by type and id
    #[arg(long, num_args = 2, value_names = ["TYPE", "ID"])]
    aggregate: Option<Vec<String>>,
    /// Go on after this position
    #[arg(long, value_name = "POSITION", conflicts_with = "aggregate")]
    after: Option<Position>,
    /// The first version, inclusive
    #[arg(long, value_name = "N", requires = "aggregate")]
    from_version: Option<i32>,
    /// The last version, inclusive
    #[arg(long, value_name = "N", requires = "aggregate")]
    to_version: Option<i32>,
    /// Only events of this time or before
    #[arg(long, value_name = "TIME", value_parser = time, requires = "aggregate")]
    at: Option<Timestamp>,
    /// Into an Avro object container file, which is there only once it is whole; - for standard output
    #[arg(long, value_name = "FILE")]
    avro: Option<PathBuf>,
    #[command(flatten)]
    filters: Filters,
    #[command(flatten)]
    api: ApiOptions,
}

impl Stream {
    fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = self.filters.query();
        let own = [
            ("after", self.after.map(|position| position.to_string())),
            ("fromVersion", self.from_version.map(|version| version.to_string())),
            ("toVersion", self.to_version.map(|version| version.to_string())),
            ("at", self.at.map(|time| time.to_string())),
        ];
        query.extend(own.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query
    }

    fn path(&self) -> Vec<&str> {
        match self.aggregate.as_deref() {
            Some([kind, id]) => vec!["v1", "aggregates", kind, id, "replay"],
            _ => vec!["v1", "replay"],
        }
    }

    /// The command that goes on where this one was cut off.
    fn resume_command(&self, last: &Value) -> String {
        let Some([kind, id]) = self.aggregate.as_deref() else {
            let position = cell(last, "position");
            return format!("trailctl replay --after {position}{}", self.filters.arguments());
        };
        let version = |version: i32| format!(" --to-version {version}");
        let time = |time: Timestamp| format!(" --at {time}");
        format!(
            "trailctl replay --aggregate {} {} --from-version {}{}{}{}   (events of that version come again)",
            quoted(kind),
            quoted(id),
            cell(last, "version"),
            self.to_version.map(version).unwrap_or_default(),
            self.at.map(time).unwrap_or_default(),
            self.filters.arguments(),
        )
    }
}

/// Runs the command.
pub(super) async fn run(arguments: &Stream, session: &Session) -> anyhow::Result<Outcome> {
    if arguments.aggregate.is_some()
        && arguments.filters.query().iter().any(|(name, _)| *name != "organizationId")
    {
        return Err(outcome::usage(
            "--aggregate goes with --organization-id, versions and --at, not with other filters",
        ));
    }
    let api = ApiClient::new(&arguments.api, session)?;
    let (path, query) = (arguments.path(), arguments.query());
    let accept = if arguments.avro.is_some() { api::AVRO } else { api::NDJSON };
    let request = Request { path: &path, query: &query, accept, last_event_id: None, timeout: None };
    let response = api.get(request).await.map_err(ApiError::into_anyhow)?;
    if let Some(file) = &arguments.avro {
        return container::save(response, file, session).await;
    }
    let started = Instant::now();
    let bar = progress::bar(
        session.terminal,
        session.quiet() || session.terminal.stdout,
        None,
        "{spinner} {human_pos} events  {per_sec}",
    );
    let mut sink = Sink::new(session);
    let result = lines::for_each_block(response, |block| -> Result<(), Stopped> {
        sink.write(block)?;
        bar.set_position(sink.events);
        Ok(())
    })
    .await;
    bar.finish_and_clear();
    match result {
        Ok(()) => {
            let (events, elapsed) = (sink.events, started.elapsed());
            sink.finish()?;
            session.say(&format!(
                "{} events replayed in {:.1} s, {} a second",
                progress::thousands(events),
                elapsed.as_secs_f64(),
                progress::thousands(progress::per_second(events, elapsed)),
            ));
            Ok(Outcome::Done)
        }
        Err(Stopped::Output(error)) => Err(error.into()),
        Err(Stopped::NotText(error)) => Err(error).context("the API sent a line that is not UTF-8"),
        Err(Stopped::Cut(cut)) => Err(cut_off(arguments, sink, cut)),
    }
}

fn cut_off(arguments: &Stream, sink: Sink, cut: lines::CutOff) -> anyhow::Error {
    let events = sink.events;
    let last: Option<Value> = serde_json::from_slice(&sink.last).ok();
    if let Err(error) = sink.flush() {
        return error.into();
    }
    let cut = anyhow::Error::new(cut);
    match last {
        None => cut.context("no event was received: run the same command again"),
        Some(last) => cut.context(format!(
            "{} events were received whole, the last at position {}\nresume with: {}\ncause",
            progress::thousands(events),
            cell(&last, "position"),
            arguments.resume_command(&last),
        )),
    }
}

/// Why the replay stopped early.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Cut(#[from] lines::CutOff),
    #[error(transparent)]
    Output(#[from] StandardOutputClosed),
    #[error(transparent)]
    NotText(#[from] std::str::Utf8Error),
}

/// Where the lines go: as they came, or through a listing for a terminal or another format.
struct Sink {
    listing: Option<Listing<io::BufWriter<io::Stdout>>>,
    events: u64,
    last: Vec<u8>,
}

impl Sink {
    fn new(session: &Session) -> Self {
        let format = session.output().unwrap_or(OutputFormat::Ndjson);
        let raw = format == OutputFormat::Ndjson && !session.terminal.stdout;
        let listing = (!raw).then(|| Listing::stdout(Some(format), session.terminal, &events::HEADER));
        Self { listing, events: 0, last: Vec::new() }
    }

    fn write(&mut self, block: &[u8]) -> Result<(), Stopped> {
        match &mut self.listing {
            None => io::stdout().write_all(block).map_err(StandardOutputClosed)?,
            Some(listing) => {
                for line in std::str::from_utf8(block)?.lines() {
                    listing.item(line, events::row)?;
                }
            }
        }
        self.events += block.iter().map(|&byte| u64::from(byte == b'\n')).sum::<u64>();
        self.last.clear();
        self.last.extend_from_slice(lines::last_line(block));
        Ok(())
    }

    fn finish(self) -> Result<(), StandardOutputClosed> {
        match self.listing {
            Some(listing) => listing.finish(),
            None => Ok(io::stdout().flush()?),
        }
    }

    /// Makes visible what was received, without closing a JSON list that is not whole.
    fn flush(self) -> Result<(), StandardOutputClosed> {
        match self.listing {
            Some(mut listing) => listing.flush(),
            None => Ok(io::stdout().flush()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn arguments(line: &[&str]) -> Stream {
        let line = ["trailctl", "replay"].iter().chain(line);
        match Cli::try_parse_from(line).expect("a good command line").command {
            Command::Replay(arguments) => arguments.stream,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cut_replay_names_the_command_that_resumes_it() {
        let last = serde_json::json!({"position": "3:17", "version": 4});
        assert_eq!(
            arguments(&["--after", "1:2", "--event-type", "a*"]).resume_command(&last),
            "trailctl replay --after 3:17 --event-type 'a*'"
        );
        assert_eq!(
            arguments(&["--aggregate", "User", "o'x", "--to-version", "9"]).resume_command(&last),
            r"trailctl replay --aggregate User 'o'\''x' --from-version 4 --to-version 9   (events of that version come again)"
        );
    }

    #[test]
    fn an_aggregate_has_its_own_path() {
        assert_eq!(
            arguments(&["--aggregate", "User", "a/b"]).path(),
            ["v1", "aggregates", "User", "a/b", "replay"]
        );
        assert_eq!(arguments(&[]).path(), ["v1", "replay"]);
    }
}
