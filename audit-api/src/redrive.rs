//! Sending a dead letter again: original bytes, key and headers to the topic it came from (semantics.md 5).

use bus::{
    Delivered, Producer,
    dead_letter::{self, DeadLetter},
};
use shared::problem::ProblemType;
use store::{
    ApiWriter, StoreError,
    dead_letters::DeadLetterRow,
    redrives::{RedriveOutcome, RedriveRequest},
};
use uuid::Uuid;

use crate::{auth::Caller, respond::Problem, submit};

/// What sends dead letters again; cheap to clone.
#[derive(Clone)]
pub struct Redriver {
    producer: Producer,
    writer: ApiWriter,
}

/// A dead letter that Kafka has again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// This redrive.
    pub redrive_id: Uuid,
    /// Where it stands now.
    pub delivered: Delivered,
}

impl Redriver {
    /// The producer takes records as large as a dead letter can be, with the header that names it.
    pub fn new(producer: Producer, writer: ApiWriter) -> Self {
        Self { producer, writer }
    }

    /// Sends it again and answers where Kafka has it; recorded before and after. As often as it is asked for: an event
    /// that is stored already is a duplicate then.
    pub async fn redrive(self, caller: Caller, letter: DeadLetterRow) -> Result<Redriven, Problem> {
        if value_was_too_large(&letter) {
            let detail = "its value was larger than dead_letters.max_stored_bytes, so only its producer can send it again";
            return Err(Problem::new(ProblemType::RecordNotKept, detail));
        }
        let request = RedriveRequest {
            redrive_id: submit::new_id(),
            dead_letter: letter.position,
            requested_by: caller.subject,
            topic: letter.log.topic.clone(),
        };
        self.writer.record_redrive_request(&request).await?;
        let sent = self.producer.send(dead_letter::redrive(&as_sent(&letter))).await;
        let (outcome, label) = match &sent {
            Ok(Delivered { partition, offset }) => {
                (RedriveOutcome::Produced { partition: *partition, offset: *offset }, "produced")
            }
            Err(_) => (RedriveOutcome::Failed, "failed"),
        };
        metrics::counter!("audit_api_redrives_total", "outcome" => label).increment(1);
        note(self.writer.record_redrive_outcome(&request, outcome).await);
        match sent {
            Ok(delivered) => Ok(Redriven { redrive_id: request.redrive_id, delivered }),
            Err(error) => {
                tracing::warn!(%error, dead_letter = %letter.position, "a dead letter was not sent again");
                Err(Problem::unavailable("Kafka did not take the record: try again"))
            }
        }
    }
}

/// Kafka has answered; that the answer cannot be recorded leaves a request without one, which says just that.
fn note(recorded: Result<(), StoreError>) {
    if let Err(error) = recorded {
        tracing::warn!(%error, "the outcome of a redrive cannot be recorded");
    }
}

/// The ingestor keeps only the digest of a value over `dead_letters.max_stored_bytes`, as the last header.
fn value_was_too_large(letter: &DeadLetterRow) -> bool {
    let last = letter.record.headers.last();
    letter.record.value.is_none() && last.is_some_and(|(name, _)| name == dead_letter::DIGEST_HEADER)
}

fn as_sent(letter: &DeadLetterRow) -> DeadLetter<'_> {
    DeadLetter {
        id: letter.position,
        topic: &letter.log.topic,
        partition: letter.log.partition,
        offset: letter.position.offset,
        stage: letter.stage.as_str(),
        reason: letter.reason,
        pointer: &letter.pointer,
        detail: &letter.detail,
        key: letter.record.key.clone(),
        value: letter.record.value.clone(),
        value_digest: None,
        headers: &letter.record.headers,
        timestamp_ms: letter.record.timestamp_ms,
    }
}
