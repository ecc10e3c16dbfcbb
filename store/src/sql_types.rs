//! Values as PostgreSQL's binary protocol carries them, for the types that have no mapping of their own.

use bytes::{BufMut, BytesMut};
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use shared::timestamp::Timestamp;

use crate::error::BoxError;

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's `timestamptz` starts.
pub(crate) const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A [`Timestamp`] as `timestamptz`, exact to the microsecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Micros(pub(crate) Timestamp);

impl ToSql for Micros {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        out.put_i64(self.0.as_micros() - POSTGRES_EPOCH_MICROS);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Micros {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let micros = micros.checked_add(POSTGRES_EPOCH_MICROS).ok_or("a time beyond what can be counted")?;
        Ok(Self(Timestamp::from_micros(micros)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// The text of a `json` value, byte for byte as it is stored, borrowed from the row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonText<'a>(pub(crate) &'a str);

impl<'a> FromSql<'a> for JsonText<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Ok(Self(std::str::from_utf8(raw)?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}

/// A JSON text as a `jsonb` parameter: the server reads it once, before the statement starts.
#[derive(Debug, Clone)]
pub(crate) struct Jsonb(pub(crate) String);

impl ToSql for Jsonb {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        const VERSION: u8 = 1;
        out.put_u8(VERSION);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}
