//! The batch's rows besides the events, in COPY's binary form; the events' are in `event_rows`.

use bytes::Bytes;
use shared::account::DispositionKind;
use shared::refusal::{Reason, Refusal};
use shared::timestamp::Timestamp;
use uuid::Uuid;

use super::prepare::Prepared;
use super::settle::Verdict;
use crate::batch::{RecordPlace, Slot, Span, Stage};
use crate::copy::CopyBuffer;

/// Longest pointer and detail that a dead letter keeps; what is longer is cut with an ellipsis.
const LONGEST_TEXT: usize = 2_048;

/// The ids of what is stored, in id order, so that two writers meet in the same order.
pub(super) fn id_rows(prepared: &Prepared<'_>, verdicts: &[Vec<Verdict>]) -> Bytes {
    let mut copy = CopyBuffer::with_capacity(prepared.ids.len() * 54);
    for (id, place) in &prepared.ids {
        if verdicts[place.span][place.entry] == Verdict::Stored {
            let accepted = prepared.accepted(*place);
            copy.row(4);
            copy.uuid(*id);
            copy.timestamp(accepted.timestamp);
            copy.i64(accepted.offset);
            copy.i32(prepared.spans[place.span].log_id);
        }
    }
    copy.finish()
}

/// Rows of `dispositions` and of `dead_letters`, each with how many they are.
pub(super) struct OtherRows {
    pub(super) dispositions: (Bytes, u64),
    pub(super) dead_letters: (Bytes, u64),
}

pub(super) fn other_rows(
    prepared: &Prepared<'_>,
    verdicts: &[Vec<Verdict>],
    recorded_at: Timestamp,
) -> OtherRows {
    let mut dispositions = (CopyBuffer::with_capacity(0), 0);
    let mut letters = (CopyBuffer::with_capacity(0), 0);
    for (span, verdicts) in prepared.spans.iter().zip(verdicts) {
        for (slot, verdict) in span.slots.iter().zip(verdicts) {
            let Some(account) = account(slot, *verdict) else { continue };
            write_disposition(&mut dispositions.0, span.log_id, slot.range(), &account);
            dispositions.1 += 1;
            if let Some(letter) = &account.letter {
                write_letter(&mut letters.0, span, slot.range().0, recorded_at, account.event_id, letter);
                letters.1 += 1;
            }
        }
    }
    OtherRows {
        dispositions: (dispositions.0.finish(), dispositions.1),
        dead_letters: (letters.0.finish(), letters.1),
    }
}

struct Account<'a> {
    kind: DispositionKind,
    event_id: Option<Uuid>,
    letter: Option<Letter<'a>>,
}

struct Letter<'a> {
    stage: Stage,
    refusal: std::borrow::Cow<'a, Refusal>,
    record: RecordPlace,
}

/// How an entry that is no stored event is accounted for.
fn account(slot: &Slot, verdict: Verdict) -> Option<Account<'_>> {
    match slot {
        Slot::Accepted(accepted) => {
            let event_id = Some(accepted.event_id);
            match verdict {
                Verdict::Duplicate => {
                    Some(Account { kind: DispositionKind::Duplicate, event_id, letter: None })
                }
                Verdict::Conflict => {
                    let letter =
                        Letter { stage: Stage::Append, refusal: conflict(), record: accepted.record };
                    Some(Account { kind: DispositionKind::DeadLettered, event_id, letter: Some(letter) })
                }
                Verdict::Stored | Verdict::AsGiven => None,
            }
        }
        Slot::Rejected(rejected) => Some(Account {
            kind: DispositionKind::DeadLettered,
            event_id: None,
            letter: Some(Letter {
                stage: rejected.stage,
                refusal: std::borrow::Cow::Borrowed(&rejected.refusal),
                record: rejected.record,
            }),
        }),
        Slot::Skipped { kind, .. } => Some(Account { kind: *kind, event_id: None, letter: None }),
    }
}

fn conflict() -> std::borrow::Cow<'static, Refusal> {
    std::borrow::Cow::Owned(Refusal::new(
        Reason::EventIdConflict,
        "/eventId",
        "another event with other content is stored under this id; every event needs an id of its own",
    ))
}

fn write_disposition(copy: &mut CopyBuffer, log_id: i32, (from, next): (i64, i64), account: &Account<'_>) {
    copy.row(6);
    copy.i64(from);
    copy.i64(next);
    copy.optional(account.event_id, CopyBuffer::uuid);
    copy.i32(log_id);
    copy.text(account.kind.as_str());
    copy.optional(account.letter.as_ref().map(|letter| letter.refusal.reason.as_str()), CopyBuffer::text);
}

fn write_letter(
    copy: &mut CopyBuffer,
    span: &Span,
    offset: i64,
    recorded_at: Timestamp,
    event_id: Option<Uuid>,
    letter: &Letter<'_>,
) {
    let record = span.record(letter.record);
    copy.row(13);
    copy.timestamp(recorded_at);
    copy.i64(offset);
    copy.optional(record.timestamp_ms, CopyBuffer::i64);
    copy.optional(event_id, CopyBuffer::uuid);
    copy.i32(span.log_id);
    copy.text(letter.stage.as_str());
    copy.text(letter.refusal.reason.as_str());
    copy.text(&storable(&letter.refusal.pointer));
    copy.text(&storable(&letter.refusal.detail));
    copy.optional(record.key.as_deref(), CopyBuffer::bytes);
    copy.optional(record.value.as_deref(), CopyBuffer::bytes);
    copy.bytea_array(record.headers.iter().map(|(name, _)| Some(name.as_bytes())));
    copy.bytea_array(record.headers.iter().map(|(_, value)| value.as_deref()));
}

/// A hostile record chooses the keys that a pointer names: `text` takes no U+0000, and a pointer may be a megabyte.
fn storable(text: &str) -> String {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut kept = text[..end].replace('\0', "\u{fffd}");
    if end < text.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pointer_can_be_stored() {
        assert_eq!(storable("/a\0b"), "/a\u{fffd}b");
        let long = storable(&"é".repeat(3_000));
        assert!(long.len() <= LONGEST_TEXT + '…'.len_utf8() && long.ends_with('…'));
    }
}
