//! Values that are neither arrays, nor maps, nor records.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::input::{Fault, Input};
use super::logical;
use super::plan::{Node, Unit};
use crate::json::{push_integer, push_string};

/// A scalar as it is rendered.
#[derive(Debug)]
pub(super) enum Scalar<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A floating-point number, printed.
    Float(String),
    /// A JSON string in a payload, the plain text in metadata.
    Text(Cow<'a, str>),
    /// It was read, and cannot be shown.
    Unfit(&'static str),
}

impl Scalar<'_> {
    /// Appends it as JSON; what is unfit as null, since the event is refused anyway.
    pub(super) fn push_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null | Self::Unfit(_) => out.extend_from_slice(b"null"),
            Self::Boolean(true) => out.extend_from_slice(b"true"),
            Self::Boolean(false) => out.extend_from_slice(b"false"),
            Self::Integer(number) => push_integer(out, *number),
            Self::Float(text) => out.extend_from_slice(text.as_bytes()),
            Self::Text(text) => push_string(out, text),
        }
    }
}

fn owned<'a>(text: impl Into<String>) -> Scalar<'a> {
    Scalar::Text(Cow::Owned(text.into()))
}

fn or_unfit<'a>(text: Option<String>, unfit: &'static str) -> Scalar<'a> {
    text.map_or(Scalar::Unfit(unfit), owned)
}

const FAR_DATE: &str = "a date outside the years 0000 to 9999";
const NO_TIME_OF_DAY: &str = "a time outside a day";
const LONG_DECIMAL: &str = "a decimal of more than 1,000 digits";

/// Reads a scalar; `None`, with nothing read, when the type is none.
pub(super) fn scalar<'a>(input: &mut Input<'a>, node: &'a Node) -> Result<Option<Scalar<'a>>, Fault> {
    Ok(Some(match node {
        Node::Array(_) | Node::Map(_) | Node::Record(_) | Node::Union(_) => return Ok(None),
        Node::Null => Scalar::Null,
        Node::Boolean => Scalar::Boolean(input.boolean()?),
        Node::Int => Scalar::Integer(input.int()?.into()),
        Node::Long => Scalar::Integer(input.long()?),
        Node::Float => {
            let value = f32::from_le_bytes(input.array()?);
            float(value.is_finite(), &value)
        }
        Node::Double => {
            let value = f64::from_le_bytes(input.array()?);
            float(value.is_finite(), &value)
        }
        Node::Bytes => owned(STANDARD.encode(input.bytes()?)),
        Node::Fixed(size) => owned(STANDARD.encode(input.take(*size)?)),
        Node::String => Scalar::Text(Cow::Borrowed(input.string()?)),
        Node::Enum(symbols) => {
            let symbol =
                symbols.get(input.index()?).ok_or(Fault::Malformed("an enum's symbol that is not there"))?;
            Scalar::Text(Cow::Borrowed(symbol))
        }
        Node::Decimal { scale, size } => {
            let unscaled = match size {
                Some(size) => input.take(*size)?,
                None => input.bytes()?,
            };
            or_unfit(logical::decimal(unscaled, *scale), LONG_DECIMAL)
        }
        Node::BigDecimal => {
            let mut inner = Input::new(input.bytes()?);
            let (unscaled, scale) = (inner.bytes()?, inner.long()?);
            or_unfit(logical::big_decimal(unscaled, scale), LONG_DECIMAL)
        }
        Node::UuidString => {
            let uuid =
                Uuid::try_parse(input.string()?).map_err(|_| Fault::Malformed("a uuid that is none"))?;
            owned(uuid.hyphenated().to_string())
        }
        Node::UuidBytes { fixed } => owned(uuid(input, *fixed)?.hyphenated().to_string()),
        Node::Date => or_unfit(logical::date(input.int()?.into()), FAR_DATE),
        Node::Time(Unit::Millis) => {
            or_unfit(logical::time(input.int()?.into(), Unit::Millis), NO_TIME_OF_DAY)
        }
        Node::Time(unit) => or_unfit(logical::time(input.long()?, *unit), NO_TIME_OF_DAY),
        Node::Timestamp { unit, local } => {
            or_unfit(logical::timestamp(input.long()?, *unit, *local), FAR_DATE)
        }
        Node::Duration => owned(logical::duration(input.array()?)),
    }))
}

/// A uuid that is held as bytes.
pub(super) fn uuid(input: &mut Input<'_>, fixed: bool) -> Result<Uuid, Fault> {
    let bytes = if fixed { input.take(16)? } else { input.bytes()? };
    Uuid::from_slice(bytes).map_err(|_| Fault::Malformed("a uuid that has not 16 bytes"))
}

/// Printed as serde_json prints it: the shortest text that reads back as the same number.
fn float<'a>(finite: bool, value: &impl serde::Serialize) -> Scalar<'a> {
    match serde_json::to_string(value) {
        Ok(text) if finite => Scalar::Float(text),
        _ => Scalar::Unfit("NaN and infinities are no JSON numbers"),
    }
}
