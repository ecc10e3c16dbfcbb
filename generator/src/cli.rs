//! The command line.

use std::path::PathBuf;

use anyhow::bail;
use clap::{Parser, ValueEnum};
use shared::{
    envelope::MAX_AHEAD_MICROS,
    timestamp::{InvalidTimestamp, Timestamp},
};

use crate::plan::{Attack, Mix, Plan};

const EXAMPLES: &str = "\
Examples:
  audit-generator --events 1000 --at-once                      a thousand events to the local stack, now
  audit-generator --rate 5                                     five a second until Ctrl-C
  audit-generator --attack failed-logins --attack mass-deletion --events 500 --at-once
  audit-generator --seed 7 --start 2026-01-01T00:00:00Z --events 20 --to stdout
  audit-generator --to stdout --events 100 | trailctl produce -
  audit-generator --to rabbitmq --rate 50                      in the words of the older services

Attacks come in the middle of the run, one after the other. The same seed, start and options give the same events, byte
for byte; without --start the first event is of now (with --at-once: the last one).
Exit codes: 0 done, 2 wrong usage or configuration, 3 failure.
Configuration: audit.toml (here, or --config, or that of a local `cargo xtask up`) and AUDIT_… variables.";

/// Synthetic audit events: logins, data accesses, orders with payments and inventory, and attacks on demand
#[derive(Debug, Clone, Parser)]
#[command(name = "audit-generator", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// How many events [default: until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub events: Option<u64>,
    /// Events a second, in the times they tell and in sending
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// Send as fast as they are taken; the times they tell stay apart by the rate
    #[arg(long, requires = "events")]
    pub at_once: bool,
    /// What chance begins with
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The time of the first event, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub start: Option<Timestamp>,
    /// Something that should be noticed; may be repeated
    #[arg(long = "attack", value_name = "ATTACK", value_enum)]
    pub attacks: Vec<Attack>,
    /// How many stories are logins, against the others
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = weight())]
    pub logins: u32,
    /// How many stories are data accesses, against the others
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = weight())]
    pub accesses: u32,
    /// How many stories are orders, against the others
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = weight())]
    pub orders: u32,
    /// How many users; the first come most often (Zipf)
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = population())]
    pub users: u32,
    /// How many articles; the first are bought most often (Zipf)
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = population())]
    pub articles: u32,
    /// Whose events they are
    #[arg(long, value_name = "ID", default_value = "demo")]
    pub organization: String,
    /// Where they go
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = Target::Kafka)]
    pub to: Target,
    /// The Kafka topic
    #[arg(long, value_name = "TOPIC", default_value = "audit.events")]
    pub topic: String,
    /// The configuration file
    #[arg(long, env = "AUDIT_CONFIG", hide_env_values = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// To Kafka, as Avro with the canonical schema
    Kafka,
    /// To RabbitMQ, as the older services would publish them
    Rabbitmq,
    /// To standard output, as canonical JSON Lines
    Stdout,
}

fn time(text: &str) -> Result<Timestamp, InvalidTimestamp> {
    Timestamp::parse(text)
}

fn weight() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=1000)
}

fn population() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=10_000)
}

impl Cli {
    /// The plan, as of now; an error says what does not go together and what would.
    pub fn plan(&self, now: Timestamp) -> anyhow::Result<Plan> {
        let mut plan = Plan {
            events: self.events,
            rate: self.rate,
            seed: self.seed,
            start: now,
            attacks: self.attacks.clone(),
            mix: Mix { logins: self.logins, accesses: self.accesses, orders: self.orders },
            users: self.users,
            articles: self.articles,
            organization: self.organization.clone(),
        };
        if plan.mix == (Mix { logins: 0, accesses: 0, orders: 0 }) {
            bail!("--logins, --accesses and --orders are all 0: give at least one of them a weight");
        }
        if plan.events.is_some_and(|events| events < plan.attacking()) {
            bail!("the attacks take {} events: give --events at least that many", plan.attacking());
        }
        let takes = plan.time(self.events.unwrap_or(0)).as_micros() - now.as_micros();
        plan.start = match self.start {
            Some(start) => start,
            None if self.at_once => Timestamp::from_micros(now.as_micros() - takes),
            None => now,
        };
        let paced = if self.at_once { 0 } else { takes };
        let last = plan.start.as_micros().saturating_add(takes);
        if last > now.as_micros().saturating_add(paced).saturating_add(MAX_AHEAD_MICROS) {
            bail!(
                "the last event would be over 24 hours ahead, which the ingestor refuses: give an earlier --start"
            );
        }
        Ok(plan)
    }
}
