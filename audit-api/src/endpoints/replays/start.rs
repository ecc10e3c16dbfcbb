//! `POST /v1/replays`

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{filter::EventFilter, position::Position, problem::ProblemType, scope::Scope};
use store::{RecordedCursor, replays::NewJob};
use utoipa::ToSchema;

use super::view::{DryRun, Job, none};
use crate::{
    access::Notes,
    endpoints::{
        Asked,
        body::{self, json},
    },
    measure,
    replays::{
        Replays,
        estimate::{Estimate, Walked, estimate},
    },
    request::{Media, Parameters, filter, negotiate},
    respond::Problem,
    state::Api,
    submit::new_id,
};

/// The largest request.
const MOST_BYTES: usize = 32 * 1024;
/// Jobs that have not ended, at most.
const MOST_OPEN: u32 = 100;
/// The greatest limit, in events a second.
const FASTEST: u32 = 1_000_000;

/// What to send, where, and how fast.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewReplayJob)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewReplay {
    /// The Kafka topic, which must exist; none that the ingestor reads.
    #[schema(example = "replays.orders", min_length = 1, max_length = 249)]
    topic: String,
    /// Which events: the filters of `GET /v1/replay` by name, each a string or an array of strings. None = every event that you
    /// may see.
    #[serde(default)]
    #[schema(value_type = Object, required = false, example = json!({"aggregateType": ["Order"], "from": "2025-11-20T00:00:00Z"}))]
    filter: Map<String, Value>,
    /// Where to begin: `start`, or behind an event's `position`.
    #[schema(pattern = r"^(start|[0-9]{1,10}:[0-9]{1,19})$", default = "start")]
    after: Option<String>,
    /// Events a second, at most; none = as fast as Kafka takes them.
    #[schema(minimum = 1, maximum = 1_000_000)]
    rate: Option<u32>,
    /// Only say what it would be.
    #[serde(default)]
    #[schema(required = false)]
    dry_run: bool,
}

/// A request that has been understood.
struct Asking {
    topic: String,
    rate: Option<u32>,
    dry_run: bool,
    filter: EventFilter,
    filter_text: String,
    after: Option<Position>,
}

impl Asking {
    fn read(bytes: &[u8], replays: &Replays) -> Result<Self, Problem> {
        let NewReplay { topic, filter, after, rate, dry_run } = body::parse(bytes)?;
        replays.targets().check(&topic).map_err(|why| wrong("/topic", &why))?;
        if rate.is_some_and(|rate| !(1..=FASTEST).contains(&rate)) {
            return Err(wrong("/rate", &format!("is not a whole number from 1 to {FASTEST}")));
        }
        let after = match after.as_deref() {
            None | Some("start") => None,
            Some(text) => {
                Some(text.parse().map_err(|_| wrong("/after", "is not start, or the position of an event"))?)
            }
        };
        let mut parameters = Parameters::of_json(&filter)?;
        let checked = filter::read(&mut parameters)?;
        parameters.finish()?;
        Ok(Self { topic, rate, dry_run, filter: checked, filter_text: canonical(filter), after })
    }

    /// What it walks through, up to the newest event of now.
    async fn walked(&self, api: &Api, scope: &Scope) -> Result<Walked, Problem> {
        let until = api.reader.head().await?;
        let after = match self.after {
            None => RecordedCursor::START,
            Some(position) => api.reader.locate(position).await?.ok_or_else(|| {
                wrong("/after", "is not a position of this store: send one that an answer gave you")
            })?,
        };
        let (scope, filter) = (scope.clone(), self.filter.clone());
        Ok(Walked { scope, filter, after, last: self.after, until })
    }
}

/// The filter as it is kept: every value in an array, names in order.
fn canonical(filter: Map<String, Value>) -> String {
    let listed = |value| if let Value::Array(values) = value { values } else { vec![value] };
    let filter: BTreeMap<String, Vec<Value>> =
        filter.into_iter().map(|(name, value)| (name, listed(value))).collect();
    serde_json::to_string(&filter).expect("texts by name")
}

fn wrong(pointer: &str, detail: &str) -> Problem {
    let part = (pointer.to_owned(), detail.to_owned());
    Problem::in_body(ProblemType::InvalidRequest, format!("{pointer} {detail}"), [part])
}

/// Send stored events to a topic
///
/// A job that sends every event that you may see and that matches, in recorded order, up to the newest one of now: keyed by
/// aggregate, framed as producers frame them, with the headers `audit.replay.of` (its position), `audit.replay.job` and
/// `audit.replay.recorded.at`. Whichever API is free works on it; after a fault it goes on behind the last batch of at most 1,000
/// events, which may come twice. With `dryRun` it only says how many events, how many bytes and how long.
/// Starting, pausing, resuming, cancelling and its end are events in the trail (`aggregateType=ReplayJob`).
#[utoipa::path(
    post, path = "/v1/replays", operation_id = "startReplayJob", tag = "Replay jobs",
    request_body(content = NewReplay, content_type = "application/json"),
    responses(
        (status = 201, description = "The job.", body = Job, content_type = "application/json",
            headers(("Location" = String, description = "The job's address."))),
        (status = 200, description = "With `dryRun`: what it would be.", body = DryRun, content_type = "application/json")
    )
)]
pub(crate) async fn start(
    State(api): State<Arc<Api>>,
    asked: Asked,
    notes: Notes,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let Asked { caller, headers, parameters, .. } = asked;
    let scope = caller.replays()?;
    parameters.finish()?;
    negotiate(&headers, &[Media::Json])?;
    let replays = api.replays()?;
    let bytes = body::receive(&headers, body, MOST_BYTES, api.settings.body_timeout).await?;
    notes.body(&bytes);
    let asking = Asking::read(&bytes, replays)?;
    filter::within(&scope, &asking.filter.organization_id)?;
    must_exist(replays, &asking.topic).await?;
    let walked = asking.walked(&api, &scope).await?;
    let estimate = measure::query("replay_size", estimate(&api.reader, &walked, asking.rate)).await?;
    if asking.dry_run {
        return Ok(json(&DryRun::new(asking.topic, walked.until, &estimate), 1));
    }
    let job = new_job(asking, &walked, &estimate, &caller.subject);
    if !replays.writer().create_replay_job(&job, MOST_OPEN).await? {
        let detail = format!("{MOST_OPEN} replay jobs have not ended: wait for one, or cancel one");
        return Err(Problem::new(ProblemType::TooManyRequests, detail));
    }
    replays.wake();
    let made = api.reader.find_replay_job(job.job_id, None).await?.ok_or_else(none)?;
    let mut response = json(&Job::of(made)?, 1);
    *response.status_mut() = StatusCode::CREATED;
    let location = format!("/v1/replays/{}", job.job_id);
    let location = HeaderValue::try_from(location).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

async fn must_exist(replays: &Replays, topic: &str) -> Result<(), Problem> {
    match replays.has_topic(topic).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(wrong("/topic", "is no topic of this Kafka: make it first, with the partitions it needs"))
        }
        Err(error) => {
            tracing::warn!(%error, "Kafka cannot be asked for a topic");
            Err(Problem::unavailable("Kafka cannot be asked for the topic now"))
        }
    }
}

fn new_job(asking: Asking, walked: &Walked, estimate: &Estimate, subject: &str) -> NewJob {
    NewJob {
        job_id: new_id(),
        event_id: new_id(),
        topic: asking.topic,
        filter: asking.filter_text,
        organization_id: walked.scope.organization().map(str::to_owned),
        rate: asking.rate,
        after: walked.after,
        until_append: walked.until,
        expected: estimate.events,
        created_by: subject.to_owned(),
    }
}
