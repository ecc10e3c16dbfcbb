//! A job as the API shows it.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::timestamp::Timestamp;
use store::replays::{Exactness, JobState, ReplayJob};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{replays::estimate::Estimate, respond::Problem};

/// A replay to a topic.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayJob)]
#[serde(rename_all = "camelCase")]
pub(super) struct Job {
    id: Uuid,
    topic: String,
    /// The parameters of `GET /v1/replay` by name, each with its values.
    #[schema(value_type = Object, example = json!({"aggregateType": ["Order"]}))]
    filter: Map<String, Value>,
    /// Whose events; null = those of every organisation.
    #[schema(required = true)]
    organization_id: Option<String>,
    /// Events a second, at most.
    #[schema(required = true)]
    rate: Option<u32>,
    state: StateWord,
    /// What it waits for, or why it failed.
    #[schema(required = true)]
    trouble: Option<String>,
    /// The subject of the token.
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    ended_at: Option<Timestamp>,
    progress: JobProgress,
    /// How many events it was expected to send when it was made.
    #[schema(required = true)]
    expected: Option<Expected>,
}

/// `queued`: to be worked on, by whichever API is free. `failed`: somebody has to mend what `trouble` says, and resume it.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayJobState)]
#[serde(rename_all = "lowercase")]
enum StateWord {
    Queued,
    Running,
    Paused,
    Cancelled,
    Finished,
    Failed,
}

/// How far a job has come.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayJobProgress)]
#[serde(rename_all = "camelCase")]
struct JobProgress {
    /// Events that Kafka has.
    sent: u64,
    /// Bytes of their records.
    bytes: u64,
    /// The last of them.
    #[schema(required = true, example = "3:1500")]
    position: Option<String>,
    /// The append that it has come to.
    append: i64,
    /// The append that it ends with.
    until_append: i64,
    /// Since its present API took it.
    #[schema(required = true)]
    events_per_second: Option<f64>,
    /// By that rate and what was expected, while it is worked on.
    #[schema(required = true)]
    seconds_left: Option<u64>,
}

/// How many events, and how near to that number: `exact`, `at-least`, `at-most`.
#[derive(Serialize, ToSchema)]
#[schema(as = ExpectedEvents)]
#[serde(rename_all = "camelCase")]
pub(super) struct Expected {
    events: u64,
    #[schema(value_type = Nearness)]
    exactness: &'static str,
}

#[derive(ToSchema)]
#[schema(as = Exactness, rename_all = "kebab-case")]
#[expect(dead_code, reason = "the words of the OpenAPI document")]
pub(super) enum Nearness {
    Exact,
    AtLeast,
    AtMost,
}

/// What a job would do.
#[derive(Serialize, ToSchema)]
#[schema(as = ReplayDryRun)]
#[serde(rename_all = "camelCase")]
pub(super) struct DryRun {
    topic: String,
    /// The append that it would end with.
    until_append: i64,
    /// Null = they could not be counted in time.
    #[schema(required = true)]
    expected: Option<Expected>,
    /// Bytes of the records, by the mean of the first ones.
    #[schema(required = true)]
    bytes: Option<u64>,
    /// How long it would take: by its rate, without one by what a small machine does.
    #[schema(required = true)]
    seconds: Option<u64>,
}

impl DryRun {
    pub(super) fn new(topic: String, until_append: i64, estimate: &Estimate) -> Self {
        let Estimate { events, bytes, seconds } = *estimate;
        Self { topic, until_append, expected: events.map(expected), bytes, seconds }
    }
}

fn expected((events, exactness): (u64, Exactness)) -> Expected {
    Expected { events, exactness: exactness.as_str() }
}

impl Job {
    pub(super) fn of(job: ReplayJob) -> Result<Self, Problem> {
        let state = match job.state {
            JobState::Running if job.is_held => StateWord::Running,
            JobState::Running => StateWord::Queued,
            JobState::Paused => StateWord::Paused,
            JobState::Cancelled => StateWord::Cancelled,
            JobState::Finished => StateWord::Finished,
            JobState::Failed => StateWord::Failed,
        };
        let events_per_second = job.events_per_second.filter(|rate| *rate > 0.0);
        let left = job.expected.filter(|_| job.state == JobState::Running && job.is_held).and_then(
            |(events, exactness)| (exactness != Exactness::AtLeast).then(|| events.saturating_sub(job.sent)),
        );
        Ok(Self {
            id: job.job_id,
            topic: job.topic,
            filter: serde_json::from_str(&job.filter).map_err(|_| Problem::internal())?,
            organization_id: job.organization_id,
            rate: job.rate,
            state,
            trouble: job.trouble,
            created_by: job.created_by,
            created_at: job.created_at,
            updated_at: job.updated_at,
            ended_at: job.ended_at,
            progress: JobProgress {
                sent: job.sent,
                bytes: job.sent_bytes,
                position: job.last.map(|position| position.to_string()),
                append: job.reached_append.min(job.until_append),
                until_append: job.until_append,
                events_per_second,
                seconds_left: left.zip(events_per_second).map(|(left, rate)| seconds(left, rate)),
            },
            expected: job.expected.map(expected),
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time for people, never negative"
)]
fn seconds(left: u64, rate: f64) -> u64 {
    (left as f64 / rate).ceil() as u64
}

/// No such job, or none that the caller may see.
pub(super) fn none() -> Problem {
    Problem::not_found("replay job of this id")
}
