//! Cursors of the lists that `shared::cursor` does not know: histories and dead letters. The same form: the sort key
//! and a hash of what was asked for, so that a cursor only continues its own list (semantics.md 7).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use shared::{filter::PageKey, position::Position, timestamp::Timestamp};
use store::{AggregateKey, HistoryKey, HistoryRange};
use uuid::Uuid;

use crate::respond::Problem;

/// Bytes of the hash that a cursor carries: enough to tell two requests apart by accident.
const HASH_BYTES: usize = 8;

/// What a list was asked for, as a short text.
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of a history.
    pub fn of_history(key: &AggregateKey, range: &HistoryRange) -> Self {
        Self::of(&[&format!("{key:?}"), &format!("{range:?}")])
    }

    /// Of any list: the parts must tell it apart from every other.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(URL_SAFE_NO_PAD.encode(&hash.finalize()[..HASH_BYTES]))
    }
}

/// Three numbers of at most 64 bits and a fingerprint, as one opaque word.
fn encode(kind: &str, numbers: &[i64], fingerprint: &Fingerprint) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    URL_SAFE_NO_PAD.encode(format!("{kind}/{}/{}", numbers.join("/"), fingerprint.0))
}

fn decode<const N: usize>(kind: &str, text: &str, fingerprint: &Fingerprint) -> Result<[i64; N], Problem> {
    let malformed = Problem::invalid_cursor;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let parts: Vec<&str> = text.split('/').collect();
    let (Some((&own, rest)), true) = (parts.split_first(), parts.len() == N + 2) else {
        return Err(malformed());
    };
    let (given, numbers) = rest.split_last().ok_or_else(malformed)?;
    if own != kind || *given != fingerprint.0 {
        return Err(Problem::cursor_mismatch());
    }
    let mut read = [0; N];
    for (slot, number) in read.iter_mut().zip(numbers) {
        *slot = number.parse().map_err(|_| malformed())?;
    }
    Ok(read)
}

/// Some texts and a fingerprint, as one opaque word; no stored text holds U+0000.
fn encode_texts(kind: &str, texts: &[&str], fingerprint: &Fingerprint) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}\0{}\0{}", fingerprint.0, texts.join("\0")))
}

fn decode_texts<const N: usize>(
    kind: &str,
    text: &str,
    fingerprint: &Fingerprint,
) -> Result<[String; N], Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Problem::invalid_cursor())?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::invalid_cursor())?;
    let parts: Vec<&str> = text.split('\0').collect();
    let [own, given, texts @ ..] = &parts[..] else { return Err(Problem::invalid_cursor()) };
    if *own != kind || *given != fingerprint.0 {
        return Err(Problem::cursor_mismatch());
    }
    let texts = <&[&str; N]>::try_from(texts).map_err(|_| Problem::invalid_cursor())?;
    Ok(texts.map(str::to_owned))
}

/// The cursor behind an aggregate.
pub fn of_aggregate(key: &AggregateKey, fingerprint: &Fingerprint) -> String {
    encode_texts("a", &[&key.aggregate_type, &key.aggregate_id, &key.organization_id], fingerprint)
}

/// The aggregate that the list goes on after.
pub fn read_aggregate(text: &str, fingerprint: &Fingerprint) -> Result<AggregateKey, Problem> {
    let [aggregate_type, aggregate_id, organization_id] = decode_texts("a", text, fingerprint)?;
    Ok(AggregateKey { organization_id, aggregate_type, aggregate_id })
}

/// The cursor behind an event type.
pub fn of_event_type(event_type: &str, fingerprint: &Fingerprint) -> String {
    encode_texts("t", &[event_type], fingerprint)
}

/// The event type that the list goes on after.
pub fn read_event_type(text: &str, fingerprint: &Fingerprint) -> Result<String, Problem> {
    let [event_type] = decode_texts("t", text, fingerprint)?;
    Ok(event_type)
}

/// A time that a row may have: what a cursor says is a caller's word.
fn time(micros: i64) -> Result<Timestamp, Problem> {
    let time = Timestamp::from_micros(micros);
    if (Timestamp::MIN..=Timestamp::MAX).contains(&time) { Ok(time) } else { Err(Problem::invalid_cursor()) }
}

/// Reads a cursor of the event lists.
pub fn read_page(text: &str, fingerprint: &str) -> Result<PageKey, Problem> {
    let key = shared::cursor::decode(text, fingerprint)?;
    if let PageKey::Time(at, _) = key {
        time(at.as_micros())?;
    }
    Ok(key)
}

/// The cursor behind an event of a history.
pub fn of_history(key: &HistoryKey, fingerprint: &Fingerprint) -> String {
    let numbers = [i64::from(key.version), key.recorded_at.as_micros(), i64::from(key.log_id), key.offset];
    encode("h", &numbers, fingerprint)
}

/// The event that a history goes on after.
pub fn read_history(text: &str, fingerprint: &Fingerprint) -> Result<HistoryKey, Problem> {
    let [version, recorded_at, log_id, offset] = decode("h", text, fingerprint)?;
    let small = |number| i32::try_from(number).map_err(|_| Problem::cursor_mismatch());
    Ok(HistoryKey {
        version: small(version)?,
        recorded_at: time(recorded_at)?,
        log_id: small(log_id)?,
        offset,
    })
}

/// The cursor behind a dead letter.
pub fn of_dead_letter((recorded_at, position): (Timestamp, Position), fingerprint: &Fingerprint) -> String {
    encode("d", &[recorded_at.as_micros(), i64::from(position.log_id), position.offset], fingerprint)
}

/// The dead letter that the list goes on after.
pub fn read_dead_letter(text: &str, fingerprint: &Fingerprint) -> Result<(Timestamp, Position), Problem> {
    read_place("d", text, fingerprint)
}

/// The cursor behind an access.
pub fn of_access((accessed_at, position): (Timestamp, Position), fingerprint: &Fingerprint) -> String {
    encode("w", &[accessed_at.as_micros(), i64::from(position.log_id), position.offset], fingerprint)
}

/// The access that the list goes on after.
pub fn read_access(text: &str, fingerprint: &Fingerprint) -> Result<(Timestamp, Position), Problem> {
    read_place("w", text, fingerprint)
}

fn read_place(kind: &str, text: &str, fingerprint: &Fingerprint) -> Result<(Timestamp, Position), Problem> {
    let [at, log_id, offset] = decode(kind, text, fingerprint)?;
    let log_id = i32::try_from(log_id).map_err(|_| Problem::cursor_mismatch())?;
    Ok((time(at)?, Position { log_id, offset }))
}

/// The cursor behind a replay job.
pub fn of_job((created_at, job_id): (Timestamp, Uuid), fingerprint: &Fingerprint) -> String {
    let (high, low) = job_id.as_u64_pair();
    encode("j", &[created_at.as_micros(), high.cast_signed(), low.cast_signed()], fingerprint)
}

/// The job that the list goes on after.
pub fn read_job(text: &str, fingerprint: &Fingerprint) -> Result<(Timestamp, Uuid), Problem> {
    let [created_at, high, low] = decode("j", text, fingerprint)?;
    Ok((time(created_at)?, Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_texts_holds_whatever_a_name_may_hold() {
        let (one, other) = (Fingerprint::of(&["a"]), Fingerprint::of(&["b"]));
        let key = AggregateKey {
            organization_id: String::new(),
            aggregate_type: "O/\u{e9}".to_owned(),
            aggregate_id: "x".repeat(1990),
        };
        let cursor = of_aggregate(&key, &one);
        assert!(cursor.len() <= 3072, "{}", cursor.len());
        assert_eq!(read_aggregate(&cursor, &one).ok(), Some(key));
        assert!(read_aggregate(&cursor, &other).is_err());
        assert!(read_event_type(&cursor, &one).is_err());
        assert_eq!(read_event_type(&of_event_type("T", &one), &one).ok().as_deref(), Some("T"));
        for broken in ["", "x", "AAAA", &cursor[1..], &format!("{cursor}A")] {
            assert!(read_aggregate(broken, &one).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_cursor_only_continues_its_own_list() {
        let (one, other) = (Fingerprint::of(&["a", "b"]), Fingerprint::of(&["ab"]));
        let place = (Timestamp::from_micros(5), Position { log_id: 1, offset: 2 });
        let cursor = of_dead_letter(place, &one);
        assert_eq!(read_dead_letter(&cursor, &one).ok(), Some(place));
        assert!(read_dead_letter(&cursor, &other).is_err());
        assert!(read_history(&cursor, &one).is_err());
        for broken in ["", "x", "AAAA", &cursor[1..], &format!("{cursor}A")] {
            assert!(read_dead_letter(broken, &one).is_err(), "{broken}");
        }
    }
}
