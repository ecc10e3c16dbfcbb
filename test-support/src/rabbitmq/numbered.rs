//! Numbered messages for tests of what is killed: each is published once, and what must have become of it is known.

use std::collections::HashMap;

use lapin::BasicProperties;
use serde_json::Value;

use crate::unique_id;

/// The message of this number: of three, one brings an event id, one a message id, one nothing to know it by again.
pub fn message(number: usize) -> (BasicProperties, Vec<u8>) {
    let mut body = serde_json::json!({
        "eventType": "USER_UPDATED", "userId": format!("u{}", number % 7), "number": number,
        "timestamp": "2026-01-07T10:30:00Z",
    });
    let mut properties = BasicProperties::default();
    match number % 3 {
        0 => body["eventId"] = Value::from(unique_id().to_string()),
        1 => properties = properties.with_message_id(format!("m-{number}").as_str().into()),
        _ => {}
    }
    (properties, body.to_string().into_bytes())
}

/// How often each number is stored, and how many of those copies are marked as possible duplicates.
#[derive(Debug, Default)]
pub struct Copies(HashMap<usize, (usize, usize)>);

impl Copies {
    /// Counts a stored event by its payload and its metadata, both JSON.
    pub fn count(&mut self, payload: &str, metadata: &str) {
        let (payload, metadata): (Value, Value) =
            (serde_json::from_str(payload).expect("JSON"), serde_json::from_str(metadata).expect("JSON"));
        let number = payload["number"].as_u64().and_then(|number| usize::try_from(number).ok());
        let copies = self.0.entry(number.expect("a numbered message")).or_default();
        copies.0 += 1;
        copies.1 += usize::from(metadata["possibleDuplicate"] == "true");
    }

    /// Whether each of these numbers is stored at least once.
    pub fn hold(&self, numbers: &[usize]) -> bool {
        numbers.iter().all(|number| self.0.contains_key(number))
    }

    /// Nothing that was confirmed is lost; with an id nothing is doubled; without one each copy but the first is marked.
    pub fn check(&self, confirmed: &[usize]) {
        for number in confirmed {
            assert!(
                self.0.contains_key(number),
                "message {number} was confirmed by RabbitMQ and is not stored"
            );
        }
        for (number, (copies, marked)) in &self.0 {
            if number % 3 == 2 {
                assert!(
                    copies - marked <= 1,
                    "message {number} is stored {copies} times and marked {marked} times"
                );
            } else {
                assert_eq!((*copies, *marked), (1, 0), "message {number} has an id");
            }
        }
    }
}
