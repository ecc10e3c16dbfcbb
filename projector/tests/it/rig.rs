//! A database with events that come in any order, projectors, and the recount that they are held against.

use std::{sync::Arc, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use service::{Health, Shutdown};
use shared::{
    envelope::{Acceptance, accept},
    event::{Event, Promoted},
    json::ProtectedMarker,
    timestamp::Timestamp,
    vocabulary,
};
use store::{
    Batch, Candidate, Client, Entry, Log, RawRecord, SpanBuilder, Writer, projections::ProjectionState,
};
use test_support::{Role, TestDatabase, wait_until};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How long anything on a busy machine may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// 2025-11-20T12:00:00Z
pub(crate) const NOON: i64 = 1_763_640_000_000_000;
const DAY: i64 = 86_400_000_000;

/// What a test has of its own.
pub(crate) struct Rig {
    pub(crate) database: TestDatabase,
    pub(crate) superuser: Client,
    writer: Writer,
    logs: Vec<Log>,
    chance: StdRng,
}

impl Rig {
    /// A database, a writer of a topic with three partitions, and a chance of its own.
    pub(crate) async fn new(seed: u64) -> Self {
        let database = TestDatabase::create().await;
        let ingestor =
            store::connect(&database.database_url(Role::Ingestor), "projector-test").await.unwrap();
        let partitions: Vec<(String, i32)> =
            (0..3).map(|number| ("audit.events".to_owned(), number)).collect();
        let logs = store::logs::open_logs(&ingestor, "default", &partitions).await.unwrap();
        let url = database.database_url(Role::Ingestor);
        let writer = Writer::connect(&url, "projector-test", &["standard"]).await.unwrap();
        let superuser =
            store::connect(&database.database_url(Role::Superuser), "projector-test").await.unwrap();
        Self { database, superuser, writer, logs, chance: StdRng::seed_from_u64(seed) }
    }

    /// Appends these events to a partition.
    pub(crate) async fn append(&mut self, partition: usize, events: Vec<Event>) {
        let log = &mut self.logs[partition];
        let from = log.next_offset;
        let next = from + i64::try_from(events.len()).unwrap();
        let record = Arc::new(RawRecord {
            key: None,
            value: Some(b"as it came".as_slice().into()),
            headers: Vec::new(),
            timestamp_ms: None,
        });
        let candidate = |(offset, event)| {
            Entry::Candidate(Candidate {
                offset,
                event,
                retention_class: "standard".into(),
                record: Arc::clone(&record),
            })
        };
        let mut span = SpanBuilder::new(log.log_id, Arc::new(log.name.clone()));
        span.extend((from..next).zip(events).map(candidate));
        self.writer.append(&mut Batch { spans: vec![span.finish(None)] }).await.unwrap();
        log.next_offset = next;
    }

    /// Appends some batches of events of few aggregates, with versions and times in any order, some of them twice.
    pub(crate) async fn append_any(&mut self, batches: usize) {
        for _ in 0..batches {
            let count = self.chance.random_range(1..60);
            let mut events: Vec<Event> = (0..count).map(|_| any_event(&mut self.chance)).collect();
            // A duplicate is stored once, and counted once.
            events.push(events[0].clone());
            let partition = self.chance.random_range(0..self.logs.len());
            self.append(partition, events).await;
        }
    }

    /// Starts a projector inside the test.
    pub(crate) fn projector(&self, batch_max_events: usize) -> Running {
        let settings = projector::Settings {
            database_url: self.database.database_url(Role::Projector),
            batch_max_events,
            poll: Duration::from_millis(20),
        };
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { projector::run(settings, &Health::new(), shutdown).await });
        Running { stop, task }
    }

    /// Waits until every projection has read everything that is appended.
    pub(crate) async fn caught_up(&self) -> Vec<ProjectionState> {
        wait_until("the projections have read everything", PATIENCE, || async {
            let states = store::projections::states(&self.superuser).await.unwrap();
            states.iter().all(|state| state.as_of.behind == 0).then_some(states)
        })
        .await
    }

    /// Ends the sessions with this application name, as a restart of the server would.
    pub(crate) async fn end_sessions_of(&self, application_name: &str) {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = $1";
        self.superuser.query(sql, &[&application_name]).await.unwrap();
    }

    /// One number out of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.superuser.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Fails unless every projection equals a recount of the events.
    pub(crate) async fn assert_recounted(&self) {
        for (what, kept, recount) in RECOUNTS {
            let sql = format!(
                "with kept as ({kept}), recount as ({recount}), \
                 differing as ((select * from kept except all select * from recount) \
                 union all (select * from recount except all select * from kept)) \
                 select (select count(*) from differing), (select count(*) from kept), (select min(d::text) from differing d)"
            );
            let row = self.superuser.query_one(&sql, &[]).await.unwrap();
            let (differing, kept): (i64, i64) = (row.get(0), row.get(1));
            assert_eq!(differing, 0, "{what}: such as {:?}", row.get::<_, Option<String>>(2));
            assert!(kept > 0, "{what}: there is nothing to compare");
        }
    }

    /// Everything that the projections hold, as one text that any difference would change.
    pub(crate) async fn fingerprint(&self) -> String {
        let sql = "select md5(string_agg(line, '|' order by line)) from (
            select a::text as line from audit.aggregates a union all select t::text from audit.event_types t
            union all select s::text from audit.security_events s union all select r::text from audit.security_resolutions r
            union all select d::text from audit.data_accesses d union all select n::text from audit.statistics_series n
            union all select w::text from audit.accesses w
            union all select h::text from audit.statistics_hours h union all select g::text from audit.statistics_days g) everything";
        self.superuser.query_one(sql, &[]).await.unwrap().get(0)
    }
}

/// What each projection holds, and what counting the events anew gives: no code is shared with the projector.
const RECOUNTS: [(&str, &str, &str); 4] = [
    (
        "aggregates",
        "select organization_id, aggregate_type, aggregate_id, event_count, first_time, last_time, versions::text, double_versions::text, has_gap, has_fork from audit.aggregates",
        r#"select organization_id, aggregate_type, aggregate_id, sum(held)::bigint, min(first), max(last),
            coalesce(range_agg(int8range(version, version, '[]')) filter (where version > 0), '{}')::text,
            coalesce(range_agg(int8range(version, version, '[]')) filter (where version > 0 and held > 1), '{}')::text,
            count(*) filter (where version > 0) < max(version), coalesce(bool_or(held > 1) filter (where version > 0), false)
        from (select organization_id, aggregate_type, aggregate_id, version, count(*) as held, min("timestamp") as first, max("timestamp") as last
            from audit.events group by 1, 2, 3, 4) each
        group by 1, 2, 3"#,
    ),
    (
        "event_types",
        "select event_type, organization_id, event_count, first_time, last_time from audit.event_types",
        r#"select event_type, organization_id, count(*), min("timestamp"), max("timestamp") from audit.events group by 1, 2"#,
    ),
    (
        "hours",
        r#"select "hour", organization_id, aggregate_type, event_type, source, action, outcome, event_count
            from audit.statistics_hours join audit.statistics_series using (series_id) where user_id = ''"#,
        r#"select date_trunc('hour', "timestamp", 'UTC'), organization_id, aggregate_type, event_type, source, action,
            case when lower(metadata->>'outcome') in ('success', 'failure') then lower(metadata->>'outcome')
                when event_type = 'DataAccess' then 'success' when event_type = 'LOGIN_FAILED' then 'failure' else '' end, count(*)
        from audit.events group by 1, 2, 3, 4, 5, 6, 7"#,
    ),
    (
        "days",
        r#"select "day", user_id, organization_id, aggregate_type, event_type, source, action, outcome, event_count
            from audit.statistics_days join audit.statistics_series using (series_id)"#,
        r#"select date_trunc('day', "timestamp", 'UTC'), user_id, organization_id, aggregate_type, event_type, source, action,
            case when lower(metadata->>'outcome') in ('success', 'failure') then lower(metadata->>'outcome')
                when event_type = 'DataAccess' then 'success' when event_type = 'LOGIN_FAILED' then 'failure' else '' end, count(*)
        from audit.events group by 1, 2, 3, 4, 5, 6, 7, 8"#,
    ),
];

/// A projector inside the test.
pub(crate) struct Running {
    stop: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops it, and gives what it ended with.
    pub(crate) async fn stopped(self) -> anyhow::Result<()> {
        self.stop.request();
        self.task.await.unwrap()
    }

    /// Waits for an end that nobody asked for.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends by itself").unwrap()
    }
}

/// An event of one of few aggregates, whose version may be missing, double or late.
fn any_event(chance: &mut StdRng) -> Event {
    let organizations = ["", "acme", "globex"];
    let organization = organizations[chance.random_range(0..organizations.len())];
    let version = if chance.random_range(0..10) == 0 { 0 } else { chance.random_range(1..40) };
    let mut event = event(organization, &format!("o-{}", chance.random_range(0..12)), version);
    event.event_id = Uuid::from_u128(chance.random());
    event.event_type = format!("type-{}", chance.random_range(0..7));
    event.timestamp = Timestamp::from_micros(NOON - chance.random_range(0..400 * DAY));
    let mut any = |words: &[&str]| words[chance.random_range(0..words.len())].to_owned();
    event.promoted.user_id = any(&["", "u-1", "u-2"]);
    event.promoted.source = any(&["", "shop"]);
    event.promoted.action = any(&["", "READ", "READ "]);
    event.metadata = any(&[
        "{}",
        r#"{"outcome":"success"}"#,
        r#"{"outcome":"FAILURE"}"#,
        r#"{"outcome":"perhaps"}"#,
        r#"{"note":"no \"outcome\" here"}"#,
    ]);
    match chance.random_range(0..6) {
        0 => security_event(event),
        1 => data_access(event),
        2 => Event { event_type: "LOGIN_FAILED".to_owned(), ..event },
        _ => event,
    }
}

/// The same as a security event.
pub(crate) fn security_event(event: Event) -> Event {
    Event {
        event_type: "SUSPICIOUS_ACTIVITY".to_owned(),
        payload: r#"{"description":"an odd hour","details":{"attempts":7}}"#.to_owned(),
        metadata: r#"{"category":"security","severity":"high","userId":"u-1"}"#.to_owned(),
        promoted: Promoted { user_id: "u-1".to_owned(), ..Promoted::default() },
        ..event
    }
}

/// The same as a data access.
pub(crate) fn data_access(event: Event) -> Event {
    Event {
        event_type: "DataAccess".to_owned(),
        payload: r#"{"accessorUserId":"admin","subjectUserId":"u-9","fieldsAccessed":["name","a \"b\""]}"#
            .to_owned(),
        metadata: r#"{"category":"data-access"}"#.to_owned(),
        ..event
    }
}

/// The settlement of a security event, by somebody of this organisation.
pub(crate) fn resolution(security_event_id: Uuid, organization: &str, notes: &str) -> Event {
    let settled = vocabulary::Resolution {
        security_event_id,
        organization_id: organization.to_owned(),
        resolved_at: Timestamp::from_micros(NOON),
        notes: Some(notes.to_owned()),
        resolved_by: Some("u-2".to_owned()),
    };
    let envelope = vocabulary::resolution(&settled, test_support::unique_id());
    let acceptance = Acceptance {
        now: Timestamp::from_micros(NOON),
        topic_organization: "",
        protected: ProtectedMarker::Refused,
    };
    accept(envelope, &acceptance).unwrap()
}

/// The event of this version of an `Order`, at its own second.
pub(crate) fn event(organization: &str, aggregate_id: &str, version: i32) -> Event {
    Event {
        event_id: test_support::unique_id(),
        organization_id: organization.to_owned(),
        event_type: "OrderUpdated".to_owned(),
        aggregate_type: "Order".to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        timestamp: Timestamp::from_micros(NOON + i64::from(version % 1000) * 1_000_000),
        version,
        payload: "{}".to_owned(),
        metadata: "{}".to_owned(),
        promoted: Promoted::default(),
    }
}
