//! The records of one span, as they came: a dead letter keeps its record to the byte, and whether an accepted event
//! becomes one is known only in the transaction.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::chunk::{CHUNK, SpareChunks, index};

/// A header: its name, and its value if it has one.
pub type Header = (String, Option<Bytes>);

/// A Kafka record as it came: what a dead letter keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawRecord {
    /// The key's bytes.
    pub key: Option<Bytes>,
    /// The value's bytes.
    pub value: Option<Bytes>,
    /// The headers, in order; names may repeat.
    pub headers: Vec<Header>,
    /// Kafka's record time, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

/// A [`RawRecord`] that lies elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordRef<'a> {
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes.
    pub value: Option<&'a [u8]>,
    /// The headers, in order; names may repeat.
    pub headers: &'a [Header],
    /// Kafka's record time, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
}

impl RecordRef<'_> {
    /// The same with bytes of its own.
    pub fn to_owned(self) -> RawRecord {
        RawRecord {
            key: self.key.map(Bytes::copy_from_slice),
            value: self.value.map(Bytes::copy_from_slice),
            headers: self.headers.to_vec(),
            timestamp_ms: self.timestamp_ms,
        }
    }
}

/// A record, or where it lies.
pub trait AsRecord {
    /// Where it lies.
    fn as_record(&self) -> RecordRef<'_>;
}

impl AsRecord for RawRecord {
    fn as_record(&self) -> RecordRef<'_> {
        RecordRef {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &self.headers,
            timestamp_ms: self.timestamp_ms,
        }
    }
}

impl AsRecord for Arc<RawRecord> {
    fn as_record(&self) -> RecordRef<'_> {
        (**self).as_record()
    }
}

impl AsRecord for RecordRef<'_> {
    fn as_record(&self) -> RecordRef<'_> {
        *self
    }
}

/// Where a record is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    chunk: u32,
    from: u32,
}

/// The length of what is absent.
const ABSENT: u32 = u32::MAX;

/// The records of one span, one behind the other.
#[derive(Debug, Clone)]
pub(super) struct Records {
    chunks: Vec<BytesMut>,
    spare: SpareChunks,
}

impl Records {
    pub(super) fn new(spare: SpareChunks) -> Self {
        Self { chunks: Vec::new(), spare }
    }

    pub(super) fn keep(&mut self, record: RecordRef<'_>) -> Place {
        let size = size(record);
        if self.chunks.last().is_none_or(|chunk| chunk.len() + size > CHUNK) {
            self.chunks.push(self.spare.take(size));
        }
        let chunk = self.chunks.len() - 1;
        let bytes = &mut self.chunks[chunk];
        let from = bytes.len();
        bytes.put_u8(u8::from(record.timestamp_ms.is_some()));
        bytes.put_i64(record.timestamp_ms.unwrap_or_default());
        put(bytes, record.key);
        put(bytes, record.value);
        bytes.put_u32(index(record.headers.len()));
        for (name, value) in record.headers {
            put(bytes, Some(name.as_bytes()));
            put(bytes, value.as_deref());
        }
        Place { chunk: index(chunk), from: index(from) }
    }

    pub(super) fn read(&self, place: Place) -> RawRecord {
        let mut bytes = &self.chunks[place.chunk as usize][place.from as usize..];
        let has_time = bytes.get_u8() != 0;
        let time = bytes.get_i64();
        let (key, value) = (take(&mut bytes), take(&mut bytes));
        let headers = (0..bytes.get_u32()).map(|_| {
            let name = take(&mut bytes).unwrap_or_default();
            (String::from_utf8_lossy(&name).into_owned(), take(&mut bytes))
        });
        RawRecord { headers: headers.collect(), key, value, timestamp_ms: has_time.then_some(time) }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.chunks.drain(..).for_each(|chunk| self.spare.put(chunk));
    }
}

/// What [`Records::keep`] writes.
fn size(record: RecordRef<'_>) -> usize {
    let headers = record.headers.iter();
    let of_headers: usize =
        headers.map(|(name, value)| 8 + name.len() + value.as_ref().map_or(0, Bytes::len)).sum();
    let [key, value] = [record.key, record.value].map(|bytes| 4 + bytes.map_or(0, <[u8]>::len));
    9 + key + value + 4 + of_headers
}

fn put(into: &mut BytesMut, bytes: Option<&[u8]>) {
    into.put_u32(bytes.map_or(ABSENT, |bytes| index(bytes.len())));
    into.extend_from_slice(bytes.unwrap_or_default());
}

fn take(from: &mut &[u8]) -> Option<Bytes> {
    let length = from.get_u32();
    (length != ABSENT).then(|| from.copy_to_bytes(length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_as_they_were_kept() {
        let mut records = Records::new(SpareChunks::default());
        let bytes = |text: &str| Some(Bytes::copy_from_slice(text.as_bytes()));
        let headers = vec![
            ("a".to_owned(), bytes("1")),
            ("a".to_owned(), None),
            (String::new(), bytes("")),
            ("nul\0".to_owned(), bytes("x")),
        ];
        let given = [
            RawRecord::default(),
            RawRecord { key: bytes(""), value: bytes(""), ..RawRecord::default() },
            RawRecord { key: bytes("k"), value: bytes("v"), headers, timestamp_ms: Some(-1) },
            RawRecord { value: bytes(&"large".repeat(CHUNK)), timestamp_ms: Some(0), ..RawRecord::default() },
            RawRecord { key: bytes("after"), ..RawRecord::default() },
        ];
        let places: Vec<Place> = given.iter().map(|record| records.keep(record.as_record())).collect();
        for (record, place) in given.iter().zip(places) {
            assert_eq!(records.read(place), *record);
            assert_eq!(size(record.as_record()), {
                let mut alone = Records::new(SpareChunks::default());
                alone.keep(record.as_record());
                alone.chunks[0].len()
            });
        }
        assert_eq!(records.chunks.len(), 3, "what does not fit goes into a piece of its own");
    }
}
