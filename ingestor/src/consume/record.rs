//! librdkafka's message as a record: where its bytes lie, so that they are decoded without a copy.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::dead_letter::DIGEST_HEADER;
use bytes::Bytes;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use sha2::{Digest, Sha256};
use shared::record::record_digest;
use store::{AsRecord, RecordRef, batch::Header};

use super::log::Aside;

/// Stands for a header name that is not UTF-8.
const UNREADABLE_HEADER: &str = "(header name is not UTF-8)";

/// A record as it is decoded, and kept until it is stored.
#[derive(Debug)]
pub struct Taken<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its bytes, except a value that is too large to be kept.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Vec<Header>,
    /// Kafka's record time, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// Key, value and headers together, as Kafka delivered them.
    pub size: usize,
    /// [`record_digest`], where the value was too large to be kept and it cannot be computed later.
    pub digest: Option<[u8; 32]>,
}

impl<'a> Taken<'a> {
    /// The message's; of a value of more than `max_kept` bytes only its SHA-256 is kept, in a header.
    pub fn of(message: &'a BorrowedMessage<'_>, max_kept: usize) -> Self {
        let mut taken = Self {
            offset: message.offset(),
            key: message.key(),
            value: message.payload(),
            headers: message.headers().map(read_headers).unwrap_or_default(),
            timestamp_ms: message.timestamp().to_millis(),
            size: 0,
            digest: None,
        };
        let of_headers: usize =
            taken.headers.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len)).sum();
        taken.size = of_headers + message.key_len() + message.payload_len();
        if let Some(value) = taken.value.take_if(|value| value.len() > max_kept) {
            taken.digest = Some(digest_of(message));
            let digest = hex::encode(Sha256::digest(value));
            taken.headers.push((DIGEST_HEADER.to_owned(), Some(Bytes::from(digest))));
        }
        taken
    }

    /// One that was put aside.
    pub fn again(aside: &'a Aside) -> Self {
        let record = aside.record.as_record();
        Self {
            offset: aside.offset,
            key: record.key,
            value: record.value,
            headers: record.headers.to_vec(),
            timestamp_ms: record.timestamp_ms,
            size: aside.size,
            digest: aside.digest,
        }
    }

    /// To be looked at later, when the message is gone.
    pub fn put_aside(&self) -> Aside {
        Aside {
            offset: self.offset,
            record: self.as_record().to_owned(),
            size: self.size,
            digest: self.digest,
        }
    }
}

impl AsRecord for Taken<'_> {
    fn as_record(&self) -> RecordRef<'_> {
        let Self { key, value, ref headers, timestamp_ms, .. } = *self;
        RecordRef { key, value, headers, timestamp_ms }
    }
}

/// The digest by which a stored last record is recognised.
pub fn digest_of(message: &BorrowedMessage<'_>) -> [u8; 32] {
    record_digest(message.key(), message.payload(), message.timestamp().to_millis())
}

fn read_headers(headers: &BorrowedHeaders) -> Vec<Header> {
    let read = |index| {
        let header = headers.get(index);
        (header.key.to_owned(), header.value.map(Bytes::copy_from_slice))
    };
    let count = headers.count();
    // rdkafka panics at a header name that is not UTF-8, and anybody who may produce can send one.
    let guarded = |index| {
        catch_unwind(AssertUnwindSafe(|| read(index)))
            .unwrap_or_else(|_| (UNREADABLE_HEADER.to_owned(), None))
    };
    (0..count).map(guarded).collect()
}
