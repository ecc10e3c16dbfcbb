//! Where the ingestors stand in Kafka: how much waits, and whether it will still be there.

use bus::topics::{self, TopicError};
use service::config::AuditConfig;
use store::DatabaseUrl;

use super::Check;
use crate::outcome::describe;

/// More than this waits only where ingestion has stopped or cannot keep up (as the alert AuditIngestLag).
const MUCH: i64 = 100_000;

/// Compares the position of each log with what Kafka holds; skipped where database or Kafka cannot be asked, which other checks
/// say.
pub async fn check(config: &AuditConfig) -> Check {
    look(config).await.unwrap_or_else(|| {
        Check::skip(
            "positions",
            "not compared: it takes database.operator_url and kafka.bootstrap_servers, and that both answer",
            "put the lines about them right first",
        )
    })
}

async fn look(config: &AuditConfig) -> Option<Check> {
    let url = config.database.operator_url.as_ref()?;
    let client = store::connect(&DatabaseUrl::from(url), "trailctl-doctor").await.ok()?;
    let positions = store::logs::open_positions(&client, &config.kafka.cluster).await.ok()?;
    let partitions = positions.iter().map(|(topic, partition, _)| (topic.clone(), *partition));
    let offsets = topics::offsets(&config.kafka, partitions).await.ok()?;
    Some(judge(positions.into_iter().zip(offsets)))
}

type Place = ((String, i32, i64), Result<(i64, i64), TopicError>);

fn judge(places: impl Iterator<Item = Place>) -> Check {
    let name = "positions";
    let (mut partitions, mut waiting) = (0, 0);
    for ((topic, partition, position), offsets) in places {
        let place = format!("{topic}/{partition}");
        let (first, end) = match offsets {
            Ok(offsets) => offsets,
            Err(error) => {
                let remedy = "was the topic removed? `trailctl topics describe` shows it";
                return Check::warn(name, format!("{place}: {}", describe(&error)), remedy);
            }
        };
        if position > end {
            return Check::fail(
                name,
                format!("{place} ends at {end}, and {position} was read: it is not the topic that was read"),
                "docs/runbooks/AuditLogDiverged.md",
            );
        }
        if position < first {
            return Check::fail(
                name,
                format!(
                    "{place} begins at {first}, and {position} is to be read: {} are gone",
                    first - position
                ),
                "docs/runbooks/AuditGap.md; lengthen the topic's retention",
            );
        }
        partitions += 1;
        waiting += end - position;
    }
    let detail = format!("{waiting} records wait in {partitions} partitions");
    if waiting > MUCH {
        return Check::warn(
            name,
            detail,
            "is an ingestor running, and can it keep up? docs/runbooks/AuditIngestLag.md",
        );
    }
    Check::ok(name, detail)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn at(position: i64, offsets: (i64, i64)) -> Check {
        judge([(("t".to_owned(), 0, position), Ok(offsets))].into_iter())
    }

    #[test]
    fn a_position_outside_of_what_kafka_holds_fails() {
        assert_eq!(at(5, (0, 9)), Check::ok("positions", "4 records wait in 1 partitions"));
        assert_eq!(at(0, (0, 0)).level, Level::Ok);
        assert_eq!(at(10, (0, 9)).level, Level::Fail);
        assert_eq!(at(2, (3, 9)).level, Level::Fail);
        assert_eq!(at(0, (0, MUCH + 1)).level, Level::Warn);
    }
}
