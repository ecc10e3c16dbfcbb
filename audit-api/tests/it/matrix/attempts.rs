//! Every way to name what is another's, made from an operation of the OpenAPI document.

use std::collections::BTreeMap;

use reqwest::header::ACCEPT;
use serde_json::Value;
use shared::position::Position;
use test_support::Token;
use uuid::Uuid;

use crate::{
    look_alikes::{LookAlikes, Organization, SHARED},
    openapi::Operation,
    server::{Server, encode},
};

use super::operations::{Asks, Says, says};

/// What nobody has; as long as the names of the two.
pub(super) const NOBODYS: &str = "only-nobody-0000";
pub(super) const NOBODYS_ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_ffff);

/// The month of the fixture: filters without an index need one.
const PERIODS: [(&str, &str, &str, &str); 3] = [
    ("from", "2026-01-01T00:00:00Z", "to", "2026-01-31T00:00:00Z"),
    ("startDate", "2026-01-01T00:00:00Z", "endDate", "2026-01-31T00:00:00Z"),
    ("start_date", "2026-01-01T00:00:00Z", "end_date", "2026-01-31T00:00:00Z"),
];

/// What a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Nothing but the operation.
    Nothing,
    /// What both organisations have under one name.
    Shared,
    /// What only the other organisation has.
    Only,
    /// The other organisation.
    Organization,
    /// A place that the other organisation's administrator was given.
    Place,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) address: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
    pub(super) names: Names,
}

impl Attempt {
    pub(super) fn new(path: &str, query: &[(String, String)], names: Names) -> Self {
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let address = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) };
        Self { address, headers: Vec::new(), body: None, names }
    }

    pub(super) fn posting(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// The same request for what nobody has; `None` where this names nothing that only one has.
    pub(super) fn for_nobodys(&self, wanted: &Organization) -> Option<Self> {
        let twin = Self { address: without_names(&self.address, wanted), ..self.clone() };
        (self.names == Names::Only && twin.address != self.address).then_some(twin)
    }
}

/// A text with nobody's names in place of an organisation's.
pub(super) fn without_names(text: &str, wanted: &Organization) -> String {
    let ids = wanted.positions.keys().map(|id| (id.to_string(), NOBODYS_ID.to_string()));
    let names = [wanted.only, &encode(wanted.only)].map(|name| (name.to_owned(), NOBODYS.to_owned()));
    let encoded = [(encode(wanted.only), encode(NOBODYS))];
    let ids_encoded =
        wanted.positions.keys().map(|id| (encode(&id.to_string()), encode(&NOBODYS_ID.to_string())));
    let all = ids.chain(ids_encoded).chain(encoded).chain(names);
    all.fold(text.to_owned(), |text, (own, nobodys)| text.replace(&own, &nobodys))
}

/// Makes the attempts at one organisation's data.
pub(super) struct Attempts<'a> {
    pub(super) server: &'a Server,
    pub(super) both: &'a LookAlikes,
    pub(super) wanted: &'a Organization,
}

impl Attempts<'_> {
    /// Every attempt at an operation.
    pub(super) async fn at(&self, operation: &Operation, asks: Asks) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for (path, names) in self.paths(operation) {
            match asks {
                Asks::Submit | Asks::Settle | Asks::Redrive | Asks::Export | Asks::Replay | Asks::Steer => {
                    attempts.extend(self.writes(operation, asks, &path, names));
                }
                _ => attempts.extend(self.reads(operation, &path, names).await),
            }
        }
        attempts
    }

    /// The path with the names of everything that it could lead to.
    fn paths(&self, operation: &Operation) -> Vec<(String, Names)> {
        let wanted = self.wanted;
        let fill = |values: &[(&'static str, String)]| operation.fill(&BTreeMap::from_iter(values.to_vec()));
        let of = |name: &str| {
            let kind = format!("Kind-{name}");
            fill(&[
                ("type", kind),
                ("id", name.into()),
                ("userId", name.into()),
                ("correlationId", name.into()),
            ])
        };
        let events = [wanted.shared_event, wanted.own_event, wanted.security_event];
        let by_id = |parameter: &'static str| {
            events.map(|id| (fill(&[(parameter, id.to_string())]), Names::Only)).into()
        };
        match operation.path.as_str() {
            path if path.contains("{eventId}") => by_id("eventId"),
            "/audit/logs/{id}" => by_id("id"),
            "/api/audit/security/{id}/resolve" => {
                vec![(fill(&[("id", wanted.security_event.to_string())]), Names::Only)]
            }
            path if path.starts_with("/v1/replays/{id}") => {
                vec![(fill(&[("id", wanted.job.to_string())]), Names::Only)]
            }
            path if path.starts_with("/v1/dead-letters/{id}") => {
                vec![(fill(&[("id", self.both.letter.to_string())]), Names::Nothing)]
            }
            path if path.contains("{offset}") => {
                let stored = wanted.positions[&wanted.own_event];
                let record = |topic: &str, Position { offset, .. }: Position| {
                    let values =
                        [("topic", topic.into()), ("partition", "0".into()), ("offset", offset.to_string())];
                    (fill(&values), Names::Only)
                };
                let events = crate::feeder::TOPIC;
                vec![
                    record(events, stored),
                    record(events, wanted.duplicate),
                    record(&self.both.letters, self.both.letter),
                ]
            }
            path if path.contains('{') => vec![(of(SHARED), Names::Shared), (of(wanted.only), Names::Only)],
            path => vec![(path.to_owned(), Names::Nothing)],
        }
    }

    async fn reads(&self, operation: &Operation, path: &str, names: Names) -> Vec<Attempt> {
        let parameters: Vec<String> =
            operation.parameters("query").into_iter().map(|(name, _)| name).collect();
        let has = |name: &str| parameters.iter().any(|known| known == name);
        let mut query: Vec<(String, String)> = Vec::new();
        let mut say = |name: &str, value: &str| query.push((name.to_owned(), value.to_owned()));
        // Dead letters are listed by the time of their recording, which is now.
        for (from, start, to, end) in PERIODS.into_iter().filter(|_| !path.starts_with("/v1/dead-letters")) {
            if has(from) && has(to) {
                say(from, start);
                say(to, end);
            }
        }
        let with = |name: &str, value: &str, names: Names| {
            let more = [(name.to_owned(), value.to_owned())];
            let rest = query.iter().filter(|(known, _)| known != name).cloned();
            let rest =
                rest.chain((has("after") && name != "after").then(|| ("after".into(), "start".into())));
            Attempt::new(path, &rest.chain(more).collect::<Vec<_>>(), names)
        };
        let plain =
            if has("after") { with("after", "start", names) } else { Attempt::new(path, &query, names) };
        let mut attempts = vec![plain.clone()];
        for (name, schema) in operation.parameters("query") {
            match says(&operation.path, &name) {
                Says::Name(form) => {
                    let naming = |value: &str, names| {
                        let mut attempt = with(&name, &form.replace("{}", value), names);
                        attempt.address.push_str(&companion(path, &name, value));
                        attempt
                    };
                    attempts.push(naming(SHARED, names));
                    attempts.push(naming(self.wanted.only, Names::Only));
                    if name == "causationId" {
                        attempts.push(naming(&self.wanted.shared_event.to_string(), Names::Shared));
                        attempts.push(naming(&self.wanted.own_event.to_string(), Names::Only));
                    }
                }
                Says::Organization => attempts.push(with(&name, self.wanted.name, Names::Organization)),
                Says::Cursor => {
                    let first = with("limit", "1", names);
                    if let Some(cursor) = self.cursor(&first).await {
                        attempts.push(with(&name, &cursor, place(names)));
                    }
                }
                Says::Position => {
                    let place = self.wanted.positions[&self.wanted.shared_event];
                    attempts.push(with(&name, &place.to_string(), self::place(names)));
                }
                Says::Event => {
                    panic!("{}: no query parameter is an event's id so far: {name} {schema}", operation.path)
                }
                Says::Words(words) => attempts.extend(words.iter().map(|word| with(&name, word, names))),
                Says::Nothing => {}
            }
        }
        for (name, _) in operation.parameters("header") {
            if says(&operation.path, &name) == Says::Position {
                for id in self.last_ids(&plain).await {
                    let headers = vec![("last-event-id", id)];
                    attempts.push(Attempt { headers, names: place(names), ..plain.clone() });
                }
            }
        }
        attempts
    }

    /// The cursor behind the first row that the other organisation's administrator sees.
    async fn cursor(&self, first: &Attempt) -> Option<String> {
        let answer = self.server.get_as(&first.address, &self.wanted.admin()).await;
        let page: Value = serde_json::from_str(&answer.text().await.expect("a whole answer")).expect("JSON");
        page["page"]["nextCursor"].as_str().map(str::to_owned)
    }

    /// Ids that the other organisation's administrator is given on this stream: of the first event, and of the last.
    async fn last_ids(&self, plain: &Attempt) -> Vec<String> {
        let request = self.server.request(&plain.address, &self.wanted.admin());
        let answer = request.header(ACCEPT, "text/event-stream").send().await.expect("an answer");
        let text = super::answer::read(answer, true).await.text;
        let blocks = text.split("\n\n").filter(|block| block.contains("event: event"));
        let ids: Vec<String> = blocks
            .filter_map(|block| block.lines().find_map(|line| line.strip_prefix("id: ")))
            .map(str::to_owned)
            .collect();
        let edges = [ids.first(), ids.last()];
        edges.into_iter().flatten().cloned().collect()
    }
}

/// A place within what the path names.
fn place(names: Names) -> Names {
    if names == Names::Only { Names::Only } else { Names::Place }
}

/// The administrator's token of an organisation whose name looks like this one's.
pub(super) fn almost(organization: &Organization) -> [Token; 2] {
    [organization.name.to_uppercase(), format!("{} ", organization.name)].map(|name| Token::org_admin(&name))
}

/// What has to be said beside a parameter: aggregates are not looked up by their id alone, nor accesses by a kind alone.
fn companion(path: &str, name: &str, value: &str) -> String {
    match (path, name) {
        ("/v1/aggregates", "aggregateId") => format!("&aggregateType={}", encode(&format!("Kind-{value}"))),
        ("/v1/accesses", "aggregateType") => format!("&aggregateId={}", encode(value)),
        _ => String::new(),
    }
}
