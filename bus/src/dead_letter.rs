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
    } else if crate::producer::size_of(&outgoing) > max_record_bytes {
        let value = outgoing.value.clone().unwrap_or_default();
        replace_value(&mut outgoing, Sha256::digest(&value).into());
    }
    if crate::producer::size_of(&outgoing) > max_record_bytes {
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
