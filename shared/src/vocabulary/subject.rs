//! What it happened to: the aggregate (semantics.md 13).

use uuid::Uuid;

use super::fields::Fields;
use super::unmappable::{Unmappable, UnmappableReason};
use super::{SECURITY_AGGREGATE, event_type, fold};
use crate::envelope::{MAX_AGGREGATE_KEY_BYTES, MAX_NAME_CHARACTERS};

/// An aggregate, and where the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    type_pointer: String,
    pub(super) id_pointer: String,
}

impl Subject {
    /// The security event itself.
    pub(super) fn security(event_id: Uuid) -> Self {
        Self {
            aggregate_type: SECURITY_AGGREGATE.to_owned(),
            aggregate_id: event_id.to_string(),
            type_pointer: String::new(),
            id_pointer: String::new(),
        }
    }

    /// Whether type and id, with an organisation of so many bytes, can be stored.
    pub(super) fn check(&self, organization_bytes: usize) -> Result<(), Unmappable> {
        event_type::check_name(&self.aggregate_type, &self.type_pointer)?;
        event_type::check_name(&self.aggregate_id, &self.id_pointer)?;
        if self.aggregate_type.len() + self.aggregate_id.len() + organization_bytes > MAX_AGGREGATE_KEY_BYTES
        {
            let remedy = "type, id and organisation must have at most 2,000 bytes together";
            return Err(Unmappable::field(&self.id_pointer, remedy));
        }
        Ok(())
    }
}

/// (resourceType | entityType, resourceId | entityId), else (`User`, the subject of a data access | userId), else what
/// the event's dotted name and a member of that name say (`Payment.Processed`, `paymentId`), else (`Service`, serviceName |
/// source).
pub(super) fn of(fields: &Fields<'_>, event_type: &str) -> Result<Option<Subject>, Unmappable> {
    for (kind, id) in [("resourcetype", "resourceid"), ("entitytype", "entityid")] {
        if let (Some(kind), Some(id)) = (fields.anywhere(&[kind]), fields.anywhere(&[id]))
            && let (Some(aggregate_type), Some(aggregate_id)) = (kind.text()?, id.text()?)
        {
            let (type_pointer, id_pointer) = (kind.pointer.clone(), id.pointer.clone());
            return Ok(Some(Subject { aggregate_type, aggregate_id, type_pointer, id_pointer }));
        }
    }
    if let Some(user) = named(fields, "User", &["subjectuserid", "userid"])? {
        return Ok(Some(user));
    }
    if event_type::is_dotted(event_type)
        && let Some((kind, _)) = event_type.split_once('.')
        && kind.len() <= MAX_NAME_CHARACTERS
        && let Some(entity) = named(fields, kind, &[&format!("{}id", fold(kind))])?
    {
        return Ok(Some(entity));
    }
    named(fields, "Service", &["servicename", "source"])
}

fn named(fields: &Fields<'_>, kind: &str, ids: &[&str]) -> Result<Option<Subject>, Unmappable> {
    for id in ids {
        if let Some(field) = fields.anywhere(&[id])
            && let Some(aggregate_id) = field.text()?
        {
            return Ok(Some(Subject {
                aggregate_type: kind.to_owned(),
                aggregate_id,
                type_pointer: String::new(),
                id_pointer: field.pointer.clone(),
            }));
        }
    }
    Ok(None)
}

pub(super) fn missing() -> Unmappable {
    let remedy = "send resourceType and resourceId, or entityType and entityId, or userId, or serviceName";
    Unmappable::new(UnmappableReason::AggregateMissing, "", remedy)
}
