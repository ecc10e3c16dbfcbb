//! What is done to the product, and undone.

use std::{process::Command, sync::Arc, time::Duration};

use store::ledger;
use test_support::{Daemon, Role, TestTopic, Token, canonical_event, rabbitmq::numbered, wait_until};

use super::{
    PATIENCE,
    product::{Product, ask_again_and_again},
};

/// More than `AuditIngestLag` allows.
const FLOOD: usize = 100_100;
/// Each question and each answer takes so long; a statement is a few of them.
const SLOWNESS: Duration = Duration::from_millis(700);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A producer sends what is no event, and the topic of the dead letters is not there.
    UnreadableRecordAndNoTopicForIt,
    /// The same from an older service; then the bridge's RabbitMQ is gone.
    UnreadableMessageAndThenRabbitAway,
    StandbyAway,
    ProjectorsDatabaseAway,
    /// A client without a role tries again and again.
    ForbiddenRequests,
    /// Somebody's transaction holds the projections' positions, and does not end.
    ProjectionsHeld,
    /// The same with the logs' positions; and more records wait than one may be behind.
    LogsHeldAndManyRecords,
    MoreRequestsThanASlowDatabaseTakes,
    BridgeOutOfFiles,
    /// kill -9; before it is started again, Kafka has lost records that it had not read, and made another topic anew; the operator
    /// accepts the gap.
    IngestorDiesAndKafkaForgets,
    ProjectorsConnectionsCut,
    NobodyScrapesTheApi,
    /// The ingestor is replaced by one whose topic nobody has made.
    TopicMissing,
}

impl Product {
    /// Lets it go wrong.
    pub(super) async fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::UnreadableRecordAndNoTopicForIt => {
                self.topic.produce(Some(b"key"), Some(b"no event")).await;
            }
            Fault::UnreadableMessageAndThenRabbitAway => self.unreadable_message().await,
            Fault::StandbyAway => self.ways.standby.refuse(),
            Fault::ProjectorsDatabaseAway => self.ways.projector.refuse(),
            Fault::ForbiddenRequests => {
                let url = self.api.url("/v1/events");
                self.meanwhile.spawn(ask_again_and_again(url, Token::with_roles(&[])));
            }
            Fault::ProjectionsHeld => self.hold_projections().await,
            Fault::LogsHeldAndManyRecords => self.hold_logs_before_many_records().await,
            Fault::MoreRequestsThanASlowDatabaseTakes => {
                self.ways.api.delay(SLOWNESS);
                for _ in 0..12 {
                    let url = self.api.url("/v1/events");
                    self.meanwhile.spawn(ask_again_and_again(url, Token::admin()));
                }
            }
            Fault::BridgeOutOfFiles => {
                let open = self.bridge.metric("process_open_fds").await;
                limit_files(&self.bridge, &format!("{:.0}:", open * 1.15));
            }
            Fault::IngestorDiesAndKafkaForgets => self.ingestor_dies_and_kafka_forgets().await,
            Fault::ProjectorsConnectionsCut => {
                let way = Arc::clone(&self.ways.projector);
                self.meanwhile.spawn(async move {
                    loop {
                        way.cut();
                        tokio::time::sleep(Duration::from_millis(700)).await;
                    }
                });
            }
            Fault::NobodyScrapesTheApi => self.scrape(false).await,
            Fault::TopicMissing => self.replace_ingestor().await,
        }
    }

    /// Puts it right again.
    pub(super) async fn mend(&mut self, fault: Fault) {
        // What goes on is of one round, and all of it ends with that.
        self.meanwhile.abort_all();
        self.held.retain(|(held_by, _)| *held_by != fault);
        match fault {
            Fault::UnreadableRecordAndNoTopicForIt => {
                TestTopic::create_named(&self.dead_letters, 1, &[]).await;
            }
            Fault::UnreadableMessageAndThenRabbitAway => self.ways.rabbit.heal(),
            Fault::StandbyAway => self.ways.standby.heal(),
            Fault::ProjectorsDatabaseAway => self.ways.projector.heal(),
            Fault::ProjectionsHeld
            | Fault::LogsHeldAndManyRecords
            | Fault::ForbiddenRequests
            | Fault::ProjectorsConnectionsCut => {}
            Fault::MoreRequestsThanASlowDatabaseTakes => self.ways.api.heal(),
            Fault::BridgeOutOfFiles => limit_files(&self.bridge, "1024:"),
            Fault::IngestorDiesAndKafkaForgets => {
                let operator = self.database.connect(Role::Operator).await;
                let accepting = ledger::new_incarnation(&operator, "default", self.replaced.name(), 0);
                accepting.await.expect("the operator may");
            }
            Fault::NobodyScrapesTheApi => self.scrape(true).await,
            Fault::TopicMissing => {
                TestTopic::create_named(&self.missing, 1, &[]).await;
            }
        }
    }

    async fn unreadable_message(&self) {
        let (properties, _) = numbered::message(0);
        self.rabbit.publish("events", "user.updated", properties, b"no event").await;
        wait_until("the message is refused", PATIENCE, || async {
            let refused = self.bridge.metric("audit_bridge_messages_dead_lettered_total").await;
            (refused >= 1.0).then_some(())
        })
        .await;
        self.ways.rabbit.refuse();
    }

    async fn hold_projections(&mut self) {
        self.hold(Fault::ProjectionsHeld, "select from audit.projections for update").await;
        let stored = self.ingestor.metric("audit_events_stored_total").await;
        self.topic.send(self.registry.record(canonical_event("held up", 1))).await;
        self.has_stored(stored + 1.0).await;
    }

    /// They come while the ingestor reads nothing, so that it knows of all when it reads the first.
    async fn hold_logs_before_many_records(&mut self) {
        self.ways.ingestor.refuse();
        // One event again and again: it is stored once, and soon caught up with.
        let record = self.registry.record(canonical_event("again", 1));
        self.topic.send_all(std::iter::repeat_n(record, FLOOD)).await;
        self.hold(Fault::LogsHeldAndManyRecords, "select from audit.logs for update").await;
        self.ways.ingestor.heal();
    }

    /// Does this in a transaction that does not end before the fault.
    async fn hold(&mut self, fault: Fault, statement: &str) {
        let client = self.database.connect(Role::Superuser).await;
        client.batch_execute(&format!("begin; {statement}")).await.expect("the superuser may");
        self.held.push((fault, client));
    }

    async fn ingestor_dies_and_kafka_forgets(&mut self) {
        self.ingestor.kill();
        let lost = (6..=9).map(|version| self.registry.record(canonical_event("lost", version)));
        self.short_lived.send_all(lost.collect::<Vec<_>>()).await;
        self.short_lived.delete_records_before(0, 7).await;
        self.replaced.delete().await;
        self.fires("AuditDown").await;
        self.replaced = TestTopic::create_named(self.replaced.name(), 1, &[]).await;
        self.ingestor = Daemon::ingestor(&self.config);
        self.scrape(true).await;
        self.fires("AuditGapWaits").await;
        let operator = self.database.connect(Role::Operator).await;
        ledger::accept_gap(&operator, "default", self.short_lived.name(), 0, 7)
            .await
            .expect("the operator may");
    }

    async fn replace_ingestor(&mut self) {
        let config = self.config.clone().topics(&[&self.missing]);
        let old = std::mem::replace(&mut self.ingestor, Daemon::ingestor(&config));
        let url = self.ingestor.telemetry_url("/health/live");
        wait_until("the new ingestor answers", PATIENCE, || async { reqwest::get(&url).await.ok() }).await;
        self.scrape(false).await;
        assert!(old.stop().await.success());
    }

    async fn fires(&self, alert: &str) {
        wait_until(&format!("{alert} fires"), PATIENCE, || async {
            self.prometheus.firing().await.contains(alert).then_some(())
        })
        .await;
    }
}

/// `prlimit --nofile`, of a process that runs: the soft limit, and the hard one stays.
fn limit_files(daemon: &Daemon, most: &str) {
    let mut prlimit = Command::new("prlimit");
    let status = prlimit.arg(format!("--pid={}", daemon.pid())).arg(format!("--nofile={most}")).status();
    assert!(status.expect("util-linux has prlimit").success(), "prlimit --nofile={most}");
}
