//! Kafka and the schema registry: they answer, and the topics are what the promises need.

use bus::{
    registry::{Registry, RegistryError},
    topics::{self, TopicError, TopicReport, TopicRules, TopicState},
};
use service::config::AuditConfig;
use shared::avro::SchemaReference;

use super::Check;
use crate::outcome::describe;

/// An id that no registry gives out soon: asking for it shows whether the registry answers.
const UNLIKELY_ID: u32 = 0x7fff_fff0;

/// Checks the cluster and each topic of the configuration; changes nothing.
pub async fn kafka(config: &AuditConfig) -> Vec<Check> {
    if let Err(error) = config.kafka.bootstrap_servers() {
        return vec![Check::fail("kafka", error.to_string(), "")];
    }
    match look(config).await {
        Err(error) => vec![Check::fail(
            "kafka",
            describe(&error),
            "are kafka.bootstrap_servers and kafka.properties right, and is the cluster up?",
        )],
        Ok(reports) => {
            let reached = Check::ok("kafka", format!("answers as cluster {:?}", config.kafka.cluster));
            let nothing = !reports.iter().any(|report| config.ingestor.subscribes_to(&report.topic));
            let nothing = nothing.then(|| {
                Check::warn(
                    "topics",
                    "no topic of the cluster matches ingestor.topic_patterns: nothing is read",
                    "make one, or name it in ingestor.topics",
                )
            });
            std::iter::once(reached).chain(nothing).chain(reports.iter().map(topic)).collect()
        }
    }
}

/// The configured topics, and those that the ingestor takes by pattern.
async fn look(config: &AuditConfig) -> Result<Vec<TopicReport>, TopicError> {
    topics::apply(&config.kafka, &TopicRules::of_cluster(config).await?, true).await
}

fn topic(report: &TopicReport) -> Check {
    let name = format!("topic {}", report.topic);
    match &report.state {
        TopicState::Absent => Check::fail(name, "does not exist", "`trailctl topics apply` makes it"),
        TopicState::Differs(differences) => {
            let detail = differences.join("; ");
            // These lose records, or refuse good ones; the others are choices.
            let grave =
                ["cleanup.policy", "retention.ms", "max.message.bytes", "unclean.leader.election.enable"];
            if differences.iter().any(|text| grave.iter().any(|key| text.starts_with(key))) {
                Check::fail(name, detail, "change the topic's configuration with Kafka's own tools")
            } else {
                Check::warn(
                    name,
                    detail,
                    "settings change with Kafka's own tools; more partitions move keys to other partitions: decide before there \
                     is data",
                )
            }
        }
        TopicState::AsWanted | TopicState::Created { .. } if report.replication == 1 => Check::warn(
            name,
            "as it should be, but for one replica: what its broker loses is lost before it is stored",
            "enough for a developer's machine; else three brokers, three replicas, min.insync.replicas = 2",
        ),
        TopicState::AsWanted | TopicState::Created { .. } => Check::ok(name, "as it should be"),
    }
}

/// Checks that the registry answers.
pub async fn registry(config: &AuditConfig) -> Check {
    let asked = match Registry::new(&config.registry) {
        Ok(registry) => registry.fetch(SchemaReference::Id(UNLIKELY_ID)).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) | Err(RegistryError::Unknown(_)) => Check::ok("schema registry", "answers"),
        Err(error) => Check::fail(
            "schema registry",
            describe(&error),
            "is it running, and is registry.url its Confluent API (for Apicurio …/apis/ccompat/v7)?",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn level(state: TopicState) -> Level {
        topic(&TopicReport { topic: "audit.events".to_owned(), state, replication: 3 }).level
    }

    #[test]
    fn what_loses_records_fails_and_what_is_a_choice_warns() {
        assert_eq!(level(TopicState::AsWanted), Level::Ok);
        assert_eq!(level(TopicState::Absent), Level::Fail);
        assert_eq!(
            level(TopicState::Differs(vec!["has 3 partitions, the rule says 12".to_owned()])),
            Level::Warn
        );
        assert_eq!(level(TopicState::Differs(vec!["cleanup.policy is compact".to_owned()])), Level::Fail);
        assert_eq!(level(TopicState::Differs(vec!["retention.ms is 1".to_owned()])), Level::Fail);
        let unclean = "unclean.leader.election.enable is true".to_owned();
        assert_eq!(level(TopicState::Differs(vec![unclean])), Level::Fail);
        assert_eq!(level(TopicState::Differs(vec!["min.insync.replicas is 1".to_owned()])), Level::Warn);
    }
}
