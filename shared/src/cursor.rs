//! Cursors of lists: where the next page starts, bound to the request they came from (semantics.md 7).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::filter::{EventFilter, Order, PageKey, Pattern, Sort};
use crate::position::Position;
use crate::timestamp::Timestamp;

/// The text cannot continue this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not a cursor of this system.
    #[error("not a cursor: use nextCursor of the page before, unchanged")]
    Malformed,
    /// A cursor of another filter, sort or order.
    #[error("the cursor belongs to another request: repeat the filter, sort and order that it came from")]
    Mismatch,
}

const FORMAT: u8 = 1;
const TIME: u8 = b't';
const RECORDED: u8 = b'r';
/// Longer texts are no cursors; says so before decoding them.
const MAX_TEXT: usize = 256;

/// The cursor of a key: base64url of a format byte, the kind, the key's numbers and the fingerprint.
pub fn encode(key: &PageKey, fingerprint: &str) -> String {
    let mut bytes = vec![FORMAT];
    match key {
        PageKey::Time(time, position) => {
            bytes.push(TIME);
            bytes.extend_from_slice(&time.as_micros().to_be_bytes());
            bytes.extend_from_slice(&position.log_id.to_be_bytes());
            bytes.extend_from_slice(&position.offset.to_be_bytes());
        }
        PageKey::Recorded { append_no, offset } => {
            bytes.push(RECORDED);
            bytes.extend_from_slice(&append_no.to_be_bytes());
            bytes.push(u8::from(offset.is_some()));
            bytes.extend_from_slice(&offset.unwrap_or_default().to_be_bytes());
        }
    }
    bytes.extend_from_slice(fingerprint.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key of a cursor, if it came from a request of this fingerprint.
pub fn decode(text: &str, fingerprint: &str) -> Result<PageKey, CursorError> {
    if text.len() > MAX_TEXT {
        return Err(CursorError::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
    let (key, rest) = read_key(&bytes).ok_or(CursorError::Malformed)?;
    if rest == fingerprint.as_bytes() { Ok(key) } else { Err(CursorError::Mismatch) }
}

fn read_key(bytes: &[u8]) -> Option<(PageKey, &[u8])> {
    let rest = bytes.strip_prefix(&[FORMAT])?;
    let (kind, rest) = rest.split_first()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let first = i64::from_be_bytes(*first);
    match *kind {
        TIME => {
            let (log_id, rest) = rest.split_first_chunk::<4>()?;
            let (offset, rest) = rest.split_first_chunk::<8>()?;
            let position =
                Position { log_id: i32::from_be_bytes(*log_id), offset: i64::from_be_bytes(*offset) };
            Some((PageKey::Time(Timestamp::from_micros(first), position), rest))
        }
        RECORDED => {
            let (present, rest) = rest.split_first()?;
            let (offset, rest) = rest.split_first_chunk::<8>()?;
            let offset = (*present == 1).then_some(i64::from_be_bytes(*offset));
            Some((PageKey::Recorded { append_no: first, offset }, rest))
        }
        _ => None,
    }
}

/// What binds a cursor to its request: 16 hexadecimal digits of a hash of filter, sort and order.
///
/// Repeated values count as a set, whatever their order. No secret: the caller's scope never comes from a cursor.
pub fn fingerprint(filter: &EventFilter, sort: Sort, order: Order) -> String {
    let mut hash = Parts(Sha256::new());
    hash.number(match sort {
        Sort::Time => 0,
        Sort::Recorded => 1,
    });
    hash.number(match order {
        Order::Descending => 0,
        Order::Ascending => 1,
    });
    for time in [filter.from, filter.to, filter.recorded_from, filter.recorded_to] {
        hash.number(time.map_or(i64::MIN, Timestamp::as_micros));
    }
    for patterns in [&filter.event_type, &filter.aggregate_type] {
        hash.set(patterns.iter().map(pattern_text));
    }
    let texts = [
        &filter.aggregate_id,
        &filter.user_id,
        &filter.organization_id,
        &filter.source,
        &filter.action,
        &filter.correlation_id,
        &filter.causation_id,
    ];
    for values in texts {
        hash.set(values.iter().cloned());
    }
    hash.number(filter.without_accesses.into());
    // Only when given: cursors of other lists are what they were.
    if let Some(query) = &filter.payload {
        hash.set([format!("payload {}", query.text())].into_iter());
    }
    if let Some(query) = &filter.text {
        hash.set([format!("text {}", query.words()), format!("fields {}", query.fields())].into_iter());
    }
    let digest: [u8; 32] = hash.0.finalize().into();
    hex::encode(&digest[..8])
}

fn pattern_text(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Exact(text) | Pattern::Glob(text) => text.clone(),
        Pattern::Prefix(prefix) => format!("{prefix}*"),
    }
}

/// Hashes lists so that no two different ones run together.
struct Parts(Sha256);

impl Parts {
    fn number(&mut self, number: i64) {
        self.0.update(number.to_be_bytes());
    }

    fn set(&mut self, values: impl Iterator<Item = String>) {
        let mut values: Vec<String> = values.collect();
        values.sort_unstable();
        values.dedup();
        self.0.update((values.len() as u64).to_be_bytes());
        for value in values {
            self.0.update((value.len() as u64).to_be_bytes());
            self.0.update(value);
        }
    }
}
