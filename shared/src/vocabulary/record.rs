//! A stored event as the older services' audit logs show it (B03 to B05, B10, E03 to E09).

use super::event_type;
use super::fields::Fields;
use super::words::{Action, Outcome};
use crate::view::EventView;

/// The members of the documents' audit logs, in their union; what an event does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// 004's `EventType`: the message's own, else the word for its action, else the event type.
    pub kind: String,
    /// 004's `Action`: what happened, in the message's own words, else the event type.
    pub happened: String,
    /// 001's `action`, normalised.
    pub action: Option<String>,
    /// In words.
    pub description: Option<String>,
    /// Who did it.
    pub user_id: Option<String>,
    /// That user's name.
    pub user_name: Option<String>,
    /// That user's address.
    pub user_email: Option<String>,
    /// An email, a VIN, an invoice's number.
    pub entity_identifier: Option<String>,
    /// The state before, as JSON text.
    pub old_values: Option<String>,
    /// The state after, as JSON text; where a message tells only `changes`, those.
    pub new_values: Option<String>,
    /// Where from.
    pub ip_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// The path of the request.
    pub request_path: Option<String>,
    /// The method of the request.
    pub http_method: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// The status of the answer.
    pub http_status_code: Option<u16>,
    /// Which service says so.
    pub service_name: Option<String>,
    /// The trace.
    pub trace_id: Option<String>,
    /// Whose it is.
    pub organization_id: Option<String>,
}

impl AuditRecord {
    /// What a stored event of any vocabulary says.
    pub fn of(event: &EventView<'_>) -> Self {
        let said = Fields::of(event.payload);
        let known = Fields::of(event.metadata);
        let text = |names: &[&str]| said.text_if_any(names);
        let normal = |name: &str| known.text_if_any(&[name]);
        let action = normal("action");
        let stated = said.at_top(&["eventtype"]).and_then(|field| field.text().ok()?);
        let kind = stated.filter(|stated| event_type::is_kind_of_004(stated));
        // 001's `action` is a word for what was done; 004's says what happened.
        let own = text(&["action"]).filter(|own| Action::parse(own).is_none());
        let happened = own.unwrap_or_else(|| event.event_type.to_owned());
        let word = action.as_deref().and_then(Action::parse).map(|action| action.in_004().to_owned());
        Self {
            kind: kind.or(word).unwrap_or_else(|| event.event_type.to_owned()),
            happened,
            action,
            description: text(&["description"]),
            user_id: normal("userid"),
            user_name: text(&["username"]),
            user_email: text(&["useremail", "email"]),
            entity_identifier: text(&["entityidentifier"]),
            old_values: said.json(&["oldvalues", "oldvalue"]),
            new_values: said.json(&["newvalues", "newvalue", "changes"]),
            ip_address: normal("ipaddress"),
            user_agent: normal("useragent").or_else(|| text(&["useragent"])),
            request_path: text(&["requestpath"]),
            http_method: text(&["httpmethod"]),
            outcome: normal("outcome").and_then(|word| Outcome::parse(&word)),
            error_message: text(&["errormessage"]),
            http_status_code: text(&["httpstatuscode"]).and_then(|code| code.parse().ok()),
            service_name: normal("source"),
            trace_id: text(&["traceid"]).or_else(|| normal("correlationid")),
            organization_id: normal("organizationid"),
        }
    }
}
