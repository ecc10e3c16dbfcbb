//! `trailctl produce`: canonical events from files to Kafka.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use anyhow::Context as _;
use bus::{CanonicalSchema, EventRules, ProduceError, Producer, ProducerLimits, topics};
use indicatif::ProgressBar;
use service::config::AuditConfig;
use tokio::sync::mpsc;

use super::schemas;
use crate::{
    outcome::{self, Outcome},
    output::escape,
    produce::{
        check::Checker,
        feed::{self, BadLine, Fed},
        send::{KafkaSender, Sender},
    },
    progress,
    session::Session,
    signals,
};

/// Arguments of `trailctl produce`.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  trailctl produce loan-applications.jsonl.gz
  zcat events.gz | trailctl produce -
  trailctl produce --lenient --rate 1000 monday.jsonl tuesday.jsonl
  trailctl produce --dry-run events.jsonl      only check

A line:
  {\"eventId\":\"6f1c…\",\"eventType\":\"order.placed\",\"aggregateId\":\"4711\",\"aggregateType\":\"Order\",
   \"timestamp\":\"2026-01-31T12:00:00Z\",\"version\":1,\"payload\":{…},\"metadata\":{\"userId\":\"alice\"}}   (on one line)")]
pub struct Arguments {
    /// JSON Lines files, plain or gzip; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The topic
    #[arg(long, default_value = "audit.events", value_name = "TOPIC")]
    pub topic: String,
    /// Pass bad lines over and count them
    #[arg(long)]
    pub lenient: bool,
    /// At most this many events a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// Check the files, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How many bad lines are shown one by one with --lenient.
const SHOWN: u64 = 20;

/// Runs the command.
pub async fn run(arguments: Arguments, session: &Session) -> anyhow::Result<Outcome> {
    let config = session.config()?;
    if arguments.topic == config.dead_letters.topic {
        return Err(outcome::usage(format!("{} is for dead letters, not for events", arguments.topic)));
    }
    if !config.ingestor.subscribes_to(&arguments.topic) {
        session.say(&format!("warning: the configured ingestor does not read {}", arguments.topic));
    }
    check_files(&arguments.files)?;
    let sender = if arguments.dry_run { Sender::Nowhere(0) } else { connect(&arguments, &config).await? };
    let checker = Checker { rules: EventRules::for_topic(&config, &arguments.topic), clock: session.clock };
    Run::new(sender, &arguments, session).go(arguments.files.clone(), checker).await
}

/// A mistyped name is said before anything is sent.
fn check_files(files: &[PathBuf]) -> anyhow::Result<()> {
    for path in files.iter().filter(|path| path.as_os_str() != "-") {
        let opened = std::fs::File::open(path).and_then(|file| file.metadata());
        match opened {
            Ok(metadata) if metadata.is_dir() => {
                return Err(outcome::usage(format!("{}: is a folder", path.display())));
            }
            Ok(_) => {}
            Err(error) => return Err(outcome::usage(format!("{}: {error}", path.display()))),
        }
    }
    Ok(())
}

async fn connect(arguments: &Arguments, config: &AuditConfig) -> anyhow::Result<Sender> {
    config.kafka.bootstrap_servers().map_err(|error| outcome::usage(error.to_string()))?;
    let found = topics::describe(&config.kafka, std::slice::from_ref(&arguments.topic)).await?;
    if found.is_empty() {
        let topic = &arguments.topic;
        anyhow::bail!("there is no topic {topic}: `trailctl topics apply` makes those of the configuration");
    }
    let schema = CanonicalSchema::new(schemas::registry(&config.registry)?);
    let schema_id = schema.id().await.context("the canonical schema's id")?;
    let limits = ProducerLimits::for_records_of(config.ingestor.max_record_bytes);
    let producer = Producer::new(&config.kafka, "trailctl-produce", limits)?;
    Ok(Sender::Kafka(KafkaSender::new(producer, arguments.topic.clone(), schema_id, arguments.rate)))
}

/// One run, from the first line to the summary.
struct Run<'a> {
    session: &'a Session,
    sender: Sender,
    lenient: bool,
    verb: &'static str,
    bar: ProgressBar,
    consumed: Arc<AtomicU64>,
    started: Instant,
    bad: u64,
}

/// Why no more lines are read.
enum Stopped {
    End,
    Bad(BadLine),
    Unreadable(String),
    Interrupted,
    Kafka(ProduceError),
}

impl<'a> Run<'a> {
    fn new(sender: Sender, arguments: &Arguments, session: &'a Session) -> Self {
        let total: Option<u64> = arguments
            .files
            .iter()
            .map(|path| Some(std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len()))
            .sum();
        let template = if total.is_some() {
            "{wide_bar} {percent}% of {binary_total_bytes}  {msg}"
        } else {
            "{spinner} {binary_bytes}  {msg}"
        };
        Self {
            session,
            sender,
            lenient: arguments.lenient,
            verb: if arguments.dry_run { "checked" } else { "produced" },
            bar: progress::bar(session.terminal, session.quiet(), total, template),
            consumed: Arc::default(),
            started: Instant::now(),
            bad: 0,
        }
    }

    async fn go(mut self, files: Vec<PathBuf>, checker: Checker) -> anyhow::Result<Outcome> {
        let mut fed = feed::start(files, checker, self.lenient, Arc::clone(&self.consumed));
        let stopped = tokio::select! {
            stopped = self.pump(&mut fed) => stopped,
            signal = signals::stop() => {
                signal?;
                Stopped::Interrupted
            }
        };
        // Nothing more is wanted from the reading thread.
        drop(fed);
        self.end(stopped).await
    }

    async fn pump(&mut self, fed: &mut mpsc::Receiver<Fed>) -> Stopped {
        while let Some(next) = fed.recv().await {
            match next {
                Fed::Records(records) => {
                    if let Err(error) = self.sender.send(records).await {
                        return Stopped::Kafka(error);
                    }
                    self.show();
                }
                Fed::Bad(bad) if self.lenient => {
                    self.bad += 1;
                    if self.bad <= SHOWN {
                        self.bar.suspend(|| self.session.say(&bad.to_string()));
                    }
                }
                Fed::Bad(bad) => return Stopped::Bad(bad),
                Fed::Unreadable(error) => return Stopped::Unreadable(error.to_string()),
                Fed::NotOpened(error) => return Stopped::Unreadable(error),
            }
        }
        Stopped::End
    }

    fn show(&self) {
        self.bar.set_position(self.consumed.load(Ordering::Relaxed));
        let done = self.sender.done();
        let rate = progress::per_second(done, self.started.elapsed());
        self.bar.set_message(format!(
            "{} events, {}/s",
            progress::thousands(done),
            progress::thousands(rate)
        ));
    }

    /// Waits for what is in flight, then says what was done, whatever ended it.
    async fn end(self, stopped: Stopped) -> anyhow::Result<Outcome> {
        self.bar.finish_and_clear();
        let (done, flushed) = self.sender.finish().await;
        let elapsed = self.started.elapsed();
        let bad = match self.bad {
            0 => String::new(),
            bad => format!(", {} bad lines passed over", progress::thousands(bad)),
        };
        let summary = format!(
            "{} events {} in {:.1} s, {} a second{bad}",
            progress::thousands(done),
            self.verb,
            elapsed.as_secs_f64(),
            progress::thousands(progress::per_second(done, elapsed)),
        );
        self.session.say(&summary);
        let so_far = || format!("{} events before it were {} and stay", progress::thousands(done), self.verb);
        match (stopped, flushed) {
            (Stopped::Kafka(error), _) | (_, Err(error)) => {
                Err(anyhow::Error::new(error).context(format!("Kafka acknowledged {done} events, then")))
            }
            (Stopped::End, Ok(())) if self.bad == 0 => Ok(Outcome::Done),
            (Stopped::End, Ok(())) => Ok(Outcome::Finding),
            (Stopped::Bad(bad), Ok(())) => {
                // An error, whatever --quiet says.
                eprintln!("trailctl: {}", escape::for_terminal(&bad.to_string()));
                self.session.say(&so_far());
                Ok(Outcome::Finding)
            }
            (Stopped::Unreadable(error), Ok(())) => Err(anyhow::anyhow!("{error}\n{}", so_far())),
            (Stopped::Interrupted, Ok(())) => Err(anyhow::anyhow!("interrupted; {}", so_far())),
        }
    }
}
