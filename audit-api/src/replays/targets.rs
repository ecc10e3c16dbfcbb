//! Where a replay may go: never where it would come round.

use service::config::AuditConfig;

/// The longest name of a topic, in Kafka.
const LONGEST: usize = 249;

/// The rules for the topics of replays.
#[derive(Debug, Clone)]
pub struct Targets {
    config: AuditConfig,
}

impl Targets {
    /// Those of this configuration.
    pub fn new(config: &AuditConfig) -> Self {
        Self { config: config.clone() }
    }

    /// Whether a replay may go there; the refusal names the remedy.
    pub fn check(&self, topic: &str) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if topic.is_empty()
            || topic.len() > LONGEST
            || !topic.bytes().all(plain)
            || [".", ".."].contains(&topic)
        {
            return Err(format!("must have 1 to {LONGEST} of A-Z a-z 0-9 . _ -"));
        }
        let AuditConfig { ingestor, dead_letters, submissions, accesses, replays, .. } = &self.config;
        let ours = if ingestor.subscribes_to(topic) {
            Some("is read by the ingestor, so that every event would come round")
        } else if topic == dead_letters.topic {
            Some("is the topic of the dead letters")
        } else if topic == accesses.topic {
            Some("is the topic of the accesses")
        } else if topic == submissions.topic {
            Some("is the topic of new events")
        } else if topic.starts_with("__") || topic == "_schemas" {
            Some("is Kafka's own, or the registry's")
        } else {
            None
        };
        if let Some(why) = ours {
            return Err(format!("{why}: name a topic of the replay's own"));
        }
        if !replays.allows(topic) {
            return Err("is none of those that replays.topic_patterns allows: name one of them".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_come_round_is_refused() {
        let mut config = AuditConfig::default();
        config.submissions.topic = "shop.events".to_owned();
        config.accesses.topic = "who.looked".to_owned();
        let targets = Targets::new(&config);
        let long = "x".repeat(LONGEST + 1);
        for refused in [
            "audit.events",
            "audit.events.orders",
            "audit.events.access",
            "audit.dlq",
            "shop.events",
            "who.looked",
            "__consumer_offsets",
            "_schemas",
            "",
            ".",
            "a b",
            "größe",
            &long,
        ] {
            assert!(targets.check(refused).is_err(), "{refused}");
        }
        for allowed in ["replays", "audit.replays.orders", "audit.eventsourcing"] {
            assert_eq!(targets.check(allowed), Ok(()), "{allowed}");
        }
    }

    #[test]
    fn a_configuration_may_name_the_only_targets() {
        let mut config = AuditConfig::default();
        config.replays.topic_patterns = vec![r"^replays\.".to_owned()];
        let targets = Targets::new(&config);
        assert_eq!(targets.check("replays.a"), Ok(()));
        assert!(targets.check("payments.commands").is_err_and(|why| why.contains("replays.topic_patterns")));
    }
}
