//! Leaves of events that come one after the other: each is hashed beside the next one's payload.

use super::{Digests, Leaf, write_input};
use crate::event::Event;
use crate::position::LogName;
use crate::sha256;

/// Hashes the leaves of stored events, one event behind.
#[derive(Debug, Default)]
pub struct LeafPipeline {
    /// The input of the leaf that is not hashed yet.
    text: Vec<u8>,
    /// Whether there is one.
    is_waiting: bool,
}

impl LeafPipeline {
    /// Takes the next event; gives the hash of the leaf before ([`super::leaf_hash`]), if there was one.
    pub fn push(&mut self, log: &LogName, offset: i64, event: &Event<&str>) -> Option<[u8; 32]> {
        let own = [event.payload.as_bytes(), event.metadata.as_bytes()];
        let (payload, metadata, before) = if self.is_waiting {
            let ([payload, metadata], [before]) = sha256::beside(own, [&self.text]);
            (payload, metadata, Some(before))
        } else {
            let ([payload], [metadata]) = sha256::beside([own[0]], [own[1]]);
            (payload, metadata, None)
        };
        write_input(&mut self.text, log, offset, &Leaf::Stored(event), Some(&Digests { metadata, payload }));
        self.is_waiting = true;
        before
    }

    /// The hash of the last leaf.
    pub fn finish(&mut self) -> Option<[u8; 32]> {
        std::mem::take(&mut self.is_waiting).then(|| {
            let ([last], []) = sha256::beside([&self.text], []);
            last
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Promoted;
    use crate::leaf::{leaf_hash, leaf_input};
    use crate::timestamp::Timestamp;

    #[test]
    fn every_leaf_has_the_hash_that_it_has_alone() {
        let log = LogName { cluster: "c".into(), topic: "t".into(), partition: 3, incarnation: 1 };
        let mut pipeline = LeafPipeline::default();
        let (mut hashes, mut alone) = (Vec::new(), Vec::new());
        for offset in 0..40 {
            let payload = format!("{{\"text\":\"{}\"}}", "x".repeat(usize::try_from(offset * 7).unwrap()));
            let event = Event {
                event_id: uuid::Uuid::from_u128(7),
                organization_id: "o",
                event_type: "e",
                aggregate_type: "a",
                aggregate_id: "é",
                timestamp: Timestamp::from_micros(offset),
                version: 1,
                payload: payload.as_str(),
                metadata: "{}",
                promoted: Promoted::default(),
            };
            hashes.extend(pipeline.push(&log, offset, &event));
            alone.push(leaf_hash(&leaf_input(&log, offset, &Leaf::Stored(&event))));
            if offset == 20 {
                hashes.extend(pipeline.finish());
            }
        }
        hashes.extend(pipeline.finish());
        assert_eq!(pipeline.finish(), None);
        assert_eq!(hashes, alone);
    }
}
