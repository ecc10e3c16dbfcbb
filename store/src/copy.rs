//! The binary form of COPY, written straight into one buffer: no value is boxed, no row is allocated.

use bytes::{BufMut, Bytes};
use shared::timestamp::Timestamp;
use uuid::Uuid;

use crate::sql_types::POSTGRES_EPOCH_MICROS;

/// `PGCOPY`, the flags, no header extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The number of fields that ends the data.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// `bytea`, as an array's element type.
const BYTEA_OID: u32 = 17;

/// Rows in COPY's binary form. Every row starts with [`Self::row`] and writes exactly that many fields.
#[derive(Debug, Clone)]
pub(crate) struct CopyBuffer {
    bytes: Vec<u8>,
}

impl CopyBuffer {
    /// What an eight-byte field takes, its length included.
    pub(crate) const I64_FIELD: usize = 12;

    /// For rows that are sent between [`Self::header`] and [`Self::trailer`].
    pub(crate) fn of_rows() -> Self {
        Self { bytes: Vec::new() }
    }

    /// The rows, without a head or an end, to be copied from here.
    pub(crate) fn rows(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the rows and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// What stands before all rows.
    pub(crate) fn header() -> Bytes {
        Bytes::from_static(HEADER)
    }

    /// What stands behind all rows.
    pub(crate) fn trailer() -> Bytes {
        Bytes::from_static(&TRAILER)
    }

    /// A time, its length included.
    pub(crate) fn timestamp_field(value: Timestamp) -> [u8; Self::I64_FIELD] {
        let mut field = [0; Self::I64_FIELD];
        field[..4].copy_from_slice(&8_i32.to_be_bytes());
        field[4..].copy_from_slice(&(value.as_micros() - POSTGRES_EPOCH_MICROS).to_be_bytes());
        field
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes + HEADER.len() + 2);
        buffer.extend_from_slice(HEADER);
        Self { bytes: buffer }
    }

    /// Starts a row.
    pub(crate) fn row(&mut self, fields: i16) {
        self.bytes.put_i16(fields);
    }

    /// A field of a fixed size, at most 16 bytes, with its length: in one piece, since each costs a look at what room there is.
    fn field<const N: usize>(&mut self, value: [u8; N]) {
        let mut field = [0; 20];
        field[..4].copy_from_slice(&length(N).to_be_bytes());
        field[4..4 + N].copy_from_slice(&value);
        self.bytes.extend_from_slice(&field[..4 + N]);
    }

    pub(crate) fn null(&mut self) {
        self.bytes.put_i32(-1);
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.field(value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.field(value.to_be_bytes());
    }

    pub(crate) fn timestamp(&mut self, value: Timestamp) {
        self.i64(value.as_micros() - POSTGRES_EPOCH_MICROS);
    }

    pub(crate) fn uuid(&mut self, value: Uuid) {
        self.field(value.into_bytes());
    }

    /// `bytea`, `text` and `json` alike.
    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.bytes.put_i32(length(value.len()));
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub(crate) fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// `bytea[]`, one dimension, elements may be null.
    pub(crate) fn bytea_array<'a>(&mut self, elements: impl ExactSizeIterator<Item = Option<&'a [u8]>>) {
        let start = self.bytes.len();
        self.bytes.put_i32(0); // the size, known at the end
        self.bytes.put_i32(1); // dimensions
        self.bytes.put_i32(0); // whether there are nulls, known at the end
        self.bytes.put_u32(BYTEA_OID);
        self.bytes.put_i32(length(elements.len()));
        self.bytes.put_i32(1); // the first index
        let mut has_null = false;
        for element in elements {
            has_null |= element.is_none();
            self.optional(element, Self::bytes);
        }
        let size = length(self.bytes.len() - start - 4);
        self.bytes[start..start + 4].copy_from_slice(&size.to_be_bytes());
        self.bytes[start + 8..start + 12].copy_from_slice(&i32::from(has_null).to_be_bytes());
    }

    /// The whole, ended.
    pub(crate) fn finish(mut self) -> Bytes {
        self.bytes.extend_from_slice(&TRAILER);
        self.bytes.into()
    }
}

/// Reads fields back, in the order and of the types in which they were written.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn of(written: &'a [u8]) -> Self {
        Self { rest: written }
    }

    fn next(&mut self) -> &'a [u8] {
        let (length, rest) = self.rest.split_first_chunk().expect(WRITTEN_HERE);
        let length = usize::try_from(i32::from_be_bytes(*length)).expect(WRITTEN_HERE);
        let (field, rest) = rest.split_at(length);
        self.rest = rest;
        field
    }

    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.next().try_into().expect(WRITTEN_HERE))
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.next().try_into().expect(WRITTEN_HERE))
    }

    pub(crate) fn timestamp(&mut self) -> Timestamp {
        Timestamp::from_micros(self.i64() + POSTGRES_EPOCH_MICROS)
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_slice(self.next()).expect(WRITTEN_HERE)
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.next().to_vec()).expect(WRITTEN_HERE)
    }
}

const WRITTEN_HERE: &str = "fields are read as CopyBuffer wrote them";

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a batch is bounded far below two gigabytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_what_postgres_documents() {
        let mut copy = CopyBuffer::with_capacity(64);
        copy.row(4);
        copy.i32(7);
        copy.text("ab");
        copy.null();
        copy.timestamp(Timestamp::from_micros(POSTGRES_EPOCH_MICROS + 1));
        let bytes = copy.finish();
        let mut expected = HEADER.to_vec();
        expected.extend_from_slice(&[0, 4, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 2, b'a', b'b']);
        expected.extend_from_slice(&[0xff; 4]);
        expected.extend_from_slice(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
        assert_eq!(&bytes[..], &expected[..]);
        assert_eq!(HEADER.len(), 19);
    }

    #[test]
    fn an_array_is_what_the_driver_would_write() {
        use postgres_types::{ToSql, Type};
        for values in [vec![], vec![Some(b"x".to_vec()), None, Some(vec![])]] {
            let mut driver = bytes::BytesMut::new();
            let null = values.to_sql(&Type::BYTEA_ARRAY, &mut driver).unwrap();
            assert!(matches!(null, postgres_types::IsNull::No));
            let mut copy = CopyBuffer::with_capacity(64);
            let start = copy.bytes.len();
            copy.bytea_array(values.iter().map(Option::as_deref));
            assert_eq!(copy.bytes[start + 4..], driver[..]);
            assert_eq!(copy.bytes[start..start + 4], length(driver.len()).to_be_bytes());
        }
    }

    #[test]
    fn rows_of_their_own_between_head_and_end_are_the_whole() {
        let (mut whole, mut rows) = (CopyBuffer::with_capacity(8), CopyBuffer::of_rows());
        for copy in [&mut whole, &mut rows] {
            copy.row(1);
            copy.timestamp(Timestamp::from_micros(7));
        }
        let rows = rows.rows();
        assert_eq!(rows[2..], CopyBuffer::timestamp_field(Timestamp::from_micros(7)));
        let parts = [&CopyBuffer::header()[..], rows, &CopyBuffer::trailer()].concat();
        assert_eq!(parts, whole.finish());
    }
}
