//! Validated: an envelope becomes an event that can be stored, or a refusal.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use shared::{
    envelope::{Acceptance, BorrowedEnvelope, accept},
    json::ProtectedMarker,
    refusal::Refusal,
    retention::RetentionRules,
    timestamp::Timestamp,
};
use store::{Candidate, RecordRef};

use crate::{consume::claim::Assignment, decode::header};

/// Retention classes remembered by type and topic, at most; producers choose the types.
const MOST_CLASSES: usize = 10_000;

type ClassesByType = HashMap<String, Arc<str>>;

/// Validates for one lane.
pub struct Validator {
    /// The current time, or a little before: set for each turn of a log, since asking for each event would cost as much as
    /// checking its names.
    pub now: Timestamp,
    retention: Arc<RetentionRules>,
    /// By topic, and the one that was looked at last.
    classes: Vec<(Arc<str>, ClassesByType)>,
    current: usize,
    key_mismatches: u64,
}

impl Validator {
    /// A validator by these rules.
    pub fn new(retention: Arc<RetentionRules>) -> Self {
        Self { now: Timestamp::default(), retention, classes: Vec::new(), current: 0, key_mismatches: 0 }
    }

    /// Checks and renders one envelope (semantics.md 1, 2).
    pub fn validate<'a>(
        &mut self,
        envelope: BorrowedEnvelope<'a>,
        assignment: &Assignment,
        offset: i64,
        record: RecordRef<'a>,
    ) -> Result<Candidate<Cow<'a, str>, RecordRef<'a>>, Refusal> {
        let replayed = assignment.replay_topic && header(record.headers, bus::replay::OF_HEADER).is_some();
        let acceptance = Acceptance {
            now: self.now,
            topic_organization: &assignment.organization,
            protected: if replayed { ProtectedMarker::Allowed } else { ProtectedMarker::Refused },
        };
        let event = accept(envelope, &acceptance)?;
        if record.key != Some(event.aggregate_id.as_bytes()) {
            self.key_mismatches += 1;
        }
        let retention_class = self.class_of(&event.event_type, &assignment.claim.topic);
        Ok(Candidate { offset, event, retention_class, record })
    }

    /// Events whose record key is not their aggregate id, since the last call.
    pub fn take_key_mismatches(&mut self) -> u64 {
        std::mem::take(&mut self.key_mismatches)
    }

    fn class_of(&mut self, event_type: &str, topic: &Arc<str>) -> Arc<str> {
        let types = self.types_of(topic);
        if let Some(class) = types.get(event_type) {
            return Arc::clone(class);
        }
        if types.len() >= MOST_CLASSES {
            types.clear();
        }
        let class: Arc<str> = self.retention.assign(event_type, topic).into();
        self.types_of(topic).insert(event_type.to_owned(), Arc::clone(&class));
        class
    }

    /// The classes of a topic's types; events of one topic come together.
    fn types_of(&mut self, topic: &Arc<str>) -> &mut ClassesByType {
        if !self.classes.get(self.current).is_some_and(|(of, _)| Arc::ptr_eq(of, topic)) {
            let place = self.classes.iter().position(|(of, _)| of == topic);
            self.current = place.unwrap_or(self.classes.len());
            match place {
                // The same topic by another allocation, since a rebalance: from here on by this one.
                Some(place) => self.classes[place].0 = Arc::clone(topic),
                None => self.classes.push((Arc::clone(topic), HashMap::new())),
            }
        }
        &mut self.classes[self.current].1
    }
}
