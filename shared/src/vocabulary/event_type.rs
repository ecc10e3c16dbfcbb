//! What happened: from the body, else from the routing key.

use super::fields::Fields;
use super::mapping::RecordKind;
use super::unmappable::{Unmappable, UnmappableReason};
use super::words::Severity;
use super::{DATA_ACCESS_TYPE, fold, names};
use crate::envelope::MAX_NAME_CHARACTERS;

/// Which of the records a message is, by its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Something happened (000, 001, `AuditLog` of 004).
    AuditLog,
    /// `security_events` of 001, `SecurityEvent` of 004: it is graded.
    SecurityEvent,
    /// `DataAccess` of 004: it names who looked and at whom.
    DataAccess,
}

impl Shape {
    pub(super) fn of(fields: &Fields<'_>, asked: Option<RecordKind>) -> Self {
        match asked {
            Some(RecordKind::SecurityEvent) => Self::SecurityEvent,
            Some(RecordKind::DataAccess) => Self::DataAccess,
            None if is_data_access(fields) => Self::DataAccess,
            None if severity(fields).is_some() => Self::SecurityEvent,
            Some(RecordKind::AuditLog) | None => Self::AuditLog,
        }
    }
}

pub(super) fn is_data_access(fields: &Fields<'_>) -> bool {
    fields.at_top(&["accessoruserid"]).is_some() && fields.at_top(&["subjectuserid"]).is_some()
}

/// The message's own grade, of either scale.
pub(super) fn severity(fields: &Fields<'_>) -> Option<Severity> {
    Severity::parse(&fields.text_if_any(&["severity"])?)
}

/// What an HTTP address must be told, by document 004; RabbitMQ's messages have the routing key besides.
pub(super) fn require(fields: &Fields<'_>, kind: RecordKind) -> Result<(), Unmappable> {
    let missing = |pointer: &str, remedy: &str| Err(Unmappable::field(pointer, remedy));
    match kind {
        RecordKind::SecurityEvent if severity(fields).is_none() => {
            missing("/severity", "send Info, Warning or Critical (or low, medium, high, critical)")
        }
        RecordKind::AuditLog | RecordKind::SecurityEvent => Ok(()),
        RecordKind::DataAccess => {
            for (name, pointer) in [
                ("accessoruserid", "/accessorUserId"),
                ("subjectuserid", "/subjectUserId"),
                ("datatype", "/dataType"),
                ("purpose", "/purpose"),
            ] {
                if fields.at_top(&[name]).is_none() {
                    return missing(pointer, "is missing; a record of a data access must say it");
                }
            }
            Ok(())
        }
    }
}

/// The canonical event type.
///
/// Document 004 says the kind in `eventType` (`Update`) and what happened in `action` (`Vehicle.Sold`): then the action is
/// the type, since the kind is in `metadata.action` for all vocabularies. A name in a spelling that no document has is
/// given the first one's.
pub(super) fn of(fields: &Fields<'_>, shape: Shape, routing_key: &str) -> Result<String, Unmappable> {
    let stated = fields.at_top(&["eventtype"]).or_else(|| fields.at_top(&["type"]));
    let (pointer, stated) = match stated {
        Some(field) => (field.pointer.as_str(), field.text()?),
        None => ("/eventType", None),
    };
    let action = fields.at_top(&["action"]).filter(|_| shape == Shape::AuditLog);
    let action = action.and_then(|field| Some((field.pointer.as_str(), field.text().ok()??)));
    let dotted = action.filter(|(_, action)| is_dotted(action));
    let kind = stated.as_deref().is_none_or(is_kind_of_004);
    let (pointer, name) = match (stated, dotted) {
        (_, Some((pointer, action))) if kind => (pointer, action),
        (Some(stated), _) => (pointer, canonical(&stated)),
        (None, _) if shape == Shape::DataAccess => (pointer, DATA_ACCESS_TYPE.to_owned()),
        (None, _) if !routing_key.is_empty() => (pointer, from_routing_key(routing_key)),
        (None, _) => {
            let remedy = "send eventType, or publish with a routing key that says what happened";
            return Err(Unmappable::new(UnmappableReason::EventTypeMissing, "/eventType", remedy));
        }
    };
    check_name(&name, pointer)?;
    Ok(name)
}

/// `Create`, `Update`, `Delete`, `Login`, `Logout`, `AccessDenied` (E03).
pub(super) fn is_kind_of_004(name: &str) -> bool {
    matches!(fold(name).as_str(), "create" | "update" | "delete" | "login" | "logout" | "accessdenied")
}

/// `Vehicle.PriceChanged`: parts that each begin with a capital letter.
pub(super) fn is_dotted(name: &str) -> bool {
    name.contains('.')
        && name.split('.').all(|part| {
            part.starts_with(|first: char| first.is_ascii_uppercase())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

fn canonical(name: &str) -> String {
    if names::exactly(name).is_some() || is_dotted(name) {
        return name.to_owned();
    }
    names::spelled(&fold(name)).map_or(name, |row| row.name).to_owned()
}

/// `user.created` is `USER_CREATED`, `auth.login_failed` is `LOGIN_FAILED`, `audit.event.login` is `Login`.
fn from_routing_key(key: &str) -> String {
    if names::exactly(key).is_some() || is_dotted(key) {
        return key.to_owned();
    }
    let mut rest = key;
    loop {
        if let Some(row) = names::spelled(&fold(rest)) {
            return row.name.to_owned();
        }
        match rest.split_once('.') {
            Some((_, after)) => rest = after,
            None => return key.strip_prefix("audit.event.").unwrap_or(key).to_owned(),
        }
    }
}

/// The rule of names in the envelope.
pub(super) fn check_name(name: &str, pointer: &str) -> Result<(), Unmappable> {
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARACTERS || name.chars().any(char::is_control) {
        return Err(Unmappable::field(
            pointer,
            "must have 1 to 255 characters, none of them a control character",
        ));
    }
    Ok(())
}
