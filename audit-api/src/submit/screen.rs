//! All or nothing: every event is stamped and checked before one is produced, by the very rules of the ingestor.

use std::collections::HashSet;

use bus::{EventRecord, EventRules};
use shared::{
    envelope::Envelope,
    filter::ACCESS_TYPE,
    problem::ProblemType,
    refusal::{Reason, Refusal},
    timestamp::Timestamp,
};

use super::body::Shape;
use crate::{
    auth::{Caller, Forbidden, Writes},
    respond::Problem,
};

/// The metadata key that says whose token an event came with.
const SUBMITTED_BY: &str = "submittedBy";
const ORGANIZATION: &str = "organizationId";

/// The records of these events, or one entry for each that cannot be taken.
pub(super) fn all(
    envelopes: Vec<Envelope>,
    caller: &Caller,
    writes: &Writes,
    rules: &EventRules,
    now: Timestamp,
    shape: Shape,
) -> Result<Vec<EventRecord>, Problem> {
    let count = envelopes.len();
    let mut records = Vec::with_capacity(count);
    let (mut refused, mut forbidden) = (Vec::new(), Vec::new());
    let mut seen = HashSet::with_capacity(count);
    for (index, mut envelope) in envelopes.into_iter().enumerate() {
        if !assign_organization(&mut envelope, writes) {
            let pointer = shape.pointer(index, "/metadata/organizationId");
            forbidden.push((pointer, Forbidden::OtherOrganization.to_string()));
            continue;
        }
        let checked = is_no_access(&envelope)
            .and_then(|()| stamp(&mut envelope, caller))
            .and_then(|()| rules.check(envelope, now));
        match checked.and_then(|record| distinct(record, &mut seen)) {
            Ok(record) => records.push(record),
            Err(refusal) => refused.push(entry(&refusal, index, shape)),
        }
    }
    if !forbidden.is_empty() {
        let detail = format!("{} of {count} events name an organisation that is not yours", forbidden.len());
        return Err(Problem::in_body(ProblemType::Forbidden, detail, forbidden));
    }
    if !refused.is_empty() {
        return Err(invalid(refused, count));
    }
    Ok(records)
}

/// The answer to events that break rules, each with its place and what would be right.
pub(super) fn invalid(refused: Vec<(String, String)>, count: usize) -> Problem {
    let detail = format!("{} of {count} events break rules, and none was taken: see errors", refused.len());
    Problem::in_body(ProblemType::InvalidEvents, detail, refused)
}

/// The place of a refusal in the body, and its sentence. Refusals of the payload point into the payload.
pub(super) fn entry(refusal: &Refusal, index: usize, shape: Shape) -> (String, String) {
    let pointer = match refusal.reason {
        Reason::PayloadInvalid => format!("/payload{}", refusal.pointer),
        _ => refusal.pointer.clone(),
    };
    (shape.pointer(index, &pointer), format!("{}: {}", refusal.reason, refusal.detail))
}

/// A token's organisation becomes the event's where the event names none; false when an organisation's token meets another's
/// name. Who may write anywhere says with an empty name that the event belongs to no organisation.
fn assign_organization(envelope: &mut Envelope, writes: &Writes) -> bool {
    let named = envelope.metadata.get(ORGANIZATION);
    let assigned = match writes {
        Writes::Own(own) if named.is_some_and(|named| !named.is_empty() && named != own) => return false,
        Writes::Own(own) => Some(own),
        Writes::Anywhere(default) => default.as_ref().filter(|_| named.is_none()),
    };
    if let Some(assigned) = assigned {
        envelope.metadata.insert(ORGANIZATION.to_owned(), assigned.clone());
    }
    true
}

/// Who looked is recorded by this API alone: nobody else may say it.
fn is_no_access(envelope: &Envelope) -> Result<(), Refusal> {
    if envelope.aggregate_type != ACCESS_TYPE {
        return Ok(());
    }
    let detail = "is that of the records of accesses, which only the audit trail makes: choose another";
    Err(Refusal::new(Reason::EnvelopeInvalid, "/aggregateType", detail))
}

/// Says whose token it was. An event that claims another's is refused: what a caller wrote is never changed in silence.
fn stamp(envelope: &mut Envelope, caller: &Caller) -> Result<(), Refusal> {
    match envelope.metadata.get(SUBMITTED_BY) {
        Some(claimed) if *claimed != caller.subject => Err(Refusal::new(
            Reason::EnvelopeInvalid,
            "/metadata/submittedBy",
            "is set here, to the subject of your token: leave it out",
        )),
        Some(_) => Ok(()),
        None => {
            envelope.metadata.insert(SUBMITTED_BY.to_owned(), caller.subject.clone());
            Ok(())
        }
    }
}

fn distinct(record: EventRecord, seen: &mut HashSet<uuid::Uuid>) -> Result<EventRecord, Refusal> {
    if seen.insert(record.event_id()) {
        return Ok(record);
    }
    let detail = "is the id of an earlier event of this request: every event has an id of its own";
    Err(Refusal::new(Reason::EnvelopeInvalid, "/eventId", detail))
}
