//! The event's id, such that the same message delivered twice is one event (semantics.md 13).

use uuid::Uuid;

use super::fields::Fields;
use super::subject::Subject;
use super::unmappable::Unmappable;

/// The root of the ids that are made of AMQP's message ids. Never changed: stored events are known again by it.
const MESSAGE_IDS: Uuid = Uuid::from_u128(0x0d4c_9a52_7d0b_5f6e_9a3c_2f5b_8e61_c7a4);
/// The same for event ids in the body that are no UUIDs.
const OTHER_IDS: Uuid = Uuid::from_u128(0x52f0_6b1e_93d8_5c47_8e2a_b40d_17f9_6c3b);

/// Where a message came from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) exchange: &'a str,
    pub(super) message_id: Option<&'a str>,
}

/// The id, and whether it had to be minted.
pub(super) fn of(
    fields: &Fields<'_>,
    subject: Option<&Subject>,
    origin: Origin<'_>,
    fresh_id: impl FnOnce() -> Uuid,
) -> Result<(Uuid, bool), Unmappable> {
    if let Some(field) = fields.at_top(&["eventid"])
        && let Some(text) = field.text()?
    {
        let id = hyphenated(&text).unwrap_or_else(|| derived(OTHER_IDS, origin.exchange, &text));
        return Ok((id, false));
    }
    if let Some(id) = record_id(fields, subject) {
        return Ok((id, false));
    }
    Ok(match origin.message_id.filter(|id| !id.is_empty()) {
        Some(message_id) => (derived(MESSAGE_IDS, origin.exchange, message_id), false),
        None => (fresh_id(), true),
    })
}

/// `id`, where it can only be the record's own: a message that names what it is about by another member of another value.
///
/// Else `{"eventType": "USER_UPDATED", "id": "<the user's>"}` would be one event however often the user is updated.
fn record_id(fields: &Fields<'_>, subject: Option<&Subject>) -> Option<Uuid> {
    let id = fields.at_top(&["id"])?.text().ok()??;
    let other = subject.is_some_and(|subject| subject.aggregate_id != id)
        && fields.text_if_any(&["userid"]).is_none_or(|user| user != id);
    let graded = subject.is_none() && super::event_type::severity(fields).is_some();
    (other || graded).then(|| hyphenated(&id)).flatten()
}

fn hyphenated(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

/// Two steps, so that no exchange and id give the same as another exchange and another id.
fn derived(root: Uuid, exchange: &str, id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::new_v5(&root, exchange.as_bytes()), id.as_bytes())
}
