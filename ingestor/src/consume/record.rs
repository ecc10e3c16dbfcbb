//! From librdkafka's message to ours: one copy, so that fetch buffers are freed at once.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bus::dead_letter::DIGEST_HEADER;
use bytes::{Bytes, BytesMut};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use sha2::{Digest, Sha256};
use shared::record::record_digest;
use store::RawRecord;

use super::parcel::Item;

/// Stands for a header name that is not UTF-8.
const UNREADABLE_HEADER: &str = "(header name is not UTF-8)";

/// Bytes are carved from chunks of this size: one allocation for some hundred records.
const CHUNK: usize = 128 * 1024;

/// Copies messages.
#[derive(Debug)]
pub struct RecordCopier {
    chunk: BytesMut,
    max_kept: usize,
}

impl RecordCopier {
    /// A copier that keeps at most so many bytes of a value; of a larger one only its SHA-256 is kept.
    pub fn new(max_kept: usize) -> Self {
        Self { chunk: BytesMut::new(), max_kept }
    }

    /// The message as an item for a lane.
    pub fn copy(&mut self, message: &BorrowedMessage<'_>) -> Item {
        let mut headers = message.headers().map(read_headers).unwrap_or_default();
        let size = message.key_len()
            + message.payload_len()
            + headers
                .iter()
                .map(|(name, value)| name.len() + value.as_ref().map_or(0, Bytes::len))
                .sum::<usize>();
        let mut digest = None;
        let value = match message.payload() {
            Some(value) if value.len() > self.max_kept => {
                digest = Some(digest_of(message));
                headers
                    .push((DIGEST_HEADER.to_owned(), Some(Bytes::from(hex::encode(Sha256::digest(value))))));
                None
            }
            value => value.map(|value| self.carve(value)),
        };
        let raw = RawRecord {
            key: message.key().map(|key| self.carve(key)),
            value,
            headers,
            timestamp_ms: message.timestamp().to_millis(),
        };
        Item::Record { offset: message.offset(), raw: Arc::new(raw), size, digest }
    }

    fn carve(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() >= CHUNK / 4 {
            return Bytes::copy_from_slice(bytes);
        }
        if self.chunk.capacity() < bytes.len() {
            self.chunk = BytesMut::with_capacity(CHUNK);
        }
        self.chunk.extend_from_slice(bytes);
        self.chunk.split().freeze()
    }
}

/// The digest by which a stored last record is recognised.
pub fn digest_of(message: &BorrowedMessage<'_>) -> [u8; 32] {
    record_digest(message.key(), message.payload(), message.timestamp().to_millis())
}

type OwnedHeader = (String, Option<Bytes>);

fn read_headers(headers: &BorrowedHeaders) -> Vec<OwnedHeader> {
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
