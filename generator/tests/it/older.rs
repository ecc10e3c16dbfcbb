//! The older services' messages: what the vocabulary reads out of them is what the events say.

use audit_generator::{Attack, Plan, World, older};
use shared::{
    timestamp::Timestamp,
    vocabulary::{OlderMessage, map},
};
use uuid::Uuid;

use crate::world::plan;

#[test]
fn the_first_messages_are_the_golden_ones() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/older.txt");
    let lines: Vec<String> = World::new(Plan { attacks: vec![Attack::MassDownload], ..plan(120) })
        .map(|event| {
            let message = older::message(&event).expect("a message");
            format!(
                "{} {} {} {} {}",
                message.exchange, message.routing_key, message.message_id, message.timestamp, message.body
            )
        })
        .collect();
    let text = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    assert!(golden == text, "other messages: look at them, then run again with UPDATE_GOLDEN=1");
}

/// Mapped by the one table, a message becomes the event that it was made of, unversioned as older ones are.
#[test]
fn every_message_is_mapped_to_its_event() {
    let attacks = vec![Attack::FailedLogins, Attack::MassDownload, Attack::NightAccess, Attack::MassDeletion];
    let received_at = Timestamp::parse("2027-01-01T00:00:00Z").expect("a time");
    let mut exchanges = std::collections::BTreeSet::new();
    for event in World::new(Plan { attacks, ..plan(1000) }) {
        let message = older::message(&event).expect("a message");
        exchanges.insert(message.exchange);
        let delivered = OlderMessage {
            exchange: message.exchange,
            routing_key: &message.routing_key,
            message_id: Some(&message.message_id),
            timestamp: None,
            received_at,
            redelivered: false,
            body: message.body.as_bytes(),
        };
        let mapped =
            map(&delivered, || panic!("the message has an id: {}", Uuid::nil())).expect("it is mapped");
        let about = |event: &shared::envelope::Envelope| {
            (
                event.event_type.clone(),
                event.aggregate_type.clone(),
                event.aggregate_id.clone(),
                event.timestamp,
            )
        };
        assert_eq!(about(&mapped), about(&event), "{}", message.body);
        for key in ["userId", "organizationId", "ipAddress", "category", "action", "outcome", "severity"] {
            assert_eq!(mapped.metadata.get(key), event.metadata.get(key), "{key} of {}", message.body);
        }
        assert_eq!(mapped.version, 0);
    }
    assert_eq!(exchanges.into_iter().collect::<Vec<_>>(), ["audit.flow", "events"]);
}
