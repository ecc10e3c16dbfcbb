//! The restore drill: a store is backed up beside ingestion, lost, restored to a moment, and proved to be what it was then.
//!
//! `cargo xtask restore-drill` shows it to a person; `tests/it/restore.rs` asserts more about what it leaves.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use test_support::{
    Daemon, DaemonConfig, PostgresNode, Role, TestDatabase, TestRegistry, TestTopic, daemon::trailctl,
    servers, unique, wait_until,
};

use crate::{
    Seed,
    account::{self, Servers, Stored},
    feed::Feed,
    ledger::{self, Ledger},
    stack::text,
};

const PARTITIONS: i32 = 4;
const MOMENT: &str = "drill";

/// How large a drill is, and who is told how it goes.
pub struct Drill<'a> {
    /// Events stored before the backup, then before the moment, then after it.
    pub stage: i64,
    /// Records sent a second.
    pub rate: usize,
    /// Told each step when it is done.
    pub tell: &'a dyn Fn(&str),
}

/// What `trailctl ledger root` prints.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Root {
    /// The last append that is in it.
    pub size: i64,
    /// Hexadecimal.
    pub root: String,
    /// Events that these appends stored.
    pub events: i64,
    /// Offsets that they account for.
    pub offsets: i64,
}

/// A copy, and what is known of the store that was lost.
pub struct Restored {
    /// The copy's server.
    pub copy: PostgresNode,
    /// What leads programs to the copy.
    pub config: DaemonConfig,
    /// The root of the lost store's ledger up to the moment.
    pub at_moment: Root,
    /// The same when it was lost.
    pub at_end: Root,
    database: TestDatabase,
    topic: TestTopic,
    sent: Ledger,
    stored: Vec<Stored>,
}

/// `trailctl ledger root` with these arguments, and what it ends with.
pub async fn root(config: &DaemonConfig, arguments: &[&str]) -> (Root, Option<i32>) {
    let output = trailctl(config, &[&["ledger", "root", "--output", "json"], arguments].concat()).await;
    let parsed = serde_json::from_slice(&output.stdout);
    (parsed.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr))), output.status.code())
}

/// `trailctl verify`: how many events it looked at, or the first that is wrong.
pub async fn verify(config: &DaemonConfig) -> Result<i64, String> {
    let output = trailctl(config, &["verify", "--output", "json"]).await;
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    if output.status.success() {
        return Ok(said["events"].as_i64().expect("a number of events"));
    }
    let word = |name: &str| said["findings"][0][name].as_str().unwrap_or_default().to_owned();
    Err(format!("{} in {}: {}", word("row"), word("table"), word("problem")))
}

/// What fills a store.
struct Source {
    node: PostgresNode,
    database: TestDatabase,
    config: DaemonConfig,
    topic: TestTopic,
}

impl Source {
    async fn start() -> Self {
        let node = PostgresNode::start_archiving().await;
        let database = TestDatabase::create_on(&node).await;
        let topic = TestTopic::create(PARTITIONS).await;
        let dead_letters = TestTopic::create_named(&unique("dlq"), 1, &[]).await;
        let config = DaemonConfig::new(&database).topics(&[topic.name()]);
        Self { node, database, config: config.dead_letter_topic(dead_letters.name()), topic }
    }

    async fn count(&self) -> i64 {
        let client = self.node.connect(self.database.name()).await;
        client.query_one("select count(*) from audit.events", &[]).await.expect("readable").get(0)
    }

    /// Waits for so many more events; how many there are then.
    async fn wait_for(&self, more: i64) -> i64 {
        let before = self.count().await;
        wait_until("events are stored", Duration::from_mins(5), || async {
            Some(self.count().await).filter(|now| *now >= before + more)
        })
        .await
    }

    /// Names the moment between two appends, and waits for the archive; the number of the append before it.
    async fn name_moment(&self) -> i64 {
        let mut client = self.node.connect(self.database.name()).await;
        let transaction = client.transaction().await.expect("a transaction");
        // Every append moves the head just before it commits: who holds it stands between two of them.
        let held = "select last from audit.append_head for update";
        let last = transaction.query_one(held, &[]).await.expect("the head is read").get(0);
        let file = self.node.name_moment(MOMENT).await;
        transaction.rollback().await.expect("the head is let go");
        self.node.archives(&file).await;
        last
    }

    /// The disk breaks; then the backup and the archive become a copy.
    async fn lose_and_restore(self, backup: TempDir, tell: &dyn Fn(&str)) -> (PostgresNode, TestDatabase) {
        let archive = self.node.lose();
        tell("the primary is killed and its data removed");
        let copy = PostgresNode::restore(backup, &archive, MOMENT).await;
        tell("restored from the base backup and the archive, up to the moment");
        (copy, self.database)
    }
}

impl Drill<'_> {
    /// Fills a store, takes a backup and names a moment meanwhile, loses the store and restores it.
    pub async fn lose_and_restore(&self, seed: Seed) -> Restored {
        let source = Source::start().await;
        let config = source.config.clone();
        let ingestor = Daemon::ingestor(&config).ready().await;
        let schema_id = TestRegistry::connect().await.canonical_id();
        let feed = Feed::new(seed.source("feed"), source.topic.name(), PARTITIONS, schema_id, 20);
        let producing = ledger::produce(&servers::kafka_bootstrap(), feed, self.rate);
        self.tell("a primary that archives its write-ahead log, and an ingestor at work");

        let events = source.wait_for(self.stage).await;
        let backup = source.node.back_up();
        self.tell(&format!("base backup taken beside ingestion (pg_basebackup), after {events} events"));
        source.wait_for(self.stage).await;
        let last = source.name_moment().await;
        self.tell(&format!("the moment: append {last} is in it, the archive reaches it"));
        let events = source.wait_for(self.stage).await;
        self.tell(&format!(
            "{events} events are stored by now; what came after the moment must not be in the copy"
        ));
        let sent = producing.finish().await;
        let (stored, _) =
            account::check(&servers_at(source.database.url_for(Role::Superuser)), source.topic.name(), &sent)
                .await;
        assert!(ingestor.stop().await.success(), "the ingestor stops in order");

        let events = verify(&config).await.expect("the primary is clean");
        let (at_end, _) = root(&config, &[]).await;
        let (at_moment, _) = root(&config, &["--at", &last.to_string()]).await;
        self.tell(&format!(
            "trailctl verify of the primary: clean, {events} events, {} appends",
            at_end.size
        ));
        self.tell(&format!("trailctl ledger root --at {last} of the primary: {}", at_moment.root));
        let topic = source.topic.clone();
        let (copy, database) = source.lose_and_restore(backup, self.tell).await;
        let config = config.database_at(&copy);
        Restored { copy, config, at_moment, at_end, database, topic, sent, stored }
    }

    fn tell(&self, step: &str) {
        (self.tell)(step);
    }
}

impl Restored {
    /// Whether the copy is what the store was at the moment, row by row; else what differs.
    pub async fn prove(&self, tell: &dyn Fn(&str)) -> Result<(), Vec<String>> {
        let mut differs = Vec::new();
        match verify(&self.config).await {
            Ok(events) => tell(&format!("trailctl verify of the copy: clean, {events} events")),
            Err(finding) => differs.push(format!("trailctl verify of the copy: {finding}")),
        }
        let (copy, _) = root(&self.config, &[]).await;
        tell(&format!("trailctl ledger root of the copy: append {}, {}", copy.size, copy.root));
        if copy != self.at_moment {
            differs
                .push(format!("the ledger of the copy is {copy:?}, the primary's was {:?}", self.at_moment));
        }
        if differs.is_empty() { Ok(()) } else { Err(differs) }
    }

    /// The copy takes over: its own positions count, whatever Kafka's group says, so what came after the moment is read again.
    /// Nothing is lost, nothing doubled; how many events there are then.
    pub async fn go_on(&self) -> usize {
        let ingestor = Daemon::ingestor(&self.config).ready().await;
        let postgres = self.copy.in_place_of(&self.database.url_for(Role::Superuser));
        let (again, _) = account::check(&servers_at(postgres), self.topic.name(), &self.sent).await;
        assert_eq!(ids(&again), ids(&self.stored), "the copy has the events of the lost store");
        assert!(ingestor.stop().await.success(), "the ingestor stops in order");
        again.len()
    }

    /// A superuser changes one event of the copy.
    pub async fn alter_a_row(&self) {
        let client = self.connect().await;
        let partition = "select tableoid::regclass::text from audit.events limit 1";
        let partition: String = client.query_one(partition, &[]).await.expect("readable").get(0);
        let alter = format!(
            "alter table {partition} disable trigger user; update {partition} set user_id = user_id || 'x'
             where ctid = (select ctid from {partition} limit 1)"
        );
        client.batch_execute(&alter).await.expect("a superuser can");
    }

    /// A superuser's connection to the copy.
    pub async fn connect(&self) -> tokio_postgres::Client {
        self.copy.connect(self.database.name()).await
    }
}

fn servers_at(postgres: String) -> Servers {
    Servers { kafka: servers::kafka_bootstrap(), postgres }
}

/// What is stored; of two records with one id, in two partitions, either may be the first.
fn ids(stored: &[Stored]) -> Vec<&str> {
    let mut ids: Vec<_> = stored.iter().map(|event| event.event_id.as_str()).collect();
    ids.sort_unstable();
    ids
}
