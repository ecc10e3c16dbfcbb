//! Dead letters as Kafka records: original bytes, the headers that Kafka Connect users know, and ours (semantics.md 5).

use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::{position::Position, refusal::Reason};

use crate::Outgoing;

/// Names the dead letter; consumers drop repeats by it. Its value is the position, `<logId>:<offset>`.
pub const ID_HEADER: &str = "audit.dead.letter.id";

/// The SHA-256 (hex) of a value that was too large to be published and is therefore empty here.
pub const DIGEST_HEADER: &str = "audit.dead.letter.sha256";

/// On a record produced again to its topic: the dead letter that it comes from.
pub const REDRIVE_HEADER: &str = "audit.redrive.of";

/// What dead letters and their relay allow over the limit for events: room for the headers.
pub const ALLOWANCE: usize = 64 * 1024;

const CONNECT: &str = "__connect.errors.";

/// Header values beyond this are cut: a reason is for people, the record is what counts.
const MAX_MESSAGE_BYTES: usize = 2048;

/// A refused record, as `dead_letters` holds it.
#[derive(Debug, Clone)]
pub struct DeadLetter<'a> {
    /// Its place in the store, which is its id.
    pub id: Position,
    /// The topic it was read from.
    pub topic: &'a str,
    /// The partition it was read from.
    pub partition: i32,
    /// The offset it was read from.
    pub offset: i64,
    /// Where it was refused: `framing`, `schema`, `decode`, `validate`, `append`.
    pub stage: &'a str,
    /// Why.
    pub reason: Reason,
    /// Where in the record.
    pub pointer: &'a str,
    /// The sentence for people.
    pub detail: &'a str,
    /// The original key.
    pub key: Option<Bytes>,
    /// The original value; `None` when it was null, or too large to keep (then `value_digest` is there).
    pub value: Option<Bytes>,
    /// The SHA-256 of the original value, when the store did not keep it.
    pub value_digest: Option<[u8; 32]>,
    /// The original headers.
    pub headers: &'a [(String, Option<Bytes>)],
    /// The original timestamp, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// The record for the dead-letter topic; with an empty value and its digest when it would be over `max_record_bytes`.
pub fn record(letter: &DeadLetter<'_>, topic: &str, group: &str, max_record_bytes: usize) -> Outgoing {
    let mut headers = kept_headers(letter.headers);
    let mut add = |name: String, value: String| headers.push((name, Some(Bytes::from(value))));
    add(format!("{CONNECT}topic"), letter.topic.to_owned());
    add(format!("{CONNECT}partition"), letter.partition.to_string());
    add(format!("{CONNECT}offset"), letter.offset.to_string());
    add(format!("{CONNECT}connector.name"), group.to_owned());
    add(format!("{CONNECT}task.id"), letter.partition.to_string());
    add(format!("{CONNECT}stage"), letter.stage.to_owned());
    add(format!("{CONNECT}class.name"), "audit-ingestor".to_owned());
    add(format!("{CONNECT}exception.class.name"), letter.reason.as_str().to_owned());
    add(format!("{CONNECT}exception.message"), message(letter));
    add(ID_HEADER.to_owned(), letter.id.to_string());

    let mut outgoing = Outgoing {
        topic: topic.to_owned(),
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers,
        partition: None,
        timestamp_ms: letter.timestamp_ms,
    };
    if let Some(digest) = letter.value_digest {
        replace_value(&mut outgoing, digest);
    } else if outgoing.size() > max_record_bytes {
        let value = outgoing.value.clone().unwrap_or_default();
        replace_value(&mut outgoing, Sha256::digest(&value).into());
    }
    if outgoing.size() > max_record_bytes {
        // Even key and headers alone are too large: what names the record stays, and the value's digest.
        outgoing.key = None;
        outgoing.headers.retain(|(name, _)| is_ours(name));
    }
    outgoing
}

/// The record for its original topic, marked as a redrive of this dead letter; original headers stay, Connect's go.
pub fn redrive(letter: &DeadLetter<'_>) -> Outgoing {
    let mut headers = kept_headers(letter.headers);
    headers.push((REDRIVE_HEADER.to_owned(), Some(Bytes::from(letter.id.to_string()))));
    Outgoing {
        topic: letter.topic.to_owned(),
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers,
        partition: None,
        timestamp_ms: None,
    }
}

/// The original headers, without ones that an earlier passage through the dead letters left.
fn kept_headers(headers: &[(String, Option<Bytes>)]) -> Vec<(String, Option<Bytes>)> {
    headers.iter().filter(|(name, _)| !is_ours(name)).cloned().collect()
}

fn is_ours(name: &str) -> bool {
    name.starts_with(CONNECT) || [ID_HEADER, DIGEST_HEADER, REDRIVE_HEADER].contains(&name)
}

fn replace_value(outgoing: &mut Outgoing, digest: [u8; 32]) {
    outgoing.value = Some(Bytes::new());
    outgoing.headers.push((DIGEST_HEADER.to_owned(), Some(Bytes::from(hex::encode(digest)))));
}

fn message(letter: &DeadLetter<'_>) -> String {
    let mut text = format!("{} at {:?}: {}", letter.reason, letter.pointer, letter.detail);
    if text.len() > MAX_MESSAGE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 4096 + ALLOWANCE;

    fn letter(value: &[u8]) -> DeadLetter<'static> {
        DeadLetter {
            id: Position { log_id: 7, offset: 42 },
            topic: "audit.events",
            partition: 3,
            offset: 42,
            stage: "decode",
            reason: Reason::Undecodable,
            pointer: "/payload",
            detail: "the bytes end too early",
            key: Some(Bytes::from_static(b"key")),
            value: Some(Bytes::copy_from_slice(value)),
            value_digest: None,
            headers: &[],
            timestamp_ms: Some(1_700_000_000_000),
        }
    }

    fn header<'a>(record: &'a Outgoing, name: &str) -> Option<&'a str> {
        let mut found = record.headers.iter().filter(|(header, _)| header == name);
        let (_, value) = found.next()?;
        assert!(found.next().is_none(), "{name} is there twice");
        std::str::from_utf8(value.as_deref()?).ok()
    }

    #[test]
    fn the_original_bytes_go_with_the_headers_that_connect_users_know() {
        let record = record(&letter(b"\x00\xff"), "audit.dlq", "audit-ingestor", LIMIT);
        assert_eq!(record.topic, "audit.dlq");
        assert_eq!(record.key.as_deref(), Some(&b"key"[..]));
        assert_eq!(record.value.as_deref(), Some(&b"\x00\xff"[..]));
        assert_eq!(record.timestamp_ms, Some(1_700_000_000_000));
        let expected = [
            ("__connect.errors.topic", "audit.events"),
            ("__connect.errors.partition", "3"),
            ("__connect.errors.offset", "42"),
            ("__connect.errors.connector.name", "audit-ingestor"),
            ("__connect.errors.task.id", "3"),
            ("__connect.errors.stage", "decode"),
            ("__connect.errors.class.name", "audit-ingestor"),
            ("__connect.errors.exception.class.name", "undecodable"),
            ("__connect.errors.exception.message", "undecodable at \"/payload\": the bytes end too early"),
            ("audit.dead.letter.id", "7:42"),
        ];
        for (name, value) in expected {
            assert_eq!(header(&record, name), Some(value), "{name}");
        }
        assert_eq!(header(&record, DIGEST_HEADER), None);
    }

    #[test]
    fn original_headers_stay_and_those_of_an_earlier_passage_go() {
        let headers = [
            ("traceparent".to_owned(), Some(Bytes::from_static(b"00-x"))),
            ("traceparent".to_owned(), None),
            ("__connect.errors.topic".to_owned(), Some(Bytes::from_static(b"old"))),
            (ID_HEADER.to_owned(), Some(Bytes::from_static(b"1:1"))),
        ];
        let letter = DeadLetter { headers: &headers, ..letter(b"x") };
        let published = record(&letter, "audit.dlq", "g", LIMIT);
        assert_eq!(published.headers[..2], headers[..2]);
        assert_eq!(header(&published, ID_HEADER), Some("7:42"));
        assert_eq!(header(&published, "__connect.errors.topic"), Some("audit.events"));

        let again = redrive(&letter);
        assert_eq!(again.topic, "audit.events");
        assert_eq!(again.headers[..2], headers[..2]);
        assert_eq!(again.headers.len(), 3);
        assert_eq!(header(&again, REDRIVE_HEADER), Some("7:42"));
    }

    #[test]
    fn a_value_too_large_to_publish_goes_as_its_digest() {
        let value = vec![7; LIMIT];
        let published = record(&letter(&value), "audit.dlq", "g", LIMIT);
        assert_eq!(published.value.as_deref(), Some(&b""[..]));
        assert_eq!(header(&published, DIGEST_HEADER), Some(hex::encode(Sha256::digest(&value)).as_str()));
        assert_eq!(published.key.as_deref(), Some(&b"key"[..]));
        assert!(published.size() <= LIMIT);
    }

    #[test]
    fn a_value_the_store_did_not_keep_goes_as_the_digest_it_kept() {
        let letter = DeadLetter { value: None, value_digest: Some([0xab; 32]), ..letter(b"") };
        let published = record(&letter, "audit.dlq", "g", LIMIT);
        assert_eq!(published.value.as_deref(), Some(&b""[..]));
        assert_eq!(header(&published, DIGEST_HEADER), Some("ab".repeat(32).as_str()));
    }

    #[test]
    fn a_key_too_large_to_publish_never_blocks_the_next() {
        let headers = [("big".to_owned(), Some(Bytes::from(vec![1; LIMIT])))];
        let letter = DeadLetter { headers: &headers, key: Some(Bytes::from(vec![1; LIMIT])), ..letter(b"x") };
        let published = record(&letter, "audit.dlq", "g", LIMIT);
        assert!(published.size() <= LIMIT);
        assert_eq!(header(&published, ID_HEADER), Some("7:42"));
        assert_eq!(header(&published, DIGEST_HEADER), Some(hex::encode(Sha256::digest(b"x")).as_str()));
    }

    #[test]
    fn a_null_value_stays_null_and_a_long_reason_is_cut() {
        let detail = "\u{e9}".repeat(5000);
        let letter = DeadLetter { value: None, detail: &detail, ..letter(b"") };
        let published = record(&letter, "audit.dlq", "g", LIMIT);
        assert_eq!(published.value, None);
        let message = header(&published, "__connect.errors.exception.message").expect("still text");
        assert!(message.len() <= MAX_MESSAGE_BYTES && message.len() > MAX_MESSAGE_BYTES - 4);
    }
}
