//! librdkafka's callbacks, which run on the poll thread, inside `poll`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::BrokerFaults;
use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};
use tracing::{debug, info, warn};

use super::{
    claim::Claim,
    table::{Table, list_of},
};
use crate::health::Conditions;

/// What the callbacks and the poll loop share. The lock is never contended: both run on one thread.
#[derive(Debug)]
pub struct GroupContext {
    table: Mutex<Table>,
    taken: Mutex<Vec<Arc<Claim>>>,
    conditions: Conditions,
    faults: BrokerFaults,
}

impl GroupContext {
    /// No partition is ours yet.
    pub fn new(conditions: Conditions, faults: BrokerFaults) -> Self {
        Self { table: Mutex::default(), taken: Mutex::default(), conditions, faults }
    }

    /// The partitions.
    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The claims on partitions that the group gave us since the last call: to be started.
    pub fn newly_taken(&self) -> Vec<Arc<Claim>> {
        std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes what is ours now; each partition is assigned with its offset once that is read from the database.
    ///
    /// The empty assign tells librdkafka that the rebalance is done: otherwise this member would hold up the whole
    /// group for as long as the database is away.
    fn assigned(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let claims = {
            let mut table = self.table();
            let mut take = |topic: &str, partition| table.take(topic, partition);
            partitions.elements().iter().map(|it| take(it.topic(), it.partition())).collect::<Vec<_>>()
        };
        info!(partitions = %names(partitions), "partitions_assigned");
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).extend(claims);
        if let Err(error) = consumer.incremental_assign(&TopicPartitionList::new()) {
            warn!(%error, "the assignment could not be acknowledged");
        }
        self.conditions.in_group();
    }

    /// Stops fetching at once, and makes everything read of these partitions void.
    fn revoked(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let released: Vec<_> = {
            let mut table = self.table();
            let mut release = |topic: &str, partition| table.release(topic, partition);
            partitions.elements().iter().filter_map(|it| release(it.topic(), it.partition())).collect()
        };
        let lost = consumer.assignment_lost();
        info!(partitions = %names(partitions), lost, "partitions_revoked");
        let fetched =
            list_of(released.iter().filter(|owned| owned.log().is_some()).map(|owned| &owned.claim));
        if let Err(error) = consumer.incremental_unassign(&fetched) {
            warn!(%error, "the revocation could not be acknowledged");
        }
    }
}

fn names(partitions: &TopicPartitionList) -> String {
    let names: Vec<_> =
        partitions.elements().iter().map(|it| format!("{}/{}", it.topic(), it.partition())).collect();
    names.join(" ")
}

impl ClientContext for GroupContext {
    fn error(&self, error: KafkaError, reason: &str) {
        self.faults.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let connected = statistics.brokers.values().any(|broker| broker.state == "UP");
        let joined = statistics.cgrp.as_ref().is_some_and(|group| group.rebalance_cnt > 0);
        match (connected, joined) {
            (true, true) => {
                self.faults.clear();
                self.conditions.in_group();
            }
            (false, _) => {
                let why = self.faults.last().map(|reason| format!(": {reason}")).unwrap_or_default();
                self.conditions.out_of_group(&format!("no broker is connected{why}"));
            }
            (true, false) => self.conditions.out_of_group("not in the group yet"),
        }
        let mut table = self.table();
        for (name, topic) in &statistics.topics {
            for partition in topic.partitions.values() {
                let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
                if end >= 0
                    && let Some(owned) = table.get_mut(name, partition.partition)
                {
                    owned.end = Some(end);
                }
            }
        }
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(consumer, partitions),
            _ => self.revoked(consumer, partitions),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(%error, "courtesy_commit_failed");
        }
    }
}
