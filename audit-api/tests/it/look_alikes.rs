//! Two organisations whose data look alike: what could name a thing of one names a thing of the other too, and each also
//! has things that only it has. Words that nobody else's rows hold tell whose bytes an answer shows.

use std::collections::BTreeMap;

use serde_json::json;
use shared::{envelope::Envelope, position::Position, refusal::Reason};
use test_support::{EventBuilder, Role, TestDatabase, Token, canonical_event};
use uuid::Uuid;

use crate::{
    feeder::{Feeder, Record},
    projected::project,
    server::Server,
};

/// Names that both organisations use: of the aggregate, its user, their correlation, the rest.
pub(crate) const SHARED: &str = "shared-7";

/// What was sent to Kafka and was no event; whose, nobody knows.
pub(crate) const LETTER: &str = "secret value";

/// One of the two.
pub(crate) struct Organization {
    pub(crate) name: &'static str,
    /// In the payload and a note of the metadata of each of its events: no request can hold it.
    pub(crate) secret: &'static str,
    /// The name of everything that only it has.
    pub(crate) only: &'static str,
    /// An event of the shared aggregate, which the other names as a cause; one of its own; a security event.
    pub(crate) shared_event: Uuid,
    pub(crate) own_event: Uuid,
    pub(crate) security_event: Uuid,
    /// A replay job that was cancelled.
    pub(crate) job: Uuid,
    /// Where each of its events is.
    pub(crate) positions: BTreeMap<Uuid, Position>,
    /// Where one of them came again.
    pub(crate) duplicate: Position,
}

impl Organization {
    fn new(name: &'static str, secret: &'static str, only: &'static str, number: u128) -> Self {
        let id = |nth: u128| Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | number << 8 | nth);
        Self {
            name,
            secret,
            only,
            shared_event: id(1),
            own_event: id(4),
            security_event: id(5),
            job: id(50),
            positions: BTreeMap::new(),
            duplicate: Position { log_id: 0, offset: 0 },
        }
    }

    /// Its administrator.
    pub(crate) fn admin(&self) -> Token {
        Token::org_admin(self.name)
    }

    fn event(&self, event_id: Uuid, aggregate: &str, version: i64) -> EventBuilder {
        canonical_event(aggregate, version)
            .id(event_id.to_string())
            .organization(self.name)
            .payload(&json!({ "secret": self.secret, "description": self.secret, "subject": aggregate }))
            .metadata("note", self.secret)
    }

    /// With this name wherever an event can have one.
    fn named(builder: EventBuilder, name: &str) -> EventBuilder {
        let builder = builder.event_type(&format!("Type-{name}")).aggregate_type(&format!("Kind-{name}"));
        ["userId", "source", "action", "correlationId", "causationId"]
            .into_iter()
            .fold(builder, |builder, key| builder.metadata(key, name))
    }

    /// Its events; some name an event of the other organisation as their cause, or as what they settle.
    fn events(&self, other: &Self) -> Vec<Envelope> {
        let id = |nth: u128| Uuid::from_u128(self.shared_event.as_u128() - 1 + nth);
        let alike = |nth, version| Self::named(self.event(id(nth), SHARED, version), SHARED);
        let data_access = json!({
            "secret": self.secret, "accessorUserId": SHARED, "accessorName": self.secret, "subjectUserId": SHARED,
            "dataType": "PersonalInfo", "purpose": "CustomerSupport", "fieldsAccessed": [self.secret],
        });
        let settled = json!({ "secret": self.secret, "resolutionNotes": self.secret, "isResolved": true });
        [
            alike(1, 1),
            alike(2, 2).metadata("causationId", other.shared_event.to_string()),
            alike(3, 3).metadata("causationId", self.shared_event.to_string()),
            Self::named(self.event(self.own_event, self.only, 1), self.only),
            Self::named(self.event(self.security_event, self.only, 2), self.only)
                .metadata("category", "security")
                .metadata("severity", "critical"),
            alike(6, 4).metadata("category", "security").metadata("severity", "critical"),
            Self::named(self.event(id(7), self.only, 3), self.only)
                .payload(&data_access)
                .metadata("category", "data-access"),
            alike(8, 5).payload(&data_access).metadata("category", "data-access"),
            // Settles the other's security event: that must stay open, and must not show these notes.
            self.event(id(9), &other.security_event.to_string(), 0)
                .event_type(shared::vocabulary::RESOLVED_TYPE)
                .aggregate_type(shared::vocabulary::SECURITY_AGGREGATE)
                .payload(&settled),
            alike(10, 0).aggregate_type("AuditAccess").event_type("Access"),
            self.access(id(11), SHARED),
            self.access(id(12), self.only),
        ]
        .map(EventBuilder::build)
        .into()
    }

    /// Somebody of this name looked at whom and what has this name.
    fn access(&self, event_id: Uuid, name: &str) -> EventBuilder {
        let access = json!({
            "operation": "listEvents", "method": "GET", "path": "/v1/events", "accessor": {"kind": "token", "id": name},
            "parameters": [{"name": "secret", "value": self.secret}], "subjects": [name],
            "aggregates": [{"aggregateType": format!("Kind-{name}"), "aggregateId": name}],
            "outcome": "answered", "status": 200, "rows": 1, "requestId": name,
        });
        Self::named(self.event(event_id, name, 0), name)
            .aggregate_type("AuditAccess")
            .event_type("AuditAccess.Answered")
            .payload(&access)
    }

    async fn store(&mut self, feeder: &mut Feeder, other: &Self) {
        let events = self.events(other);
        let ids = events.iter().map(|event| event.event_id.parse().expect("an id")).collect::<Vec<Uuid>>();
        // The first one comes twice: a duplicate.
        let records = events.iter().chain(events.first()).cloned();
        let records: Vec<Record> = records.map(|event| Record::Event(crate::feeder::event(event))).collect();
        let positions = feeder.append(records).await;
        self.duplicate = *positions.last().expect("what came again");
        self.positions = ids.into_iter().zip(positions).collect();
    }

    async fn store_job(&self, database: &TestDatabase) {
        let sql = "insert into audit.replay_jobs (job_id, topic, filter, organization_id, created_by, until_append, \
                   reached_append, state, ended_at) values ($1, 'replays', $2, $3, $4, 1, 1, 'cancelled', now())";
        let filter = json!({ "userId": [self.only] }).to_string();
        let client = database.connect(Role::Superuser).await;
        client.execute(sql, &[&self.job, &filter, &self.name, &self.only]).await.expect("stored");
    }
}

/// Both, stored and projected, with a dead letter between them.
pub(crate) struct LookAlikes {
    pub(crate) north: Organization,
    pub(crate) south: Organization,
    pub(crate) letter: Position,
    /// The topic of the dead letter.
    pub(crate) letters: String,
}

impl LookAlikes {
    /// The dead letter comes from this topic.
    pub(crate) async fn stored(server: &Server, letters: &str) -> Self {
        let mut north = Organization::new("north", "whisper-of-north-5f1d", "only-north-5f1d", 1);
        let mut south = Organization::new("south", "whisper-of-south-c29a", "only-south-c29a", 2);
        let mut feeder = server.feeder().await;
        north.store(&mut feeder, &south).await;
        let letter = feeder.append_to(letters, 0, [Record::Refused(Reason::Undecodable)]).await[0];
        south.store(&mut feeder, &north).await;
        project(&server.database).await;
        north.store_job(&server.database).await;
        south.store_job(&server.database).await;
        Self { north, south, letter, letters: letters.to_owned() }
    }

    /// Each as the one whose data are wanted, with the other, who wants them.
    pub(crate) fn pairs(&self) -> [(&Organization, &Organization); 2] {
        [(&self.north, &self.south), (&self.south, &self.north)]
    }
}
