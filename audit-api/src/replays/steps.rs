//! What was done with a job, as an event of the trail: by the door that every event takes, at least once, with one id.

use std::collections::BTreeMap;

use serde_json::{Value, json, value::RawValue};
use shared::envelope::Envelope;
use store::{
    ApiWriter,
    replays::{ReplayStep, StepKind},
};

use crate::submit::Submitter;

/// The aggregate type of jobs.
const AGGREGATE: &str = "ReplayJob";
/// Steps that are looked up at once.
const STEP: u32 = 100;

fn event_type(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Started => "ReplayStarted",
        StepKind::Paused => "ReplayPaused",
        StepKind::Resumed => "ReplayResumed",
        StepKind::Cancelled => "ReplayCancelled",
        StepKind::Finished => "ReplayFinished",
        StepKind::Failed => "ReplayFailed",
    }
}

/// The event of a step; the same for the same step.
fn event(step: &ReplayStep) -> Envelope {
    let filter = RawValue::from_string(step.filter.clone()).map_or(Value::Null, |raw| json!(raw));
    let mut payload = json!({
        "jobId": step.job_id,
        "topic": step.topic,
        "filter": filter,
        "rate": step.rate,
        "expected": step.expected,
        "sent": step.sent,
    });
    if !step.detail.is_empty() {
        payload["reason"] = step.detail.as_str().into();
    }
    let metadata = [
        ("source", Some("audit-api")),
        ("userId", Some(step.by_whom.as_str())),
        ("organizationId", step.organization_id.as_deref()),
    ];
    let metadata: BTreeMap<String, String> =
        metadata.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect();
    Envelope {
        event_id: step.event_id.to_string(),
        event_type: event_type(step.kind).to_owned(),
        aggregate_type: AGGREGATE.to_owned(),
        aggregate_id: step.job_id.to_string(),
        timestamp: step.at,
        version: step.version.into(),
        payload: payload.to_string(),
        metadata,
    }
}

/// Publishes the steps that are no events yet, oldest first; what cannot be published now stays for the next time.
pub(super) async fn publish(writer: &ApiWriter, submitter: &Submitter) -> anyhow::Result<()> {
    for step in writer.unpublished_replay_steps(STEP).await? {
        let recorded = submitter.record(event(&step)).await;
        recorded.map_err(|problem| anyhow::anyhow!("{}", problem.detail()))?;
        writer.mark_replay_step_published(&step).await?;
    }
    Ok(())
}
