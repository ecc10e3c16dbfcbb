//! The vocabularies of the older services (documents 000, 001, 002 and 004), and what each of their messages becomes.
//!
//! One table ([`NAMES`]) holds every event name with its category, action, outcome and severity; `docs/vocabulary.md` is
//! generated from it. An older message is kept whole as the payload; what it says is normalised into metadata
//! (semantics.md 13). Pure: ids and times are passed in.

mod data_access;
mod event_type;
mod facts;
mod fields;
mod identity;
mod mapping;
mod metadata;
mod names;
mod page;
mod record;
mod security;
mod subject;
mod unmappable;
mod words;

pub use data_access::{DataAccess, data_access};
pub use facts::{Facts, outcome};
pub use mapping::{OlderMessage, OlderRecord, RecordKind, map, map_record};
pub use names::{NAMES, Name, exactly, lookup};
pub use page::markdown;
pub use record::AuditRecord;
pub use security::{Resolution, SecurityEvent, resolution, security_event, security_resolution};
pub use unmappable::{Unmappable, UnmappableReason};
pub use words::{Action, Category, Level, Outcome, Severity};

/// The event type of a record of a data access (E14) that names none.
pub const DATA_ACCESS_TYPE: &str = "DataAccess";
/// The event type by which a security event is resolved (E26, F08).
pub const RESOLVED_TYPE: &str = "SecurityEvent.Resolved";
/// The aggregate type of resolutions, and of security events that name no user, service or resource.
pub const SECURITY_AGGREGATE: &str = "SecurityEvent";

/// A name without its spelling: `event_id`, `eventId` and `EventId` are one, and so are `USER_CREATED` and `user.created`.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
