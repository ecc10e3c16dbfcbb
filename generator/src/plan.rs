//! What is asked for.

use shared::timestamp::Timestamp;

use crate::chance::Chance;

/// Everything that the events depend on: the same plan gives the same bytes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many events; `None` = without end.
    pub events: Option<u64>,
    /// Events a second of the time that they tell.
    pub rate: u32,
    /// What chance begins with.
    pub seed: u64,
    /// The time of the first event.
    pub start: Timestamp,
    /// The attacks, one after the other.
    pub attacks: Vec<Attack>,
    /// How often what happens, against each other.
    pub mix: Mix,
    /// How many users there are; the first are the busiest.
    pub users: u32,
    /// How many articles the shop has; the first are bought the most.
    pub articles: u32,
    /// Whose events they are.
    pub organization: String,
}

/// How many stories of each kind begin, against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// Somebody logs in, or fails to, and out.
    pub logins: u32,
    /// Somebody looks at somebody's data.
    pub accesses: u32,
    /// Somebody orders, pays and is delivered to.
    pub orders: u32,
}

/// Something that should be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Attack {
    /// Twelve failed logins of one user from one address within seconds, then a successful one
    FailedLogins,
    /// One user exports sixty documents
    MassDownload,
    /// One user reads health data of eight people at three in the night (UTC) before the start
    NightAccess,
    /// One user deletes sixty documents
    MassDeletion,
}

impl Attack {
    /// How many events it takes.
    pub fn events(self) -> u64 {
        match self {
            Self::FailedLogins => 13,
            Self::MassDownload | Self::MassDeletion => 60,
            Self::NightAccess => 8,
        }
    }
}

impl Plan {
    /// Part of the ids of what counts versions, so that runs of other seeds or starts never count the same aggregates.
    pub(crate) fn tag(&self) -> String {
        let start = self.start.as_micros().cast_unsigned();
        let mixed = Chance::new(self.seed ^ start.rotate_left(32)).uuid().simple().to_string();
        mixed[..8].to_owned()
    }

    /// Events that the attacks take together.
    pub fn attacking(&self) -> u64 {
        self.attacks.iter().map(|attack| attack.events()).sum()
    }

    /// The number of the event at which the attacks begin: in the middle, or as late as they still fit; without an end,
    /// after two hundred.
    pub fn attack_begins(&self) -> u64 {
        match self.events {
            Some(events) => (events / 2).min(events.saturating_sub(self.attacking())),
            None => 200,
        }
    }

    /// The time of event `number`.
    pub fn time(&self, number: u64) -> Timestamp {
        let passed = u128::from(number) * 1_000_000 / u128::from(self.rate.max(1));
        Timestamp::from_micros(
            self.start.as_micros().saturating_add_unsigned(u64::try_from(passed).unwrap_or(u64::MAX)),
        )
    }
}
