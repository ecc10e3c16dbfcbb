//! The digest of a Kafka record, by which a log's last record is known again (semantics.md 4).

use sha2::{Digest, Sha256};

/// SHA-256 over key, value and time of a record.
///
/// Key and value are each written as their length (8 bytes, big-endian) and their bytes; an absent one as the length
/// `u64::MAX` and no bytes. Then the time in milliseconds (8 bytes, big-endian, two's complement; absent = `i64::MIN`).
pub fn record_digest(key: Option<&[u8]>, value: Option<&[u8]>, timestamp_ms: Option<i64>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [key, value] {
        let length = part.map_or(u64::MAX, |bytes| bytes.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(part.unwrap_or_default());
    }
    hash.update(timestamp_ms.unwrap_or(i64::MIN).to_be_bytes());
    hash.finalize().into()
}
