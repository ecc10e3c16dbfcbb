//! The daemons, each with a way of its own to the database, and a Prometheus that scrapes them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use test_support::{
    Daemon, DaemonConfig, FaultProxy, Prometheus, Role, TestDatabase, TestRabbit, TestRegistry, TestTopic,
    Token, canonical_event, servers, unique, wait_until,
};
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::{PATIENCE, faults::Fault};

/// Requests at once that the API works on; more are refused.
const PLACES: usize = 4;

/// Evaluations of the rules, long enough that what fires by fits and starts would.
const A_WHILE: u64 = 10;

/// What runs, and what is done to it.
pub(super) struct Product {
    pub(super) prometheus: Prometheus,
    pub(super) database: TestDatabase,
    pub(super) registry: TestRegistry,
    pub(super) rabbit: TestRabbit,
    pub(super) ways: Ways,
    /// Read all the time.
    pub(super) topic: TestTopic,
    /// Its records are lost.
    pub(super) short_lived: TestTopic,
    /// Another one takes its name.
    pub(super) replaced: TestTopic,
    /// Not there from the beginning.
    pub(super) dead_letters: String,
    pub(super) missing: String,
    pub(super) config: DaemonConfig,
    pub(super) ingestor: Daemon,
    pub(super) api: Daemon,
    pub(super) bridge: Daemon,
    pub(super) projector: Daemon,
    /// What goes on until the fault is mended.
    pub(super) meanwhile: JoinSet<()>,
    /// Connections whose transactions hold something.
    pub(super) held: Vec<(Fault, Client)>,
    _requests: JoinSet<()>,
}

/// To the servers.
pub(super) struct Ways {
    pub(super) ingestor: FaultProxy,
    pub(super) projector: Arc<FaultProxy>,
    pub(super) api: FaultProxy,
    pub(super) standby: FaultProxy,
    pub(super) rabbit: FaultProxy,
}

impl Ways {
    async fn new() -> Self {
        let place = |url: &str, port: u16| {
            let url = reqwest::Url::parse(url).expect("a URL");
            format!("127.0.0.1:{}", url.port().unwrap_or(port))
        };
        let database = place(&servers::postgres_url(), 5432);
        Self {
            ingestor: FaultProxy::start(&database).await,
            projector: Arc::new(FaultProxy::start(&database).await),
            api: FaultProxy::start(&database).await,
            standby: FaultProxy::start(&database).await,
            rabbit: FaultProxy::start(&place(&servers::rabbitmq_url(), 5672)).await,
        }
    }

    fn configure(&self, database: &TestDatabase, rabbit: &TestRabbit) -> DaemonConfig {
        let quoted = |url: String| format!("{url:?}");
        rabbit
            .configure(DaemonConfig::new(database))
            .set("rabbitmq", "url", quoted(self.rabbit.url(rabbit.url())))
            .database_url("ingestor_url", &self.ingestor.url(&database.url_for(Role::Ingestor)))
            .database_url("projector_url", &self.projector.url(&database.url_for(Role::Projector)))
            .database_url("api_url", &self.api.url(&database.url_for(Role::Api)))
            // The primary by another way: what is asked of it there is the same.
            .database_url("replica_url", &self.standby.url(&database.url_for(Role::Api)))
    }
}

impl Product {
    /// Everything runs, and each part has something to do.
    pub(super) async fn start(rules: &str) -> Self {
        let (database, registry, rabbit) =
            (TestDatabase::create().await, TestRegistry::connect().await, TestRabbit::new().await);
        let (topic, short_lived, replaced) =
            (TestTopic::create(2).await, TestTopic::create(1).await, TestTopic::create(1).await);
        let (ways, dead_letters) = (Ways::new().await, unique("dlq"));
        let config = ways
            .configure(&database, &rabbit)
            .topics(&[topic.name(), short_lived.name(), replaced.name()])
            .dead_letter_topic(&dead_letters)
            .set("rabbitmq", "topic", format!("{:?}", topic.name()))
            // A new process has the partitions of the one before at once.
            .set("ingestor", "instance_id", "\"the-only-one\"")
            .set("ingestor", "on_gap", "\"stop\"")
            .set("api", "pool_size", "2")
            .set("api", "max_concurrent_requests", PLACES.to_string());
        let ingestor = Daemon::ingestor(&config).ready().await;
        let api = Daemon::audit_api(&config).ready().await;
        let bridge = Daemon::rabbitmq_bridge(&config).ready().await;
        let projector = Daemon::projector(&config).ready().await;
        let prometheus = Prometheus::start(rules, &jobs(Some(&api), &ingestor, &bridge, &projector)).await;
        let mut requests = JoinSet::new();
        requests.spawn(ask_again_and_again(api.url("/v1/events"), Token::admin()));
        for topic in [&topic, &short_lived, &replaced] {
            let events = (1..=5).map(|version| registry.record(canonical_event(topic.name(), version)));
            topic.send_all(events.collect::<Vec<_>>()).await;
        }
        let product = Self {
            prometheus,
            database,
            registry,
            rabbit,
            ways,
            topic,
            short_lived,
            replaced,
            dead_letters,
            missing: unique("missing"),
            config,
            ingestor,
            api,
            bridge,
            projector,
            meanwhile: JoinSet::new(),
            held: Vec::new(),
            _requests: requests,
        };
        product.has_stored(15.0).await;
        product
    }

    /// So many events are stored by this ingestor.
    pub(super) async fn has_stored(&self, events: f64) {
        wait_until("the events are stored", PATIENCE, || async {
            (self.ingestor.metric("audit_events_stored_total").await >= events).then_some(())
        })
        .await;
    }

    /// All of these have fired since then; what has is told as it does.
    pub(super) async fn raises(&self, wanted: &BTreeSet<String>, before: &BTreeMap<String, u64>) {
        let told = RefCell::new(BTreeSet::new());
        wait_until(&format!("{wanted:?} have fired"), PATIENCE, || async {
            let fired = self.prometheus.fired_since(before).await;
            if told.replace(fired.clone()) != fired {
                eprintln!("{fired:?}");
            }
            wanted.is_subset(&fired).then_some(())
        })
        .await;
    }

    /// No alert fires any more, for a while.
    pub(super) async fn is_quiet(&self, after: &str) {
        wait_until(&format!("all is quiet after {after}"), PATIENCE, || async {
            let before = self.prometheus.fired().await;
            self.evaluates(A_WHILE).await;
            self.prometheus.fired_since(&before).await.is_empty().then_some(())
        })
        .await;
    }

    /// The rules are evaluated so often from now on.
    pub(super) async fn evaluates(&self, times: u64) {
        let before = self.prometheus.evaluations().await;
        wait_until("the rules are evaluated", PATIENCE, || async {
            (self.prometheus.evaluations().await > before + times).then_some(())
        })
        .await;
    }

    /// Stops the bridge and takes its queues away.
    pub(super) async fn end(self) {
        assert!(self.bridge.stop().await.success());
        self.rabbit.remove().await;
    }

    /// Prometheus scrapes every daemon, or all but the API.
    pub(super) async fn scrape(&self, with_api: bool) {
        let api = with_api.then_some(&self.api);
        self.prometheus.scrape(&jobs(api, &self.ingestor, &self.bridge, &self.projector)).await;
    }
}

/// The daemons by the jobs that the rules know them by.
fn jobs<'a>(
    api: Option<&'a Daemon>,
    ingestor: &'a Daemon,
    bridge: &'a Daemon,
    projector: &'a Daemon,
) -> [(&'a str, Option<&'a Daemon>); 4] {
    [("api", api), ("ingestor", Some(ingestor)), ("bridge", Some(bridge)), ("projector", Some(projector))]
}

/// Asks until it is aborted, whatever the answers.
pub(super) async fn ask_again_and_again(url: String, token: Token) {
    let client = reqwest::Client::new();
    loop {
        let request = client.get(&url).header("authorization", token.bearer());
        let _ = request.send().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
