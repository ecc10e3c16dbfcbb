//! The record of an access: who asked the audit trail for what, and what became of it, as an event of its own
//! (semantics.md 12). [`crate::filter::ACCESS_TYPE`] is its aggregate type, whoever asked its aggregate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    envelope::Envelope,
    filter::{ACCESS_EVENT_PREFIX, ACCESS_TYPE},
    timestamp::Timestamp,
};

/// The longest text of a request that is kept, in bytes; as the longest value of a query.
pub const LONGEST_TEXT: usize = 2048;
/// Parameters of one request that are kept.
pub const MOST_PARAMETERS: usize = 200;
/// The aggregate of requests of which nobody knows who asked: their token did not hold.
pub const ANONYMOUS: &str = "anonymous";

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessOutcome {
    /// The answer was given whole.
    Answered,
    /// The answer said why not: the request was wrong, or not allowed.
    Refused,
    /// The answer said that something here, or behind, failed.
    Failed,
    /// No answer was given: the client went away first, or the time was over.
    Abandoned,
    /// A stream was opened; a second record tells its end.
    Opened,
    /// A stream ended.
    Closed,
    /// Requests without a good token that have no record each, because there were too many.
    Suppressed,
}

/// How an accessor showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessorKind {
    /// By a token: the id is its subject.
    Token,
    /// By a signed link: the id is the link's.
    Link,
    /// Not at all: [`ANONYMOUS`].
    Anonymous,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accessor {
    /// How that is known.
    pub kind: AccessorKind,
    /// Who.
    pub id: String,
    /// The organisation that its token names.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organization_id: Option<String>,
    /// Its roles.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub roles: Vec<String>,
}

/// One parameter as it was given. A list and no map: a caller's names must not become keys of a stored payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedParameter {
    /// Its name.
    pub name: String,
    /// Its value; `None` = withheld, because it is a secret, or no parameter of the operation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// An aggregate that a request named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedAggregate {
    /// Its kind, when the request named one kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aggregate_type: Option<String>,
    /// Its id.
    pub aggregate_id: String,
}

/// One access, as its event's payload holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// The operation, by its id in the OpenAPI document.
    pub operation: String,
    /// The method.
    pub method: String,
    /// The route, as a template.
    pub path: String,
    /// Who asked.
    pub accessor: Accessor,
    /// What for: the path's parameters, the query's, and what a body filters by.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parameters: Vec<AskedParameter>,
    /// The users that the parameters name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub subjects: Vec<String>,
    /// The aggregates that they name.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub aggregates: Vec<AskedAggregate>,
    /// What became of it.
    pub outcome: AccessOutcome,
    /// The answer's status; `None` = there was no answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// The problem's type, without its prefix.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// How many rows the answer held; of a stream, its second record says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rows: Option<u64>,
    /// How a stream ended: `complete`, `client`, `expired`, `shutdown`, `store`, or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<String>,
    /// How many requests a record of [`AccessOutcome::Suppressed`] stands for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suppressed: Option<u64>,
    /// The request's id in the log.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub request_id: String,
}

/// What an access's event says beside its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessContext {
    /// Whose data was asked for: the organisation of a token that sees one only, else `""`.
    pub organization_id: String,
    /// The peer's address.
    pub ip_address: Option<String>,
    /// What the peer says it is.
    pub user_agent: Option<String>,
    /// The record of the stream's opening.
    pub opened_by: Option<Uuid>,
}

impl AccessOutcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Answered,
        Self::Refused,
        Self::Failed,
        Self::Abandoned,
        Self::Opened,
        Self::Closed,
        Self::Suppressed,
    ];

    /// As the payload has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Suppressed => "suppressed",
        }
    }

    /// The type of its events.
    pub fn event_type(self) -> String {
        let (first, rest) = self.as_str().split_at(1);
        format!("{ACCESS_EVENT_PREFIX}{}{rest}", first.to_ascii_uppercase())
    }
}

impl Access {
    /// An access of which nothing more is known.
    pub fn new(
        operation: &str,
        method: &str,
        path: &str,
        accessor: Accessor,
        outcome: AccessOutcome,
    ) -> Self {
        Self {
            operation: operation.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            accessor,
            parameters: Vec::new(),
            subjects: Vec::new(),
            aggregates: Vec::new(),
            outcome,
            status: None,
            problem: None,
            rows: None,
            ended: None,
            suppressed: None,
            request_id: String::new(),
        }
    }

    /// The same with what was asked for, and whom and what that names.
    pub fn asking(mut self, parameters: Vec<AskedParameter>) -> Self {
        (self.subjects, self.aggregates) = named(&parameters);
        self.parameters = parameters;
        self
    }

    /// The event that says so. Unversioned: an accessor's requests are ordered as they were recorded.
    pub fn envelope(&self, event_id: Uuid, at: Timestamp, context: &AccessContext) -> Envelope {
        let user = (self.accessor.kind == AccessorKind::Token).then(|| self.accessor.id.clone());
        let metadata: BTreeMap<String, String> = [
            ("userId", user),
            ("organizationId", Some(context.organization_id.clone())),
            ("source", Some("audit-api".to_owned())),
            ("action", Some(self.operation.clone())),
            ("correlationId", Some(self.request_id.clone())),
            ("causationId", context.opened_by.map(|id| id.to_string())),
            ("ipAddress", context.ip_address.clone()),
            ("userAgent", context.user_agent.clone()),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.filter(|value| !value.is_empty())?)))
        .collect();
        Envelope {
            event_id: event_id.to_string(),
            event_type: self.outcome.event_type(),
            aggregate_type: ACCESS_TYPE.to_owned(),
            aggregate_id: self.accessor.id.clone(),
            timestamp: at,
            version: 0,
            payload: serde_json::to_string(self).expect("plain data with texts as keys"),
            metadata,
        }
    }
}

/// Names by which parameters name a user, in any of the documents' spellings.
const USERS: [&str; 3] = ["userId", "user_id", "subject"];
const TYPES: [&str; 5] = ["aggregateType", "type", "resourceType", "resource_type", "entityType"];
const IDS: [&str; 4] = ["aggregateId", "resourceId", "resource_id", "entityId"];

/// The users and aggregates that parameters name, each once. An `id` in a path is an aggregate's where a `type` stands
/// beside it.
fn named(parameters: &[AskedParameter]) -> (Vec<String>, Vec<AskedAggregate>) {
    let values = |names: &[&str]| {
        let mut found: Vec<&String> = Vec::new();
        for parameter in parameters.iter().filter(|parameter| names.contains(&parameter.name.as_str())) {
            found.extend(parameter.value.as_ref().filter(|value| !found.contains(value)));
        }
        found
    };
    let (types, mut ids) = (values(&TYPES), values(&IDS));
    if !values(&["type"]).is_empty() {
        ids.extend(values(&["id"]));
    }
    // Of several kinds nobody can say which id is of which.
    let kind = <[&String; 1]>::try_from(types).ok().map(|[kind]| kind);
    let aggregate = |id: &String| AskedAggregate { aggregate_type: kind.cloned(), aggregate_id: id.clone() };
    (values(&USERS).into_iter().cloned().collect(), ids.into_iter().map(aggregate).collect())
}

/// A text of a request as a payload can hold it: without U+0000, and cut at [`LONGEST_TEXT`].
pub fn storable(text: &str) -> String {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Vec<AskedParameter> {
        let parameter = |(name, value): &(&str, &str)| AskedParameter {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        };
        pairs.iter().map(parameter).collect()
    }

    #[test]
    fn users_and_aggregates_are_found_under_any_documents_names() {
        let (subjects, aggregates) = named(&parameters(&[
            ("userId", "a"),
            ("user_id", "b"),
            ("userId", "a"),
            ("entityType", "Vehicle"),
            ("entityId", "v1"),
        ]));
        assert_eq!(subjects, ["a", "b"]);
        let vehicle =
            AskedAggregate { aggregate_type: Some("Vehicle".to_owned()), aggregate_id: "v1".to_owned() };
        assert_eq!(aggregates, [vehicle]);
    }

    #[test]
    fn an_id_in_a_path_is_an_aggregates_only_beside_a_type() {
        assert_eq!(named(&parameters(&[("id", "1:42")])).1, []);
        let (_, found) = named(&parameters(&[("type", "Order"), ("id", "o1")]));
        assert_eq!(
            (found[0].aggregate_type.as_deref(), found[0].aggregate_id.as_str()),
            (Some("Order"), "o1")
        );
        let (_, found) =
            named(&parameters(&[("aggregateType", "A"), ("aggregateType", "B"), ("aggregateId", "x")]));
        assert_eq!((found.len(), &found[0].aggregate_type), (1, &None));
    }

    #[test]
    fn what_a_caller_sends_can_be_stored() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        assert_eq!(storable(&"é".repeat(2000)).len(), LONGEST_TEXT);
    }
}
