//! What the rest of the pipeline tells the poll thread.

use std::{
    sync::{Arc, mpsc::Sender},
    time::Instant,
};

use rdkafka::error::KafkaError;
use store::Log;

use super::{
    bell::Bell,
    claim::{Assignment, Claim},
    plan::{Beginning, StopReason},
};

/// The way to the poll thread.
#[derive(Debug, Clone)]
pub struct Commands {
    sender: Sender<Command>,
    bell: Arc<Bell>,
}

impl Commands {
    /// The way to who reads the other end and sleeps by the bell.
    pub fn new(sender: Sender<Command>, bell: Arc<Bell>) -> Self {
        Self { sender, bell }
    }

    /// Sends it. A poll thread that has ended needs no answer.
    pub fn send(&self, command: Command) {
        let _ = self.sender.send(command);
        self.bell.ring();
    }
}

/// A message to the poll thread.
#[derive(Debug)]
pub enum Command {
    /// The starter knows where this partition begins.
    Begin {
        /// For which claim.
        claim: Arc<Claim>,
        /// The log, as the database has it.
        log: Box<Log>,
        /// Where to begin.
        beginning: Beginning,
    },
    /// The partition is not to be read for now; the starter looks again by itself.
    Stop {
        /// For which claim.
        claim: Arc<Claim>,
        /// Why.
        reason: StopReason,
    },
    /// A lane gave up on these claims: start them anew where the database says.
    Rewind {
        /// Which.
        claims: Vec<Arc<Claim>>,
        /// Why.
        reason: RewindReason,
        /// When the first record of what is void now was read.
        since: Instant,
    },
    /// A lane found that the log in Kafka is not the log in the database.
    Diverged {
        /// Which.
        assignment: Arc<Assignment>,
        /// Where it shows.
        offset: i64,
    },
    /// A lane met an error of librdkafka's.
    Failed {
        /// Where.
        claim: Arc<Claim>,
        /// What.
        error: KafkaError,
    },
}

/// Why a partition starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RewindReason {
    /// Somebody else moved the log's position: a rebalance or a zombie.
    PositionMoved,
    /// Other transactions were first, too many times.
    Contended,
    /// The database is away, or the outcome of a commit is unknown.
    Database,
    /// The registry is away, for a schema that is not known yet.
    Registry,
    /// A healthy registry does not know the id, but it may yet.
    UnknownSchema,
    /// An error of the consumer that may have skipped records.
    Consumer,
}

impl RewindReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::PositionMoved,
        Self::Contended,
        Self::Database,
        Self::Registry,
        Self::UnknownSchema,
        Self::Consumer,
    ];

    /// Whether starting anew at once would most likely fail again.
    pub fn needs_pause(self) -> bool {
        self != Self::PositionMoved
    }

    /// Whether what was read waits for the database.
    pub fn is_of_database(self) -> bool {
        matches!(self, Self::Database | Self::Contended)
    }

    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PositionMoved => "position-moved",
            Self::Contended => "contended",
            Self::Database => "database",
            Self::Registry => "registry",
            Self::UnknownSchema => "unknown-schema",
            Self::Consumer => "consumer",
        }
    }
}
