//! What caused what: events without their payloads, put into the order of a tree (`metadata.causationId`).

use std::collections::HashMap;

use uuid::Uuid;

use crate::json::{push_integer, push_string};
use crate::position::Position;
use crate::timestamp::Timestamp;

/// How far causes and effects are followed.
pub const MAX_DEPTH: usize = 20;
/// The most events of one answer.
pub const MAX_NODES: usize = 1000;

/// A stored event as a node: what it is and what caused it, without payload and metadata, which may be large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLink {
    /// The producer's id.
    pub event_id: Uuid,
    /// What happened.
    pub event_type: String,
    /// The kind of its aggregate.
    pub aggregate_type: String,
    /// Its aggregate.
    pub aggregate_id: String,
    /// Its organisation; `""` = none. The same holds for the five below.
    pub organization_id: String,
    /// `metadata.userId`
    pub user_id: String,
    /// `metadata.source`
    pub source: String,
    /// `metadata.action`
    pub action: String,
    /// `metadata.correlationId`
    pub correlation_id: String,
    /// `metadata.causationId`
    pub causation_id: String,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The producer's count; 0 = unversioned.
    pub version: i32,
    /// When it was stored.
    pub recorded_at: Timestamp,
    /// Its place; opaque to clients.
    pub position: Position,
}

impl EventLink {
    /// The event that caused it, when `causationId` is an id of an event (hyphenated, in any case).
    pub fn cause(&self) -> Option<Uuid> {
        event_id(&self.causation_id)
    }

    /// Appends the node as one JSON object; what is absent in the event is null.
    pub fn write_json(&self, depth: i32, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"depth\":");
        push_integer(out, depth);
        out.extend_from_slice(b",\"eventId\":\"");
        out.extend_from_slice(self.event_id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
        out.push(b'"');
        for (name, text) in [
            ("causationId", &self.causation_id),
            ("correlationId", &self.correlation_id),
            ("eventType", &self.event_type),
            ("aggregateType", &self.aggregate_type),
            ("aggregateId", &self.aggregate_id),
            ("organizationId", &self.organization_id),
            ("userId", &self.user_id),
            ("source", &self.source),
            ("action", &self.action),
        ] {
            out.push(b',');
            push_string(out, name);
            out.push(b':');
            if text.is_empty() { out.extend_from_slice(b"null") } else { push_string(out, text) }
        }
        out.extend_from_slice(b",\"timestamp\":\"");
        self.timestamp.write_to(out);
        out.extend_from_slice(b"\",\"version\":");
        push_integer(out, self.version);
        out.extend_from_slice(b",\"recordedAt\":\"");
        self.recorded_at.write_to(out);
        out.extend_from_slice(b"\",\"position\":");
        push_string(out, &self.position.to_string());
        out.push(b'}');
    }
}

/// A causation id as the id of an event; producers use other ids too.
pub fn event_id(text: &str) -> Option<Uuid> {
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    text.parse().ok().filter(|_| hyphenated)
}

/// Puts events into the order of a tree: each cause before what it caused, and that before the cause's next sibling.
///
/// Siblings keep the order in which they are given. A root, depth 0, is an event whose cause is not among them; of
/// events that cause each other in a circle, the first one given. Every event comes exactly once.
pub fn arrange(links: Vec<EventLink>) -> Vec<(i32, EventLink)> {
    let place: HashMap<Uuid, usize> =
        links.iter().enumerate().map(|(index, link)| (link.event_id, index)).collect();
    let mut effects: Vec<Vec<usize>> = vec![Vec::new(); links.len()];
    let mut roots = Vec::new();
    for (index, link) in links.iter().enumerate() {
        match link.cause().and_then(|cause| place.get(&cause)).filter(|cause| **cause != index) {
            Some(cause) => effects[*cause].push(index),
            None => roots.push(index),
        }
    }
    let mut order: Vec<(i32, usize)> = Vec::with_capacity(links.len());
    let mut met = vec![false; links.len()];
    // A circle has no root, so whatever is still not met begins one.
    for root in roots.into_iter().chain(0..links.len()) {
        let mut waiting = vec![(0, root)];
        while let Some((depth, index)) = waiting.pop() {
            if !std::mem::replace(&mut met[index], true) {
                order.push((depth, index));
                waiting.extend(effects[index].iter().rev().map(|effect| (depth + 1, *effect)));
            }
        }
    }
    let mut links: Vec<Option<EventLink>> = links.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(depth, index)| Some((depth, links[index].take()?))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn link(id: u128, cause: &str) -> EventLink {
        EventLink {
            event_id: Uuid::from_u128(id),
            event_type: "OrderPlaced".to_owned(),
            aggregate_type: "Order".to_owned(),
            aggregate_id: "o-1".to_owned(),
            organization_id: "demo".to_owned(),
            user_id: String::new(),
            source: String::new(),
            action: String::new(),
            correlation_id: "c\"1".to_owned(),
            causation_id: cause.to_owned(),
            timestamp: Timestamp::from_micros(1_768_478_400_000_000),
            version: 1,
            recorded_at: Timestamp::from_micros(1_768_478_400_000_001),
            position: Position { log_id: 2, offset: 7 },
        }
    }

    fn id(number: u128) -> String {
        Uuid::from_u128(number).to_string()
    }

    fn arranged(links: Vec<EventLink>) -> Vec<(i32, u128)> {
        arrange(links).into_iter().map(|(depth, link)| (depth, link.event_id.as_u128())).collect()
    }

    #[test]
    fn causes_come_before_their_effects() {
        let links =
            vec![link(1, "command-7"), link(2, &id(1)), link(3, &id(1).to_uppercase()), link(4, &id(2))];
        assert_eq!(arranged(links), [(0, 1), (1, 2), (2, 4), (1, 3)]);
        // Stored out of order, a cause that is not there, and an event that names itself.
        assert_eq!(
            arranged(vec![link(2, &id(1)), link(1, &id(99)), link(5, &id(5))]),
            [(0, 1), (1, 2), (0, 5)]
        );
        // A circle with a tail.
        assert_eq!(
            arranged(vec![link(3, &id(2)), link(1, &id(2)), link(2, &id(1))]),
            [(0, 3), (0, 1), (1, 2)]
        );
    }

    #[test]
    fn a_node_is_one_object() {
        let mut out = Vec::new();
        link(1, "").write_json(-2, &mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            r#"{"depth":-2,"eventId":"00000000-0000-0000-0000-000000000001","causationId":null,"correlationId":"c\"1","eventType":"OrderPlaced","aggregateType":"Order","aggregateId":"o-1","organizationId":"demo","userId":null,"source":null,"action":null,"timestamp":"2026-01-15T12:00:00.000000Z","version":1,"recordedAt":"2026-01-15T12:00:00.000001Z","position":"2:7"}"#
        );
    }

    proptest! {
        #[test]
        fn every_event_comes_once_and_below_its_cause(causes in proptest::collection::vec(0..12_u128, 1..12)) {
            let links: Vec<_> = (1..).zip(&causes).map(|(number, cause)| link(number, &id(*cause))).collect();
            let got = arrange(links);
            let ids: BTreeSet<_> = got.iter().map(|(_, link)| link.event_id).collect();
            prop_assert_eq!((ids.len(), got.len()), (causes.len(), causes.len()));
            for (index, (depth, link)) in got.iter().enumerate() {
                let above = got[..index].iter().rev().find(|(other, _)| other < depth);
                if let Some((parent_depth, parent)) = above {
                    prop_assert_eq!(Some(parent.event_id), link.cause());
                    prop_assert_eq!(parent_depth + 1, *depth);
                } else {
                    prop_assert_eq!(*depth, 0);
                }
            }
        }
    }
}
