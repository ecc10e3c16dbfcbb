//! Whether there is a cluster that would take a record, asked before any is handed over.

use std::time::Duration;

use rdkafka::{error::KafkaError, producer::Producer as _, types::RDKafkaErrorCode};

use super::{ProduceError, Producer};

impl Producer {
    /// Asks the cluster for a topic, at most `patience`: it answers, and the topic is there with its leaders.
    pub async fn find_topic(&self, topic: &str, patience: Duration) -> Result<(), ProduceError> {
        let (client, name) = (self.client(), topic.to_owned());
        let asking = tokio::task::spawn_blocking(move || {
            let metadata = client.client().fetch_metadata(Some(&name), patience)?;
            let found = metadata.topics().iter().find(|found| found.name() == name);
            let error = found.map_or(Some(RDKafkaErrorCode::UnknownTopic), |found| {
                let of_partition =
                    || found.partitions().iter().find_map(rdkafka::metadata::MetadataPartition::error);
                found.error().or_else(of_partition).map(Into::into)
            });
            error.map_or(Ok(()), |code| Err(KafkaError::MetadataFetch(code)))
        });
        // Only a panic inside librdkafka's wrapper, or a runtime that is going away.
        let answer = asking.await.unwrap_or(Err(KafkaError::Canceled));
        let faults = &self.shared.faults;
        answer.map_err(|cause| match faults.last() {
            Some(reason) if is_silence(&cause) => ProduceError::Unreachable { reason },
            _ => ProduceError::NotDelivered { topic: topic.to_owned(), cause },
        })?;
        faults.clear();
        Ok(())
    }
}

/// Whether no broker has answered: what one has answered says more than what went wrong before.
fn is_silence(cause: &KafkaError) -> bool {
    matches!(
        cause.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
        )
    )
}
