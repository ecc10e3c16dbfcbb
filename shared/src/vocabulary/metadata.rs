//! What an older message says, under the names that all vocabularies share.

use std::collections::BTreeMap;

use super::event_type::{Shape, severity};
use super::fields::Fields;
use super::mapping::OlderMessage;
use super::names::{self, Name};
use super::unmappable::Unmappable;
use super::words::{Action, Category, Outcome};

/// What has a column and an index of its own must be whole; the rest is left out where it is longer than metadata may be,
/// since the payload keeps it.
const MAX_INDEXED_BYTES: usize = 1024;
const MAX_ORGANIZATION_BYTES: usize = 255;
const MAX_VALUE_BYTES: usize = 2048;

/// Key, the members that say it, the most bytes.
const INDEXED: &[(&str, &[&str], usize)] = &[
    ("organizationId", &["organizationid"], MAX_ORGANIZATION_BYTES),
    ("userId", &["accessoruserid", "userid"], MAX_INDEXED_BYTES),
    ("source", &["servicename", "source"], MAX_INDEXED_BYTES),
    ("correlationId", &["correlationid", "traceid"], MAX_INDEXED_BYTES),
    ("causationId", &["causationid"], MAX_INDEXED_BYTES),
];

/// The normalised metadata of a message.
pub(super) fn of(
    fields: &Fields<'_>,
    shape: Shape,
    event_type: &str,
) -> Result<BTreeMap<String, String>, Unmappable> {
    let row = names::lookup(event_type);
    let mut metadata = BTreeMap::new();
    for &(key, members, limit) in INDEXED {
        if let Some(field) = fields.anywhere(members)
            && let Some(value) = field.text()?
        {
            if value.len() > limit {
                return Err(Unmappable::field(&field.pointer, format!("must have at most {limit} bytes")));
            }
            metadata.insert(key.to_owned(), value);
        }
    }
    for (key, member) in [("ipAddress", "ipaddress"), ("userAgent", "useragent")] {
        let value = fields.text_if_any(&[member]).filter(|value| value.len() <= MAX_VALUE_BYTES);
        insert(&mut metadata, key, value);
    }
    insert(&mut metadata, "action", action(fields, shape, row));
    let severity = graded(fields, shape, row);
    let outcome = outcome(fields, shape, row);
    insert(&mut metadata, "category", category(shape, row, severity.is_some()));
    insert(&mut metadata, "severity", severity);
    insert(&mut metadata, "outcome", outcome);
    Ok(metadata)
}

fn insert(metadata: &mut BTreeMap<String, String>, key: &str, value: Option<impl Into<String>>) {
    if let Some(value) = value {
        metadata.insert(key.to_owned(), value.into());
    }
}

/// The kind of 004's `eventType`, else the message's own word for it, else the name's, else the message's word as it is.
fn action(fields: &Fields<'_>, shape: Shape, row: Option<&Name>) -> Option<String> {
    if shape == Shape::DataAccess {
        return Some(Action::Read.as_str().to_owned());
    }
    let kind = fields.at_top(&["eventtype"]).and_then(|field| field.text().ok()?);
    let own = fields.text_if_any(&["action"]).filter(|own| own.len() <= MAX_INDEXED_BYTES);
    let known = kind.as_deref().and_then(Action::parse).or_else(|| {
        let own = own.as_deref()?;
        Action::parse(own).or_else(|| names::exactly(own)?.action)
    });
    let known =
        known.or_else(|| row?.action).or_else(|| Action::of_method(&fields.text_if_any(&["httpmethod"])?));
    known.map(|action| action.as_str().to_owned()).or(own)
}

fn category(shape: Shape, row: Option<&Name>, graded: bool) -> Option<&'static str> {
    let category = match (shape, row) {
        (Shape::DataAccess, _) => Category::DataAccess,
        (_, Some(row)) => row.category,
        (Shape::SecurityEvent, None) => Category::Security,
        (Shape::AuditLog, None) if graded => Category::Security,
        (Shape::AuditLog, None) => return None,
    };
    Some(category.as_str())
}

fn graded(fields: &Fields<'_>, shape: Shape, row: Option<&Name>) -> Option<&'static str> {
    if shape == Shape::DataAccess {
        return None;
    }
    severity(fields).or_else(|| row?.severity).map(super::words::Severity::as_str)
}

/// The message's `status` or `success`, else its HTTP status, else the name's.
fn outcome(fields: &Fields<'_>, shape: Shape, row: Option<&Name>) -> Option<&'static str> {
    let of = |success: bool| if success { Outcome::Success } else { Outcome::Failure };
    let stated = fields
        .text_if_any(&["status", "outcome"])
        .and_then(|word| Outcome::parse(&word))
        .or_else(|| fields.boolean(&["success"]).map(of))
        .or_else(|| {
            let status: u16 = fields.text_if_any(&["httpstatuscode"])?.parse().ok()?;
            Some(of(status < 400))
        });
    let outcome = stated.or_else(|| match row {
        Some(row) => row.outcome,
        None if shape == Shape::SecurityEvent => None,
        None => Some(Outcome::Success),
    });
    outcome.map(Outcome::as_str)
}

/// Where RabbitMQ had it from, and whether it may be here twice.
pub(super) fn stamp_amqp(
    metadata: &mut BTreeMap<String, String>,
    message: &OlderMessage<'_>,
    perhaps_twice: bool,
) {
    let message_id = message.message_id.unwrap_or_default();
    for (key, value) in [
        ("amqp.exchange", message.exchange),
        ("amqp.routingKey", message.routing_key),
        ("amqp.messageId", message_id),
    ] {
        if !value.is_empty() && value.len() <= MAX_VALUE_BYTES {
            metadata.insert(key.to_owned(), value.replace('\0', "\u{FFFD}"));
        }
    }
    if perhaps_twice {
        metadata.insert("possibleDuplicate".to_owned(), "true".to_owned());
    }
}
