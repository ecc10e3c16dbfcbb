//! Exchanges and queues, a topic and a database, ready for a bridge and an ingestor.

use std::time::Duration;

use test_support::{
    Daemon, DaemonConfig, Role, TestDatabase, TestRabbit, TestTopic, rabbitmq::numbered::Copies, wait_until,
};

/// How long anything on this busy machine may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// What a test has of its own.
pub(crate) struct Rig {
    pub(crate) rabbit: TestRabbit,
    pub(crate) topic: TestTopic,
    pub(crate) database: TestDatabase,
}

/// A stored event, as the tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) aggregate_id: String,
    pub(crate) payload: String,
    pub(crate) metadata: String,
}

/// The copies of numbered messages among these.
pub(crate) fn copies(stored: &[Stored]) -> Copies {
    let mut copies = Copies::default();
    for event in stored {
        copies.count(&event.payload, &event.metadata);
    }
    copies
}

impl Rig {
    /// On the test RabbitMQ.
    pub(crate) async fn new() -> Self {
        Self::with(TestRabbit::new().await).await
    }

    /// Around these exchanges and queues.
    pub(crate) async fn with(rabbit: TestRabbit) -> Self {
        Self { rabbit, topic: TestTopic::create(4).await, database: TestDatabase::create().await }
    }

    /// The configuration of a bridge, an ingestor and an API for this rig.
    pub(crate) fn config(&self) -> DaemonConfig {
        let config = DaemonConfig::new(&self.database).topics(&[self.topic.name()]);
        self.rabbit.configure(config).set("rabbitmq", "topic", format!("{:?}", self.topic.name()))
    }

    /// A started, ready bridge.
    pub(crate) async fn bridge(&self) -> Daemon {
        Daemon::rabbitmq_bridge(&self.config()).ready().await
    }

    /// A started, ready ingestor.
    pub(crate) async fn ingestor(&self) -> Daemon {
        Daemon::ingestor(&self.config()).ready().await
    }

    /// Waits until so many records of the topic have a fate; gives the stored events in the order of each partition.
    pub(crate) async fn stored(&self, records: i64) -> Vec<Stored> {
        let client = self.database.connect(Role::Superuser).await;
        wait_until(&format!("{records} records have a fate"), PATIENCE, || async {
            let row =
                client.query_one("select coalesce(sum(next_offset), 0)::bigint from audit.logs", &[]).await;
            (row.expect("logs").get::<_, i64>(0) >= records).then_some(())
        })
        .await;
        let statement = "select aggregate_id, payload::text, metadata::text from audit.events order by log_id, \"offset\"";
        let rows = client.query(statement, &[]).await.expect("events");
        let stored = |row: &tokio_postgres::Row| Stored {
            aggregate_id: row.get(0),
            payload: row.get(1),
            metadata: row.get(2),
        };
        rows.iter().map(stored).collect()
    }

    /// Waits until so many records are in the topic, and gives how many there are.
    pub(crate) async fn produced(&self, at_least: i64) -> i64 {
        wait_until(&format!("{at_least} records are in the topic"), PATIENCE, || async {
            Some(self.topic.end_offsets().await.iter().sum()).filter(|records| *records >= at_least)
        })
        .await
    }

    /// Lets the bridge work off the queue, and stops it. A stop gives back what was delivered and not yet taken in, so it
    /// may take another turn.
    pub(crate) async fn drain(&self, mut bridge: Daemon) {
        loop {
            wait_until("everything is delivered", PATIENCE, || async {
                (self.rabbit.waiting("audit-service.events").await == 0).then_some(())
            })
            .await;
            assert!(bridge.stop().await.success());
            if self.is_drained().await {
                return;
            }
            bridge = self.bridge().await;
        }
    }

    /// Whether nothing is left in the consumed queue, delivered or not: the bridge must have been stopped.
    pub(crate) async fn is_drained(&self) -> bool {
        self.rabbit.waiting("audit-service.events").await == 0
    }
}
